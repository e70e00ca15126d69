import pickle
import resource
from pathlib import Path

import numpy as np
import pytest

from stagewise.data.layout import Layout
from stagewise.data.storage import SplitReader, SplitWriter, scan
from stagewise.errors import DataError

SHAPE = (3, 5, 2)


def rows(count, dtype=np.uint8):
    values = np.random.default_rng(count).integers(0, 200, (count, *SHAPE)).astype(dtype)
    return values, np.arange(count, dtype=np.int64) % 7, [f"row/{number}" for number in range(count)]


def resident_megabytes():
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("the resident memory of a process is only known on Linux")
    return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6


def write(path, count, rows_per_batch, dtype=np.uint8, cuts=()):
    values, targets, ids = rows(count, dtype)
    with SplitWriter(path, Layout(np.dtype(dtype), SHAPE), rows_per_batch) as writer:
        for begin, end in zip((0, *cuts), (*cuts, count), strict=True):
            writer.write(values[begin:end], targets[begin:end], ids[begin:end])
    return values, targets, ids


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize(("count", "rows_per_batch"), [(0, 4), (1, 4), (8, 4), (9, 4), (100, 7), (100, 1000)])
def test_every_row_comes_back(tmp_path, count, rows_per_batch, dtype):
    values, targets, ids = write(tmp_path / "a.arrow", count, rows_per_batch, dtype)
    reader = SplitReader(tmp_path / "a.arrow", SHAPE)
    order = np.random.default_rng(1).permutation(count)
    assert len(reader) == count
    np.testing.assert_array_equal(reader.take(order), values[order])
    np.testing.assert_array_equal(reader.targets, targets)
    assert reader.take(order).dtype == dtype
    assert reader.targets.dtype == np.int64
    assert reader.ids(order) == [ids[place] for place in order]


def test_taken_rows_are_new_and_may_repeat(tmp_path):
    values, _, _ = write(tmp_path / "a.arrow", 20, 6)
    reader = SplitReader(tmp_path / "a.arrow", SHAPE)
    indices = np.array([19, 0, 0, 6, 5])
    taken = reader.take(indices)
    taken[:] = 0
    np.testing.assert_array_equal(reader.take(indices), values[indices])


@pytest.mark.parametrize("index", [-1, 20])
def test_rows_beyond_the_end_are_refused(tmp_path, index):
    write(tmp_path / "a.arrow", 20, 6)
    with pytest.raises(IndexError, match="of 20"):
        SplitReader(tmp_path / "a.arrow", SHAPE).take(np.array([0, index]))


def test_batches_cover_all_rows_in_order(tmp_path):
    values, targets, _ = write(tmp_path / "a.arrow", 20, 6)
    parts = list(SplitReader(tmp_path / "a.arrow", SHAPE).batches(8))
    assert [len(indices) for indices, _, _ in parts] == [8, 8, 4]
    np.testing.assert_array_equal(np.concatenate([part for part, _, _ in parts]), np.arange(20))
    np.testing.assert_array_equal(np.concatenate([part for _, part, _ in parts]), values)
    np.testing.assert_array_equal(np.concatenate([part for _, _, part in parts]), targets)


def test_scan_reads_the_same_rows(tmp_path):
    values, targets, ids = write(tmp_path / "a.arrow", 20, 6)
    parts = list(scan(tmp_path / "a.arrow", Layout(np.dtype(np.uint8), SHAPE)))
    assert [len(part) for _, _, part in parts] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate([part for part, _, _ in parts]), values)
    np.testing.assert_array_equal(np.concatenate([part for _, part, _ in parts]), targets)
    assert [name for _, _, part in parts for name in part] == ids


def test_equal_rows_give_equal_bytes_however_they_are_cut(tmp_path):
    write(tmp_path / "a.arrow", 50, 8)
    write(tmp_path / "b.arrow", 50, 8, cuts=(1, 9, 33, 49))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


def test_a_pickled_reader_opens_its_own_map(tmp_path):
    values, _, _ = write(tmp_path / "a.arrow", 20, 6)
    data = pickle.dumps(SplitReader(tmp_path / "a.arrow", SHAPE))
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).take(np.arange(20)), values)


def test_a_wide_file_is_mapped_not_read(tmp_path):
    shape, count = (512, 512), 800  # 200 MB
    with SplitWriter(tmp_path / "a.arrow", Layout(np.dtype(np.uint8), shape), 16) as writer:
        for number in range(count):
            writer.write(np.full((1, *shape), number % 251, np.uint8), np.array([number]), [str(number)])
    before = resident_megabytes()
    reader = SplitReader(tmp_path / "a.arrow", shape)
    taken = reader.take(np.array([5, 799]))
    assert (taken[:, 0, 0] == [5, 799 % 251]).all()
    assert resident_megabytes() - before < 20


def test_rows_of_unequal_length_are_refused(tmp_path):
    with (
        SplitWriter(tmp_path / "a.arrow", Layout(np.dtype(np.uint8), SHAPE), 4) as writer,
        pytest.raises(ValueError, match="2 values"),
    ):
        writer.write(np.zeros((2, *SHAPE), np.uint8), np.zeros(2, np.int64), ["one"])


def test_missing_damaged_and_other_files_are_told(tmp_path):
    with pytest.raises(DataError, match="missing"):
        SplitReader(tmp_path / "none.arrow", SHAPE)
    write(tmp_path / "a.arrow", 20, 6)
    with pytest.raises(DataError, match="do not have shape"):
        SplitReader(tmp_path / "a.arrow", (3, 5, 3))
    for data in (b"", b"no arrow file", (tmp_path / "a.arrow").read_bytes()[:-20]):
        (tmp_path / "b.arrow").write_bytes(data)
        with pytest.raises(DataError, match="damaged"):
            SplitReader(tmp_path / "b.arrow", SHAPE)


TEXTS = [np.arange(length, dtype=np.int32) + 1 for length in (3, 0, 7, 1, 5, 2, 4)]
RAGGED = Layout(np.dtype(np.int32), None)


def write_ragged(path, rows_per_batch, cuts=()):
    with SplitWriter(path, RAGGED, rows_per_batch, np.float64) as writer:
        for begin, end in zip((0, *cuts), (*cuts, len(TEXTS)), strict=True):
            targets = np.arange(begin, end, dtype=np.float64) / 2
            writer.write(TEXTS[begin:end], targets, [str(row) for row in range(begin, end)])
    return SplitReader(path, None)


@pytest.mark.parametrize("rows_per_batch", [1, 2, 3, 7, 100])
def test_ragged_rows_are_padded_to_the_longest_of_those_taken(tmp_path, rows_per_batch):
    reader = write_ragged(tmp_path / "a.arrow", rows_per_batch)
    assert reader.lengths.tolist() == [3, 0, 7, 1, 5, 2, 4]
    for indices in ([0, 1], [6, 2, 0], [1], [], list(range(7))):
        taken = reader.take(np.array(indices, np.int64))
        longest = max([1, *(len(TEXTS[row]) for row in indices)])
        assert taken.shape == (len(indices), longest) and taken.dtype == np.int32
        for row, values in zip(indices, taken, strict=True):
            assert values.tolist() == [*TEXTS[row].tolist(), *[0] * (longest - len(TEXTS[row]))]
    block = reader.block(np.array([2, 1]))
    assert [row.tolist() for row in block] == [TEXTS[2].tolist(), []]


def test_ragged_rows_scan_pickle_and_repeat(tmp_path):
    reader = write_ragged(tmp_path / "a.arrow", 3)
    write_ragged(tmp_path / "b.arrow", 3, cuts=(2, 6))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()
    scanned = [row.tolist() for values, _, _ in scan(tmp_path / "a.arrow", RAGGED) for row in values]
    assert scanned == [row.tolist() for row in TEXTS]
    again = pickle.loads(pickle.dumps(reader))
    assert again.take(np.array([2])).tolist() == [TEXTS[2].tolist()]
    assert again.take_targets(np.array([3, 1])).tolist() == [1.5, 0.5]


@pytest.mark.parametrize(("layout", "shape"), [(RAGGED, (3,)), (Layout(np.dtype(np.int32), (3,)), None)])
def test_rows_of_another_layout_are_refused(tmp_path, layout, shape):
    with SplitWriter(tmp_path / "a.arrow", layout, 2) as writer:
        writer.write([np.arange(3)], np.array([0]), ["x"])
    with pytest.raises(DataError, match="do not have"):
        SplitReader(tmp_path / "a.arrow", shape)
