"""What the forecasting networks share: how their input is laid out, and normalisation by the window itself."""

from typing import NamedTuple

import torch
from torch import Tensor

from stagewise.models.layers import check_positive

EPSILON = 1e-5
"""Added to a window's variance, so that a constant window can be divided by its standard deviation."""


class SeriesShape(NamedTuple):
    """Layout of a forecasting network's input ``[N, lookback, variables + calendar]``."""

    lookback: int
    variables: int
    """The first columns: what is observed and forecast."""
    calendar: int
    """The last columns: calendar features of each step, in [-1, 1]."""


def series_shape(input_shape: tuple[int, ...]) -> SeriesShape:
    """Name the parts of ``input_shape``: (lookback, variables), or (lookback, variables, calendar).

    Raises:
        ValueError: it is neither.
    """
    if len(input_shape) not in (2, 3):
        raise ValueError(f"a series has the shape (lookback, variables[, calendar]), not {tuple(input_shape)}")
    lookback, variables, *rest = input_shape
    check_positive(lookback=lookback, variables=variables)
    calendar = rest[0] if rest else 0
    if calendar < 0:
        raise ValueError(f"the number of calendar features must not be negative, but is {calendar}")
    return SeriesShape(lookback, variables, calendar)


def normalise_windows(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre and scale every variable of every window by its own mean and standard deviation.

    What was learned at one level of a series then holds at another (Kim et al. 2022, "Reversible instance
    normalization"). Without learned scales: the inputs are standardised already.

    Args:
        x: ``[N, lookback, V]``.

    Returns:
        The scaled windows, means ``[N, 1, V]`` and standard deviations ``[N, 1, V]``.
    """
    mean = x.mean(1, keepdim=True)
    centred = x - mean
    std = torch.sqrt(centred.square().mean(1, keepdim=True) + EPSILON)
    return centred / std, mean, std
