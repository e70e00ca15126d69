"""What holds for every step: nothing given is changed, equal runs are equal, restored is run, the result is served."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from steps_lab import STUDENT, accuracy, as_bytes, make_step

from stagewise.compression.session import GraphSession
from stagewise.compression.steps import NetworkStep

STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "prune": ("prune.Prune", {"ratio": 0.5}),
    "prune and distil": ("prune.Prune", {"ratio": 0.5, "distill": {"temperature": 3.0}}),
    "distil": ("distill.Distill", {"model": STUDENT}),
    "low rank": ("low_rank.LowRank", {"ratio": 0.5}),
    "low rank by energy": ("low_rank.LowRank", {"energy": 0.9}),
    "sparsify": ("sparse.Sparsify", {"ratio": 0.8}),
    "train for int8": ("quantization_aware.QuantizationAware", {}),
}
LONGER = {"distil": {"epochs": 15, "lr": 0.02}}
SMALLER = ("prune", "prune and distil", "distil", "low rank", "low rank by energy")


@pytest.fixture(params=STEPS)
def step(request: pytest.FixtureRequest) -> Any:
    name, arguments = STEPS[request.param]
    return make_step(name, **arguments)


def test_a_step_is_one(step: Any) -> None:
    assert isinstance(step, NetworkStep)


def test_run_restore_and_repeat(step: Any, cnn: Any, workshop: Any, tmp_path: Path) -> None:
    room = workshop(cnn)
    given = deepcopy(room.teacher)
    before = as_bytes(given, tmp_path / "before.safetensors")
    result = step.run(given, room)
    assert as_bytes(given, tmp_path / "after.safetensors") == before, "what was given has changed"
    assert as_bytes(room.teacher, tmp_path / "teacher.safetensors") == before, "the teacher has changed"
    assert not given.network.training and not result.training

    weights = as_bytes(result, tmp_path / "result.safetensors")
    assert weights != before
    restored = step.restore(given, tmp_path / "result.safetensors", room)
    rows = torch.from_numpy(cnn.rows("validation").take(np.arange(20)))
    with torch.no_grad():
        assert torch.equal(restored.answer(rows), result.answer(rows))
    assert as_bytes(restored, tmp_path / "restored.safetensors") == weights
    assert as_bytes(step.run(given, room), tmp_path / "again.safetensors") == weights
    assert list(room.work.rglob("*.ckpt")) == [] and list(room.work.rglob("*.safetensors")) == []
    assert not (room.work / "logs").exists()


@pytest.mark.parametrize(
    "network", ["cnn", *(pytest.param(name, marks=pytest.mark.long) for name in ("cnn_with_norm", "mlp", "resnet"))]
)
@pytest.mark.parametrize("name", STEPS)
def test_the_result_is_served_in_int8(
    name: str, network: str, request: pytest.FixtureRequest, workshop: Any, exported: Any
) -> None:
    trained = request.getfixturevalue(network)
    room = workshop(trained)
    target, arguments = STEPS[name]
    result = make_step(target, **arguments, **LONGER.get(name, {"epochs": 6, "lr": 0.004})).run(room.teacher, room)
    if name in SMALLER:
        assert count(result) < count(room.teacher)
    graph, int8 = exported(result, trained)
    rows = trained.rows("validation")
    rows = rows.take(np.arange(len(rows)))
    with torch.no_grad():
        label, probabilities = result(torch.from_numpy(rows))
    served = GraphSession(graph, 1)(rows)
    np.testing.assert_array_equal(served[0], label.numpy())
    np.testing.assert_allclose(served[1], probabilities.numpy(), atol=1e-4)
    assert accuracy(graph, trained) > 0.8
    assert accuracy(int8, trained) > accuracy(graph, trained) - 0.03


def count(inference: Any) -> int:
    return sum(parameter.numel() for parameter in inference.parameters())


WRONG = [
    ("prune.Prune", {"ratio": 1.0}, "Prune: ratio is 1.0"),
    ("prune.Prune", {"ratio": 0.5, "round_to": 0}, "Prune: round_to is 0"),
    ("prune.Prune", {"ratio": 0.5, "epochs": 0}, "Prune: epochs is 0"),
    ("prune.Prune", {"ratio": 0.5, "lr": -1.0}, "Prune: lr is -1.0"),
    ("prune.Prune", {"ratio": 0.5, "batch_size": 0}, "Prune: batch_size is 0"),
    ("prune.Prune", {"ratio": 0.5, "distill": {"heat": 1}}, "Prune: distill has heat"),
    ("prune.Prune", {"ratio": 0.5, "distill": {"temperature": 0}}, "Prune: temperature is 0"),
    ("prune.Prune", {"ratio": 0.5, "distill": {"alpha": 2}}, "Prune: alpha is 2"),
    ("distill.Distill", {"model": STUDENT, "alpha": 0.0}, "Distill: alpha is 0.0"),
    ("distill.Distill", {"model": STUDENT, "temperature": -1.0}, "Distill: temperature is -1.0"),
    ("distill.Distill", {"model": {"channels": [8]}}, "Distill: model names no network"),
    ("low_rank.LowRank", {}, "LowRank: it takes either ratio or energy"),
    ("low_rank.LowRank", {"ratio": 0.5, "energy": 0.5}, "LowRank: it takes either ratio or energy"),
    ("low_rank.LowRank", {"energy": 1.5}, "LowRank: energy is 1.5"),
    ("sparse.Sparsify", {"ratio": 0.0}, "Sparsify: ratio is 0.0"),
    ("quantization_aware.QuantizationAware", {"epochs": -2}, "QuantizationAware: epochs is -2"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "message"), WRONG, ids=[wrong[2] for wrong in WRONG])
def test_wrong_arguments_are_told(name: str, arguments: dict[str, Any], message: str) -> None:
    from stagewise.errors import ConfigError

    with pytest.raises(ConfigError) as caught:
        make_step(name, **arguments)
    assert str(caught.value).startswith(message)
    assert "where: compress.candidates" in str(caught.value)
