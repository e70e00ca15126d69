"""review.html: one file to attach to a pull request; nothing fetched, no script, equal reviews give equal bytes."""

import base64
import hashlib
import shlex
from pathlib import Path

import jinja2
from markupsafe import Markup

from stagewise.report import page as report
from stagewise.review.output import words
from stagewise.review.output.charts import curve_chart, interval_chart, runs_of
from stagewise.review.output.graph import graph_svg
from stagewise.review.record import Review
from stagewise.review.verdict import Verdict

_FOLDER = Path(__file__).parent
_STYLES = (Path(report.__file__).parent / "page.css", _FOLDER / "page.css")


def to_html(review: Review) -> str:
    """The whole review as a page that stands alone; everything but our own markup is escaped."""
    css = "".join(file.read_text(encoding="utf-8") for file in _STYLES)
    # Only this style sheet may take effect, whatever a file name or a commit message tries to bring in.
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    template = _environment().get_template("page.html.jinja")
    return template.render(css=Markup(css), css_digest=digest, review=review, **_parts(review))


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


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # What is unseen, or turns the reading direction, is spelt out wherever text of the revision comes in.
        finalize=lambda value: words.clean(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": words.number,
        "duration": words.duration,
        "thousands": report.thousands,
        "percent": report.percent,
        "stage_seconds": words.stage_seconds,
        "answers": words.answers_in_words,
        "equivalence": words.equivalence_in_words,
        "interval": interval_chart,
        "lines": words.clean_lines,
    }
    environment.globals |= {"change": words.change}
    return environment
