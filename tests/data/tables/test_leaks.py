"""Columns that tell the answer alone, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from stagewise.data.tables.leaks import FEWEST_ROWS, MOST_ROWS, _auroc, _first_half, powers


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def one(column: np.ndarray, targets: np.ndarray, codes: int = 0):
    found = powers(column.astype(np.float32)[:, None], [codes], targets)
    assert found is not None
    return found[0]


def test_auroc_is_that_of_sklearn(generator: np.random.Generator) -> None:
    scores, truth = generator.integers(0, 20, 500) / 7, generator.integers(0, 2, 500)
    assert _auroc(scores, truth == 1) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


@pytest.mark.parametrize("rows", [40, 3000])
def test_noise_tells_nothing(generator: np.random.Generator, rows: int) -> None:
    noise = generator.normal(size=rows)
    names = generator.integers(0, rows, rows)  # a name that nearly every row has to itself
    for targets in (generator.integers(0, 2, rows), generator.integers(0, 5, rows), generator.normal(size=rows)):
        assert one(noise, targets).share < 0.4 and one(names, targets, rows).share < 0.4


@pytest.mark.parametrize(("rows", "classes"), [(60, 2), (60, 5), (3000, 2), (3000, 5)])
def test_the_class_itself_tells_all(generator: np.random.Generator, rows: int, classes: int) -> None:
    truth = generator.integers(0, classes, rows)
    assert one(truth + 1, truth, classes + 1).share == 1
    assert one(truth * 3.5, truth).share == 1
    if rows > 60:
        assert one(-truth + generator.normal(0, 0.01, rows), truth).share > 0.95


@pytest.mark.parametrize("rows", [60, 3000])
def test_the_number_itself_tells_all(generator: np.random.Generator, rows: int) -> None:
    numbers = generator.normal(size=rows)
    assert one(numbers * 7 + 3, numbers).share == pytest.approx(1)


def test_a_relation_that_is_no_line(generator: np.random.Generator) -> None:
    column = generator.uniform(-1, 1, 4000)
    assert one(column, np.abs(column)).value > 0.99
    assert one(column, (np.abs(column) < 0.5).astype(np.int64)).value > 0.99
    assert np.corrcoef(column, np.abs(column))[0, 1] ** 2 < 0.01


def test_that_a_value_is_missing_may_tell_it(generator: np.random.Generator) -> None:
    truth = generator.integers(0, 2, 1000)
    assert one(np.where(truth == 1, np.nan, generator.normal(size=1000)), truth).value == pytest.approx(1)


def test_measures_are_those_of_sklearn_by_hand(generator: np.random.Generator) -> None:
    """A category column, fitted on one half and judged on the other, done over without the code."""
    half = _first_half(2000)
    assert 950 < half.sum() < 1050
    codes, noise = generator.integers(0, 4, 2000), generator.random(2000)
    several = np.where(noise < 0.5, codes % 3, generator.integers(0, 3, 2000))
    numbers = codes + generator.normal(size=2000)
    guesses, told = np.empty(2000, np.int64), np.empty(2000)
    for own in (half, ~half):
        for code in range(4):
            here = np.flatnonzero(own & (codes == code))
            there = np.flatnonzero(~own & (codes == code))
            guesses[here] = np.bincount(several[there]).argmax()
            told[here] = numbers[there].mean()
    power = one(codes, several, 4)
    assert (power.measure, power.value) == ("accuracy", accuracy_score(several, guesses))
    most = np.bincount(several).max() / 2000
    assert power.share == pytest.approx((power.value - most) / (1 - most))
    power = one(codes, numbers, 4)
    assert power.measure == "R2" and power.value == pytest.approx(r2_score(numbers, told), abs=1e-12)


def test_targets_need_no_class_of_every_number(generator: np.random.Generator) -> None:
    truth = np.where(generator.random(200) < 0.5, 3, 7)
    power = one(truth, truth, 9)
    assert (power.measure, power.value) == ("AUROC", 1)


def test_where_nothing_can_be_said() -> None:
    rows = np.zeros((FEWEST_ROWS - 1, 1), np.float32)
    assert powers(rows, [0], np.arange(FEWEST_ROWS - 1) % 2) is None
    assert powers(np.zeros((99, 1), np.float32), [0], np.ones(99, np.int64)) is None


@pytest.mark.parametrize("period", [2, 3, 4, 8])
def test_an_order_of_classes_that_repeats_does_no_harm(period: int) -> None:
    truth = np.arange(960) % period
    assert one(truth, truth, period).share == 1


def test_many_rows_are_thinned_out() -> None:
    count = 3 * MOST_ROWS
    targets = np.zeros(count, np.int64)
    targets[::3] = np.arange(MOST_ROWS) % 2  # the others are never looked at
    column = targets.copy()
    column[1::3] = 1
    assert one(column, targets).value == 1
