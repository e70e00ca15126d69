"""Exact tails of the two counts that a window of new rows is compared by. Nothing is simulated, nothing approximate."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Mass = NDArray[np.float64]


def below_rank(rank: int, rows: int, count: int) -> Mass:
    """How many of ``count`` new values lie below the ``rank``-th smallest of ``rows`` earlier ones.

    Whatever the distribution, so long as both come from the same one and it has no ties: the share below the rank-th
    smallest is Beta(rank, rows + 1 - rank), so the count is beta-binomial. That the reference is finite is part of it.

    Returns:
        The probability of 0, 1, ..., ``count``.
    """
    log = _log_factorials(rows + count + 1)
    found = np.arange(count + 1)
    ways = log[found + rank - 1] - log[rank - 1] - log[found]
    ways += log[count - found + rows - rank] - log[rows - rank] - log[count - found]
    return np.asarray(np.exp(ways - (log[rows + count] - log[rows] - log[count])))


def drawn(marked: int, rows: int, count: int) -> Mass:
    """How many of ``marked`` rows are among the ``count`` new ones, when any of ``rows`` + ``count`` may be marked.

    It is Fisher's exact test of equal shares: hypergeometric, whatever the share.

    Returns:
        The probability of 0, 1, ..., ``count``.
    """
    log = _log_factorials(rows + count + 1)
    mass = np.zeros(count + 1)
    least, most = max(0, marked - rows), min(marked, count)
    found = np.arange(least, most + 1)
    ways = log[marked] - log[found] - log[marked - found]
    ways += log[rows + count - marked] - log[count - found] - log[rows - marked + found]
    mass[least : most + 1] = np.exp(ways - (log[rows + count] - log[count] - log[rows]))
    return mass


def at_most(mass: Mass, found: int) -> float:
    """The probability of ``found`` or fewer."""
    return min(1.0, float(mass[: found + 1].sum()))


def at_least(mass: Mass, found: int) -> float:
    """The probability of ``found`` or more."""
    return min(1.0, float(mass[found:].sum()))


@lru_cache(maxsize=16)
def _log_factorials(size: int) -> Mass:
    """ln of 0!, 1!, ..., size!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
