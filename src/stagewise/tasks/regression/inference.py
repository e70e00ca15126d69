"""The number of every row."""

import math

from torch import Tensor, nn

from stagewise.data.schema import DataSchema
from stagewise.data.targets.entries import NumberEntry
from stagewise.tasks.inference import Inference


class Regressor(Inference):
    """The network's answer in the unit of the target.

    The network predicts standardised numbers, which are scaled back by the mean and standard deviation of the training
    targets. Where these are of logarithms, the logarithm is undone: such an answer is never negative, and its logarithm
    at most as far above that of the largest training target as all of them span, so that a strange row gives no
    infinity.

    Args:
        network, inputs, schema: see ``Inference``; the network has one output.
    """

    answers = "number"
    runtime = "stagewise.runtime.numbers"
    outputs = ("value",)

    def __init__(self, network: nn.Module, inputs: nn.Module, schema: DataSchema) -> None:
        super().__init__(network, inputs, schema)
        target = schema.target.narrow(NumberEntry)
        self._mean, self._std = target.mean, target.std
        self._logarithmic = target.transform == "log1p"
        if self._logarithmic:
            low, high = math.log1p(target.minimum), math.log1p(target.maximum)
            self._ceiling = 2 * high - low if high > low else high + 1

    def forward(self, raw: Tensor) -> tuple[Tensor]:
        """Value float32 ``[N]`` in the target's unit."""
        number = self.answer(raw)[:, 0] * self._std + self._mean
        return (number.clamp(0.0, self._ceiling).expm1() if self._logarithmic else number,)
