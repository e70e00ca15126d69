"""The unigram language model against sums over every cut, written out."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from odd_texts import plain_texts

from stagewise.data.text.unigram import Lattice, train_unigram
from stagewise.data.text.vocabulary import count_words


def cuts(string: str, pieces: set[str]) -> Iterator[list[str]]:
    if not string:
        yield []
    for end in range(1, len(string) + 1):
        if string[:end] in pieces:
            for rest in cuts(string[end:], pieces):
                yield [string[:end], *rest]


STRINGS = ["abab", "aabba", "b", "bab", "abcabc"]
PIECES = ["a", "b", "c", "ab", "ba", "abc", "bab", "aabba"]
CHANCES = dict(zip(PIECES, [0.2, 0.15, 0.05, 0.2, 0.1, 0.1, 0.15, 0.05], strict=True))


def test_expected_counts_are_means_over_all_cuts() -> None:
    counts = np.array([3.0, 1, 4, 1, 5])
    expected = dict.fromkeys(PIECES, 0.0)
    for string, count in zip(STRINGS, counts, strict=True):
        ways = list(cuts(string, set(PIECES)))
        weights = [math.prod(CHANCES[piece] for piece in way) for way in ways]
        for way, weight in zip(ways, weights, strict=True):
            for piece in way:
                expected[piece] += count * weight / sum(weights)
    lattice = Lattice(STRINGS, PIECES)
    np.testing.assert_allclose(lattice.expected(np.array(list(CHANCES.values())), counts), list(expected.values()))


@pytest.mark.parametrize("whole", [True, False])
def test_the_best_cut(whole: bool) -> None:
    best = Lattice(STRINGS, PIECES, whole).best(np.array(list(CHANCES.values())))
    for string, found in zip(STRINGS, best, strict=True):
        ways = [way for way in cuts(string, set(PIECES)) if whole or len(way) > 1]
        assert found == pytest.approx(max((math.prod(CHANCES[piece] for piece in way) for way in ways), default=0))


def test_pieces_that_are_forgotten_are_in_no_cut() -> None:
    kept = [0, 1, 2, 3, 6]
    lattice, fresh = Lattice(STRINGS, PIECES), Lattice(STRINGS, [PIECES[place] for place in kept])
    lattice.keep(np.array(kept))
    chances, counts = np.array([CHANCES[PIECES[place]] for place in kept]), np.ones(len(STRINGS))
    np.testing.assert_array_equal(lattice.expected(chances, counts), fresh.expected(chances, counts))


def test_common_strings_become_pieces() -> None:
    pieces = dict(train_unigram({"aabaab": 10, "aab": 50, "cd": 40, "c": 1, "d": 1}, 6, 2))
    assert set(pieces) >= {"a", "b", "c", "d", "aab", "cd"} and len(pieces) == 6
    assert pieces["cd"] > pieces["c"] and pieces["aab"] > pieces["a"]


def test_logarithms_of_a_distribution() -> None:
    pieces = train_unigram(count_words(plain_texts(200), "unigram"), 200, 2)
    scores = [score for _, score in pieces]
    assert len(pieces) == 200 and scores == sorted(scores, reverse=True)
    assert sum(map(math.exp, scores)) == pytest.approx(1, abs=1e-4)
    assert {piece for piece, _ in pieces} >= set("▁abcdefghi")


def test_the_longest_words_do_not_underflow() -> None:
    words = {"x" * 3000: 1, "".join(chr(0x4E00 + number) for number in range(500)): 1, "ab": 10**9}
    pieces = train_unigram(words, 2000, 1)
    assert len(pieces) > 500 and all(math.isfinite(score) for _, score in pieces)


def test_no_words() -> None:
    assert train_unigram({}, 100, 1) == []
