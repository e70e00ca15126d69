"""Windows out of the memory map."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from series_data import every, hours, open_split, prepare, wave

from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.series_entry import SeriesSplit
from stagewise.data.series.series import Series
from stagewise.data.series.windows import write_steps
from stagewise.errors import DataError
from stagewise.runtime.series import calendar_columns


@pytest.fixture
def written(tmp_path):
    series = {"north": wave(120, seed=1), "south": wave(90, seed=2, start="2023-06-01 05:00")}
    return series, prepare(tmp_path, series, SeriesFeature(lookback=10, horizon=4, calendar=["hour"])), tmp_path


def test_windows_are_slices_of_their_series(written):
    series, schema, folder = written
    seen = 0
    for split in ("train", "validation", "test"):
        rows = open_split(folder, schema, split)
        inputs, targets = rows.take(every(rows)), rows.take_targets(every(rows))
        assert inputs.dtype == targets.dtype == np.float32
        assert inputs.shape == (len(rows), 10, 4) and targets.shape == (len(rows), 4, 2)
        for name, window, target in zip(rows.ids(every(rows)), inputs, targets, strict=True):
            of, time = name.split("@")
            place = int(np.flatnonzero(series[of].times == np.datetime64(time))[0])
            values = series[of].values.astype(np.float32)
            assert np.array_equal(window[:, :2], values[place - 10 : place])
            assert np.array_equal(target, values[place : place + 4])
            assert np.array_equal(window[:, 2:], calendar_columns(series[of].times[place - 10 : place], ["hour"]))
            seen += 1
        assert len(rows) == schema.splits[split].rows
    # Rows of each split less what no window can begin with: lookback in train, the end of the horizon in all.
    assert seen == sum(len(one.times) - 10 - 3 * 3 for one in series.values())


def test_any_order_and_any_batch_gives_the_same_windows(written):
    _, schema, folder = written
    rows = open_split(folder, schema, "train")
    whole, targets = rows.take(every(rows)), rows.take_targets(every(rows))
    shuffled = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(rows.take(shuffled), whole[shuffled])
    assert rows.take(np.empty(0, np.int64)).shape == (0, 10, 4)
    parts = list(rows.batches(32))
    assert [len(indices) for indices, _, _ in parts[:-1]] == [32] * (len(rows) // 32)
    assert np.array_equal(np.concatenate([inputs for _, inputs, _ in parts]), whole)
    assert np.array_equal(np.concatenate([wanted for _, _, wanted in parts]), targets)
    assert rows.lengths is None


def test_a_batch_is_a_copy(written):
    _, schema, folder = written
    rows = open_split(folder, schema, "train")
    window = rows.take(np.array([0]))
    window[:] = 0
    assert rows.take(np.array([0])).any()


@pytest.mark.parametrize("wrong", [-1, 10_000])
def test_a_place_outside_is_refused(written, wrong):
    _, schema, folder = written
    rows = open_split(folder, schema, "test")
    for take in (rows.take, rows.take_targets, rows.ids):
        with pytest.raises(IndexError):
            take(np.array([0, wrong]))


def test_a_reader_pickles_without_its_data(written):
    _, schema, folder = written
    rows = open_split(folder, schema, "train")
    data = pickle.dumps(rows)
    assert len(data) < 4000
    assert np.array_equal(pickle.loads(data).take(every(rows)), rows.take(every(rows)))


def test_blocks_can_be_made_of_series_and_begins(written):
    _, schema, folder = written
    rows = open_split(folder, schema, "test")
    ids = rows.ids(every(rows))
    assert [("north", "south")[number] for number in rows.series()] == [name.split("@")[0] for name in ids]
    within = np.diff(rows.series()) == 0
    assert (np.diff(rows.begins())[within] == 1).all()


def test_targets_that_were_not_observed_are_nan(tmp_path):
    one = wave(100, seed=3)
    values = one.values.copy()
    values[[20, 50, 51], 1] = np.nan
    feature = SeriesFeature(lookback=10, horizon=4, gaps="interpolate", max_gap=2)
    schema = prepare(tmp_path, {"a": Series(one.times, values, one.variables)}, feature)
    rows = open_split(tmp_path, schema, "train")
    targets, ids = rows.take_targets(every(rows)), rows.ids(every(rows))
    assert np.isfinite(rows.take(every(rows))).all()
    row = ids.index("a@2024-01-03")  # place 48
    assert np.isnan(targets[row]).tolist() == [[False, False], [False, False], [False, True], [False, True]]
    assert "a@2024-01-01 21:00" not in ids  # place 21 would look back at the filled value of place 20 last
    assert schema.splits["train"].narrow(SeriesSplit).filled == 3


def damage(kind, path):
    if kind == "missing":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-300])
    elif kind == "text":
        path.write_text("value,observed\n")
    else:
        table = pa.table({"value": [1.0, 2.0]})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


@pytest.mark.parametrize("kind", ["missing", "cut", "text", "other"])
def test_a_damaged_file_is_told(written, kind):
    _, schema, folder = written
    damage(kind, folder / "test.arrow")
    with pytest.raises(DataError, match=r"split file is (missing|damaged)"):
        open_split(folder, schema, "test")


def test_a_file_of_another_layout_is_told(written, tmp_path):
    folder = written[2]
    other = prepare(tmp_path / "other", {"a": wave(100, 3)}, SeriesFeature(lookback=10, horizon=4))
    with pytest.raises(DataError, match="damaged"):
        open_split(folder, other, "test")


def test_an_empty_split_has_no_windows(tmp_path):
    schema = prepare(tmp_path, {"a": wave(100)}, SeriesFeature(lookback=10, horizon=4))
    write_steps([], 2, 2, tmp_path / "test.arrow")
    rows = open_split(tmp_path, schema, "test")
    assert len(rows) == 0 and list(rows.batches(8)) == []
    assert rows.take(np.empty(0, np.int64)).shape == (0, 10, 2)


def test_times_before_1970_have_names_too(tmp_path):
    one = wave(60)
    feature = SeriesFeature(lookback=24, horizon=2)
    schema = prepare(tmp_path, {"a": Series(hours(60, "1969-12-30"), one.values, one.variables)}, feature)
    assert open_split(tmp_path, schema, "train").ids(np.array([0])) == ["a@1969-12-31"]
