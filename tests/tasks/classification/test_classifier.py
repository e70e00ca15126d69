import numpy as np
import pytest
import torch
from torch import nn

from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import ClassTarget, DataSchema
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.inputs.image import ImageInputs


class Sums(nn.Module):
    """Logits are the sums of the channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=(2, 3))


@pytest.fixture
def classifier() -> Classifier:
    feature = ImageEntry(shape=(4, 5, 3), resize="bilinear", mean=[0.1, 0.2, 0.3], std=[0.5, 0.25, 1.0])
    target = ClassTarget(classes=["red", "green", "blue"])
    schema = DataSchema(name="colours", features=[feature], target=target, splits={})
    return Classifier(Sums(), ImageInputs(schema), schema)


@pytest.fixture
def image() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8))


def test_decoding_is_exact_and_channels_last(classifier: Classifier, image: torch.Tensor) -> None:
    x = classifier.decode(image)
    assert (x.dtype, tuple(x.shape)) == (torch.float32, (7, 3, 4, 5))
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(x.numpy(), image.numpy().transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))


def test_features_are_normalised_per_channel(classifier: Classifier) -> None:
    x = classifier.features(torch.full((1, 3, 1, 1), 0.6))
    assert x.flatten().tolist() == pytest.approx([1.0, 1.6, 0.3])


def test_forward_gives_labels_and_probabilities(classifier: Classifier, image: torch.Tensor) -> None:
    labels, probabilities = classifier(image)
    assert (labels.dtype, probabilities.dtype) == (torch.int64, torch.float32)
    assert tuple(probabilities.shape) == (7, 3)
    torch.testing.assert_close(probabilities, classifier.answer(image).softmax(1))
    assert torch.equal(labels, probabilities.argmax(1))


def test_other_precision_reaches_the_network(classifier: Classifier, image: torch.Tensor) -> None:
    classifier.to(torch.float64)
    assert classifier.features(classifier.decode(image)).dtype == torch.float64
    assert classifier(image)[1].dtype == torch.float32
