"""What the training rows hold in one column, taken value by value in bounded memory."""

import datetime
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stagewise.runtime.table import RowError, to_days, to_moment, to_number, to_part, to_texts

Part = Literal["month", "weekday", "hour"]
PARTS: tuple[Part, ...] = ("month", "weekday", "hour")
"""The parts of a date that may become categories of their own."""
MOST_TEXTS = 1_000_000
"""Most different texts that are counted in a column; while all are numbers, ``MOST_NUMBERS``."""
MOST_NUMBERS = 10_000
_CHUNK = 4096
_EXAMPLES = 3
_FIRST = frozenset("+-.0123456789")
_PADDED = re.compile(r"[+-]?0\d", re.ASCII)

Value = str | float | int | bool | None


class Moments:
    """Count, range, mean and variance of numbers, which depend on their order but not on any batch.

    Sums are exactly rounded within chunks of fixed size, and chunks merged as by Chan, Golub & LeVeque (1983): every
    processor gives the same bits.
    """

    def __init__(self) -> None:
        self.count = 0
        self.minimum, self.maximum = math.inf, -math.inf
        self._mean = self._squares = 0.0
        self._chunk: list[float] = []

    def add(self, number: float) -> None:
        """Add a finite number."""
        self._chunk.append(number)
        if len(self._chunk) == _CHUNK:
            self._merge()

    @property
    def mean(self) -> float:
        """The arithmetic mean; 0 of nothing."""
        self._merge()
        return self.minimum if self.minimum == self.maximum else self._mean

    @property
    def std(self) -> float:
        """The population standard deviation; 1 where the numbers do not vary."""
        self._merge()
        varies = self.minimum < self.maximum and self._squares > 0
        return math.sqrt(self._squares / self.count) if varies else 1.0

    def close(self) -> None:
        """Bring all attributes up to date."""
        self._merge()

    def _merge(self) -> None:
        if not self._chunk:
            return
        count = len(self._chunk)
        mean = math.fsum(self._chunk) / count
        squares = math.fsum((number - mean) ** 2 for number in self._chunk)
        total, gap = self.count + count, mean - self._mean
        self._squares += squares + gap * gap * (self.count / total) * count
        self._mean += gap * (count / total)
        self.count = total
        self.minimum = min(self.minimum, *self._chunk)
        self.maximum = max(self.maximum, *self._chunk)
        self._chunk = []


@dataclass(slots=True)
class Facts:
    """Of one column, after ``close``.

    Attributes:
        rows: how many values were added, missing ones too.
        missing: how many of them.
        numbers: of the values that are numbers.
        whole: how many of those are whole.
        padded: how many of those are written with leading zeros, as codes are.
        flags: how many values are booleans, or text that says true or false.
        dates: in days, of the values that are dates.
        parts: how often each month, weekday and hour occurs in them.
        texts: how often each category occurs, as ``runtime.table.to_texts`` writes it.
        examples: some values that are neither numbers nor dates.
        rising: whether every value is a number above the one of the row before.
    """

    rows: int = 0
    missing: int = 0
    numbers: Moments = field(default_factory=Moments)
    whole: int = 0
    padded: int = 0
    flags: int = 0
    dates: Moments = field(default_factory=Moments)
    parts: dict[Part, Counter[str]] = field(default_factory=lambda: {part: Counter() for part in PARTS})
    texts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    rising: bool = True
    _last: float = -math.inf

    @property
    def present(self) -> int:
        """How many values are not missing."""
        return self.rows - self.missing

    def add(self, value: Value) -> None:
        """Add the clean value of one row."""
        self.rows += 1
        if value is None:
            self.missing += 1
            self.rising = False
            return
        number = _try_number(value)
        if number is not None:
            self._add_number(value, number)
        else:
            self.rising = False
            self._add_text(value)
        text = to_texts(value)[0]
        if text in self.texts:
            self.texts[text] += 1
        elif len(self.texts) < (MOST_NUMBERS if self.numbers_only else MOST_TEXTS):
            self.texts[text] = 1

    @property
    def numbers_only(self) -> bool:
        """Whether nothing but numbers was added."""
        return not (self.examples or self.dates.count or self.flags or self.parts["month"])

    def close(self) -> None:
        """Bring all figures up to date."""
        self.numbers.close()
        self.dates.close()

    def _add_number(self, value: Value, number: float) -> None:
        self.numbers.add(number)
        self.whole += number.is_integer()
        self.padded += isinstance(value, str) and bool(_PADDED.match(value))
        self.flags += isinstance(value, bool)
        self.rising = self.rising and number > self._last
        self._last = number

    def _add_text(self, value: Value) -> None:
        moment = _try_moment(value)
        if moment is None:
            self.flags += isinstance(value, str) and value.lower() in ("true", "false")
            if len(self.examples) < _EXAMPLES and repr(value) not in self.examples:
                self.examples.append(repr(value))
            return
        self.dates.add(to_days(moment))
        for part, counter in self.parts.items():
            counter[to_part(moment, part)] += 1


def keep_categories(texts: Mapping[str, int], most: int, fewest: int) -> tuple[list[str], int]:
    """The categories that get a code: the ``most`` frequent ones of at least ``fewest`` rows, and the rows of the rest.

    They come in alphabetical order, those that are numbers first and by their size.
    """
    ranked = sorted((text for text, count in texts.items() if count >= fewest), key=lambda text: (-texts[text], text))
    kept = ranked[:most]
    return sorted(kept, key=_natural), sum(texts.values()) - sum(texts[text] for text in kept)


def share(part: int, whole: int) -> str:
    """A percentage for people: "0 %" and "100 %" only of none and all."""
    percent = 100 * part / max(whole, 1)
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if 99.9 < percent < 100 else f"{percent:.3g} %"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _try_number(value: Value) -> float | None:
    if value is None or (isinstance(value, str) and value[0] not in _FIRST):  # an exception costs more than a look
        return None
    try:
        return to_number(value)
    except RowError:
        return None


def _try_moment(value: Value) -> datetime.datetime | None:
    if not isinstance(value, str) or value[0] not in _FIRST:
        return None
    try:
        return to_moment(value)
    except RowError:
        return None


def _natural(text: str) -> tuple[bool, float, str]:
    number = _try_number(text)
    return number is None, number or 0.0, text
