"""Every error that stagewise raises on purpose, in one tree.

StagewiseError
├── ConfigError        params.yaml, conf/ or an override says something that cannot be
├── SourceError        a raw file is missing, cannot be fetched, or has the wrong digest
│   └── ArchiveError   an archive holds something that must not be extracted
├── DataError          the data is not what the config says (structured checks)
├── TrainingError      training cannot start or cannot go on (a loss that is not finite)
├── CompressionError   export, quantisation or the parity check failed
├── PackageError       a package is incomplete, damaged, or cannot read its input
├── ReviewError        a review cannot be made, or does not verify
├── SignatureError     a key, or a file that must be trusted before it is read, cannot be used
├── SweepError         a sweep cannot run, or is not there
└── StageError         a stage was started wrongly, or its inputs moved while it ran

A user's mistake is told in one message and a non-zero exit code, never in a traceback.
"""


class StagewiseError(Exception):
    """What happened, where, why, and what to do next.

    Args:
        what: one sentence, in terms of the user's files and words.
        where: config key, ``file:line``, path or URL.
        why: the cause, when it is not plain from ``what``.
        fix: the next command or edit.
        details: further lines (examples, other errors), shown as a list.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        why: str | None = None,
        fix: str | None = None,
        details: list[str] | tuple[str, ...] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix
        self.details = list(details)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.why:
            lines.append(f"  why:   {self.why}")
        lines.extend(f"  - {detail}" for detail in self.details)
        if self.fix:
            lines.append(f"  next:  {self.fix}")
        return "\n".join(lines)


class ConfigError(StagewiseError):
    """params.yaml, conf/ or an override says something that cannot be."""


class SourceError(StagewiseError):
    """A raw file is missing, cannot be fetched, or has the wrong size or digest."""


class ArchiveError(SourceError):
    """An archive holds something that must not be extracted."""


class DataError(StagewiseError):
    """The data is not what the config says it is."""


class TrainingError(StagewiseError):
    """Training cannot start or cannot go on."""


class CompressionError(StagewiseError):
    """Export, quantisation or the parity check failed."""


class PackageError(StagewiseError):
    """A package is incomplete, damaged, or cannot read its input."""


class StageError(StagewiseError):
    """A stage was started wrongly, or its inputs moved while it ran."""


class ReviewError(StagewiseError):
    """A review cannot be made, or does not verify."""


class SignatureError(StagewiseError):
    """A key, or a file that must be trusted before it is read, cannot be used."""


class SweepError(StagewiseError):
    """A sweep cannot run, or is not there."""
