"""Class and probabilities of every row."""

from torch import Tensor

from stagewise.tasks.inference import Inference


class Classifier(Inference):
    """The most likely class, and the probability of each."""

    answers = "class"
    runtime = "stagewise.runtime.classes"
    outputs = ("label", "probabilities")

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Label int64 ``[N]`` and probabilities float32 ``[N, K]``."""
        probabilities = self.answer(raw).softmax(dim=1)
        return probabilities.argmax(dim=1), probabilities
