"""io.schema.json: what it says of a request is what the readers take, and of an answer what the package gives."""

import base64
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_texts import plain_texts
from series_data import prepare, wave
from small_tables import category_column, number_column
from tiny_schema import problems

from stagewise.data.features.entries import ImageEntry
from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.sound import SoundFeature
from stagewise.data.features.table_entry import TableEntry
from stagewise.data.features.text import TextFeature
from stagewise.data.schema import ClassTarget
from stagewise.data.targets.entries import NumberEntry
from stagewise.packaging.contents.io_schema import DIALECT, io_schema
from stagewise.packaging.predictor import Predictor
from stagewise.runtime import classes, forecast, image, numbers, series, sound, table, text

CLASSES = {"name": "label", "kind": "class", "classes": ["a", "b"], "outputs": 2}
NUMBER = {"name": "price", "kind": "number", "unit": "EUR", "outputs": 1}
FORECAST = {
    "name": "forecast",
    "kind": "series",
    "variables": ["x", "y"],
    "units": ["m", ""],
    "step": "1h",
    "outputs": 3,
}


def schema_of(feature: dict[str, Any], inputs: str, target: dict[str, Any] = CLASSES, answers: str = "classes") -> Any:
    runtime = {"inputs": f"stagewise.runtime.{inputs}", "answers": f"stagewise.runtime.{answers}"}
    return io_schema("m", "1.0.0", {"inputs": [feature], "target": target, "runtime": runtime})


def request_problems(schema: dict[str, Any], request: Any) -> list[str]:
    return problems({"request": request}, schema)


def answer_problems(schema: dict[str, Any], answer: Any) -> list[str]:
    return problems(answer, schema["$defs"]["answer"], schema)


# ---- requests: an example as JSON fits, and the reader makes the stored row of it


def text_feature() -> tuple[dict[str, Any], np.ndarray]:
    feature = TextFeature(vocabulary=300, max_length=12, algorithm="word")
    rows = [feature.check(value) for value in plain_texts(200)]
    feature.fit([(rows, np.zeros(len(rows), np.int64))])
    entry = feature.describe().model_dump(mode="json")
    return entry, text.Reader(entry).encode(plain_texts(1)[0])


def table_feature() -> tuple[dict[str, Any], np.ndarray]:
    columns = [number_column("age", [1.0, 2.0, np.nan]), category_column("city", ["Bonn", "Oslo"], missing=True)]
    entry = TableEntry(shape=(2,), columns=columns, dropped={"id": "every row has its own"}, na=["?"], rows=3)
    return entry.model_dump(mode="json"), np.array([2.5, 2], np.float32)


def sound_feature() -> tuple[dict[str, Any], np.ndarray]:
    feature = SoundFeature(rate=8000, seconds=0.1, normalize=None, trim_db=None)
    row = (8000 * np.sin(np.arange(800) / 5)).astype(np.int16)
    feature.fit([(row[None], np.zeros(1, np.int64))])
    return feature.describe().model_dump(mode="json"), row


def image_feature() -> tuple[dict[str, Any], np.ndarray]:
    entry = ImageEntry(shape=(6, 4, 3), resize="bilinear", mean=[0.5] * 3, std=[0.5] * 3)
    row = np.random.default_rng(0).integers(0, 256, (6, 4, 3)).astype(np.uint8)
    return entry.model_dump(mode="json"), row


def series_feature(folder: Path) -> tuple[dict[str, Any], np.ndarray]:
    schema = prepare(folder, {"a": wave()}, SeriesFeature(lookback=6, horizon=2, calendar=["hour"]))
    entry = schema.feature.model_dump(mode="json")
    rows = np.random.default_rng(0).normal(size=entry["shape"]).astype(np.float32)
    return entry, rows


def from_json(kind: str, request: Any) -> Any:
    """What a service hands to ``Predictor.predict`` of a request."""
    if kind == "image" and isinstance(request, list):
        return np.array(request)
    return base64.b64decode(request) if kind in ("image", "sound") and isinstance(request, str) else request


def as_request(kind: str, file: Path) -> Any:
    if kind in ("image", "sound"):
        return base64.b64encode(file.read_bytes()).decode()
    if kind == "series":
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        return {name: [float(row[name]) for row in rows] for name in rows[0]}
    content = file.read_text()
    return json.loads(content) if file.suffix == ".json" else content.removesuffix("\n")


MODULES = {"image": image, "sound": sound, "text": text, "table": table, "series": series}


@pytest.mark.parametrize("kind", MODULES)
def test_an_example_is_a_request_that_is_read_as_its_row(kind, tmp_path):
    makers = {"image": image_feature, "sound": sound_feature, "text": text_feature, "table": table_feature}
    feature, row = makers[kind]() if kind in makers else series_feature(tmp_path / "data")
    module = MODULES[kind]
    file = tmp_path / module.save_example(row, feature, tmp_path / "0")
    request = as_request(kind, file)
    assert request_problems(schema_of(feature, kind), request) == []
    encoded = module.Reader(feature).encode(from_json(kind, request))
    np.testing.assert_array_equal(encoded, row)
    assert request_problems(schema_of(feature, kind), 17) != []
    assert request_problems(schema_of(feature, kind), {"unheard": 1}) != []


@pytest.mark.parametrize(
    ("request_", "good"),
    [
        ([[0, 255], [3, 4]], True),
        ([[[0, 1, 2], [3, 4, 5]]], True),
        ([[0, 256]], False),
        ([[0, -1]], False),
        ([[0.5]], False),
        ([], False),
        ([[]], False),
        ([[[1, 2, 3, 4, 5]]], False),
        (None, False),
    ],
)
def test_pixels(request_, good):
    feature, _ = image_feature()
    assert (request_problems(schema_of(feature, "image"), request_) == []) is good
    if good:
        image.Reader(feature).encode(from_json("image", request_))


@pytest.mark.parametrize(
    ("row", "good"),
    [
        ({"age": 3, "city": "Oslo"}, True),
        ({"age": "3.5", "city": "Paris", "id": 7}, True),
        ({"age": None, "city": None}, True),
        ({"age": 3}, False),
        ({"age": 3, "city": "Oslo", "town": 1}, False),
        ({"age": [3], "city": "Oslo"}, False),
    ],
)
def test_rows_are_refused_by_the_schema_where_the_reader_refuses_them(row, good):
    feature, _ = table_feature()
    assert (request_problems(schema_of(feature, "table"), row) == []) is good
    if good:
        table.Reader(feature).encode(row)
    else:
        with pytest.raises(ValueError):
            table.Reader(feature).encode(row)


@pytest.mark.parametrize(
    ("recording", "good"),
    [
        ({"samples": [0.0, 0.5, -0.5], "rate": 8000}, True),
        ({"samples": [0, 0.5]}, False),
        ({"samples": [], "rate": 8000}, False),
        ({"samples": [0.5], "rate": 0}, False),
        ([0.5, 0.5], False),
    ],
)
def test_samples_need_their_rate(recording, good):
    feature, _ = sound_feature()
    assert (request_problems(schema_of(feature, "sound"), recording) == []) is good


def test_an_input_of_your_own_is_the_array_that_the_graph_takes():
    feature = {"name": "grid", "kind": "grid", "dtype": "int16", "shape": [2, None], "minimum": 0, "maximum": 9}
    runtime = {"inputs": "myproject.runtime", "answers": "myproject.answers"}
    schema = io_schema("m", "1.0.0", {"inputs": [feature], "target": NUMBER, "runtime": runtime})
    assert request_problems(schema, [[1, 2, 3], [4]]) == []
    for wrong in ([[1]], [[1], [10]], [[1], [0.5]], [1, 2]):
        assert request_problems(schema, wrong) != []
    assert answer_problems(schema, {"whatever": 1}) == []


# ---- answers


def test_an_answer_of_classes():
    schema = schema_of({"kind": "image", "shape": [1, 1, 1]}, "image")
    outputs = [np.array([1]), np.array([[0.25, 0.75]], np.float32)]
    (answer,) = classes.Answers(CLASSES).decode(outputs)
    for top in (1, 2):
        assert answer_problems(schema, answer.to_dict(top)) == []
    assert answer_problems(schema, answer.to_dict() | {"label": "c"}) != []
    assert answer_problems(schema, answer.to_dict() | {"top": {"c": 0.5}}) != []
    assert answer_problems(schema, answer.to_dict() | {"probability": 1.5}) != []


def test_an_answer_of_a_number():
    schema = schema_of({"kind": "image", "shape": [1, 1, 1]}, "image", NUMBER, "numbers")
    (answer,) = numbers.Answers(NUMBER).decode([np.array([1.5])])
    assert answer_problems(schema, answer.to_dict()) == []
    assert answer_problems(schema, {"value": 1.5, "unit": "USD"}) != []
    assert answer_problems(schema, {"value": "1.5", "unit": "EUR"}) != []


def test_an_answer_of_a_forecast():
    schema = schema_of({"kind": "image", "shape": [1, 1, 1]}, "image", FORECAST, "forecast")
    (answer,) = forecast.Answers(FORECAST).decode([np.zeros((1, 3, 2))])
    assert answer_problems(schema, answer.to_dict()) == []
    assert answer_problems(schema, answer.to_dict() | {"steps": ["+1h"]}) != []
    assert answer_problems(schema, answer.to_dict() | {"forecast": {"x": [0.0] * 3}}) != []


# ---- the package's own


def test_the_examples_of_a_package_fit_its_schema(packaged):
    schema = json.loads((packaged / "io.schema.json").read_text())
    assert schema["$schema"] == DIALECT
    predictor = Predictor.load(packaged)
    examples = sorted((packaged / "examples").glob("*.png"))
    assert len(examples) == 3
    for file in examples:
        (answer,) = predictor.predict(file)
        pair = {"request": base64.b64encode(file.read_bytes()).decode(), "answer": answer.to_dict(3)}
        assert problems(pair, schema) == []
        assert problems(pair | {"answer": {}}, schema) != []
        assert problems(pair | {"more": 1}, schema) != []


def test_it_is_a_schema_of_its_dialect(packaged):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json.loads((packaged / "io.schema.json").read_text()))


def test_targets_of_the_project_are_known_by_their_answers():
    """Entries as preprocess writes them, not as this file spells them."""
    number = NumberEntry(name="p", unit="m", transform="none", mean=0, std=1, minimum=0, maximum=1)
    feature = {"kind": "image", "shape": [1, 1, 1]}
    for target, answers in ((number, "numbers"), (ClassTarget(classes=["a"]), "classes")):
        schema = schema_of(feature, "image", target.model_dump(mode="json"), answers)
        assert schema["$defs"]["answer"]["required"]
