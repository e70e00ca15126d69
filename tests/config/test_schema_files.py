"""The JSON Schemas for editors: fresh, true to every file of conf/, and no looser than they need to be."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagewise.config.export import FOLDER, json_schemas, write_schemas

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "conf").rglob("*.yaml"))
MODELINE = re.compile(r"^# yaml-language-server: \$schema=(?P<path>\S+)$", re.MULTILINE)
TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None),
}  # fmt: skip
CHECKED = {
    "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "default", "description", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "items", "maxItems", "maxProperties", "maximum", "minItems", "minProperties", "maxLength", "minLength", "minimum", "not", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "required", "title", "type",
}  # fmt: skip


class FloatLoader(yaml.SafeLoader):
    """YAML as OmegaConf reads it: 1e-3 is a number."""


FloatLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def fits(value: Any, schema: Any, whole: dict[str, Any]) -> bool:
    """The part of JSON Schema that is used here."""
    if isinstance(schema, bool):
        return schema
    assert schema.keys() <= CHECKED, schema.keys() - CHECKED
    if "$ref" in schema and not fits(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole):
        return False
    if "anyOf" in schema and not any(fits(value, option, whole) for option in schema["anyOf"]):
        return False
    if "not" in schema and fits(value, schema["not"], whole):
        return False
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        return False
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        return False
    if isinstance(value, dict):
        return fits_mapping(value, schema, whole)
    if isinstance(value, list):
        items = [*schema.get("prefixItems", []), *[schema.get("items", True)] * len(value)]
        in_size = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return in_size and all(fits(child, item, whole) for child, item in zip(value, items, strict=False))
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, (int, float)):
        above = value >= schema.get("minimum", value) and value > schema.get("exclusiveMinimum", value - 1)
        return above and value <= schema.get("maximum", value) and value < schema.get("exclusiveMaximum", value + 1)
    return True


def fits_mapping(value: dict[str, Any], schema: dict[str, Any], whole: dict[str, Any]) -> bool:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = schema.get("additionalProperties", True)
    for name, child in value.items():
        options = [known[name]] if name in known else [s for p, s in patterns.items() if re.search(p, name)] or [others]
        if not all(fits(child, option, whole) for option in options):
            return False
    size = schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    return size and all(name in value for name in schema.get("required", []))


def schema_of(file: Path) -> dict[str, Any]:
    found = MODELINE.search(file.read_text())
    assert found, f"{file} has no editor header"
    return json.loads((file.parent / found["path"]).resolve().read_text())


def test_the_exported_files_are_fresh() -> None:
    schemas = json_schemas(ROOT)
    assert sorted(path.name for path in (ROOT / FOLDER).iterdir()) == sorted(schemas)
    for name, schema in schemas.items():
        assert json.loads((ROOT / FOLDER / name).read_text()) == schema, f"{name} is stale: run stagewise schema"


def test_writing_touches_only_what_changed(project: Path) -> None:
    (project / "docs").mkdir()
    files = write_schemas(project)
    before = [file.stat().st_mtime_ns for file in files]
    (project / "conf/model/mine.yaml").write_text("_target_: stagewise.models.mlp.MLP\n")
    assert write_schemas(project) == files
    moved = [file.name for file, time in zip(files, before, strict=True) if file.stat().st_mtime_ns != time]
    assert moved == ["config.json", "params.json"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_fits_its_schema(file: Path) -> None:
    schema = schema_of(file)
    assert fits(yaml.load(file.read_text(), FloatLoader), schema, schema)


def test_params_fit() -> None:
    schema = json_schemas(ROOT)["params.json"]
    assert fits(yaml.safe_load((ROOT / "params.yaml").read_text()), schema, schema)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("params", {"modle": "cnn"}), ("params", {"model": "resnett"}), ("params", {"model": {"use": "nope"}}),
        ("params", {"model": {"use": "cnn", "chanels": [8]}}), ("params", {"seed": -1}), ("params", {"threads": 0}),
        ("params", {"trainer": {"use": "default", "max_epochs": 0}}), ("params", {"trainer": {"max_epoch": 3}}),
        ("params", {"optimizer": {"use": "adamw", "lr": 0}}), ("params", {"optimizer": {"use": "adamw", "lrr": 1}}),
        ("model", {"_target_": "stagewise.models.cnn.CNN", "dropout": 1.0}),
        ("model", {"_target_": "stagewise.models.cnn.CNN", "outputs": 3}),
        ("model", {"_target_": "stagewise.models.cnn.CNN", "activation": "rellu"}),
        ("optimizer", {"_target_": "torch.optim.SGD", "betas": [0.9, 0.99]}),
        ("optimizer", {"_target_": "torch.optim.Adam", "betas": [0.9, 1.0]}),
        ("augment", {"transforms": [{"_target_": "stagewise.data.augment.flip.Flip", "horizontal": 2}]}),
        ("trainer", {"precision": 16}), ("data", {"feature": {"_target_": "stagewise.data.features.image.ImageFeature", "size": [8]}}),
        ("compress", {"candidates": {"fp32": {"_target_": "stagewise.compression.candidates.float32.Float32", "x": 1}}}),
        ("config", {"defaults": [{"model": "nope"}]}), ("config", {"hydra": {}, "defaults": []}), ("targets", ["os system"]),
    ],
)  # fmt: skip
def test_what_is_wrong_does_not_fit(name: str, value: Any) -> None:
    schema = json_schemas(ROOT)[f"{name}.json"]
    assert not fits(value, schema, schema)
