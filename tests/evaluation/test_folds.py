import numpy as np
import pytest
from shades import write_processed

from stagewise.data.schema import read_schema
from stagewise.data.storage import SplitReader
from stagewise.errors import ConfigError
from stagewise.evaluation.folds import pick_share, stratified_folds
from stagewise.evaluation.pool import Pool, write_view

TARGETS = np.repeat([0, 1, 2], [50, 23, 7])


@pytest.mark.parametrize("folds", [2, 3, 5, 7])
def test_folds_are_even_and_stratified(folds):
    fold_of = stratified_folds(TARGETS, folds, seed=1)
    counts = np.array([np.bincount(TARGETS[fold_of == number], minlength=3) for number in range(folds)])
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_folds_follow_from_the_seed():
    first, again, other = (stratified_folds(TARGETS, 5, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("folds", [1, 8])
def test_an_impossible_number_of_folds_is_told(folds):
    with pytest.raises(ConfigError, match="folds") as error:
        stratified_folds(TARGETS, folds, seed=1)
    assert "2 to 7" in str(error.value)


def test_a_class_of_one_row_allows_no_folds():
    with pytest.raises(ConfigError, match=r"set evaluate\.folds to 0"):
        stratified_folds(np.array([0, 0, 0, 1]), 2, seed=1)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.99])
def test_a_share_is_picked_from_every_class_and_never_all(share):
    picked = pick_share(TARGETS, share, seed=3)
    assert (np.diff(picked) > 0).all()
    counts, sizes = np.bincount(TARGETS[picked], minlength=3), np.bincount(TARGETS)
    assert (counts >= 1).all()
    assert (counts < sizes).all()
    if share == 0.25:
        assert counts.tolist() == [12, 6, 2]


def test_no_share_is_no_rows():
    assert len(pick_share(TARGETS, 0.0, seed=3)) == 0


def test_a_view_holds_the_rows_asked_for_and_normalises_by_its_training_rows(tmp_path):
    processed, view = tmp_path / "processed", tmp_path / "view"
    schema = write_processed(processed, ["a", "b"], {"train": 20, "validation": 6, "test": 4})
    view.mkdir()
    splits = {"train": np.array([1, 4, 19, 20]), "validation": np.array([2, 25]), "test": np.array([0, 3])}
    written = write_view(Pool(processed, schema, 0), splits, view)
    assert written == read_schema(view)
    shape = schema.features[0].shape
    train = SplitReader(view / "train.arrow", shape)
    assert train.ids(np.arange(4)) == ["train#1", "train#4", "train#19", "validation#0"]
    values = train.take(np.arange(4)) / 255
    assert written.features[0].mean == pytest.approx([values.mean()])
    assert written.features[0].std == pytest.approx([values.std()])
    assert train.targets.tolist() == [1, 0, 1, 0]
    assert written.splits["validation"].class_counts == [1, 1]
    original = SplitReader(processed / "train.arrow", shape).take(np.array([1, 4, 19]))
    assert (train.take(np.arange(3)) == original).all()


def test_copies_stay_with_their_row(tmp_path):
    processed, view = tmp_path / "processed", tmp_path / "view"
    schema = write_processed(processed, ["a", "b"], {"train": 10, "validation": 4, "test": 4}, copies=2)
    pool = Pool(processed, schema, 2)
    assert pool.rows.tolist() == [*range(10), *range(30, 34)]
    view.mkdir()
    splits = {"train": np.array([3, 4, 31]), "validation": np.array([0, 5]), "test": np.array([1, 2, 30])}
    written = write_view(pool, splits, view)
    ids = {
        name: SplitReader(view / f"{name}.arrow", (6, 6, 1)).ids(np.arange(s.rows))
        for name, s in written.splits.items()
    }
    assert ids["train"] == [
        "train#3",
        "train#4",
        "train#3#copy1",
        "train#4#copy1",
        "train#3#copy2",
        "train#4#copy2",
        "validation#1",
    ]
    assert ids["test"] == ["train#1", "train#2", "validation#0"]
    values = SplitReader(view / "train.arrow", (6, 6, 1)).take(np.array([0, 1, 6])) / 255
    assert written.features[0].mean == pytest.approx([values.mean()])
