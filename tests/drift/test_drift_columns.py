"""What is measured of rows and answers, of every kind."""

import json
from pathlib import Path

import numpy as np
import pytest
from serving.small_packages import MAKERS
from watched import Stored, add_reference, run

from stagewise.drift.columns import Columns, coarse, outcomes, said
from stagewise.drift.reference import FILE, check_reference, make_reference, write_reference

ROWS = {
    "image": lambda many: many.integers(0, 256, (60, 6, 4, 1)).astype(np.uint8),
    "text": lambda many: many.integers(1, 7, (60, 8)).astype(np.int32),
    "table": lambda many: np.stack([many.normal(size=60), many.integers(0, 4, 60)], 1).astype(np.float32),
    "sound": lambda many: many.integers(-20000, 20000, (60, 100)).astype(np.int16),
    "series": lambda many: many.normal(size=(60, 3, 2)).astype(np.float32),
}
TARGETS = {"image": 3, "text": 2, "sound": 2}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("packages")
    return {kind: make(root / kind) for kind, make in MAKERS.items()}


def _schema(package):
    return json.loads((package / "schema.json").read_text())


def _stored(kind):
    many = np.random.default_rng(7)
    rows = ROWS[kind](many)
    targets = many.integers(0, TARGETS[kind], 60) if kind in TARGETS else many.normal(size=60)
    return Stored(rows, targets)


@pytest.mark.parametrize("kind", ROWS)
def test_a_reference_fits_its_schema_and_is_the_same_again(packages, kind):
    schema, rows, graph = _schema(packages[kind]), _stored(kind), run(packages[kind])
    reference = make_reference(rows, graph, schema)
    columns = Columns(schema)
    text = write_reference(reference)
    assert check_reference(json.loads(text), columns) == reference
    assert write_reference(make_reference(rows, graph, schema)) == text
    assert reference["rows"] == 60
    assert len({column.name for column in columns.columns}) == len(columns.columns)
    assert {column.group for column in columns.columns} == {"input", "answer"}
    assert bool(reference["outcomes"]) == (kind != "series")


@pytest.mark.parametrize("kind", ROWS)
def test_rows_measure_alike_alone_and_together(packages, kind):
    columns, rows, graph = Columns(_schema(packages[kind])), _stored(kind).inputs, run(packages[kind])
    outputs = graph(rows)
    together = columns.table(list(rows), outputs)
    alone = [columns.table([row], [output[k : k + 1] for output in outputs]) for k, row in enumerate(rows)]
    np.testing.assert_array_equal(np.concatenate(alone), together)
    assert np.isfinite(together).all()


def test_a_reference_is_evenly_taken_of_many_rows(packages):
    rows = _stored("table")
    reference = make_reference(rows, run(packages["table"]), _schema(packages["table"]), count=20)
    assert reference["rows"] == 20
    for entry in reference["columns"]:
        assert sum(entry["counts"]) + entry.get("missing", 0) == 20


def test_a_reference_holds_as_many_numbers_for_any_number_of_rows(packages):
    few, many = (
        Stored(np.resize(_stored("image").inputs, (count, 6, 4, 1)), np.zeros(count, np.int64)) for count in (60, 600)
    )
    sizes = [
        sum(
            len(entry["counts"])
            for entry in make_reference(rows, run(packages["image"]), _schema(packages["image"]))["columns"]
        )
        for rows in (few, many)
    ]
    assert sizes[1] <= sizes[0] + 20


def test_no_rows_make_no_reference(packages):
    rows = Stored(np.empty((0, 2), np.float32), np.empty(0))
    with pytest.raises(ValueError, match="no rows"):
        make_reference(rows, run(packages["table"]), _schema(packages["table"]))


def test_padding_of_a_text_counts_for_nothing(packages):
    columns = Columns(_schema(packages["text"]))
    outputs = [np.array([0]), np.array([[0.9, 0.1]], np.float32)]
    short, padded = np.array([4, 1, 4], np.int32), np.array([4, 1, 4, 0, 0], np.int32)
    np.testing.assert_array_equal(columns.table([short], outputs), columns.table([padded], outputs))
    found = dict(zip([column.name for column in columns.columns], columns.table([short], outputs)[0], strict=True))
    assert found["input.length"] == 3
    assert found["input.unknown"] == pytest.approx(1 / 3, rel=1e-3)
    assert found["input.distinct"] == pytest.approx(2 / 3, rel=1e-3)


def test_categories_that_are_many_share_a_place_but_a_missing_one_has_its_own(packages):
    schema = _schema(packages["table"])
    column = schema["inputs"][0]["columns"][1]
    column |= {"categories": [f"c{number}" for number in range(100)], "codes": 102, "missing_code": 101}
    columns = Columns(schema)
    labels = columns.columns[1].labels
    rows = [np.array([0, code], np.float32) for code in (0, 1, 22, 23, 100, 101)]
    table = columns.table(rows, [np.zeros(6, np.float32)])
    assert [labels[int(place)] for place in table[:, 1]] == ["(unknown)", "c0", "c21", "(rest)", "(rest)", "(missing)"]
    assert len(labels) == 25


def test_dates_are_left_out(packages):
    schema = _schema(packages["table"])
    schema["inputs"][0]["columns"][0]["type"] = "date"
    assert [column.name for column in Columns(schema).columns] == ["input.colour", "answer.value"]


def test_many_classes_share_a_place(packages):
    schema = _schema(packages["image"])
    schema["target"] |= {"classes": [str(number) for number in range(1000)], "outputs": 1000}
    columns = Columns(schema)
    outputs = [np.array([3, 999]), np.full((2, 1000), 0.5, np.float32)]
    table = columns.table([np.zeros((6, 4, 1), np.uint8)] * 2, outputs)
    place = [column.name for column in columns.columns].index("answer.class")
    assert [columns.columns[place].labels[int(value)] for value in table[:, place]] == ["3", "(rest)"]


def test_outcomes_of_classes_and_of_numbers():
    answers = said("class", [np.array([0, 1]), np.array([[0.75, 0.25], [0.5, 0.5]], np.float32)])
    np.testing.assert_allclose(outcomes(answers, np.array([0, 0])), [[1, -0.25], [0, 0.5]])
    np.testing.assert_allclose(outcomes(said("number", [np.array([1.0, 5.0])]), np.array([2.0, 5.0])), [[1], [0]])


def test_the_last_bits_of_a_number_break_no_ties():
    values = np.array([0.1, 3.0, -2.5, 1e30, 0.0], np.float32)
    np.testing.assert_array_equal(coarse(np.nextafter(values, np.float32(-9))), coarse(values))
    np.testing.assert_allclose(coarse(values), values, rtol=3e-4)
    assert np.isnan(coarse(np.array([np.nan, np.inf, -np.inf]))).all()


def test_of_kinds_of_other_projects_the_rest_is_measured(packages):
    schema = _schema(packages["image"])
    whole, outputs = Columns(schema), [np.array([2, 0]), np.full((2, 3), 0.25, np.float32)]
    rows = [np.zeros((6, 4, 1), np.uint8)] * 2
    schema["inputs"][0]["kind"] = "video"
    answers = Columns(schema)
    assert [column.group for column in answers.columns] == ["answer"] * 5
    np.testing.assert_array_equal(answers.table(rows, outputs), whole.table(rows, outputs)[:, -5:])
    schema["target"]["kind"] = "boxes"
    nothing = Columns(schema)
    assert (nothing.columns, nothing.outcomes, nothing.table(rows, outputs).shape) == ([], [], (2, 0))


def test_scores_of_classes_are_logarithms_with_an_end(packages):
    columns = Columns(_schema(packages["image"]))
    names = [column.name for column in columns.columns]
    outputs = [np.array([0]), np.array([[1.0, 0.0, 1e-9]], np.float32)]
    (row,) = columns.table([np.zeros((6, 4, 1), np.uint8)], outputs)
    scores = {name: value for name, value in zip(names, row, strict=True) if name.startswith("answer.score.")}
    classes = _schema(packages["image"])["target"]["classes"]
    assert list(scores) == [f"answer.score.{name}" for name in classes]
    assert list(scores.values()) == pytest.approx([0.0, np.log(1e-6), np.log(1e-6)], rel=1e-3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found.update(version=2), "version 2"),
        (lambda found: found["columns"].pop(), "something else"),
        (lambda found: found["columns"][0].update(name="input.other"), "something else"),
        (lambda found: found.pop("rows"), "no reference"),
        (lambda found: found["columns"][0]["counts"].append(3), "contradict"),
        (lambda found: found["columns"][0]["edges"].reverse(), "contradict"),
        (lambda found: found["columns"][0]["ranks"].__setitem__(0, 0), "contradict"),
        (lambda found: found.update(rows=61), "contradict"),
        (lambda found: found.update(rows=10**12), "rows from 1"),
        (lambda found: found.update(rows=0), "rows from 1"),
        (lambda found: found["columns"][0]["counts"].__setitem__(0, -1), "contradict"),
        (lambda found: found["columns"][1]["counts"].__setitem__(0, 0.5), "contradict"),
        (lambda found: found.update(columns=7), "no reference"),
    ],
)
def test_a_damaged_reference_is_refused(packages, change, told):
    schema = _schema(packages["table"])
    found = json.loads(write_reference(make_reference(_stored("table"), run(packages["table"]), schema)))
    change(found)
    with pytest.raises(ValueError, match=told):
        check_reference(found, Columns(schema))


def test_a_package_with_a_reference_is_whole(tmp_path):
    package = add_reference(MAKERS["table"](tmp_path / "package"), _stored("table"))
    from stagewise.packaging.integrity import verify

    assert FILE in verify(package, strict=True)["files"]
