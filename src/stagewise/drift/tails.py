"""Exact tails of the two counts that a window of new rows is compared by. Nothing is simulated, nothing approximate."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mass = NDArray[np.float64]

_USUAL = 1000
"""Rows of a window whose tails are kept: all that are kept take 8 MB at most."""


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


class Tails(NamedTuple):
    """Both tails of a count, each summed from its own end, so that small ones keep their digits."""

    at_most: Mass
    """The probability of 0, of 1 or fewer, of 2 or fewer, ..."""
    at_least: Mass
    """The probability of 0 or more, of 1 or more, ..."""


def tails(mass: Mass) -> Tails:
    """The tails of the probabilities of 0, 1, ..."""
    return Tails(np.minimum(1.0, np.cumsum(mass)), np.minimum(1.0, np.cumsum(mass[::-1])[::-1]))


def tails_below_rank(rank: int, rows: int, count: int) -> Tails:
    """The tails of ``below_rank``; those of windows of a usual size are kept, since all windows ask for the same."""
    return _kept_below_rank(rank, rows, count) if count <= _USUAL else tails(below_rank(rank, rows, count))


def tails_drawn(marked: int, rows: int, count: int) -> Tails:
    """The tails of ``drawn``, kept likewise."""
    return _kept_drawn(marked, rows, count) if count <= _USUAL else tails(drawn(marked, rows, count))


@lru_cache(maxsize=256)
def _kept_below_rank(rank: int, rows: int, count: int) -> Tails:
    return tails(below_rank(rank, rows, count))


@lru_cache(maxsize=256)
def _kept_drawn(marked: int, rows: int, count: int) -> Tails:
    return tails(drawn(marked, rows, count))


@lru_cache(maxsize=16)
def _log_factorials(size: int) -> Mass:
    """ln of 0!, 1!, ..., size!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
