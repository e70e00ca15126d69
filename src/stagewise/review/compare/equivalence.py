"""Whether two models are equally good on the same rows: paired tests of equivalence.

Two one-sided tests at level alpha each reject "worse by the margin or more" and "better by the margin or more". For
right and wrong answers the statistic is that of Tango (see ``stagewise.metrics.paired``). For errors of numbers it is
the paired mean with its standard error. "No significant difference" and "the difference is small" are no such tests:
both call different models equal too often.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm  # type: ignore[import-untyped, unused-ignore]

from stagewise.metrics.paired import tango_interval
from stagewise.review.record import Equivalence
from stagewise.review.verdict import Verdict

POWER = 0.8
Interval = tuple[float, float]


def compare_correct(
    recorded: NDArray[np.bool_], reproduced: NDArray[np.bool_], margin: float, alpha: float
) -> Equivalence:
    """Test the accuracies of two models on the same rows; at least one row.

    Args:
        recorded, reproduced: whether each row is answered right, ``(n,)``.
        margin: of the accuracy.
        alpha: of each one-sided test.
    """
    gained = int(np.sum(reproduced & ~recorded))
    lost = int(np.sum(recorded & ~reproduced))
    rows = len(recorded)
    inner, outer = (tango_interval(gained, lost, rows, level) for level in (alpha, alpha / 2))
    discordance = (gained + lost) / rows
    variance = discordance - ((gained - lost) / rows) ** 2
    return _equivalence("tango", rows, (gained - lost) / rows, inner, outer, margin, alpha, variance, discordance)


def compare_errors(
    recorded: NDArray[np.float64], reproduced: NDArray[np.float64], margin: float, alpha: float
) -> Equivalence:
    """Test the mean errors of two models on the same rows, as a share of the recorded mean; at least two rows."""
    scale = float(np.mean(recorded)) or 1.0
    gaps = (reproduced - recorded) / scale
    mean, deviation = float(gaps.mean()), float(gaps.std(ddof=1))
    half = deviation / math.sqrt(len(gaps))
    inner, outer = ((mean - z * half, mean + z * half) for z in (norm.isf(alpha), norm.isf(alpha / 2)))
    return _equivalence("paired means", len(gaps), mean, inner, outer, margin, alpha, deviation**2, None)


def judge(test: Equivalence) -> Verdict:
    """Equivalent when the inner interval lies within the margin, different when the outer one lies outside it."""
    if -test.margin < test.low and test.high < test.margin:
        return Verdict.STATISTICAL
    if test.outer_low > test.margin or test.outer_high < -test.margin:
        return Verdict.DIFFERS
    return Verdict.INCONCLUSIVE


def _equivalence(
    method: str, rows: int, difference: float, inner: Interval, outer: Interval, margin: float, alpha: float,
    variance: float, discordance: float | None,
) -> Equivalence:  # fmt: skip
    test = Equivalence.model_validate(
        {
            "method": method, "rows": rows, "difference": difference, "low": inner[0], "high": inner[1],
            "outer_low": outer[0], "outer_high": outer[1], "margin": margin, "alpha": alpha,
            "discordance": discordance, "rows_to_decide": None,
        }
    )  # fmt: skip
    if judge(test) is not Verdict.INCONCLUSIVE:
        return test
    return test.model_copy(update={"rows_to_decide": _rows_to_decide(difference, variance, margin, alpha, rows)})


def _rows_to_decide(difference: float, variance: float, margin: float, alpha: float, rows: int) -> int:
    """Rows for a power of 80 % if everything is as seen in these rows, by the normal approximation.

    Where the models look equally good both one-sided tests must reject, hence the half of 1 - power; at alpha 0.05 the
    factor is 8.56. Few rows without a discordant one say little of the variance: it counts as one row's at least. The
    approximation may fall short of what the score statistic asks for where few rows are discordant: then twice as many.
    """
    distance = abs(margin - abs(difference))
    equal = abs(difference) < margin / 2
    z = norm.isf(alpha) + norm.isf((1 - POWER) / 2 if equal else 1 - POWER)
    wanted = (z / (margin if equal else max(distance, margin / 100))) ** 2 * max(variance, 1 / rows)
    return max(math.ceil(float(wanted)), 2 * rows if wanted <= rows else rows + 1)
