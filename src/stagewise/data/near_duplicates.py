"""Which texts are nearly the same: MinHash and locality-sensitive hashing propose pairs, the exact overlap decides.

A. Z. Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman and Ullman, "Mining of
Massive Datasets", chapter 3. Lee et al., "Deduplicating Training Data Makes Language Models Better" (ACL 2022), show
what near-duplicates between splits do to a figure.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]
from numpy.typing import NDArray

_PERMUTATIONS = 128
_SEED = 1
_SHINGLE = 5  # characters: long enough to be rare by chance, short enough for a message of one line
_RECALL = 0.99  # of pairs just at the threshold; more overlap is found more surely
_OTHER = re.compile(r"[\W_]+")
_MIXER = np.uint64(0xBF58476D1CE4E5B9)  # of splitmix64

Shingles = NDArray[np.uint32]


def near_groups(texts: Iterable[str], threshold: float) -> NDArray[np.int64]:
    """Return the number of each text's group; texts in one group are nearly the same, or linked by such texts.

    Nearly the same: of the distinct runs of 5 characters that occur in either, a share of at least ``threshold``
    occurs in both (the Jaccard index). Capitals, blanks, punctuation and other signs do not count.

    Memory: about 2 kB per different text of a hundred characters. Time: linear in the texts, but quadratic in the
    largest group. Equal arguments give equal groups.

    Args:
        threshold: above 0, at most 1. A pair that reaches it is found with a probability of at least 0.99, and no
            pair below is taken for one.
    """
    groups = _Groups()
    firsts: dict[str, int] = {}
    rows = [firsts.setdefault(_comparable(text), len(firsts)) for text in texts]
    shingles = [_shingles(text) for text in firsts]
    groups.extend(len(shingles))
    for one, other in _candidates(shingles, threshold):
        if groups.of(one) != groups.of(other) and _overlap(shingles[one], shingles[other]) >= threshold:
            groups.join(one, other)
    return np.array([groups.of(row) for row in rows], np.int64)


def bands(threshold: float) -> tuple[int, int]:
    """Number and width of the bands of a signature: the widest by which a pair at ``threshold`` is found.

    A pair of Jaccard index s agrees in one of b bands of width r with probability 1 - (1 - s^r)^b.
    """
    widths = range(_PERMUTATIONS // 2, 0, -1)
    fitting = (width for width in widths if 1 - (1 - threshold**width) ** (_PERMUTATIONS // width) >= _RECALL)
    width = next(fitting, 1)
    return _PERMUTATIONS // width, width


class _Groups:
    """Disjoint sets of the numbers 0, 1, ...; the name of a set is its smallest number."""

    def __init__(self) -> None:
        self._above: list[int] = []

    def extend(self, count: int) -> None:
        self._above.extend(range(len(self._above), len(self._above) + count))

    def of(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = number = self._above[self._above[number]]
        return number

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.of(one), self.of(other)))
        self._above[high] = low


def _comparable(text: str) -> str:
    """The letters and digits of a text; of one without any, its signs."""
    return _OTHER.sub(" ", text.lower()).strip() or text


def _shingles(text: str) -> Shingles:
    """Sorted 32-bit hashes of the runs of characters; of a shorter text, of the whole."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
    count = max(1, len(codes) - _SHINGLE + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(min(_SHINGLE, len(codes))):
        hashes = (hashes + codes[place : place + count] + np.uint64(1)) * _MIXER
        hashes ^= hashes >> np.uint64(29)
    return np.unique((hashes >> np.uint64(16)).astype(np.uint32))


def _candidates(shingles: list[Shingles], threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs whose signatures agree in a band, each in the order of its numbers."""
    index = MinHashLSH(num_perm=_PERMUTATIONS, params=bands(threshold))
    signatures: Any = MinHash.generator(
        (shingle.tolist() for shingle in shingles), num_perm=_PERMUTATIONS, seed=_SEED, hashfunc=int
    )
    for number, signature in enumerate(signatures):
        for other in sorted(index.query(signature)):
            yield other, number
        index.insert(number, signature, check_duplication=False)


def _overlap(one: Shingles, other: Shingles) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
