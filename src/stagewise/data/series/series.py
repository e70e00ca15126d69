"""One series, as a reader yields it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What was observed at some times, in the order of the source.

    Attributes:
        times: datetime64[s] ``(n,)``, in UTC or without a zone.
        values: float64 ``(n, V)``, NaN where nothing was observed.
        variables: names of the V columns.
    """

    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    variables: tuple[str, ...]
