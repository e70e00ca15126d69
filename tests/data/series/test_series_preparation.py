"""From raw series to split files: checks, borders, normalisation, records."""

import hashlib
import json

import numpy as np
import pytest
from series_data import NAMED, Samples, every, hours, open_split, prepare, settings, wave

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.series_entry import SeriesEntry, SeriesSplit, SeriesTarget
from stagewise.data.readers.series_csv import SeriesReader
from stagewise.data.sample import Sample
from stagewise.data.schema import read_schema
from stagewise.data.series.preparation import SeriesPreparation
from stagewise.data.series.series import Series
from stagewise.errors import ConfigError, DataError

SMALL = {"lookback": 12, "horizon": 3}


def checks(folder):
    return json.loads((folder / "checks.json").read_text())


def changed(series, times=None, values=None):
    return Series(
        series.times if times is None else times, series.values if values is None else values, series.variables
    )


def test_borders_cut_by_rows_and_leave_the_rest(tmp_path):
    schema = prepare(tmp_path, {"a": wave(300)}, SeriesFeature(**SMALL), borders=[100, 40, 50])
    assert {name: info.rows for name, info in schema.splits.items()} == {
        "train": 100 - 12 - 3 + 1,
        "validation": 40 - 3 + 1,
        "test": 50 - 3 + 1,
    }
    spans = {name: info.narrow(SeriesSplit) for name, info in schema.splits.items()}
    assert spans["validation"].first == str(hours(101)[100]).replace("T", " ")[:16]
    assert spans["test"].last == "2024-01-08 19:00" and spans["test"].steps == 12 + 50
    assert schema.feature.narrow(SeriesEntry).mean == pytest.approx(wave(300).values[:100].mean(0))
    assert schema.feature.narrow(SeriesEntry).std == pytest.approx(wave(300).values[:100].std(0))


def test_shares_cut_each_series_by_its_own_length(tmp_path):
    series = {"long": wave(200), "short": wave(100, seed=1)}
    schema = prepare(tmp_path, series, SeriesFeature(**SMALL), split={"validation": 0.25, "test": 0.2})
    assert schema.splits["test"].rows == (40 - 2) + (20 - 2)
    assert schema.splits["validation"].rows == (40 - 2) + (20 - 2)
    assert schema.splits["train"].rows == (120 - 14) + (60 - 14)
    seen = np.concatenate([series["long"].values[:120], series["short"].values[:60]])
    assert schema.feature.narrow(SeriesEntry).mean == pytest.approx(seen.mean(0))


def test_the_benchmark_split_of_etth1(mirror, tmp_path):
    """Persistence on the test windows has the figures of "Repeat" in table 2 of Zeng et al. (2023)."""
    reader = SeriesReader("ETTh1.csv", "date", root=mirror / "ett")
    feature = SeriesFeature(lookback=336, horizon=96)
    schema = SeriesPreparation([8640, 2880, 2880])(settings(), reader, feature, tmp_path, tmp_path)
    assert {name: info.rows for name, info in schema.splits.items()} == {
        "train": 8209,
        "validation": 2785,
        "test": 2785,
    }
    entry = schema.feature.narrow(SeriesEntry)
    assert (entry.step, entry.season, entry.time_column, entry.variables[-1]) == ("1h", 24, "date", "OT")
    rows = open_split(tmp_path, schema, "test")
    error = (rows.take(every(rows))[:, -1:] - rows.take_targets(every(rows))) / np.array(entry.std)
    assert np.square(error).mean() == pytest.approx(1.295, abs=2e-3)
    assert np.abs(error).mean() == pytest.approx(0.713, abs=1e-3)


def test_what_is_written_is_a_function_of_the_data(tmp_path):
    for name in ("one", "two"):
        prepare(
            tmp_path / name, {"a": wave(), "b": wave(150, seed=4)}, SeriesFeature(calendar=["hour", "month"], **SMALL)
        )
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["checks.json", "schema.json", "series.png", "test.arrow", "train.arrow", "validation.arrow"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    schema = read_schema(tmp_path / "one")
    for info in schema.splits.values():
        assert hashlib.sha256((tmp_path / "one" / info.file).read_bytes()).hexdigest() == info.sha256


def test_the_schema_says_all_that_a_reader_needs(tmp_path):
    feature = SeriesFeature(lookback=30, horizon=3, calendar=["weekday"], unit={"v1": "kW"})
    prepared = prepare(tmp_path, {"a": wave(300)}, feature)
    schema = read_schema(tmp_path)
    assert schema == prepared and schema.splits["test"].narrow(SeriesSplit).steps == 30 + 60
    entry, target = schema.feature.narrow(SeriesEntry), schema.target.narrow(SeriesTarget)
    assert (entry.kind, entry.storage, entry.dtype, entry.shape) == ("series", "windows", "float32", (30, 4))
    assert (entry.units, entry.calendar, entry.calendar_width, entry.max_gap) == (["", "kW"], ["weekday"], 2, 0)
    assert (target.outputs, target.variables, target.season, target.step) == (3, ["v0", "v1"], 24, "1h")
    assert (target.mean, target.std) == (entry.mean, entry.std)
    values = wave(300).values[: 300 - 60 - round(0.1 * 240)]
    assert target.naive == pytest.approx(np.abs(values[24:] - values[:-24]).mean(0))


def test_a_season_that_does_not_fit_becomes_one(tmp_path):
    assert prepare(tmp_path, {"a": wave()}, SeriesFeature(**SMALL)).feature.narrow(SeriesEntry).season == 1


def test_disordered_and_repeated_rows_are_put_right(tmp_path):
    plain = wave(150)
    order = np.r_[np.random.default_rng(0).permutation(150), 7, 99]
    messy = changed(plain, plain.times[order], plain.values[order])
    prepare(tmp_path / "messy", {"a": messy}, SeriesFeature(**SMALL))
    prepare(tmp_path / "plain", {"a": plain}, SeriesFeature(**SMALL))
    for name in ("train.arrow", "validation.arrow", "test.arrow", "schema.json"):
        assert (tmp_path / "messy" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    found = checks(tmp_path / "messy")["checks"]
    assert found["duplicates"] == {"action": "warn", "count": 2, "dropped": 2, "examples": ["a: 2024-01-01 07:00"]}
    assert found["order"]["count"] > 50 and found["conflicts"]["count"] == 0


def damaged(kind):
    """Samples with one thing wrong."""
    one = wave(150)
    times, values = one.times.copy(), one.values.copy()
    if kind == "conflicts":
        return {"a": changed(one, np.r_[times, times[5]], np.r_[values, values[5:6] + 1])}
    if kind == "duplicates":
        return {"a": changed(one, np.r_[times, times[5]], np.r_[values, values[5:6]])}
    if kind == "irregular":
        times[70:] += np.timedelta64(60, "s")
        return {"a": changed(one, times)}
    if kind == "gaps":
        kept = np.r_[0:50, 53:150]
        return {"a": changed(one, times[kept], values[kept])}
    if kind == "missing":
        values[60, 1] = np.nan
        return {"a": changed(one, values=values)}
    if kind == "infinite":
        values[60, 0] = 1e39
        return {"a": changed(one, values=values)}
    if kind == "variables":
        return {"a": one, "b": Series(times, values, ("v0", "other"))}
    if kind == "borders":
        return {"a": one, "b": wave(80)}
    return [Sample(id="a", value=one, label=None), Sample(id="b", value=None, label=None, error="no numbers in it")]


EXPECTED = {
    "conflicts": (1, "a: 2024-01-01 05:00", {}),
    "duplicates": (1, "a: 2024-01-01 05:00", {"checks": {"duplicates": "fail"}}),
    "irregular": (1, "a: 2024-01-03 22:01 does not lie on the steps that begin at 2024-01-01", {}),
    "gaps": (3, "a: 3 after 2024-01-03 01:00", {}),
    "missing": (1, "a: v1 at 2024-01-03 12:00", {}),
    "infinite": (1, "a: v0 at 2024-01-03 12:00", {}),
    "variables": (1, "b has v0, other", {}),
    "borders": (1, "b: 80 rows, 120 needed", {}),
    "readable": (1, "b: no numbers in it", {}),
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_fault_is_told_and_recorded(kind, tmp_path):
    count, example, config = EXPECTED[kind]
    with pytest.raises(DataError) as raised:
        prepare(tmp_path, damaged(kind), SeriesFeature(**SMALL), borders=[80, 20, 20], **config)
    assert raised.value.details[0].startswith(f"{kind}: {count:,} found") and example in raised.value.details[0]
    record = checks(tmp_path)
    assert not record["passed"] and record["checks"][kind]["examples"] == [example]
    assert not (tmp_path / "schema.json").exists()


def test_all_faults_are_told_at_once(tmp_path):
    one = wave(150)
    values = one.values.copy()
    values[60, 1], values[61, 0] = np.nan, np.inf
    with pytest.raises(DataError) as raised:
        prepare(tmp_path, {"a": changed(one, np.r_[one.times[:-1], one.times[5]], values)}, SeriesFeature(**SMALL))
    assert [line.split(":")[0] for line in raised.value.details] == ["infinite", "conflicts", "missing"]
    assert "data.feature.gaps=interpolate" in str(raised.value)


@pytest.mark.parametrize(("gaps", "filled"), [("interpolate", 4), ("split", 0)])
def test_gaps_are_filled_or_cut(gaps, filled, tmp_path):
    one = wave(300)
    values = one.values.copy()
    values[60, 1] = np.nan
    kept = np.r_[0:30, 31:100, 104:300]
    feature = SeriesFeature(gaps=gaps, max_gap=1, **SMALL)
    schema = prepare(tmp_path, {"a": changed(one, one.times[kept], values[kept])}, feature)
    ids = open_split(tmp_path, schema, "train").ids(np.arange(schema.splits["train"].rows))
    begins = sorted(int((np.datetime64(name[2:]) - one.times[0]) / np.timedelta64(3600, "s")) for name in ids)
    # The gap of four steps from place 100 is crossed by no window in either way.
    if gaps == "interpolate":
        assert begins == [*[b for b in range(12, 98) if b - 1 not in (30, 60)], *range(116, begins[-1] + 1)]
    else:
        assert begins == [*range(12, 28), *range(43, 58), *range(73, 98), *range(116, begins[-1] + 1)]
    # Two values of the missing step, one of the missing value; the step is stored once for the windows of train.
    assert checks(tmp_path)["series"]["filled"]["train"] == (3 if filled else 0)
    assert checks(tmp_path)["checks"]["gaps"]["count"] == 5


def test_a_constant_variable_is_told_kept_or_left_out(tmp_path):
    one = wave(150, variables=3)
    one.values[:120, 1] = 7.0
    with pytest.raises(DataError, match=r"constant: 1 found .* e\.g\. v1"):
        prepare(tmp_path / "fail", {"a": one}, SeriesFeature(**SMALL), checks={"constant": "fail"})
    kept = prepare(tmp_path / "warn", {"a": one}, SeriesFeature(**SMALL)).feature.narrow(SeriesEntry)
    assert kept.variables == ["v0", "v1", "v2"] and kept.std[1] == 1.0 and kept.mean[1] == 7.0
    feature = SeriesFeature(unit={"v1": "m", "v2": "s"}, **SMALL)
    left = prepare(tmp_path / "drop", {"a": one}, feature, checks={"constant": "drop"})
    entry = left.feature.narrow(SeriesEntry)
    assert entry.variables == ["v0", "v2"] and entry.shape == (12, 2) and entry.units == ["", "s"]
    assert entry.mean == [kept.mean[0], kept.mean[2]]


def test_short_series_are_told_and_add_nothing(tmp_path):
    schema = prepare(tmp_path, {"a": wave(200), "b": wave(15)}, SeriesFeature(**SMALL))
    assert checks(tmp_path)["checks"]["short"]["examples"] == ["b: 11 rows to train on"]
    assert schema.splits["train"].narrow(SeriesSplit).series == 1


@pytest.mark.parametrize("series", [{}, {"a": wave(14)}, {"a": wave(0)}], ids=["none", "short", "empty"])
def test_nothing_to_train_on_is_an_error(series, tmp_path):
    with pytest.raises(DataError, match="failed 1 check"):
        prepare(tmp_path, series, SeriesFeature(step="1h", **SMALL))
    with pytest.raises((DataError, ConfigError), match=r"failed 1 check|distance of the steps"):
        prepare(tmp_path, series, SeriesFeature(**SMALL))


def test_two_series_of_one_name_and_no_series_at_all_are_errors(tmp_path):
    one = Sample(id="a", value=wave(), label=None)
    with pytest.raises(DataError, match="two series named 'a'"):
        prepare(tmp_path, [one, one])
    with pytest.raises(DataError, match="a is no series"):
        prepare(tmp_path, [Sample(id="a", value=np.zeros(5), label=None)])


def test_unreadable_series_can_be_left_out(tmp_path):
    samples = [Sample(id="a", value=wave(), label=None), Sample(id="b", value=None, label=None, error="damaged")]
    schema = prepare(tmp_path, samples, SeriesFeature(**SMALL), checks={"unreadable": "drop"})
    assert schema.splits["train"].narrow(SeriesSplit).series == 1


def test_rows_can_be_steps_whatever_their_times(tmp_path):
    one = wave(150)
    times = one.times + (np.arange(150) ** 2).astype("timedelta64[s]")
    schema = prepare(tmp_path, {"a": changed(one, times)}, SeriesFeature(step="row", **SMALL))
    assert schema.feature.narrow(SeriesEntry).step == "row"
    assert schema.splits["train"].rows == 108 - 14


def test_copies_and_other_features_are_refused(tmp_path):
    section = {"seed": 0, "threads": 1, "data": {"name": "a", "reader": NAMED, "feature": NAMED}}
    copies = PreprocessSettings.model_validate({**section, "augment": {"offline_copies": 2}})
    with pytest.raises(ConfigError, match="windows overlap"):
        SeriesPreparation()(copies, Samples({"a": wave()}), SeriesFeature(**SMALL), tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="object does not make windows"):
        SeriesPreparation()(settings(), Samples({"a": wave()}), object(), tmp_path, tmp_path)


@pytest.mark.parametrize("borders", [[1, 2], [1, 2, 0], [1, 2, 2.5], [1, 2, 3, 4]], ids=str)
def test_borders_are_three_numbers_of_rows(borders):
    with pytest.raises(ConfigError, match="no borders"):
        SeriesPreparation(borders)
