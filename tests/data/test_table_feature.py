"""Rows of a table to stored vectors, as preprocess does it."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from stagewise.config.schema.data import AugmentSection, DataSection, IngestSettings, PreprocessData, PreprocessSettings
from stagewise.data.features.table import TableEntry, TableFeature
from stagewise.data.preprocess import preprocess
from stagewise.data.rows import StoredRows
from stagewise.data.schema import DataSchema, read_schema
from stagewise.data.sources.ingest import ingest
from stagewise.data.tables import sample as sample_module
from stagewise.errors import ConfigError, DataError
from stagewise.runtime.table import Reader, RowError, save_example

CONF = Path(__file__).parents[2] / "conf" / "data"
KINDS = ["car", "bus", "tram"]


def rides(count: int = 200) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """Rows with every kind of column, and two classes."""
    generator = np.random.default_rng(0)
    late = generator.integers(0, 2, count)
    rows = [
        {
            "constant": "7",
            "minutes": f"{generator.normal(20 + 3 * late[n], 9):.2f}",
            "kind": KINDS[int(generator.integers(0, 3))] if n % 9 else "ferry" if n == 9 else None,
            "day": f"2026-{1 + n % 3:02}-{1 + n % 28:02}",
            "seats": str(generator.integers(1, 9)) if n % 7 else "?",
            "note": "".join(chr(97 + n // 26**k % 26) for k in range(3)),
        }
        for n in range(count)
    ]
    return rows, late


def blocks(spooled: list[NDArray[np.uint8]], targets: NDArray[Any], size: int) -> Iterator[tuple[Any, NDArray[Any]]]:
    for begin in range(0, len(spooled), size):
        yield spooled[begin : begin + size], targets[begin : begin + size]


def fitted(rows: list[dict[str, Any]], targets: NDArray[Any], size: int = 64, **config: Any) -> TableFeature:
    feature = TableFeature(**config)
    feature.fit(blocks([feature.check(row) for row in rows], targets, size))
    return feature


@pytest.fixture(scope="module")
def feature() -> TableFeature:
    return fitted(*rides(), na=["?"], min_category_count=3, units={"minutes": "min"})


def test_spooled_rows_are_json_in_the_order_of_the_first_row() -> None:
    feature = TableFeature(na=["?"])
    assert feature.check({"b": " x ", "a": 1.0}).tobytes() == b'{"b":"x","a":1.0}'
    assert feature.check({"a": "?", "b": "é"}).tobytes() == '{"b":"é","a":null}'.encode()
    assert (feature.spooled.dtype, feature.spooled.shape) == (np.uint8, None)


def test_the_entry_says_what_every_number_means(feature: TableFeature) -> None:
    entry = feature.describe()
    assert [(column.name, column.type, column.decided) for column in entry.columns] == [
        ("minutes", "number", "inferred"),
        ("seats", "number", "inferred"),
        ("day", "date", "inferred"),
        ("kind", "category", "inferred"),
        ("day.month", "category", "inferred"),
        ("day.weekday", "category", "inferred"),
    ]
    minutes, seats, day, kind, month, _ = entry.columns
    values = np.array([float(row["minutes"]) for row in rides()[0]])
    assert (minutes.unit, minutes.missing, minutes.minimum, minutes.maximum) == ("min", 0, values.min(), values.max())
    assert (minutes.mean, minutes.std) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    assert minutes.median == pytest.approx(np.median(values)) and minutes.quantiles[5] == minutes.median
    assert seats.missing == 29 and day.unit == "days since 1970-01-01"
    assert (kind.categories, kind.codes, kind.missing_code) == (["bus", "car", "tram"], 5, 4)
    assert kind.counts[0] == 1 and kind.counts[4] == 22 and sum(kind.counts) == entry.rows == 200
    assert month.categories == ["1", "2", "3"]
    assert entry.dropped == {
        "constant": "every training row has '7'",
        "note": "none of its 200 categories occurs in 3 training rows",
    }
    assert (entry.shape, entry.layout, entry.numbers) == ((6,), "column", 3)
    assert feature.stored.shape == (6,) and feature.stored.dtype == np.float32


def test_the_package_encodes_as_the_feature_does(feature: TableFeature, tmp_path: Path) -> None:
    rows, _ = rides()
    odd = [*rows, *({**row, "kind": "zeppelin", "day": None, "seats": None} for row in rows[:20])]
    stored = feature.encode([feature.check(row) for row in odd])
    reader = Reader(json.loads(feature.describe().model_dump_json()))
    assert np.asarray(stored).dtype == np.float32
    assert np.stack([reader.encode(row) for row in odd]).tobytes() == np.asarray(stored).tobytes()
    assert reader.unseen == ["kind: ferry", "kind: zeppelin"]
    assert feature.report()["unseen"] == ["kind: zeppelin"]  # there was a ferry in the training rows
    for place, vector in enumerate(stored):
        name = save_example(vector, feature.describe().model_dump(), tmp_path / str(place))
        assert reader.encode(tmp_path / name).tobytes() == vector.tobytes()


def test_neither_blocks_nor_repetition_change_a_byte() -> None:
    rows, late = rides()
    entries = {fitted(rows, late, size, na=["?"]).describe().model_dump_json() for size in (1, 7, 200, 200)}
    assert len(entries) == 1


def test_a_sample_stands_for_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_module, "MOST", 64)
    rows, late = rides(1000)
    column = fitted(rows, late, na=["?"]).describe().columns[0]
    values = [float(row["minutes"]) for row in rows]
    assert column.mean == pytest.approx(np.mean(values)) and column.maximum == max(values)
    assert column.median == pytest.approx(np.median(values[::16]), abs=1e-5)


@pytest.mark.parametrize(
    ("row", "message", "check"),
    [
        ({"n": "1,5", "d": "2026-01-31", "c": "x"}, "column 'n': '1,5' is no number", "readable"),
        ({"n": "inf", "d": "2026-01-31", "c": "x"}, "column 'n': 'inf' is no number", "readable"),
        ({"n": float("inf"), "d": None, "c": "x"}, "column 'n': it is infinite", "readable"),
        ({"n": "1e99", "d": None, "c": "x"}, "column 'n': '1e99' is beyond the range of float32", "readable"),
        ({"n": "1", "d": "31.1.26", "c": "x"}, "column 'd': '31.1.26' is no date such as 2026-01-31 or 2026-01-31T12:00", "readable"),
        ({"n": "1", "d": None, "c": float("-inf")}, "column 'c': it is infinite", "readable"),
        ({"n": "1", "d": None, "c": "\udcff"}, "it holds characters that are no Unicode text", "readable"),
        ({"n": "1", "d": None}, "its columns are not those of the first row: c", "readable"),
        ({"n": "1", "d": None, "c": "x", "e": 1}, "its columns are not those of the first row: e", "readable"),
        ({"n": None, "d": "", "c": float("nan")}, "no column has a value", "missing"),
        ("a,b", "a str is no row of a table", "readable"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_used_are_told_one_by_one(row: Any, message: str, check: str) -> None:
    feature = TableFeature(columns={"n": "number", "d": "date", "c": "category"})
    feature.check({"n": "1", "d": "2026-01-31", "c": "x"})
    with pytest.raises(RowError) as caught:
        feature.check(row)
    assert (str(caught.value), caught.value.check) == (message, check)


def test_what_a_person_confirms_is_not_inferred() -> None:
    rows, late = rides()
    columns = {"minutes": "category", "seats": "category", "day": "category", "kind": "drop"}
    feature = fitted(rows, late, columns=columns, na=["?"], min_category_count=2, max_categories=4)
    entry = feature.describe()
    assert {(c.name, c.type, c.decided) for c in entry.columns} == {
        (name, "category", "confirmed") for name in ("minutes", "seats", "day")
    }
    assert [c.codes for c in entry.columns if c.name == "seats"] == [1 + 4 + 1]
    assert entry.dropped["kind"] == "dropped in the config"
    rows[0]["kind"] = "unknown to all"  # a dropped column may hold anything, and still tells rows apart
    assert feature.check(rows[0]).tobytes() != feature.check({**rows[0], "kind": None}).tobytes()
    np.testing.assert_array_equal(
        np.asarray(feature.encode([feature.check(rows[0])])), np.asarray(feature.encode([feature.check(rides()[0][0])]))
    )


@pytest.mark.parametrize(
    ("config", "where", "words"),
    [
        ({"columns": {"a": "numeric"}}, "data.feature.columns.a", "'numeric' is no type of column"),
        ({"date_parts": ["year"]}, "data.feature.date_parts", "'year' is no part of a date"),
    ],
)
def test_impossible_arguments_name_their_key(config: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        TableFeature(**config)
    assert caught.value.where == where and caught.value.fix


@pytest.mark.parametrize("key", ["columns", "units"])
def test_a_column_that_the_data_has_not(key: str) -> None:
    feature = TableFeature(**{key: {"Age": "number"}})
    with pytest.raises(ConfigError, match="the data has no column 'Age'; did you mean 'age'") as caught:
        feature.check({"age": 1, "b": 2})
    assert caught.value.where == f"data.feature.{key}"


def test_a_mixture_is_not_guessed_at() -> None:
    rows = [{"price": str(n), "b": "xy"[n % 2]} for n in range(100)] + [{"price": "n/a", "b": "x"}]
    with pytest.raises(DataError) as caught:
        fitted(rows, np.arange(101) % 2)
    assert caught.value.details == ["price: numbers in 100 training rows, something else in 1, e.g. 'n/a'"]
    assert "data.feature.na" in str(caught.value)
    assert fitted(rows, np.arange(101) % 2, na=["n/a"]).describe().columns[0].missing == 1


def test_a_table_without_any_use() -> None:
    with pytest.raises(DataError, match="no column of the table is left") as caught:
        fitted([{"a": 1}] * 9, np.zeros(9, np.int64))
    assert caught.value.details == ["a: every training row has '1'"]
    with pytest.raises(DataError, match="there are no training rows"):
        TableFeature().fit(iter(()))


def test_a_later_row_that_does_not_fit_what_was_inferred(feature: TableFeature) -> None:
    row = {**rides()[0][0], "minutes": "soon"}
    with pytest.raises(DataError) as caught:
        feature.encode([feature.check(row)])
    assert caught.value.why == "column 'minutes': 'soon' is no number" and "data.feature.columns" in str(
        caught.value.fix
    )


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_leak_warning_names_the_planted_column_and_no_other(kind: str) -> None:
    rows, late = rides(400)
    generator = np.random.default_rng(1)
    fine = late + generator.normal(0, 0.02, len(late))
    leaks = {"fine": fine, "refund": [f"code {value}" for value in late]} if kind == "classes" else {"fine": fine * 3}
    for name, values in leaks.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = str(value)
    targets = late if kind == "classes" else fine
    report = fitted(rows, targets, na=["?"], min_category_count=3).report()
    warned = [text for text in report["warnings"] if "alone tells the answer" in text]
    assert [text.split("'")[1] for text in warned] == list(leaks)
    assert ("AUROC 0.99" in warned[0] or "AUROC 1.0" in warned[0]) if kind == "classes" else "R2 1.000" in warned[0]
    assert f"data.feature.columns: {{{next(iter(leaks))}: drop}}" in warned[0]
    measure = "AUROC" if kind == "classes" else "R2"
    assert all(measure in column for column in report["columns"].values())
    again = fitted(rows, targets, na=["?"], columns=dict.fromkeys(leaks, "drop")).report()
    assert not any("alone tells" in text for text in again["warnings"])


def test_a_leak_of_a_date_names_the_column_of_the_table() -> None:
    late = np.arange(100) % 2
    rows = [{"when": f"2026-01-{1 + n % 28:02}T{6 + 12 * late[n]:02}:00", "b": "xyz"[n % 3]} for n in range(100)]
    (text,) = fitted(rows, late).report()["warnings"]
    assert text.startswith("the column 'when' alone tells the answer (AUROC 1.000")


def test_a_column_that_counts_the_rows_is_told() -> None:
    rows, late = rides()
    for number, row in enumerate(rows):
        row["number"] = str(number)
    (text,) = [text for text in fitted(rows, late, na=["?"]).report()["warnings"] if "rises" in text]
    assert text.startswith("the column 'number' rises from row to row")


def test_types_to_confirm_are_yaml(feature: TableFeature) -> None:
    text = "\n".join(feature.report()["confirm"])
    assert yaml.safe_load(text) == {
        "columns": {
            "constant": "drop", "minutes": "number", "kind": "category", "day": "date", "seats": "number", "note": "drop",
        }
    }  # fmt: skip
    assert "kind: category   # inferred: 4 categories: " in text and "; 11 % missing" in text
    assert "day: date        # inferred: 2026-01-01 to 2026-03-28" in text
    rows, late = rides()
    confirmed = fitted(rows, late, na=["?"], **yaml.safe_load(text)).describe()
    assert {column.decided for column in confirmed.columns} == {"confirmed"}
    assert [column.name for column in confirmed.columns][:3] == ["minutes", "seats", "day"]


def test_names_that_yaml_would_read_otherwise() -> None:
    names = ["no", "a: b", "42", "ü #", "plain-name"]
    rows = [dict.fromkeys(names, n) for n in range(9)]
    text = "\n".join(fitted(rows, np.arange(9) % 2).report()["confirm"])
    assert yaml.safe_load(text)["columns"] == dict.fromkeys(names, "number")


def test_a_log_line_asks_for_confirmation(caplog: pytest.LogCaptureFixture) -> None:
    rows, late = rides()
    with caplog.at_level(logging.INFO):
        fitted(rows, late, na=["?"])
    assert "the types of 6 of 6 columns were inferred" in caplog.text and "columns.yaml" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        fitted(rows, late, columns=dict.fromkeys(rows[0], "category"))
    assert "inferred" not in caplog.text


def test_parts_of_dates_have_names_of_their_own() -> None:
    rows = [{"a": f"2026-{1 + n % 2:02}-0{1 + n % 2}", "a.month": "xy"[n % 2]} for n in range(60)]
    entry = fitted(rows, np.arange(60) // 30, date_parts=["month"]).describe()
    assert [(c.name, c.source) for c in entry.columns] == [("a", "a"), ("a.month_", "a"), ("a.month", "a.month")]


# The whole stage, on data of this size and as published.


def run(data: dict[str, Any], raw: Path, folder: Path, copies: int = 0) -> tuple[DataSchema, Path, Path]:
    out, reports = folder / "processed", folder / "reports"
    out.mkdir(parents=True)
    reports.mkdir()
    settings = PreprocessSettings(
        seed=0, threads=1, data=PreprocessData.model_validate(data), augment=AugmentSection(offline_copies=copies)
    )
    return preprocess(settings, raw, out, reports), out, reports


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write_rides(raw: Path, targets: str) -> dict[str, Any]:
    raw.mkdir()
    rows, late = rides()
    labels = late if targets == "class" else late * 10 + np.arange(200) % 7
    lines = [",".join([*rows[0], "label"])]
    lines += [
        ",".join([*(row[name] or "" for name in row), str(label)]) for row, label in zip(rows, labels, strict=True)
    ]
    (raw / "rides.csv").write_text("\n".join(lines) + "\n")
    number = {"_target_": "stagewise.data.targets.number.NumberTarget", "name": "delay", "unit": "min"}
    return {
        "name": "rides",
        "reader": {"_target_": "stagewise.data.readers.columns.ColumnsReader"},
        "feature": {"_target_": "stagewise.data.features.table.TableFeature", "na": ["?"]},
        "target": number if targets == "number" else None,
    }


@pytest.mark.parametrize("targets", ["class", "number"])
def test_the_stage_gives_equal_bytes_and_pictures(tmp_path: Path, targets: str) -> None:
    data = write_rides(tmp_path / "raw", targets)
    schema, out, reports = run(data, tmp_path / "raw", tmp_path / "one")
    run({**data, "rows_per_batch": 7}, tmp_path / "raw", tmp_path / "two")
    assert contents(reports) == contents(tmp_path / "two" / "reports")
    assert (out / "schema.json").read_bytes().count(b"inferred") == 6
    names = {"checks.json", "columns.png", "columns.yaml"}
    assert set(contents(reports)) == names
    with Image.open(io.BytesIO(contents(reports)["columns.png"])) as image:
        colours = image.convert("RGB").getcolors(1 << 20) or []
    assert len(colours) > 20 and schema.target.kind == targets
    entry = read_schema(out).feature.narrow(TableEntry)
    rows = StoredRows(out / "train.arrow", schema)
    stored = rows.take(np.arange(len(rows)))
    assert stored.dtype == np.float32 and stored.shape == (entry.rows, *entry.shape)
    fit = stored[:, 0].astype(np.float64)
    assert (entry.columns[0].mean, entry.columns[0].std) == (pytest.approx(fit.mean()), pytest.approx(fit.std()))
    line, index = (
        (tmp_path / "raw" / "rides.csv").read_text().splitlines(),
        int(rows.ids(np.array([5]))[0].split("#")[1]),
    )
    row = dict(zip(line[0].split(","), line[index - 1].split(","), strict=True))
    row.pop("label")
    assert Reader(entry.model_dump()).encode(row).tobytes() == stored[5].tobytes()


def section(name: str) -> DataSection:
    return DataSection.model_validate(yaml.safe_load((CONF / f"{name}.yaml").read_text()))


def ingested(name: str, mirror: Path, folder: Path) -> tuple[dict[str, Any], Path]:
    data, raw = section(name), folder / "raw"
    raw.mkdir(parents=True)
    ingest(IngestSettings(name=name, source=data.source), raw, mirror=mirror, partial=folder / "partial")
    return data.model_dump(by_alias=True, include=set(PreprocessData.model_fields)), raw


def test_adult(mirror: Path, tmp_path: Path) -> None:
    schema, out, reports = run(*ingested("adult", mirror, tmp_path), tmp_path)
    assert {name: split.rows for name, split in schema.splits.items()} == {
        "train": 29274, "validation": 3255, "test": 16281,
    }  # fmt: skip
    assert schema.classes == ["<=50K", ">50K"] and schema.splits["test"].class_counts == [12435, 3846]
    entry = schema.feature.narrow(TableEntry)
    assert entry.numbers == 5 and entry.dropped == {"fnlwgt": "dropped in the config"}
    assert {c.name: c.missing for c in entry.columns if c.missing} == {
        "workclass": 1672, "occupation": 1679, "native-country": 533,
    }  # fmt: skip
    assert [column.codes for column in entry.columns[5:]] == [9, 17, 8, 15, 7, 6, 3, 42]
    report = json.loads((reports / "checks.json").read_text())
    assert report["passed"] and report["feature"]["warnings"] == []
    assert {check: found["count"] for check, found in report["checks"].items() if found["count"]} == {
        "duplicates": 31, "conflicts": 5, "leakage": 32,
    }  # fmt: skip
    assert max(column["AUROC"] for column in report["feature"]["columns"].values()) == pytest.approx(0.777, abs=0.01)
    rows = StoredRows(out / "test.arrow", schema)
    text = (mirror / "adult" / "adult.test").read_text().splitlines()[1].split(",")
    names = section("adult").reader.arguments["names"]
    row = dict(zip(names[:-1], text, strict=False))
    assert Reader(entry.model_dump()).encode(row).tobytes() == rows.take(np.array([0]))[0].tobytes()


def test_the_confirmed_types_of_adult_are_those_inferred(mirror: Path, tmp_path: Path) -> None:
    data, raw = ingested("adult", mirror, tmp_path)
    (raw / "adult.data").write_bytes(b"\n".join((raw / "adult.data").read_bytes().splitlines()[:6000]))
    data["reader"]["files"] = {"train": "adult.data"}
    data["feature"]["columns"] = {"fnlwgt": "drop"}
    _, _, reports = run(data, raw, tmp_path)
    inferred = yaml.safe_load((reports / "columns.yaml").read_text())["columns"]
    assert inferred == section("adult").feature.arguments["columns"]


def test_california(mirror: Path, tmp_path: Path) -> None:
    data, raw = ingested("california_housing", mirror, tmp_path)
    schema, out, reports = run(data, raw, tmp_path)
    assert sum(split.rows for split in schema.splits.values()) == 20640 and schema.splits["test"].rows == 4128
    assert (schema.target.kind, schema.target.name) == ("number", "medianHouseValue")
    assert schema.feature.shape == (8,) and schema.feature.narrow(TableEntry).numbers == 8
    rows = StoredRows(out / "train.arrow", schema)
    targets = rows.take_targets(np.arange(len(rows)))
    assert targets.dtype == np.float64 and 10_000 < targets.min() < targets.max() <= 500_001
    report = json.loads((reports / "checks.json").read_text())
    assert {check for check, found in report["checks"].items() if found["count"]} == set()
    powers = {name: column["R2"] for name, column in report["feature"]["columns"].items()}
    assert max(powers, key=powers.__getitem__) == "medianIncome" and powers["medianIncome"] == pytest.approx(
        0.48, abs=0.02
    )
    assert report["feature"]["warnings"] == []


def test_california_with_a_category_and_missing_numbers(mirror: Path, tmp_path: Path) -> None:
    own = tmp_path / "mirror" / "california_housing"
    own.mkdir(parents=True)
    (own / "housing.tgz").symlink_to(mirror / "california_housing" / "housing.tgz")
    data, raw = ingested("california_ocean", own.parent, tmp_path)
    schema, out, _ = run(data, raw, tmp_path)
    entry = schema.feature.narrow(TableEntry)
    ocean = entry.columns[-1]
    assert ocean.categories == ["<1H OCEAN", "INLAND", "NEAR BAY", "NEAR OCEAN"] and ocean.codes == 5
    assert 0 < ocean.counts[0] <= 5
    place = [column.name for column in entry.columns].index("total_bedrooms")
    missing = 0
    for name in schema.splits:
        rows = StoredRows(out / f"{name}.arrow", schema)
        missing += int(np.isnan(rows.take(np.arange(len(rows)))[:, place]).sum())
    assert missing == 207


def test_the_template_for_own_tables(tmp_path: Path) -> None:
    data = section("own_columns").model_dump(by_alias=True, include=set(PreprocessData.model_fields))
    write_rides(tmp_path / "raw", "class")
    schema, _, _ = run(data, tmp_path / "raw", tmp_path)
    assert schema.classes == ["0", "1"] and schema.feature.kind == "table"
    data["target"] = {"_target_": "stagewise.data.targets.number.NumberTarget", "name": "price", "unit": "EUR"}
    schema, _, _ = run(data, tmp_path / "raw", tmp_path / "number")
    assert schema.target.kind == "number"
