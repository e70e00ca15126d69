import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from stagewise.errors import ConfigError
from stagewise.tasks.classification.loss import class_weights, classification_loss

LOGITS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3


def test_plain_loss_is_the_mean_cross_entropy() -> None:
    torch.testing.assert_close(classification_loss(LOGITS, Y), cross_entropy(LOGITS, Y))


def test_soft_labels_of_hard_ones_are_the_same() -> None:
    soft = one_hot(Y, 3).float()
    weight = torch.tensor([1.0, 2.0, 3.0])
    for smoothing in (0.0, 0.1):
        expected = classification_loss(LOGITS, Y, weight, smoothing)
        torch.testing.assert_close(classification_loss(LOGITS, soft, weight, smoothing), expected)


def test_equal_shares_average_to_the_whole() -> None:
    weight = torch.tensor([1.0, 5.0, 0.1])
    halves = [classification_loss(LOGITS[part], Y[part], weight, 0.1) for part in (slice(5, 11), slice(-6, None))]
    rows = torch.cat([torch.arange(5, 11), torch.arange(6, 12)])
    whole = classification_loss(LOGITS[rows], Y[rows], weight, 0.1)
    torch.testing.assert_close(torch.stack(halves).mean(), whole)


def test_balanced_classes_weigh_the_same_in_total() -> None:
    counts = [10, 40, 50]
    weight = class_weights("balanced", counts)
    assert weight is not None
    totals = weight * torch.tensor(counts)
    torch.testing.assert_close(totals, torch.full((3,), 100 / 3))


def test_class_without_rows_has_a_finite_weight() -> None:
    weight = class_weights("balanced", [5, 0])
    assert weight is not None
    assert weight.isfinite().all()


def test_given_weights_and_none() -> None:
    assert class_weights(None, [1, 2]) is None
    weight = class_weights([0.5, 2.0], [1, 2])
    assert weight is not None
    assert weight.tolist() == [0.5, 2.0]


@pytest.mark.parametrize("choice", ["inverse", [1.0], [1.0, 0.0], []])
def test_weights_that_cannot_be_used(choice: str | list[float]) -> None:
    with pytest.raises(ConfigError, match=r"(?s)task\.module\.class_weights.*list of 2 positive weights"):
        class_weights(choice, [1, 2])
