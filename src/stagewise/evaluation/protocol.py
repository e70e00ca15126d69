"""What the evaluate stage asks of the evaluation of a task, and of a cross-validation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import nn

from stagewise.data.rows import Rows
from stagewise.metrics.intervals import Interval


class Result(Protocol):
    """Whatever was measured; its flat figures go to metrics.json."""

    @property
    def metrics(self) -> dict[str, float]:
        """Figures by name, all of them finite: ``rows`` first, then the one that sums the model up.

        A figure with an interval is followed by ``<figure>_low`` and ``<figure>_high``."""


class Evaluation(Protocol):
    """One kind of problem; built with ``schema``, ``settings`` (the ``evaluate`` section), ``seed`` and ``display``."""

    template: Path
    """The page's template, which extends page.html.jinja."""
    bounds: tuple[float, float]
    """Range of the figures of ``compare``."""

    def predict(self, inference: nn.Module, rows: Rows) -> Any:
        """The answers for all rows of a split."""

    def calibrate(self, inference: nn.Module, rows: Rows) -> None:
        """Learn from validation rows what ``measure`` needs to know; nothing, for most."""

    def compare(self, predictions: Any) -> dict[str, float]:
        """The few figures by which the folds of a cross-validation are compared; NaN where undefined."""

    def measure(self, predictions: Any) -> Any:
        """A ``Result``: all figures with their intervals."""

    def write(self, result: Any, rows: Rows, out: Path) -> None:
        """Write predictions.parquet into ``out``, and the task's own tables and pictures into ``out``/figures."""

    def page(self, result: Any, rows: Rows) -> dict[str, Any]:
        """What the template needs beyond what every report has."""


class PlainAnswers(Protocol):
    """An evaluation of a task whose answers can be held beside those of another model."""

    def answers_of(self, predictions: Any) -> NDArray[Any]:
        """Probabilities ``(n, classes)`` or numbers ``(n,)``."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a model on its page.

    Attributes:
        metrics: flat figures for metrics.json.
        context: of the page's sections: ``subgroups`` and ``baseline``, None where the config asks for none.
    """

    metrics: dict[str, float]
    context: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold: how many rows trained, chose the epoch and were held out, and the figures of those held out."""

    train: int
    validation: int
    held_out: int
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class FoldsResult:
    """A cross-validation.

    Attributes:
        folds: in their order.
        means: mean over the folds with Student's t interval, by figure.
        deviations: standard deviation over the folds, by figure.
    """

    folds: list[Fold]
    means: dict[str, Interval]
    deviations: dict[str, float]

    @property
    def metrics(self) -> dict[str, float]:
        """``cv_<figure>_mean``, ``_low``, ``_high`` and ``_sd``."""
        flat: dict[str, float] = {"cv_folds": len(self.folds)}
        for name, mean in self.means.items():
            flat |= {f"cv_{name}_mean": mean.value, f"cv_{name}_low": mean.low, f"cv_{name}_high": mean.high}
            flat[f"cv_{name}_sd"] = self.deviations[name]
        return flat
