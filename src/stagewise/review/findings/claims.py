"""Figures in the project's pages that are not those it records.

A figure is bound to its metric by a comment right behind it, which no reader sees:

    test accuracy 99.44 %<!-- metric: accuracy -->

``accuracy`` is a key of a metrics file; ``reports/compression/candidates.json#parity.compared`` names the file too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from stagewise.config.git import git
from stagewise.review.figures import flat_numbers
from stagewise.review.pipeline import Pipeline
from stagewise.review.record import Finding

_CLAIM = re.compile(
    r"(?P<number>[-+]?\d[\d,\u202f]*(?:\.\d+)?)[ \u00a0\u202f]?(?P<percent>%?)\**"
    r"\s*<!--\s*metric:\s*(?:(?P<file>[^\s#]+)#)?(?P<name>\S+)\s*-->"
)

_CODE = re.compile(r"`[^`]*`")


def wrong_claims(project: Path, pipeline: Pipeline) -> list[Finding]:
    """Bound figures in the Markdown files of a checkout that differ from the recorded metrics by more than rounding."""
    recorded = {
        out.path: flat_numbers(project / out.path) for stage in pipeline.stages for out in stage.outs if out.metric
    }
    pages = (git(project, "ls-files", "-z", "*.md") or "").split("\0")
    return [finding for page in pages if page for finding in _page(project, page, recorded)]


def _page(project: Path, page: str, recorded: dict[str, dict[str, float]]) -> Iterator[Finding]:
    path = project / page
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    fenced = False
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if fenced:
            continue
        line = _CODE.sub("", line)  # an example of how to write one is no claim
        for claim in _CLAIM.finditer(line):
            if what := _wrong(claim, recorded):
                yield Finding(
                    code="wrong-claim", severity="error", stage=None, what=what, where=f"{page}:{number}",
                    fix="write the recorded figure, or run the pipeline that gives the claimed one",
                )  # fmt: skip


def _wrong(claim: re.Match[str], recorded: dict[str, dict[str, float]]) -> str | None:
    tables = [recorded.get(claim["file"], {})] if claim["file"] else list(recorded.values())
    value = next((table[claim["name"]] for table in tables if claim["name"] in table), None)
    shown = f"{claim['number']}{' %' if claim['percent'] else ''}"
    if value is None:
        return f"the page says {shown} for the metric {claim['name']!r}, which nothing records"
    text = claim["number"].replace(",", "").replace("\u202f", "")
    decimals = len(text.partition(".")[2])
    actual = value * 100 if claim["percent"] else value
    if abs(float(text) - actual) <= 0.5 * 10**-decimals * (1 + 1e-9):
        return None
    return f"the page says {shown} for {claim['name']}, {actual:.{decimals + 1}f} is recorded"
