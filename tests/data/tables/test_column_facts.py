"""What is noted of a column, value by value."""

import numpy as np
import pytest

from stagewise.data.tables import facts as facts_module
from stagewise.data.tables.facts import Facts, Moments, keep_categories, share


@pytest.mark.parametrize("shift", [0.0, 1e9, -1e6])
@pytest.mark.parametrize("count", [1, 2, 4095, 4096, 4097, 10_000])
def test_moments_are_those_of_numpy(shift: float, count: int) -> None:
    numbers = np.random.default_rng(0).normal(shift, 3, count)
    moments = Moments()
    for number in numbers.tolist():
        moments.add(number)
    moments.close()
    assert moments.count == count
    assert (moments.minimum, moments.maximum) == (numbers.min(), numbers.max())
    assert moments.mean == pytest.approx(numbers.mean(), rel=1e-14, abs=1e-12)
    assert moments.std == pytest.approx(numbers.std() if count > 1 else 1.0, rel=1e-6)


def test_moments_of_what_does_not_vary() -> None:
    moments = Moments()
    for _ in range(5000):
        moments.add(0.1)
    assert (moments.mean, moments.std) == (0.1, 1.0)


def noted(*values: object) -> Facts:
    facts = Facts()
    for value in values:
        facts.add(value)  # type: ignore[arg-type]
    facts.close()
    return facts


def test_counts() -> None:
    facts = noted("1", "02", None, "x", "2026-01-31", "true", 2.5, False)
    assert (facts.rows, facts.missing, facts.present) == (8, 1, 7)
    assert (facts.numbers.count, facts.whole, facts.padded, facts.flags, facts.dates.count) == (4, 3, 1, 2, 1)
    assert facts.examples == ["'x'", "'true'"]
    assert facts.texts == dict.fromkeys(("1", "02", "x", "2026-01-31", "true", "2.5", "false"), 1)
    assert {part: dict(counts) for part, counts in facts.parts.items()} == {
        "month": {"1": 1}, "weekday": {"Saturday": 1}, "hour": {"0": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "rising"),
    [(["1", "2", "10"], True), (["1", "1"], False), (["2", "1"], False), (["1", None], False), (["1", "x"], False)],
)
def test_rising(values: list[object], rising: bool) -> None:
    assert noted(*values).rising is rising


def test_memory_of_numbers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "MOST_NUMBERS", 10)
    facts = noted(*range(100))
    assert len(facts.texts) == 10 and facts.numbers.count == 100
    assert len(noted("word", *range(100)).texts) == 101


def test_which_categories_get_a_code() -> None:
    texts = {"10": 5, "b": 9, "9": 5, "rare": 1, "a": 9, "c": 2}
    assert keep_categories(texts, 10, 2) == (["9", "10", "a", "b", "c"], 1)
    assert keep_categories(texts, 3, 2) == (["10", "a", "b"], 8)
    assert keep_categories(texts, 10, 100) == ([], 31)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 9, "0 %"), (9, 9, "100 %"), (1, 100_000, "< 0.1 %"), (99_999, 100_000, "> 99.9 %"), (1, 3, "33.3 %")],
)
def test_shares_are_honest_at_both_ends(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text
