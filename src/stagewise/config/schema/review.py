"""Config of a review: how far a repeated result may lie from the recorded one."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat

from stagewise.config.schema.base import Section

Share = Annotated[float, Field(ge=0, le=1)]


class ReviewSection(Section):
    """The ``review`` group: committed with a result, before anyone repeats it."""

    churn: Share = 0.001
    """Numerically equivalent: at most this share of the rows gets another class."""
    difference: NonNegativeFloat = 0.02
    """Numerically equivalent: no probability, and no number in standard deviations, moves by more."""
    metrics: NonNegativeFloat = 0.01
    """Numerically equivalent: no figure moves by more than this share of its value."""
    tables: NonNegativeFloat = 1e-6
    """Numerically equivalent: no number of a table moves by more than this share of its column's largest."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Statistically equivalent: accuracy (or the mean error, as a share of itself) differs by less than this."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Of each of the two one-sided tests."""
