"""Config of the compress stage."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from stagewise.config.schema.base import Fraction, Section, Target
from stagewise.config.schema.train import NetworkSettings


class Parity(Section):
    """How closely the exported graph must follow the network."""

    samples: PositiveInt = 256
    """Validation rows compared."""
    rtol: PositiveFloat = 1e-3
    atol: PositiveFloat = 1e-4
    """Largest difference of a number is atol + rtol * |expected|."""
    agreement: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of rows whose label must be the same, where the answer has one."""


class Latency(Section):
    """How candidates are timed (into a file that no later stage reads)."""

    batch_sizes: list[PositiveInt] = [1, 64]
    repeats: PositiveInt = 50
    warmup: NonNegativeInt = 5
    threads: PositiveInt = 1


class CompressSection(Section):
    """The ``compress`` group: candidates, and the rule by which one is chosen."""

    candidates: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")], Target]
    """Name of each candidate and what makes it from the exported graph; ``fp32``, the baseline, must be among them."""
    max_drop: Fraction = 0.005
    """Largest loss of the task's figure on the validation rows against fp32 (0.005 is half a point of accuracy)."""
    calibration_samples: PositiveInt = 512
    """Training rows from which quantisation ranges are taken."""
    opset: Annotated[int, Field(ge=18, le=23)] = 20
    parity: Parity = Parity()
    latency: Latency = Latency()


class CompressSettings(NetworkSettings):
    """All that the compress stage gets."""

    quality: Target
    compress: CompressSection
