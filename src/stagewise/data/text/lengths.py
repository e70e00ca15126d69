"""How long the texts of a data set are, counted in tokens."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_PERCENTILES = (50, 90, 99)


@dataclass
class Lengths:
    """Tokens per text before any is cut, and unknown tokens.

    Attributes:
        most: tokens beyond which a text is cut.
    """

    most: int
    counts: Counter[int] = field(default_factory=Counter)
    unknown: int = 0

    def add(self, length: int, unknown: int) -> None:
        """Count a text of ``length`` tokens, of which ``unknown`` are unknown."""
        self.counts[length] += 1
        self.unknown += unknown

    @property
    def rows(self) -> int:
        """How many texts."""
        return self.counts.total()

    @property
    def cut(self) -> int:
        """How many texts are longer than ``most`` tokens."""
        return sum(count for length, count in self.counts.items() if length > self.most)

    @property
    def cut_share(self) -> float:
        """Share of the texts that are longer than ``most`` tokens."""
        return self.cut / max(1, self.rows)

    @property
    def unknown_share(self) -> float:
        """Share of all tokens that are unknown."""
        return self.unknown / max(1, sum(length * count for length, count in self.counts.items()))

    def percentile(self, percent: int) -> int:
        """Length that at least ``percent`` % of the texts do not exceed; 0 without texts."""
        below = 0
        for length in sorted(self.counts):
            below += self.counts[length]
            if below * 100 >= percent * self.rows:
                return length
        return 0

    def report(self) -> dict[str, Any]:
        """The figures, for checks.json."""
        tokens = {f"p{percent}": self.percentile(percent) for percent in _PERCENTILES}
        return {
            "rows": self.rows,
            "tokens_per_row": {**tokens, "longest": max(self.counts, default=0)},
            "truncated": {"max_length": self.most, "rows": self.cut, "share": round(self.cut_share, 6)},
            "unknown_share": round(self.unknown_share, 6),
        }
