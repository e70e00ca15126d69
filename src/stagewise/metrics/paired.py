"""Intervals of the difference between two models that answered the same rows.

For right and wrong answers: the score interval of Tango (Statistics in Medicine 17, 891-908, 1998), which keeps its
level where few rows are discordant. For other figures: the mean of the paired differences with Student's t.
"""

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float]


def paired_interval(differences: NDArray[Any], alpha: float, block: int = 1) -> Bounds:
    """The means that are not rejected at ``alpha`` on either side: in 1 - 2 * alpha of all samples the true one is
    among them.

    Args:
        differences: of each row, ``(n,)``, at least one; integers are those of right and wrong answers: -1, 0 or 1.
        alpha: of each side.
        block: neighbouring rows that depend on each other, such as windows that overlap; they count as one.

    Returns:
        (low, high); infinite where fewer than two blocks say nothing of their spread.
    """
    if differences.dtype.kind == "i":
        gained, lost = int((differences == 1).sum()), int((differences == -1).sum())
        return tango_interval(gained, lost, len(differences), alpha)
    mean = float(differences.mean())
    parts = np.array_split(differences, max(len(differences) // block, 1))
    if not np.any(differences):
        return 0.0, 0.0
    if len(parts) < 2:
        return -math.inf, math.inf
    from scipy.stats import t  # type: ignore[import-untyped, unused-ignore]  # slow to import

    means = np.array([part.mean() for part in parts])
    half = float(t.isf(alpha, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means)))
    return mean - half, mean + half


def tango_score(gained: int, lost: int, rows: int, difference: float) -> float:
    """Tango's score statistic for the hypothesis that the paired proportions differ by ``difference``."""
    if rows == 0:
        return 0.0
    a = 2 * rows
    b = -gained - lost + (2 * rows - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = rows * (2 * share + difference * (1 - difference))
    gap = gained - lost - rows * difference
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def tango_interval(gained: int, lost: int, rows: int, alpha: float) -> Bounds:
    """The differences that the score statistic does not reject at ``alpha`` on either side.

    Without a discordant row its ends are -z**2 / (rows + z**2) and z**2 / (rows + z**2).
    """
    from scipy.optimize import brentq  # type: ignore[import-untyped, unused-ignore]  # slow to import

    z, centre, edge = NormalDist().inv_cdf(1 - alpha), (gained - lost) / rows, 1 - 1e-9

    def above(difference: float) -> float:
        return tango_score(gained, lost, rows, difference) - z

    def below(difference: float) -> float:
        return tango_score(gained, lost, rows, difference) + z

    low = -1.0 if centre <= -edge or above(-edge) < 0 else float(brentq(above, -edge, centre))
    high = 1.0 if centre >= edge or below(edge) > 0 else float(brentq(below, centre, edge))
    return low, high
