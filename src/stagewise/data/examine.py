"""Applies every check to a survey and assigns the splits."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.data import Action, PreprocessData
from stagewise.data import splits as splitting
from stagewise.data.checks import (
    KEYS,
    MESSAGES,
    Finding,
    content_groups,
    first_equal,
    latest_equal,
    remedy,
)
from stagewise.data.features.encoder import Encoder
from stagewise.data.schema import SPLITS
from stagewise.data.storage import SplitReader, scan
from stagewise.data.survey import EXAMPLES, Survey
from stagewise.data.targets.encoder import TargetEncoder, Targets

DROPPED = -1
"""Split number of a row that is in no split."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What the checks found, and where each row of the spool goes."""

    targets: Targets
    """Of each row."""
    splits: NDArray[np.int8]
    """Split number of each row, or DROPPED."""
    findings: list[Finding]
    """One per check, in the order of ``checks.MESSAGES``."""
    counts_before: NDArray[np.int64]
    """Rows per class (or other stratum) of all that could be read."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes; none where the answer is no class."""
        return self.targets.classes or []

    def counts(self, split: int) -> NDArray[np.int64]:
        """Rows per class (or other stratum) of one split."""
        return np.bincount(self.targets.strata[self.splits == split], minlength=len(self.classes))


def examine(survey: Survey, feature: Encoder, target: TargetEncoder, data: PreprocessData, seed: int) -> Examination:
    """Run all checks and divide the rows that remain.

    Duplicates are sought within what the publisher calls one split (all rows, where there are
    none), so that dropping them leaves nothing to leak when those rows are divided. Leakage is
    sought between the final splits, also of what the feature holds for nearly the same.

    Raises:
        ConfigError: ``data.classes`` names a class twice.
    """
    targets = target.resolve(survey.labels)
    desk = _Desk(survey, SplitReader(survey.spool, feature.spooled.shape), data, target)
    desk.rejections()
    desk.label_types(targets.odd)
    desk.sift("label_range", ~targets.known, always=True)
    before = np.bincount(targets.strata[desk.alive], minlength=len(targets.classes or ()))
    desk.sift("constant", survey.constant)
    groups = content_groups(survey.digests)
    desk.repeats(groups, targets.values)
    splits = np.full(len(survey.labels), DROPPED, np.int8)
    rows = np.flatnonzero(desk.alive)
    fractions = (data.split.validation, data.split.test)
    splits[rows] = splitting.assign(targets.strata[rows], survey.published[rows], *fractions, seed)
    desk.leaks(_near_groups(survey, feature, groups), splits)
    splits[~desk.alive] = DROPPED
    result = Examination(targets, splits, desk.findings, before)
    if targets.classes is not None:
        _check_counts(result, data.checks.min_class_count)
    _check_splits(result)
    order = list(MESSAGES)
    result.findings.sort(key=lambda finding: order.index(finding.check))
    return result


def _near_groups(survey: Survey, feature: Encoder, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups of rows with the same content, or what the feature holds for nearly the same."""
    find = getattr(feature, "near_groups", None)
    if find is None:
        return groups
    near: NDArray[np.int64] = find(values for values, _, _ in scan(survey.spool, feature.spooled))
    return near


@dataclass(slots=True)
class _Desk:
    """The rows that are still alive, and the findings so far."""

    survey: Survey
    reader: SplitReader
    data: PreprocessData
    target: TargetEncoder
    findings: list[Finding] = field(default_factory=list)
    alive: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.alive = np.ones(len(self.survey.labels), np.bool_)

    def action(self, check: str) -> Action:
        action: Action = getattr(self.data.checks, KEYS[check])
        return action

    def rejections(self) -> None:
        """What the survey could not spool: there is nothing to keep, so ``warn`` leaves it out too."""
        for check, tally in self.survey.rejected.items():
            self.findings.append(
                Finding(check, self.action(check), tally.count, tally.count, tuple(tally.examples), remedy(check))
            )

    def label_types(self, odd: NDArray[np.bool_]) -> None:
        """Labels of another type than the rest."""
        rows = np.flatnonzero(odd)
        self._add("label_type", "fail", rows, self._labelled(rows[:EXAMPLES]), "data.classes=[...]")

    def sift(self, check: str, found: NDArray[np.bool_], always: bool = False) -> None:
        """Note the rows found; they leave if the action is to drop them, or ``always``."""
        rows = np.flatnonzero(found & self.alive)
        action = self.action(check)
        leave = always or action == "drop"
        self._add(check, action, rows, self._labelled(rows[:EXAMPLES]), remedy(check), leave)

    def repeats(self, groups: NDArray[np.int64], targets: NDArray[Any]) -> None:
        """Duplicates within a published split, and among all rows those with another label."""
        alive = np.flatnonzero(self.alive)
        origins = np.where(self.survey.published == splitting.UNPUBLISHED, 0, self.survey.published)
        anywhere = alive[first_equal(groups[alive])]
        within = alive[first_equal(groups[alive], origins[alive])]
        differ = targets[anywhere] != targets[alive]
        examples = self._paired(alive[differ], anywhere[differ], labels=True)
        self._add("conflicts", "warn", alive[differ], examples, "")
        again = within != alive
        action = self.action("duplicates")
        examples = self._paired(alive[again], within[again])
        self._add("duplicates", action, alive[again], examples, remedy("duplicates"), action == "drop")

    def leaks(self, groups: NDArray[np.int64], splits: NDArray[np.int8]) -> None:
        """Rows whose content is in a later split."""
        alive = np.flatnonzero(self.alive)
        twins = alive[latest_equal(groups[alive], splits[alive])]
        leaked = splits[alive] < splits[twins]
        action = self.action("leakage")
        rows, twins = alive[leaked], twins[leaked]
        places = zip(splits[rows[:EXAMPLES]], splits[twins[:EXAMPLES]], strict=True)
        names = [f"{SPLITS[split]} = {SPLITS[later]}" for split, later in places]
        examples = [f"{pair} ({name})" for pair, name in zip(self._paired(rows, twins), names, strict=True)]
        self._add("leakage", action, rows, examples, remedy("leakage"), action == "drop")

    def _add(
        self,
        check: str,
        action: Action,
        rows: NDArray[np.int64],
        examples: Iterable[str],
        fix: str,
        leave: bool = False,
    ) -> None:
        if leave:
            self.alive[rows] = False
        self.findings.append(Finding(check, action, len(rows), len(rows) if leave else 0, tuple(examples), fix))

    def _labelled(self, rows: NDArray[np.int64]) -> list[str]:
        pairs = zip(self.reader.ids(rows), self.survey.labels[rows], strict=True)
        return [f"{name} (label {self.target.show(label)})" for name, label in pairs]

    def _paired(self, rows: NDArray[np.int64], twins: NDArray[np.int64], labels: bool = False) -> list[str]:
        rows, twins = rows[:EXAMPLES], twins[:EXAMPLES]
        left, right = (self._labelled(rows), self._labelled(twins)) if labels else map(self.reader.ids, (rows, twins))
        return [f"{a} = {b}" for a, b in zip(left, right, strict=True)]


def _check_counts(result: Examination, minimum: int) -> None:
    """Every class needs ``minimum`` rows that are not test rows, at least one of them in train."""
    train = result.counts(splitting.TRAIN)
    seen = train + result.counts(splitting.VALIDATION)
    few = np.flatnonzero((seen < minimum) | (train == 0))
    examples = [
        f"{result.classes[label]!r} has {train[label]} to train on, {seen[label]} in all but test" for label in few
    ]
    if len(result.classes) < 2:
        found = f"only the class {result.classes[0]!r}" if len(result.classes) else "no class"
        examples = [f"{found} was found, and at least 2 are needed"]
    lowest = int(train[few].min(initial=minimum))
    fix = f"data.checks.min_class_count={lowest}" if lowest and len(few) else ""
    count = max(len(few), len(examples))
    result.findings.append(Finding("class_counts", "fail", count, 0, tuple(examples[:EXAMPLES]), fix))


def _check_splits(result: Examination) -> None:
    empty = [name for number, name in enumerate(SPLITS) if not np.any(result.splits == number)]
    fix = "" if "train" in empty else " ".join(f"data.split.{name}=0.1" for name in empty)
    result.findings.append(Finding("splits", "fail", len(empty), 0, tuple(empty), fix))
