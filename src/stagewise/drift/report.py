"""``stagewise drift LOG --package PACKAGE``: what a log says, as a page."""

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stagewise.drift.columns import Columns
from stagewise.drift.log import read_log, table_of
from stagewise.drift.monitor import Monitor
from stagewise.drift.options import DriftError
from stagewise.drift.page import write_page
from stagewise.drift.reference import FILE, check_reference
from stagewise.packaging import integrity
from stagewise.packaging.predictor import PredictorError

DRIFT = 1
"""Exit code where a window drifted."""


@dataclass
class Findings:
    """What a log says of one package."""

    name: str
    version: str
    monitor: Monitor
    first: str = ""
    """When the first line was written."""
    last: str = ""
    passed: Counter[str] = field(default_factory=Counter)
    """Lines that were not used, by why."""


def run_drift(options: argparse.Namespace) -> int:
    """Read a log, write the page, print a line per part; 1 where a window drifted, 0 otherwise.

    Raises:
        DriftError: the log or the package cannot be used, or an option says something that cannot be.
    """
    if options.window < 1 or not 0 < options.alpha <= 1:
        raise DriftError("--window must be at least 1, and --alpha above 0 and at most 1")
    findings = examine(options.log, options.package, options.window, options.alpha)
    try:
        write_page(findings, options.out)
    except OSError as error:
        raise DriftError("the page cannot be written", where=str(options.out), why=error.strerror) from error
    print(f"{findings.name} {findings.version}: {findings.first or '-'} to {findings.last or '-'}")
    drifted = False
    for name, part in findings.monitor.parts.items():
        counts: Counter[str] = Counter(shift.name for one in part.judged for shift in one.verdict.drifted)
        told = ", ".join(f"{column} ({count})" for column, count in counts.most_common(5)) or "nothing"
        print(f"  {name}: {part.alarms} of {part.windows} windows of {options.window} rows drifted: {told}")
        drifted = drifted or part.alarms > 0
    for why, count in findings.passed.items():
        print(f"  not used: {count} lines ({why})")
    print(f"  {options.out}")
    return DRIFT if drifted else 0


def examine(log: Path, package: Path, window: int, alpha: float) -> Findings:
    """Judge all rows of a log that this package answered, in bounded memory.

    Raises:
        DriftError: the log cannot be read, or the package is damaged or has no reference.
    """
    manifest, monitor = _open(package, window, alpha)
    findings = Findings(manifest["name"], manifest["version"], monitor)
    for _, line in read_log(log):
        if why := _use(findings, line):
            findings.passed[why] += 1
    return findings


def _open(package: Path, window: int, alpha: float) -> tuple[dict[str, Any], Monitor]:
    try:
        manifest = integrity.verify(package)
        if FILE not in manifest["files"]:
            raise ValueError(f"it has no {FILE}")
        schema, content = (
            integrity.parse(integrity.read_listed(package, manifest, name), name) for name in (integrity.SCHEMA, FILE)
        )
        columns = Columns(schema)
        return manifest, Monitor(columns, check_reference(content, columns), window, alpha)
    except (PredictorError, ValueError, KeyError, TypeError) as error:
        raise DriftError(
            "drift cannot be told by this package", where=str(package), why=str(error), fix="dvc repro package"
        ) from error


def _use(findings: Findings, line: Mapping[str, Any] | None) -> str:
    """Why a line was not used; empty where it was."""
    if line is None:
        return "damaged"
    if (line.get("model"), line.get("version")) != (findings.name, findings.version):
        return "of another package"
    if line.get("role") == "shadow":
        return "of a shadow"
    monitor, columns = findings.monitor, findings.monitor.columns
    try:
        if "rows" in line:
            table = table_of(line["rows"], columns.columns)
            monitor.traffic.add(table)
        elif monitor.outcomes:
            monitor.outcomes.add(table_of(line["outcomes"], columns.outcomes))
        moment = str(line["time"])
    except KeyError:
        return "without what is compared: redacted, or of another version of this project"
    except (ValueError, TypeError, AttributeError, OverflowError):
        return "damaged"
    findings.first, findings.last = min(findings.first or moment, moment), max(findings.last, moment)
    return ""
