"""The package's reader of series: the windows of training, from what people have."""

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from series_data import every, hours, open_split, prepare, wave

from stagewise.data.features.series import SeriesFeature
from stagewise.data.series.series import Series
from stagewise.runtime import series as runtime
from stagewise.runtime.series import (
    CYCLES,
    Reader,
    SeriesError,
    Table,
    calendar_columns,
    calendar_names,
    interpolate,
    parse_step,
    places,
    save_example,
    show_time,
    times_at,
    to_times,
)


def write_csv(path, series, names=None, delimiter=",", **columns):
    names = names or series.variables
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["time", *columns, *names])
        for row, (time, values) in enumerate(zip(series.times, series.values, strict=True)):
            cells = ["" if np.isnan(value) else repr(float(value)) for value in values]
            writer.writerow([str(time).replace("T", " "), *(column[row] for column in columns.values()), *cells])
    return path


def reader_of(folder, feature, series):
    schema = prepare(folder, {"a": series}, feature)
    return Reader(schema.feature.model_dump(mode="json")), schema


def upto(series, row):
    return Series(series.times[:row], series.values[:row], series.variables)


@pytest.mark.parametrize("calendar", [[], ["hour", "weekday", "month"]], ids=["plain", "calendar"])
def test_windows_are_those_of_training(calendar, tmp_path):
    one = wave(200)
    feature = SeriesFeature(24, 6, calendar=calendar, gaps="interpolate", max_gap=2)
    random = np.random.default_rng(0)
    one.values[random.random(one.values.shape) < 0.02] = np.nan
    kept = np.union1d(np.sort(random.permutation(200)[:190]), [0, 199])
    gappy = Series(one.times[kept], one.values[kept], one.variables)
    reader, schema = reader_of(tmp_path, feature, gappy)
    compared = 0
    for split in ("train", "validation", "test"):
        rows = open_split(tmp_path, schema, split)
        for name, window in zip(rows.ids(every(rows)), rows.take(every(rows)), strict=True):
            row = int(np.searchsorted(gappy.times, np.datetime64(name.split("@")[1])))
            path = write_csv(tmp_path / "part.csv", upto(gappy, row))
            (item,) = reader.read(str(path))
            assert np.array_equal(reader.encode(item[1]), window), name
            compared += 1
    assert compared > 50


@pytest.mark.parametrize("form", ["path", "text", "bytes", "mapping", "array", "table", "gzip", "semicolon"])
def test_all_forms_of_a_series_give_the_same_window(form, tmp_path):
    one = wave(100)
    reader, _ = reader_of(tmp_path, SeriesFeature(24, 6), one)
    path = write_csv(tmp_path / "all.csv", one)
    expected = one.values[-24:].astype(np.float32)
    if form == "gzip":
        (tmp_path / "all.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        ((_, value),) = reader.read(str(tmp_path / "all.csv.gz"))
    elif form == "semicolon":
        text = path.read_text(encoding="utf-8").replace(",", ";").replace(".", ",")
        value = ("\ufeff" + text).encode()
    else:
        value = {
            "path": path,
            "text": str(path),
            "bytes": path.read_bytes(),
            "mapping": {
                "time": [str(time) for time in one.times],
                "v0": one.values[:, 0],
                "v1": list(one.values[:, 1]),
            },
            "array": one.values,
            "table": Table(one.values, one.times),
        }[form]
    window = reader.encode(value)
    assert window.dtype == np.float32 and np.array_equal(window, expected)
    assert np.array_equal(reader.stack([window, window]), np.stack([expected, expected]))


def test_rows_in_any_order_and_columns_of_no_interest_do_not_matter(tmp_path):
    one = wave(60)
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3), one)
    order = np.random.default_rng(0).permutation(60)
    path = write_csv(tmp_path / "a.csv", Series(one.times[order], one.values[order], one.variables), note=["x"] * 60)
    ((name, table),) = reader.read(str(path))
    assert name == f"{path} after 2024-01-03 11:00"
    assert np.array_equal(reader.encode(table), one.values[-12:].astype(np.float32))


def test_rows_that_are_steps_are_sorted_and_may_lie_anywhere(tmp_path):
    one = wave(60)
    times = one.times + (np.arange(60) ** 2).astype("timedelta64[s]")
    odd = Series(times, one.values, one.variables)
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3, step="row", calendar=["hour"]), odd)
    order = np.random.default_rng(0).permutation(60)
    window = reader.encode(Table(one.values[order], times[order]))
    expected = np.concatenate([one.values[-12:], calendar_columns(times[-12:], ["hour"])], 1)
    assert np.array_equal(window, expected.astype(np.float32))


def test_a_file_of_several_series_gives_a_window_each(tmp_path):
    one = wave(60)
    entry = prepare(tmp_path, {"a": one}, SeriesFeature(12, 3)).feature.model_dump(mode="json")
    reader = Reader({**entry, "series_column": "shop"})
    both = Series(one.times.repeat(2), one.values.repeat(2, 0) * np.tile([1, 2], 60)[:, None], one.variables)
    found = list(reader.read(str(write_csv(tmp_path / "b.csv", both, shop=["north", "south"] * 60))))
    assert [name.split("#")[1].split(" ")[0] for name, _ in found] == ["north", "south"]
    for factor, (_, table) in enumerate(found, start=1):
        assert np.array_equal(reader.encode(table), (factor * one.values[-12:]).astype(np.float32))
    with pytest.raises(SeriesError, match="2 series, where one is expected"):
        reader.encode(tmp_path / "b.csv")


def test_an_example_reads_back_as_the_same_row(tmp_path):
    schema = prepare(tmp_path, {"a": wave(100)}, SeriesFeature(12, 3, calendar=["hour", "yearday"]))
    entry = schema.feature.model_dump(mode="json")
    rows = open_split(tmp_path, schema, "validation")
    for number, row in enumerate(rows.take(every(rows))):
        assert save_example(row, entry, tmp_path / str(number)) == f"{number}.csv"
        ((name, value),) = Reader(entry).read(str(tmp_path / f"{number}.csv"))
        assert np.array_equal(Reader(entry).encode(value), row)
        assert name == str(tmp_path / f"{number}.csv")
    assert (tmp_path / "0.csv").read_text().splitlines()[0] == "v0,v1,hour_sin,hour_cos,yearday_sin,yearday_cos"


BROKEN = {
    "short": ("time,v0,v1\n2024-01-01 00:00,1,2\n", "covers 1 steps, and the model looks back at 12"),
    "column": ("time,v0\n2024-01-01,1\n", "there is no column 'v1'"),
    "twice": ("time,v0,v1,v0\n2024-01-01,1,2,3\n", "more than one column is named v0"),
    "ragged": ("time,v0,v1\n2024-01-01,1\n", "row 1 has 2 columns, and the first line names 3"),
    "text": ("time,v0,v1\n2024-01-01,1,x\n", "v1, row 1: 'x' is no number"),
    "digits": ("time,v0,v1\n2024-01-01,1,1_000\n", "v1, row 1: '1_000' is no number"),
    "time": ("time,v0,v1\n1.1.2024,1,2\n", "'1.1.2024' is no time"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_does_not_fit_is_told(kind, tmp_path):
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3), wave(60))
    (tmp_path / "bad.csv").write_text(BROKEN[kind][0])
    with pytest.raises(ValueError, match=r".") as raised:
        for _, value in reader.read(str(tmp_path / "bad.csv")):
            reader.encode(value)
    assert BROKEN[kind][1] in str(raised.value)


def changed(kind, one):
    times, values = one.times.copy(), one.values.copy()
    if kind == "missing":
        values[-3, 1] = np.nan
    elif kind == "last":
        values[-1, 0] = np.nan
    elif kind == "large":
        values[-3, 1] = 1e39
    elif kind == "gap":
        times, values = np.delete(times, -4), np.delete(values, -4, 0)
    elif kind == "twice":
        times[-2] = times[-3]
    else:
        times[-2] += np.timedelta64(90, "s")
    return Table(values, times)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "v1 is missing at 2024-01-03 09:00"),
        ("last", "v0 is missing at 2024-01-03 11:00"),
        ("large", "v1 is too large at 2024-01-03 09:00"),
        ("gap", "v0 is missing at 2024-01-03 08:00"),
        ("twice", "there are two rows for 2024-01-03 09:00"),
        ("off", "2024-01-03 10:01:30 does not lie on the steps"),
    ],
)
def test_a_series_with_a_hole_is_told(kind, reason, tmp_path):
    one = wave(60)
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3), one)
    with pytest.raises(SeriesError, match=reason):
        reader.encode(changed(kind, one))


def test_the_last_step_is_never_filled(tmp_path):
    one = wave(60)
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3, gaps="interpolate"), one)
    assert np.isfinite(reader.encode(changed("missing", one))).all()
    with pytest.raises(SeriesError, match="v0 is missing at 2024-01-03 11:00"):
        reader.encode(changed("last", one))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((20, 3)), "a row has 3 values, and the model takes 2"),
        (np.zeros(20), r"is an array of numbers \(n, 2\)"),
        (np.array([["a", "b"]] * 20), "is an array of numbers"),
        ({"v0": [1, 2], "v1": [1]}, "of different lengths"),
        (np.zeros((5, 2)), "covers 5 steps"),
    ],
    ids=["width", "axes", "text", "lengths", "short"],
)
def test_a_value_of_another_form_is_told(value, reason, tmp_path):
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3), wave(60))
    with pytest.raises(SeriesError, match=reason):
        reader.encode(value)


def test_a_calendar_needs_times_or_its_columns(tmp_path):
    one = wave(60)
    reader, _ = reader_of(tmp_path, SeriesFeature(12, 3, calendar=["hour"]), one)
    with pytest.raises(SeriesError, match="give a time column"):
        reader.encode(one.values)
    whole = np.concatenate([one.values, calendar_columns(one.times, ["hour"])], 1)
    assert np.array_equal(reader.encode(whole), reader.encode(Table(one.values, one.times)))


def test_a_calendar_column_is_where_in_its_cycle_a_time_lies():
    times = to_times(["2024-01-01 06:00", "2024-07-01", "2023-12-31 12:00"])
    columns = dict(zip(calendar_names(CYCLES), calendar_columns(times, CYCLES).T, strict=True))
    np.testing.assert_allclose(columns["hour_sin"], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(columns["hour_cos"], [0, 1, -1], atol=1e-6)
    monday, sunday = 0.0, 6 / 7
    expected = np.cos(2 * np.pi * np.array([monday, monday, sunday]))
    np.testing.assert_allclose(columns["weekday_cos"], expected, atol=1e-6)
    np.testing.assert_allclose(columns["month_cos"], np.cos(2 * np.pi * np.array([0, 6, 11]) / 12), atol=1e-6)
    np.testing.assert_allclose(columns["day_cos"], np.cos(2 * np.pi * np.array([0, 0, 30]) / 31), atol=1e-6)
    np.testing.assert_allclose(
        columns["yearday_cos"], np.cos(2 * np.pi * np.array([0, 182, 364]) / 365.2425), atol=1e-6
    )
    assert calendar_columns(times, []).shape == (3, 0)
    with pytest.raises(SeriesError, match="'moon' is no calendar feature"):
        calendar_columns(times, ["moon"])


@pytest.mark.parametrize("text", ["15min", "1h", "1d", "1w", "1mo", "3mo", "1y"])
def test_places_and_times_are_inverse(text):
    step = parse_step(text)
    first = np.datetime64("2023-11-30T05:30:00", "s")
    steps = np.array([0, 1, 2, 5, 40])
    assert places(times_at(first, steps, step), step).tolist() == steps.tolist()


def test_months_that_are_too_short_end_with_their_last_day():
    found = times_at(np.datetime64("2024-01-31T12:00", "s"), np.arange(4), parse_step("1mo"))
    assert [show_time(time) for time in found] == [f"2024-{day} 12:00" for day in ("01-31", "02-29", "03-31", "04-30")]


def test_interpolation_is_linear_bounded_and_between_known_values():
    nan = np.nan
    values = np.array([[nan, 1], [1, nan], [nan, nan], [3, 4], [nan, nan]])
    assert np.array_equal(interpolate(values, 2), [[nan, 1], [1, 2], [2, 3], [3, 4], [nan, nan]], equal_nan=True)
    assert np.array_equal(interpolate(values, 1), [[nan, 1], [1, nan], [2, nan], [3, 4], [nan, nan]], equal_nan=True)
    assert np.array_equal(interpolate(values, 0), values, equal_nan=True)
    assert np.isnan(interpolate(np.full((3, 1), nan), 5)).all()


def test_the_file_alone_is_enough(tmp_path):
    """It is shipped: it must run without stagewise, on numpy and the standard library."""
    (tmp_path / "inputs.py").write_bytes(Path(runtime.__file__).read_bytes())
    code = "import sys, inputs; print(sorted({name.split('.')[0] for name in sys.modules} & {'stagewise', 'pyarrow', 'torch'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert runtime.REQUIREMENTS == () and "CSV" in runtime.WHAT


def test_hours_are_places():
    assert places(hours(5)[[0, 1, 4]], parse_step("1h")).tolist() == [0, 1, 4]
    assert places(hours(5)[[0, 1, 4]], parse_step("row")).tolist() == [0, 1, 2]
