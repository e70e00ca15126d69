"""review.html: one file to attach to a pull request; nothing fetched, no script, equal reviews give equal bytes."""

import shlex
from pathlib import Path

from stagewise.report.page import render
from stagewise.report.plain_text import clean, clean_lines, duration
from stagewise.review.output import words
from stagewise.review.output.charts import curve_chart, interval_chart, runs_of
from stagewise.review.output.graph import graph_svg
from stagewise.review.record import Review
from stagewise.review.verdict import Verdict

_FOLDER = Path(__file__).parent
_FILTERS = {
    "number": words.number,
    "duration": duration,
    "stage_seconds": words.stage_seconds,
    "answers": words.answers_in_words,
    "equivalence": words.equivalence_in_words,
    "interval": interval_chart,
    "lines": clean_lines,
}


def to_html(review: Review) -> str:
    """The whole review as a page that stands alone; everything but our own markup is escaped."""
    context = {"review": review, "change": words.change, **_parts(review)}
    # What is unseen, or turns the reading direction, is spelt out wherever text of the revision comes in.
    return render(_FOLDER / "page.html.jinja", context, style=_FOLDER / "page.css", filters=_FILTERS, clean=clean)


def repeat_command(review: Review) -> str:
    """The command that makes this review again, in a clone of the project."""
    against = ["--against", review.against.commit] if review.against else []
    return shlex.join(["stagewise", "review", review.revision.commit, *against])


def _parts(review: Review) -> dict[str, object]:
    """What the template cannot read off the review itself."""
    moved = words.moved_metrics(review)
    curves = [(curve.name, runs_of(curve), curve_chart(curve)) for curve in review.curves]
    return {
        "verdicts": list(Verdict),
        "headline": words.headline(review),
        "exit_meaning": words.exit_meaning(review),
        "repeat": repeat_command(review),
        "ladder": words.LADDER,
        "bounds": words.THRESHOLDS,
        "moved": moved,
        "unmoved": [metric for metric in review.metrics if metric.recorded == metric.reproduced],
        "curves": curves,
        "findings": words.by_severity(review.findings),
        "differences": words.by_weight(review.environment.differences),
        "graph": graph_svg(review),
    }
