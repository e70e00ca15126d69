"""Tables of time series."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from stagewise.data.readers.series_csv import SeriesReader
from stagewise.errors import DataError

WIDE = "time,load,temp\n2024-01-01 00:00,1,10.5\n2024-01-01 01:00,2,\n2024-01-01 02:00,NaN,12\n"
LONG = "day,shop,sold\n2024-01-01,north,1\n2024-01-01,south,5\n2024-01-02,north,2\n2024-01-03,north,3\n2024-01-02,south,6\n"


def read(tmp_path, text, name="data.csv", **arguments):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return list(SeriesReader(root=tmp_path, **arguments))


def test_a_wide_table_is_one_series(tmp_path):
    (sample,) = read(tmp_path, WIDE, "meter.csv")
    assert (sample.id, sample.label, sample.split, sample.error) == ("meter", None, None, None)
    series = sample.value
    assert series.variables == ("load", "temp") and series.values.dtype == np.float64
    assert series.times.dtype == "datetime64[s]"
    assert series.times.tolist() == [np.datetime64(f"2024-01-01T0{hour}:00:00").item() for hour in range(3)]
    assert np.array_equal(series.values, [[1, 10.5], [2, np.nan], [np.nan, 12]], equal_nan=True)


def test_a_long_table_is_a_series_per_name(tmp_path):
    north, south = read(tmp_path, LONG, time="day", series="shop")
    assert (north.id, south.id) == ("north", "south")
    assert north.value.values[:, 0].tolist() == [1, 2, 3] and south.value.values[:, 0].tolist() == [5, 6]
    assert south.value.times.astype(str).tolist() == ["2024-01-01T00:00:00", "2024-01-02T00:00:00"]


def test_only_the_named_variables_are_read_in_that_order(tmp_path):
    (sample,) = read(tmp_path, "time,a,note,b\n2024,1,x,2\n2025,3,y,4\n", variables=["b", "a"])
    assert sample.value.variables == ("b", "a") and sample.value.values.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("1949-01", "1949-01-01T00:00:00"),
        ("1949", "1949-01-01T00:00:00"),
        ("2016-07-01", "2016-07-01T00:00:00"),
        ("2016-07-01 05:30", "2016-07-01T05:30:00"),
        ("2016-07-01T05:30:15", "2016-07-01T05:30:15"),
        ("2016-07-01 05:30:15.000", "2016-07-01T05:30:15"),
        ("2016-07-01T05:30:00Z", "2016-07-01T05:30:00"),
        ("2016-07-01 05:30+02:00", "2016-07-01T03:30:00"),
        (" 2016-07-01 ", "2016-07-01T00:00:00"),
    ],
)
def test_times_of_every_usual_notation(written, time, tmp_path):
    (sample,) = read(tmp_path, f"time,a\n{written},1\n")
    assert str(sample.value.times[0]) == time


@pytest.mark.parametrize(
    "written",
    ["01.02.2024", "2024-13-01", "2024-02-30", "2024-1-1", "20240101", "noon", "2024-01-01 05:30:15.5", "1e3"],
)
def test_other_times_are_refused(written, tmp_path):
    with pytest.raises(DataError, match="a time cannot be read") as raised:
        read(tmp_path, f"time,a\n2024-01-01,1\n{written},1\n")
    assert "data.reader.time_format" in str(raised.value)


def test_a_notation_of_ones_own(tmp_path):
    text = "Zeit;Wert\n31.01.2024 12:00;1,5\n01.02.2024 00:00;-2\n"
    (sample,) = read(tmp_path, text, time="Zeit", time_format="%d.%m.%Y %H:%M", delimiter=";", decimal=",")
    assert sample.value.times.astype(str).tolist() == ["2024-01-31T12:00:00", "2024-02-01T00:00:00"]
    assert sample.value.values.tolist() == [[1.5], [-2]]
    with pytest.raises(DataError, match="a time cannot be read"):
        read(tmp_path, "time,a\n2024-01-31,1\n", "other.csv", file="other.csv", time_format="%d.%m.%Y")


def test_parquet_and_gzip_say_the_same(tmp_path):
    times = np.array(["2024-01-01T00", "2024-01-01T01"], "datetime64[ns]")
    table = pa.table({"time": times, "a": [1, None], "b": [1.5, 2.5]})
    parquet.write_table(table, tmp_path / "p.parquet")
    with gzip.open(tmp_path / "g.csv.gz", "wt") as file:
        file.write("time,a,b\n2024-01-01 00:00,1,1.5\n2024-01-01 01:00,,2.5\n")
    samples = [next(iter(SeriesReader(name, root=tmp_path))) for name in ("p.parquet", "g.csv.gz")]
    assert [sample.id for sample in samples] == ["p", "g"]
    first, second = (sample.value for sample in samples)
    assert np.array_equal(first.times, second.times)
    assert np.array_equal(first.values, second.values, equal_nan=True)


@pytest.mark.parametrize("kind", [pa.timestamp("us", "Europe/Berlin"), pa.date32()], ids=["zone", "date"])
def test_times_of_a_parquet_file(kind, tmp_path):
    days = (
        pa.array([0, 86400], pa.timestamp("s")).cast(kind)
        if kind == pa.date32()
        else pa.array([0, 86400 * 10**6], kind)
    )
    parquet.write_table(pa.table({"time": days, "a": [1.0, 2.0]}), tmp_path / "p.parquet")
    (sample,) = SeriesReader(root=tmp_path)
    assert sample.value.times.astype(np.int64).tolist() == [0, 86400]  # in UTC, whatever the zone


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("when,a\n2024,1\n", {}, "has no column time"),
        ("time,a,a\n2024,1,2\n", {}, "more than one column a"),
        ("time,a\n2024,1\n", {"variables": ["b"]}, "has no column b"),
        ("time\n2024\n", {}, "no column beside time"),
        ("time,a\n2024,x\n", {}, "column a of data.csv holds something that is no number"),
        ("time,a\n2024,x\n", {"variables": ["a"]}, "cannot be read"),
        ("time,a\n,1\n", {}, "row 1 of data.csv has no time"),
        ("time,s,a\n2024,,1\n", {"series": "s"}, "row 1 of data.csv names no series"),
        ("time,a\n2024,1,2\n", {}, "cannot be read"),
        ("", {}, "cannot be read"),
    ],
)
def test_a_structural_mistake_is_told(text, arguments, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text, **arguments)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="there is no"):
        list(SeriesReader("other.csv", root=tmp_path))


def test_the_published_series(mirror):
    (hourly,) = SeriesReader("ETTh1.csv", "date", root=mirror / "ett")
    assert hourly.id == "ETTh1" and hourly.value.values.shape == (17420, 7)
    assert str(hourly.value.times[-1]) == "2018-06-26T19:00:00" and hourly.value.values[0, 6] == 30.5310001373291
    (monthly,) = SeriesReader("AirPassengers.csv", "Month", root=mirror / "air_passengers")
    assert monthly.value.variables == ("#Passengers",) and monthly.value.values[[0, -1], 0].tolist() == [112, 432]
    assert str(monthly.value.times[1]) == "1949-02-01T00:00:00"
