"""From raw files to checked, split, memory-mapped arrays with their schema.

One pass reads, encodes and spools every row and notes its facts (``survey``). The checks and the
split work on those facts alone (``examine``). A second pass streams the spool into the split
files (``split_files``). Memory is bounded by ``rows_per_batch`` and a few record batches of 32 MB; per row only its
facts are held.
"""

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.data import PreprocessSettings
from stagewise.config.targets import build
from stagewise.data.augmented import Augmenter
from stagewise.data.checks import judge
from stagewise.data.contact_sheet import write_contact_sheet
from stagewise.data.examine import Examination, examine
from stagewise.data.schema import SPLITS, DataSchema, LabelTarget, write_schema
from stagewise.data.split_files import describe_split, write_splits
from stagewise.data.survey import Encoder, Survey, survey
from stagewise.errors import ConfigError

_SPOOL = ".spool.arrow"
_BATCH_BYTES = 32 << 20  # most of one record batch: of large images it holds fewer rows


def preprocess(settings: PreprocessSettings, raw: Path, out: Path, reports: Path) -> DataSchema:
    """Read ``raw``, check it, split it, and write everything later stages need.

    Writes train.arrow, validation.arrow, test.arrow and schema.json into ``out``; checks.json
    (also when a check fails) and contact_sheet.png into ``reports``. Both folders exist.

    Raises:
        DataError: checks failed (all of them are told at once), or the raw data cannot be read.
        ConfigError: the config does not fit the data or itself.
    """
    data, copies = settings.data, settings.augment.offline_copies
    reader = build(data.reader, root=raw)
    feature: Encoder = build(data.feature)
    augmenter = _augmenter(settings)
    rows_per_batch = _rows_per_batch(data.rows_per_batch, feature)
    spool = out / _SPOOL
    try:
        facts = survey(reader, feature, spool, rows_per_batch)
        result = examine(facts, feature.shape, data, settings.seed)
        _write_checks(facts, result, reports / "checks.json")
        judge(result.findings, data.name)
        statistics = write_splits(spool, feature, result, out, rows_per_batch, augmenter, copies)
    finally:
        spool.unlink(missing_ok=True)
    schema = DataSchema(
        name=data.name,
        features=[feature.describe(statistics)],
        target=LabelTarget(classes=result.classes),
        splits={name: describe_split(out, name, result, copies) for name in SPLITS},
    )
    write_schema(schema, out)
    write_contact_sheet(schema, out, reports / "contact_sheet.png", augmenter, copies)
    return schema


def _rows_per_batch(most: int, feature: Encoder) -> int:
    row_bytes = math.prod(feature.shape) * feature.dtype.itemsize
    return max(1, min(most, _BATCH_BYTES // row_bytes))


def _augmenter(settings: PreprocessSettings) -> Augmenter | None:
    """The transforms, if there are any.

    Raises:
        ConfigError: offline copies are asked for, and the transforms cannot make them.
    """
    section = settings.augment
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


def _write_checks(facts: Survey, result: Examination, path: Path) -> None:
    def by_class(counts: NDArray[np.int64]) -> dict[str, int]:
        return dict(zip(result.classes, counts.tolist(), strict=True))

    after = {name: result.counts(number) for number, name in enumerate(SPLITS)}
    report = {
        "passed": not any(finding.failed for finding in result.findings),
        "rows": {"read": facts.rows_read, **{name: int(counts.sum()) for name, counts in after.items()}},
        "checks": {finding.check: finding.report() for finding in result.findings},
        "class_counts": {
            "before": by_class(result.counts_before),
            "after": {name: by_class(counts) for name, counts in after.items()},
        },
    }
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
