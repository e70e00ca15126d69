"""How often the test calls different models equal."""

import math

import numpy as np
import pytest
from scipy.stats import multinomial, norm

from stagewise.metrics.paired import tango_score
from stagewise.review.compare.equivalence import (
    compare_correct,
    compare_errors,
    judge,
)
from stagewise.review.verdict import Verdict

Z = norm.isf(0.05)


@pytest.mark.parametrize("rows", [200, 500])
@pytest.mark.parametrize("discordance", [0.06, 0.12, 0.3])
@pytest.mark.parametrize("sign", [-1, 1])
def test_models_that_differ_by_the_margin_are_rarely_called_equal(rows: int, discordance: float, sign: int) -> None:
    """The exact probability, summed over all tables; level 0.05."""
    margin = 0.05
    shares = [(discordance + sign * margin) / 2, (discordance - sign * margin) / 2, 1 - discordance]
    most = int(rows * discordance + 12 * math.sqrt(rows * discordance)) + 1
    wrong = 0.0
    for gained in range(min(most, rows) + 1):
        for lost in range(min(most, rows - gained) + 1):
            if tango_score(gained, lost, rows, -margin) > Z and tango_score(gained, lost, rows, margin) < -Z:
                wrong += multinomial.pmf([gained, lost, rows - gained - lost], rows, shares)
    assert wrong <= 0.055


def correct(gained: int, lost: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.ones(rows, bool), np.ones(rows, bool)
    before[:gained] = False
    after[gained : gained + lost] = False
    return before, after


@pytest.mark.parametrize(
    ("gained", "lost", "rows", "verdict"),
    [
        (3, 4, 5000, Verdict.STATISTICAL),
        (0, 0, 3000, Verdict.STATISTICAL),
        (2, 3, 300, Verdict.INCONCLUSIVE),
        (0, 0, 100, Verdict.INCONCLUSIVE),
        (10, 90, 1000, Verdict.DIFFERS),
        (90, 10, 1000, Verdict.DIFFERS),
        (10, 28, 1000, Verdict.INCONCLUSIVE),
    ],
)
def test_verdicts_of_right_and_wrong_answers(gained: int, lost: int, rows: int, verdict: Verdict) -> None:
    test = compare_correct(*correct(gained, lost, rows), margin=0.01, alpha=0.05)
    assert judge(test) is verdict
    assert test.difference == pytest.approx((gained - lost) / rows)
    assert test.discordance == pytest.approx((gained + lost) / rows)
    assert test.outer_low <= test.low <= test.difference <= test.high <= test.outer_high
    assert (test.rows_to_decide is None) is (verdict is not Verdict.INCONCLUSIVE)
    if test.rows_to_decide is not None:
        assert test.rows_to_decide > rows


def test_the_rows_that_would_decide_are_those_of_the_formula() -> None:
    """n = 8.56 * discordance / margin^2 for a power of 80 % where the models are equally good."""
    test = compare_correct(*correct(4, 4, 400), margin=0.01, alpha=0.05)
    assert test.rows_to_decide == pytest.approx(8.56 * 0.02 / 0.01**2, rel=0.001)


def test_that_many_rows_do_decide_about_four_times_in_five() -> None:
    random = np.random.default_rng(0)
    decided = 0
    for _ in range(300):
        table = random.multinomial(1713, [0.01, 0.01, 0.98])
        decided += (
            judge(compare_correct(*correct(table[0], table[1], 1713), margin=0.01, alpha=0.05)) is Verdict.STATISTICAL
        )
    assert 0.7 < decided / 300 < 0.9


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.0, Verdict.STATISTICAL), (0.1, Verdict.DIFFERS), (0.019, Verdict.INCONCLUSIVE)]
)
def test_verdicts_of_errors_of_numbers(shift: float, verdict: Verdict) -> None:
    random = np.random.default_rng(1)
    before = random.gamma(2.0, 1.0, 2000)
    after = before * (1 + shift) + random.normal(0, 0.05 if shift < 0.015 else 0.4, 2000)
    test = compare_errors(before, after, margin=0.02, alpha=0.05)
    assert judge(test) is verdict
    assert test.method == "paired means" and test.discordance is None
