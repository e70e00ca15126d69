"""What data/processed/ holds: schema.json, read by every later stage and shipped with the model."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from stagewise.errors import DataError

FILE = "schema.json"
SPLITS = ("train", "validation", "test")
"""The splits, in the order in which knowledge may flow; a split's number is its place here."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Feature(_Record):
    """The input of the model and its normalisation, fitted on the training split only."""

    name: str = "image"
    kind: Literal["image"] = "image"
    dtype: Literal["uint8"] = "uint8"
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    """(H, W, C)."""
    layout: Literal["HWC"] = "HWC"
    unit: str = "intensity"
    minimum: int = 0
    maximum: int = 255
    resize: str
    """Filter that brings raw images to this shape (``features.pixels.FILTERS``)."""
    mean: list[float]
    """Per channel, of value / 255."""
    std: list[float]
    """Per channel, of value / 255; 1 where a channel does not vary."""


class LabelTarget(_Record):
    """What the model predicts: the index of one of the classes."""

    name: str = "label"
    kind: Literal["class"] = "class"
    classes: list[str]


class SplitInfo(_Record):
    """One split's file."""

    file: str
    rows: NonNegativeInt
    sha256: str
    class_counts: list[NonNegativeInt]
    """Rows per class, in the order of the classes."""


class DataSchema(_Record):
    """schema.json of one dataset."""

    version: Literal[1] = 1
    name: str
    features: list[Feature]
    target: LabelTarget
    splits: dict[str, SplitInfo]


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
        reasons = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]]
        raise DataError(
            "the data schema is damaged", where=str(path), fix="dvc repro -f preprocess", details=reasons
        ) from error


def write_schema(schema: DataSchema, folder: Path) -> None:
    """Write ``folder``/schema.json; equal schemas give equal bytes."""
    text = json.dumps(schema.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
