"""What the service is told about drift and its log, and nothing that a request could change."""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagewise.errors import StagewiseError

Redaction = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Takes a line of the log and gives what is written in its place; None to write nothing."""

WINDOW, ALPHA = 500, 0.001
REDACTIONS = ("drop-inputs", "hash-ids")
_MIB = 1024**2


class DriftError(StagewiseError):
    """A log, or the reference of a package, cannot be used."""


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """How drift is told, and what is written down of requests."""

    window: int = WINDOW
    """Rows that are judged together; each is judged once."""
    alpha: float = ALPHA
    """Share of the windows that give an alarm although nothing changed, at most."""
    rate: float = 200.0
    """Rows per second that are measured, of all versions together; the others are answered only."""
    kept: int = 10_000
    """Answers for which a label may still come."""
    log: Path | None = None
    """A file of JSON lines; none writes nothing."""
    log_share: float = 0.1
    """Of the requests, chosen at random."""
    log_bytes: int = 64 * _MIB
    """Of one file; then it is put aside as FILE.1, which becomes FILE.2, and so on."""
    log_files: int = 4
    """All files together, that being written too."""
    log_redact: tuple[str, ...] = ()
    """Of REDACTIONS."""


def add_drift_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all of these options to the parser of the service."""
    one = DriftOptions()
    drift = parser.add_argument_group("drift, for packages with a reference")
    drift.add_argument("--drift-window", type=_whole(20, 100_000), default=one.window, metavar="N",
                       help=f"rows that are judged together ({one.window})")  # fmt: skip
    drift.add_argument("--drift-alpha", type=_share, default=one.alpha, metavar="P",
                       help=f"share of the windows that may give a false alarm ({one.alpha})")  # fmt: skip
    drift.add_argument("--drift-rate", type=_rate, default=one.rate, metavar="N",
                       help=f"rows per second that are measured, of all that come ({one.rate:g})")  # fmt: skip
    drift.add_argument("--feedback-kept", type=_whole(1, 10_000_000), default=one.kept, metavar="N",
                       help=f"answers for which a label may still come ({one.kept:,})")  # fmt: skip
    log = parser.add_argument_group("log of requests (none without --log; never holds inputs as they were sent)")
    log.add_argument("--log", type=Path, metavar="FILE", help="JSON lines, for stagewise drift")
    log.add_argument("--log-share", type=_share, default=one.log_share, metavar="P",
                     help=f"of the requests, at random ({one.log_share})")  # fmt: skip
    log.add_argument("--log-bytes", type=_whole(4096, 2**50), default=one.log_bytes, metavar="N",
                     help=f"of one file ({one.log_bytes:,})")  # fmt: skip
    log.add_argument("--log-files", type=_whole(1, 1000), default=one.log_files, metavar="N",
                     help=f"that are kept ({one.log_files})")  # fmt: skip
    log.add_argument("--log-redact", action="append", choices=REDACTIONS, default=[],
                     help="leave out what was measured of inputs; write digests of ids")  # fmt: skip


def add_drift_command_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``stagewise drift`` to its parser."""
    parser.add_argument("log", type=Path, metavar="LOG", help="file of stagewise serve --log; LOG.1, ... are read too")
    parser.add_argument("--package", type=Path, required=True, help="dist/<name>-<version>, which has a reference")
    parser.add_argument("--out", type=Path, default=Path("drift.html"), metavar="FILE", help="the page (drift.html)")
    parser.add_argument("--window", type=int, default=WINDOW, metavar="N", help=f"rows judged together ({WINDOW})")
    parser.add_argument("--alpha", type=float, default=ALPHA, metavar="P", help=f"false alarms per window ({ALPHA})")


def read_drift_options(parsed: argparse.Namespace) -> DriftOptions:
    """The options of a parsed command line."""
    return DriftOptions(
        window=parsed.drift_window,
        alpha=parsed.drift_alpha,
        rate=parsed.drift_rate,
        kept=parsed.feedback_kept,
        log=parsed.log,
        log_share=parsed.log_share,
        log_bytes=parsed.log_bytes,
        log_files=parsed.log_files,
        log_redact=tuple(parsed.log_redact),
    )


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:,} to {most:,}")
        return value

    return whole


def _rate(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 1e9:
        raise argparse.ArgumentTypeError("must be from 1 to 1,000,000,000")
    return value


def _share(text: str) -> float:
    value = float(text)
    if math.isnan(value) or not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value
