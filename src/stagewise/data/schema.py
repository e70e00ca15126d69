"""What data/processed/ holds: schema.json, read by every later stage and shipped with the model."""

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from stagewise.errors import DataError

FILE = "schema.json"
SPLITS = ("train", "validation", "test")
"""The splits, in the order in which knowledge may flow; a split's number is its place here."""

Kind = TypeVar("Kind", bound="_Open")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Open(BaseModel):
    """A record to which every kind adds fields of its own; a subclass per kind reads them typed."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    def narrow(self, kind: type[Kind]) -> Kind:
        """This record with the typed fields of its kind.

        Raises:
            DataError: it has not the fields of that kind.
        """
        try:
            return kind.model_validate(self.model_dump())
        except ValidationError as error:
            raise DataError(
                f"the data schema holds no {kind.__name__}",
                where=FILE,
                fix="choose a model and a task that fit the data, or: dvc repro -f preprocess",
                details=_reasons(error),
            ) from error


class Feature(_Open):
    """The input of the model. Each kind of input adds how raw values are turned into it."""

    name: str
    """Name of the graph's input."""
    kind: str
    """"image", "text", "table", "sound", "series", or one of your own."""
    dtype: str
    """Of the stored array and of the graph's input, in numpy's notation."""
    shape: tuple[PositiveInt | None, ...]
    """Of one row; None for an axis whose length varies."""
    layout: str
    """What the axes are."""
    storage: Literal["fixed", "ragged", "windows"] = "fixed"
    """How rows lie in the split files: arrays of one shape, of one axis and any length, or windows of a long series."""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None


class TargetEntry(_Open):
    """What the model predicts. Each kind of target adds fields of its own."""

    name: str
    kind: str
    """"class", "number", "series", or one of your own."""
    outputs: PositiveInt
    """How many numbers the network gives per row."""


class ClassTarget(TargetEntry):
    """The index of one of the classes."""

    name: str = "label"
    kind: str = "class"
    classes: list[str]

    @model_validator(mode="before")
    @classmethod
    def _one_output_per_class(cls, data: Any) -> Any:
        if isinstance(data, dict) and "outputs" not in data:
            return {**data, "outputs": len(data.get("classes", ()))}
        return data


class SplitInfo(_Open):
    """One split's file; a kind of target may add what it knows of the split (``class_counts``)."""

    file: str
    rows: NonNegativeInt
    sha256: str
    class_counts: list[NonNegativeInt] | None = None
    """Rows per class, in the order of the classes; None where there are none."""


class DataSchema(_Record):
    """schema.json of one dataset."""

    version: Literal[2] = 2
    name: str
    features: list[Feature]
    target: TargetEntry
    splits: dict[str, SplitInfo]

    @field_validator("features", "target", mode="before")
    @classmethod
    def _open_records(cls, value: Any) -> Any:
        """Records of one kind become open ones: what is written, read again, is equal."""
        if isinstance(value, list):
            return [cls._open_records(item) for item in value]
        return value.model_dump() if isinstance(value, _Open) else value

    @property
    def feature(self) -> Feature:
        """The one input of the model."""
        return self.features[0]

    @property
    def classes(self) -> list[str]:
        """The class names, of a target that has classes.

        Raises:
            DataError: it has none.
        """
        return self.target.narrow(ClassTarget).classes


def read_schema(folder: Path) -> DataSchema:
    """Read ``folder``/schema.json.

    Raises:
        DataError: the file is missing or does not hold a schema.
    """
    path = folder / FILE
    try:
        return DataSchema.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError("there is no data schema", where=str(path), fix="dvc repro preprocess") from error
    except ValidationError as error:
        raise DataError(
            "the data schema is damaged", where=str(path), fix="dvc repro -f preprocess", details=_reasons(error)
        ) from error


def write_schema(schema: DataSchema, folder: Path) -> None:
    """Write ``folder``/schema.json; equal schemas give equal bytes."""
    content: dict[str, Any] = schema.model_dump(mode="json", exclude_none=False)
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def _reasons(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]]
