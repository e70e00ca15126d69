"""Config of the evaluate stage."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from stagewise.config.schema.base import Section, Target
from stagewise.config.schema.train import NetworkSettings


class EvaluateSection(Section):
    """The ``evaluate`` group: which figures and pictures the report has."""

    batch_size: PositiveInt = 512
    top_k: list[PositiveInt] = [1, 3]
    """Accuracy counts a row as right when its class is among the k most likely."""
    calibration_bins: PositiveInt = 15
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Coverage of the intervals."""
    resamples: PositiveInt = 1000
    """Bootstrap draws for the intervals that have no closed form."""
    worst: NonNegativeInt = 24
    """Mistakes shown, most confident first."""
    subgroups: list[str] = []
    """Columns of a table by which the figures are also given group by group."""
    baseline: Literal["gradient_boosting"] | None = None
    """A second opinion, trained on the same rows of a table and reported beside the network."""
    folds: NonNegativeInt = 0
    """k-fold cross-validation over the rows that are not test rows; 0 leaves it out."""


class EvaluateSettings(NetworkSettings):
    """All that the evaluate stage gets."""

    name: str
    display: Target
    """Shows rows to people; named by ``data.feature``."""
    evaluation: Target
    evaluate: EvaluateSection
    beside: Target | None = None
    """Figures by group and a second opinion on tables; set by the config authority from ``subgroups``, ``baseline``."""
    cross_validation: Target | None = None
    """The k-fold runner with the training sections it needs; set by the config authority from ``folds``."""
