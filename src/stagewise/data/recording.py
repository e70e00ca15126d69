"""One sound file, decoded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What a sound file holds, at its own rate.

    Attributes:
        rate: samples per second.
        samples: float32 ``(n, channels)``, full scale 1.
    """

    rate: int
    samples: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate
