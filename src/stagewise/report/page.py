"""report.html: one file, nothing fetched, no script; equal input gives equal bytes."""

import base64
import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stagewise.report import charts
from stagewise.report.tables import History
from stagewise.report.words import label

_FOLDER = Path(__file__).parent
_PHASES = {"train": "training", "val": "validation"}


def render(
    template: Path,
    context: dict[str, Any],
    *,
    style: Path | None = None,
    filters: Mapping[str, Any] | None = None,
    clean: Callable[[str], str] | None = None,
) -> str:
    """Fill a template, which may extend those beside this module; everything but our own markup is escaped.

    Args:
        template: the file.
        context: its variables.
        style: a style sheet laid over that of all pages.
        filters: further ones.
        clean: applied to every text before it is escaped, where it may come from anyone.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=None if clean is None else lambda value: clean(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "figure": figure,
        "label": label,
        "thousands": thousands,
        "plain": plain,
        **(filters or {}),
    }
    css = "".join(file.read_text(encoding="utf-8") for file in (_FOLDER / "page.css", style) if file is not None)
    # Only this style sheet may take effect, whatever a class name or an id tries to bring in.
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    return environment.get_template(template.name).render(css=Markup(css), css_digest=digest, **context)


def learning_curves(history: History) -> list[tuple[str, list[str], Markup]]:
    """(metric, names of the curves, chart) of every metric with a ``train_`` or ``val_`` column."""
    epochs = [epoch or 0.0 for epoch in history["epoch"]]
    metrics: dict[str, dict[str, list[float | None]]] = {}
    for column, values in history.items():
        prefix, _, metric = column.partition("_")
        if prefix in _PHASES and metric:
            metrics.setdefault(metric, {})[_PHASES[prefix]] = values
    return [
        (metric.replace("_", " "), sorted(series), charts.line_chart(metric, epochs, dict(sorted(series.items()))))
        for metric, series in metrics.items()
    ]


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage; one that is not whole is never rounded to 0 or 100."""
    if math.isnan(value):
        return "–"
    text = f"{100 * value:.{digits}f}"
    while digits < 6 and 0 < value < 1 and float(text) in (0.0, 100.0):
        digits += 1
        text = f"{100 * value:.{digits}f}"
    return f"{text}\u202f%"


def figure(value: float) -> str:
    """A figure with four decimals (more where a share would round to 1), a dash when it is undefined."""
    if math.isnan(value):
        return "–"
    digits = next((d for d in range(4, 9) if not (value < 1 and float(f"{value:.{d}f}") == 1)), 9)
    return f"{value:.{digits}f}"


def thousands(value: int) -> str:
    """A whole number with thin spaces between groups of three digits."""
    return f"{value:,}".replace(",", "\u202f")


def plain(value: Any) -> str:
    """A config value in the notation of its YAML file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(plain(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {plain(item)}" for key, item in value.items()) + "}"
    return "null" if value is None else str(value)
