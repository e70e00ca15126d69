"""From raw files to checked, split, memory-mapped arrays with their schema.

One pass reads, encodes and spools every row and notes its facts (``survey``). The checks and the
split work on those facts alone (``examine``). A second pass streams the spool into the split
files (``split_files``). Memory is bounded by ``rows_per_batch`` and a few record batches of 32 MB; per row only its
facts are held.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stagewise.config.schema.data import PreprocessData, PreprocessSettings
from stagewise.config.targets import build
from stagewise.data.augmented import Augmenter
from stagewise.data.checks import judge
from stagewise.data.examine import Examination, examine
from stagewise.data.features.encoder import Encoder
from stagewise.data.sample import Sample
from stagewise.data.schema import SPLITS, DataSchema, write_schema
from stagewise.data.split_files import describe_split, fit_feature, write_splits
from stagewise.data.splits import TRAIN
from stagewise.data.survey import Survey, survey
from stagewise.data.targets.classes import ClassEncoder
from stagewise.data.targets.encoder import TargetEncoder
from stagewise.errors import ConfigError

_log = logging.getLogger(__name__)
_SPOOL = ".spool.arrow"
_BATCH_BYTES = 32 << 20  # most of one record batch: of large images it holds fewer rows


def preprocess(settings: PreprocessSettings, raw: Path, out: Path, reports: Path) -> DataSchema:
    """Read ``raw``, check it, split it, and write everything later stages need.

    Writes the split files and schema.json into ``out``; checks.json (also when a check fails) and pictures
    of what the network will see into ``reports``. Both folders exist.

    Raises:
        DataError: checks failed (all of them are told at once), or the raw data cannot be read.
        ConfigError: the config does not fit the data or itself.
    """
    reader = build(settings.data.reader, root=raw)
    feature = build(settings.data.feature)
    preparation: Preparation = build(settings.data.preparation)
    return preparation(settings, reader, feature, out, reports)


class Preparation(Protocol):
    """How samples become split files; named by ``data.preparation``."""

    def __call__(
        self, settings: PreprocessSettings, reader: Iterable[Sample], feature: Any, out: Path, reports: Path
    ) -> DataSchema:
        """Write the split files and schema.json into ``out``, checks.json and pictures into ``reports``."""


class RowPreparation:
    """Every sample is a row of its own, which goes into one of the splits."""

    def __call__(
        self, settings: PreprocessSettings, reader: Iterable[Sample], feature: Encoder, out: Path, reports: Path
    ) -> DataSchema:
        """Check, divide, encode and write the rows of ``reader``."""
        data, copies = settings.data, settings.augment.offline_copies
        target = _target(data)
        augmenter = _augmenter(settings, feature) if copies else None
        rows_per_batch = max(1, min(data.rows_per_batch, _BATCH_BYTES // feature.spooled.row_bytes))
        spool = out / _SPOOL
        try:
            facts = survey(reader, feature, target, spool, rows_per_batch)
            result = examine(facts, feature, target, data, settings.seed)
            write_checks(facts, result, {}, reports)
            judge(result.findings, data.name)
            fit_feature(spool, feature, result)
            write_splits(spool, feature, result, out, rows_per_batch, augmenter, copies)
        finally:
            spool.unlink(missing_ok=True)
        told = feature.report()
        for warning in told.get("warnings", ()):
            _log.warning("%s", warning)
        write_checks(facts, result, told, reports)
        schema = DataSchema(
            name=data.name,
            features=[feature.describe()],
            target=target.describe(result.targets.values[result.splits == TRAIN]),
            splits={name: describe_split(out, name, result, copies) for name in SPLITS},
        )
        write_schema(schema, out)
        feature.preview(settings, schema, out, reports)
        return schema


def _target(data: PreprocessData) -> TargetEncoder:
    if data.target is None:
        return ClassEncoder(data.classes)
    target: TargetEncoder = build(data.target)
    return target


def _augmenter(settings: PreprocessSettings, feature: Encoder) -> Augmenter | None:
    """The transforms that make copies of the training rows.

    Raises:
        ConfigError: offline copies are asked for, and the transforms cannot make them.
    """
    section = settings.augment
    if feature.spooled.dtype != np.uint8 or len(feature.spooled.shape or ()) != 3:
        raise ConfigError(
            f"copies of {feature.kind} rows cannot be written",
            where="augment.offline_copies",
            why="only augmented images can be stored as they are",
            fix="set augment.offline_copies=0, and rows are changed while training",
        )
    augmenter = Augmenter(section, settings.seed, settings.threads) if section.transforms else None
    if section.offline_copies and augmenter is None:
        raise ConfigError(
            "copies of the training rows are asked for, but there is no transform to change them",
            where="augment.offline_copies",
            fix="set augment.offline_copies=0, or choose an augment group that has transforms",
        )
    if section.offline_copies and augmenter is not None and augmenter.soft_labels:
        raise ConfigError(
            "a transform mixes rows of several classes, and a stored row has only one class",
            where="augment.offline_copies",
            why="mixup and cutmix give shares of classes as labels",
            fix="set augment.offline_copies=0, and rows are mixed while training",
        )
    return augmenter


def write_checks(facts: Survey, result: Examination, feature: dict[str, Any], reports: Path) -> None:
    """Write checks.json: rows, what every check found, rows per class, and what the feature says of itself."""
    after = {name: result.counts(number) for number, name in enumerate(SPLITS)}
    report: dict[str, Any] = {
        "passed": not any(finding.failed for finding in result.findings),
        "rows": {"read": facts.rows_read, **{name: int(counts.sum()) for name, counts in after.items()}},
        "checks": {finding.check: finding.report() for finding in result.findings},
    }
    if result.targets.classes is not None:
        named = {name: dict(zip(result.classes, counts.tolist(), strict=True)) for name, counts in after.items()}
        before = dict(zip(result.classes, result.counts_before.tolist(), strict=True))
        report["class_counts"] = {"before": before, "after": named}
    if feature:
        report["feature"] = feature
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (reports / "checks.json").write_text(text + "\n", encoding="utf-8")
