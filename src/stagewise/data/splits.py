"""Which split each row belongs to: stratified by class, a pure function of seed and labels."""

import numpy as np
from numpy.typing import NDArray

from stagewise.data.schema import SPLITS

TRAIN, VALIDATION, TEST = range(len(SPLITS))
UNPUBLISHED = -1
"""Published split number of a row that the publisher did not put into a split."""

_PURPOSE = 1  # keeps the draws of the split apart from other draws of the same seed


def assign(
    labels: NDArray[np.int64], published: NDArray[np.int8], validation: float, test: float, seed: int
) -> NDArray[np.int8]:
    """The split number (its place in ``SPLITS``) of each row.

    Published test and validation rows stay what they are, and a split that is published gets no
    others. The rest is divided: ``test`` is the share of all rows, ``validation`` the share of
    those that are not test rows. Each split gets its rows per class by largest remainder. Every
    class that has a row to divide keeps one in train, and one with at least three gets one in
    each split that is drawn.
    """
    splits = np.where(published == UNPUBLISHED, TRAIN, published).astype(np.int8)
    pool = np.flatnonzero(splits == TRAIN)
    counts = np.bincount(labels[pool], minlength=int(labels.max(initial=-1)) + 1)
    draw_test = test > 0 and not (published == TEST).any()
    draw_validation = validation > 0 and not (published == VALIDATION).any()
    tests = _apportion(counts, test, kept=1 + draw_validation) if draw_test else np.zeros_like(counts)
    rest = counts - tests
    validations = _apportion(rest, validation, kept=1) if draw_validation else np.zeros_like(counts)
    for label in np.flatnonzero(counts):
        rows = pool[labels[pool] == label]
        rows = rows[_permutation(len(rows), seed, int(label))]
        splits[rows[: tests[label]]] = TEST
        splits[rows[tests[label] : tests[label] + validations[label]]] = VALIDATION
    return splits


def _apportion(counts: NDArray[np.int64], fraction: float, kept: int) -> NDArray[np.int64]:
    """Rows per class that sum to about ``fraction`` of all, by largest remainder.

    At least one where a class can give it, and never so many that fewer than ``kept`` remain.
    """
    shares = fraction * counts
    rows = np.floor(shares).astype(np.int64)
    missing = round(fraction * int(counts.sum())) - int(rows.sum())
    by_remainder = np.argsort(rows - shares, kind="stable")
    rows[by_remainder[: max(missing, 0)]] += 1
    most: NDArray[np.int64] = np.maximum(counts - kept, 0)
    bounded: NDArray[np.int64] = np.clip(rows, np.minimum(1, most), most)
    return bounded


def _permutation(length: int, seed: int, label: int) -> NDArray[np.int64]:
    """A random order from raw PCG64 words, which numpy keeps the same in every version."""
    words = np.asarray(np.random.PCG64(np.random.SeedSequence([seed, _PURPOSE, label])).random_raw(length))
    return np.argsort(words, kind="stable")
