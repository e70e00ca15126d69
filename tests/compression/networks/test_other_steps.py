"""Factorisation, sparsity and training for int8: what becomes of the weights."""

from typing import Any

import numpy as np
import pytest
import torch
from steps_lab import Single, accuracy, make_step
from torch import nn
from torch.nn.utils import parametrize

from stagewise.compression.networks.low_rank import LowRank
from stagewise.compression.networks.quantization_aware import Rounding
from stagewise.compression.steps import Workshop
from stagewise.errors import CompressionError
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.inference import Inference
from stagewise.tasks.module import TaskModule


class Direct(nn.Module):
    """Reads the weight of a layer itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.linear(x.flatten(1), self.first.weight))


class Bag(nn.Module):
    """Has neither a dense layer nor a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :10] * self.scale


def around(room: Workshop, network: nn.Module) -> Inference:
    return Classifier(network, room.teacher.inputs, room.schema)


def outputs(inference: Inference, trained: Any) -> torch.Tensor:
    with torch.no_grad():
        return inference.answer(torch.from_numpy(trained.rows("validation").take(np.arange(50))))


@pytest.mark.parametrize("network", ["cnn", "cnn_with_norm", "mlp", "resnet"])
def test_two_thin_layers_do_what_one_did(network: str, request: Any, workshop: Any) -> None:
    """Weights that are products of thin matrices lose nothing but the weights that they can spare."""
    trained = request.getfixturevalue(network)
    room = workshop(trained)
    given = room.teacher
    with torch.no_grad():
        for layer in given.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                left, values, right = torch.linalg.svd(layer.weight.double().flatten(1), full_matrices=False)
                values[max(1, len(values) // 4) :] = 0
                layer.weight.copy_((left * values @ right).reshape(layer.weight.shape))
    before, size = outputs(given, trained), sum(p.numel() for p in given.parameters())
    changed = LowRank(energy=0.999999).change(given, room).eval()
    assert sum(p.numel() for p in changed.parameters()) < 0.7 * size
    torch.testing.assert_close(outputs(changed, trained), before, rtol=1e-3, atol=1e-3)


def test_layers_have_the_share_of_weights_that_is_asked_for(cnn: Any, workshop: Any) -> None:
    room = workshop(cnn)
    before = dict(room.teacher.network.named_parameters())["head.2.weight"].numel()
    changed = LowRank(ratio=0.75).change(workshop(cnn).teacher, room).network
    assert isinstance(changed.get_submodule("head.2"), nn.Sequential)
    after = sum(
        value.numel() for name, value in changed.named_parameters() if name.startswith("head.2.") and value.ndim > 1
    )
    assert 0.23 < after / before <= 0.25
    assert isinstance(changed.get_submodule("head.5"), nn.Linear), "the answer's own layer stays"


def test_of_two_energies_the_smaller_leaves_fewer_weights(cnn: Any, workshop: Any) -> None:
    room = workshop(cnn)
    sizes = [
        sum(p.numel() for p in LowRank(energy=energy).change(workshop(cnn).teacher, room).parameters())
        for energy in (0.6, 0.8)
    ]
    assert sizes[0] < sizes[1] < sum(p.numel() for p in room.teacher.parameters())


def test_the_share_of_zeros_is_that_asked_for_and_holds(cnn_with_norm: Any, workshop: Any) -> None:
    room = workshop(cnn_with_norm, ema_decay=0.9)
    result = make_step("sparse.Sparsify", ratio=0.8, epochs=2).run(room.teacher, room).network
    weights = torch.cat([m.weight.flatten() for m in result.modules() if isinstance(m, (nn.Linear, nn.Conv2d))])
    assert (weights == 0).double().mean().item() == pytest.approx(0.8, abs=1e-4)
    assert not any(parametrize.is_parametrized(module) for module in result.modules())
    assert result.state_dict().keys() == room.teacher.network.state_dict().keys()


def test_rounding_is_felt_in_training_only_and_leaves_nothing(cnn: Any, workshop: Any, monkeypatch: Any) -> None:
    ranges: list[tuple[bool, float]] = []
    original = TaskModule._output

    def noted(module: Any, x: torch.Tensor) -> torch.Tensor:
        output = original(module, x)
        (last,) = (m for name, m in module.inference.named_modules() if name.endswith("head.5.output_rounding"))
        ranges.append((module.training, float(last.scale)))
        # Whole steps of the answer's own scale: it is rounded.
        steps = output.detach() / last.scale
        assert torch.allclose(steps, steps.round(), atol=1e-3)
        return output

    monkeypatch.setattr(TaskModule, "_output", noted)
    room = workshop(cnn)
    result = make_step("quantization_aware.QuantizationAware", epochs=2).run(room.teacher, room).network
    assert not any(isinstance(module, Rounding) for module in result.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in result.modules())
    assert result.state_dict().keys() == room.teacher.network.state_dict().keys()
    trained = [scale for training, scale in ranges if training]
    measured = {scale for training, scale in ranges if not training}
    assert len(set(trained)) > 30, "ranges follow training, in the second epoch too"
    assert len(measured) == 2, "validation moves no range: one value per epoch"


def test_training_for_int8_gains_what_int8_loses(train: Any, workshop: Any, exported: Any) -> None:
    """A network whose channels differ so much that one range of activations cannot serve them all."""
    trained = train("stagewise.models.mlp.MLP", hidden=[32, 32])
    room = workshop(trained)
    with torch.no_grad():
        first, second = (room.teacher.network.get_submodule(f"layers.{n}") for n in (1, 4))
        factors = torch.logspace(0, 4, 32)
        first.get_parameter("weight").mul_(factors[:, None])
        first.get_parameter("bias").mul_(factors)
        second.get_parameter("weight").div_(factors)
    plain, plain_int8 = exported(room.teacher, trained)
    lost = accuracy(plain, trained) - accuracy(plain_int8, trained)
    result = make_step("quantization_aware.QuantizationAware", epochs=8, lr=0.005).run(room.teacher, room)
    graph, int8 = exported(result, trained)
    assert lost > 0.1
    assert accuracy(int8, trained) > accuracy(graph, trained) - lost / 2
    assert accuracy(int8, trained) > accuracy(plain, trained) - lost / 2


REFUSED = [
    ("low_rank.LowRank", {"ratio": 0.5}, Direct, "Direct cannot be factorised"),
    ("low_rank.LowRank", {"ratio": 0.5}, Single, "Single cannot be factorised"),
    ("sparse.Sparsify", {"ratio": 0.5}, Bag, "Bag cannot be made sparse"),
    ("quantization_aware.QuantizationAware", {}, Bag, "Bag cannot be trained for int8"),
]


@pytest.mark.parametrize(("name", "arguments", "network", "message"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_cannot_be_done_names_the_network(
    name: str, arguments: dict[str, Any], network: Any, message: str, cnn: Any, workshop: Any
) -> None:
    torch.manual_seed(0)
    room = workshop(cnn)
    with pytest.raises(CompressionError, match=message):
        make_step(name, **arguments).run(around(room, network()), room)
