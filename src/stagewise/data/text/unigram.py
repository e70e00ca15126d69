"""The unigram language model of T. Kudo, "Subword Regularization" (ACL 2018), trained so that bits repeat.

A text is the pieces that were drawn one by one; a piece's probability is fitted by EM over all ways to cut the words,
and the pieces whose loss would cost the least likelihood are dropped until few enough are left.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_LONGEST_PIECE = 16
_LONGEST_RUN = 24  # words are cut here while training: the probability of a run must stay above 1e-308
_MOST_RUNS = 200_000
_SEEDS = 8  # candidates at the start, in multiples of the pieces wanted
_KEPT = 0.75  # of the pieces, in each round
_ROUNDS = 2  # of EM, before each pruning
_FLOOR = 1e-9  # least probability of a character

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def train_unigram(words: dict[str, int], size: int, minimum: int) -> list[tuple[str, float]]:
    """Return at most ``size`` pieces with their log probabilities, most probable first; every character is one.

    Only sums, products and quotients in a fixed order decide, so equal arguments give equal results in any process.

    Args:
        words: and how often each occurs; of more than 200,000 the most frequent count.
        minimum: least occurrences of a piece of several characters.
    """
    if not words:
        return []
    runs = _cut(words)
    pieces = _candidates(runs, size * _SEEDS, minimum)
    model = _Model(runs, pieces)
    target = max(size, sum(len(piece) == 1 for piece in pieces))
    while True:
        for _ in range(_ROUNDS):
            model.fit()
        if len(model.pieces) <= target:
            break
        model.prune(max(target, int(len(model.pieces) * _KEPT)))
    scored = zip(model.pieces, model.chances.tolist(), strict=True)
    # Rounded, so that another processor's logarithm gives the same bytes.
    logs = [(piece, round(math.log(max(chance, _FLOOR)), 6)) for piece, chance in scored]
    return sorted(logs, key=lambda entry: (-entry[1], entry[0]))


class _Model:
    """Pieces, how often each is expected to occur, and its probability."""

    def __init__(self, runs: dict[str, int], pieces: list[str]) -> None:
        self.pieces = pieces
        self.chances: Floats = np.full(len(pieces), 1 / max(1, len(pieces)))
        self._expected = self.chances
        self._counts = np.array(list(runs.values()), np.float64)
        self._runs = Lattice(list(runs), pieces)
        self._inside = Lattice(pieces, pieces, whole=False)
        self._places: Ints = np.arange(len(pieces))  # of each piece among the strings of _inside

    def fit(self) -> None:
        """One step of expectation and maximisation."""
        self._expected = self._runs.expected(self.chances, self._counts)
        singles = np.array([len(piece) == 1 for piece in self.pieces], np.bool_)
        self._expected[singles] = np.maximum(self._expected[singles], self._expected.sum() * _FLOOR)
        self.chances = self._expected / self._expected.sum()

    def prune(self, target: int) -> None:
        """Keep ``target`` pieces: all characters, then those whose loss would cost the most likelihood."""
        others = self._inside.best(self.chances)[self._places]
        order = sorted(range(len(self.pieces)), key=lambda place: (-self._loss(place, others), self.pieces[place]))
        kept = np.sort(np.array(order[:target], np.int64))
        self.pieces = [self.pieces[place] for place in kept]
        self.chances = self.chances[kept] / self.chances[kept].sum()
        self._places = self._places[kept]
        self._runs.keep(kept)
        self._inside.keep(kept)

    def _loss(self, place: int, others: Floats) -> float:
        """What the log likelihood falls by when each occurrence of a piece is cut in the best other way."""
        if len(self.pieces[place]) == 1:
            return math.inf
        chance = float(self.chances[place])
        return float(self._expected[place]) * math.log(chance / float(others[place])) if chance > 0 else -math.inf


class Lattice:
    """Every way to cut some strings into pieces: an edge per place at which a piece lies, sorted by string and start.

    Args:
        strings: none of them empty.
        pieces: all characters of the strings among them.
        whole: whether an edge may be the whole string.
    """

    def __init__(self, strings: list[str], pieces: list[str], whole: bool = True) -> None:
        self._lengths: Ints = np.array([len(string) for string in strings], np.int64)
        found = self._find(strings, {piece: place for place, piece in enumerate(pieces)}, whole)
        self._string, self._start, self._end, self._piece = found
        self._order()

    def keep(self, pieces: Ints) -> None:
        """Forget all but these pieces (numbers in rising order), and number them anew."""
        numbers = np.full(int(max(self._piece.max(initial=0), pieces.max(initial=0))) + 1, -1, np.int64)
        numbers[pieces] = np.arange(len(pieces))
        alive = numbers[self._piece] >= 0
        self._string, self._start, self._end = self._string[alive], self._start[alive], self._end[alive]
        self._piece = numbers[self._piece[alive]]
        self._order()

    def expected(self, chances: Floats, counts: Floats) -> Floats:
        """How often each piece occurs on average over all cuts of each string, which occurs ``counts`` times."""
        edge = chances[self._piece]
        before, after = self._before(edge), self._after(edge)
        strings = np.arange(len(self._lengths))
        totals = before[self._lengths, strings]
        shares = before[self._start, self._string] * edge * after[self._end, self._string]
        shares *= (counts / totals)[self._string]
        return np.bincount(self._piece, shares, minlength=len(chances)).astype(np.float64)

    def best(self, chances: Floats) -> Floats:
        """Probability of the best cut of each string; 0 where there is none."""
        best = np.zeros((int(self._lengths.max(initial=0)) + 1, len(self._lengths)))
        best[0] = 1
        edge = chances[self._piece]
        for end, edges in enumerate(self._by_end, start=1):
            strings = self._string[edges]
            np.maximum.at(best[end], strings, best[self._start[edges], strings] * edge[edges])
        return np.asarray(best[self._lengths, np.arange(len(self._lengths))])

    def _find(self, strings: list[str], places: dict[str, int], whole: bool) -> Iterator[Ints]:
        """String, start, end and piece of every edge."""
        longest = max(map(len, places), default=0)
        spans = {size: _spans(size, longest) for size in set(map(len, strings))}
        pieces = (places.get(string[a:b], -1) for string in strings for a, b in spans[len(string)])
        found = np.fromiter(pieces, np.int64)
        tables = {size: np.array(pairs, np.int64) for size, pairs in spans.items()}
        start, end = np.concatenate([tables[len(string)] for string in strings]).T
        number = np.repeat(np.arange(len(strings)), [len(spans[len(string)]) for string in strings])
        fits = (found >= 0) & (whole | (end - start < self._lengths[number]))
        return (np.ascontiguousarray(column[fits]) for column in (number, start, end, found))

    def _order(self) -> None:
        longest = int(self._lengths.max(initial=0))
        self._by_end = _grouped(self._end, range(1, longest + 1))
        self._by_start = _grouped(self._start, range(longest))

    def _before(self, edge: Floats) -> Floats:
        """Probability of all that lies before each place, summed over its cuts."""
        sums = np.zeros((len(self._by_end) + 1, len(self._lengths)))
        sums[0] = 1
        for end, edges in enumerate(self._by_end, start=1):
            strings = self._string[edges]
            paths = sums[self._start[edges], strings] * edge[edges]
            sums[end] = np.bincount(strings, paths, minlength=len(self._lengths))
        return sums

    def _after(self, edge: Floats) -> Floats:
        sums = np.zeros((len(self._by_start) + 1, len(self._lengths)))
        sums[self._lengths, np.arange(len(self._lengths))] = 1
        for start in range(len(self._by_start) - 1, -1, -1):
            edges = self._by_start[start]
            strings = self._string[edges]
            paths = sums[self._end[edges], strings] * edge[edges]
            sums[start] += np.bincount(strings, paths, minlength=len(self._lengths))
        return sums


def _spans(size: int, longest: int) -> list[tuple[int, int]]:
    return [(start, end) for start in range(size) for end in range(start + 1, min(size, start + longest) + 1)]


def _grouped(keys: Ints, values: range) -> list[Ints]:
    """Places of each value in ``keys``, in order."""
    keys = keys.astype(np.uint8)  # a stable sort of bytes takes linear time
    order = np.argsort(keys, kind="stable")
    bounds = np.searchsorted(keys[order], np.array([*values, values.stop]))
    return [order[begin:end] for begin, end in itertools.pairwise(bounds.tolist())]


def _cut(words: dict[str, int]) -> dict[str, int]:
    frequent = sorted(words, key=lambda word: (-words[word], word))[:_MOST_RUNS]
    runs: Counter[str] = Counter()
    for word in frequent:
        for start in range(0, len(word), _LONGEST_RUN):
            runs[word[start : start + _LONGEST_RUN]] += words[word]
    return {run: runs[run] for run in sorted(runs)}


def _candidates(runs: dict[str, int], most: int, minimum: int) -> list[str]:
    """Every character, and the substrings that cover the most text, each once in the order of code points."""
    counts: Counter[str] = Counter()
    for run, count in runs.items():
        for start in range(len(run)):
            for end in range(start + 2, min(len(run), start + _LONGEST_PIECE) + 1):
                counts[run[start:end]] += count
    frequent = [piece for piece, count in counts.items() if count >= minimum]
    frequent.sort(key=lambda piece: (-counts[piece] * len(piece), piece))
    return sorted({sign for run in runs for sign in run}.union(frequent[:most]))
