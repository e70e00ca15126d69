"""The ladder of verdicts, from equal bytes to another result, and the exit codes that tell them apart."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What re-execution says of a stage, best first; the order of definition is the order of the ladder."""

    IDENTICAL = "IDENTICAL"
    """Equal content: tensors, table cells, pixels, parsed values; not container bytes."""
    NUMERICAL = "NUMERICALLY EQUIVALENT"
    """Answers and figures differ by no more than the thresholds that the revision commits to."""
    STATISTICAL = "STATISTICALLY EQUIVALENT"
    """Two one-sided tests show that the quality differs by less than the margin that the revision commits to."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """The rows do not suffice to tell; more would."""
    DIFFERS = "DIFFERS"
    """Another result."""
    FAILED = "FAILED"
    """The stage, or one before it, did not run to its end."""

    @property
    def rank(self) -> int:
        """Place on the ladder, 0 for the best."""
        return list(Verdict).index(self)

    @property
    def exit_code(self) -> int:
        """Of ``stagewise review``: 0 for IDENTICAL, then 10 upwards."""
        return 0 if self is Verdict.IDENTICAL else 9 + self.rank

    @property
    def reproduced(self) -> bool:
        """Whether the result counts as reproduced."""
        return self.rank <= Verdict.STATISTICAL.rank


FINDINGS_EXIT_CODE = 20
"""Of a review that reproduced the result, yet found an error in the revision itself."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The lowest on the ladder; IDENTICAL where there is none."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.IDENTICAL)
