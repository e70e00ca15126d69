"""Distillation: the loss, the teacher's place, the student."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from steps_lab import STUDENT, make_step
from torch import nn
from torch.nn import functional

from stagewise.compression.networks.distillation import Distillation
from stagewise.errors import ConfigError
from stagewise.tasks.classification.module import ClassificationModule
from stagewise.tasks.module import TaskModule


class Given(nn.Module):
    """Stands for an inference module whose network is a linear one."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.9))


@pytest.fixture
def given() -> Any:
    torch.manual_seed(0)
    return Given()


def test_the_loss_of_a_classifier(given: Any) -> None:
    x, output, loss = torch.randn(5, 4), torch.randn(5, 3, requires_grad=True), torch.tensor(0.7)
    wanted = functional.softmax(given.network[0](x) / 2, 1)
    apart = (wanted * (wanted.log() - functional.log_softmax(output / 2, 1))).sum(1).mean()
    found = Distillation(given, classes=True, temperature=2.0, alpha=0.25)(x, output, loss)
    torch.testing.assert_close(found, 0.25 * 4 * apart + 0.75 * loss)
    found.backward()
    assert output.grad is not None and given.network[0].weight.grad is None


def test_the_loss_of_numbers(given: Any) -> None:
    x, output, loss = torch.randn(5, 4), torch.randn(5, 3), torch.tensor(0.7)
    found = Distillation(given, classes=False, alpha=0.25)(x, output, loss)
    torch.testing.assert_close(found, 0.25 * (output - given.network[0](x)).square().mean() + 0.75 * loss)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn(given: Any) -> None:
    x = torch.randn(5, 4)
    output = given.network[0](x).detach().requires_grad_()
    Distillation(given, classes=True, alpha=1.0)(x, output, torch.tensor(9.0)).backward()
    assert output.grad is not None
    torch.testing.assert_close(output.grad, torch.zeros(5, 3), atol=1e-6, rtol=0)


def test_the_teacher_is_neither_trained_nor_saved(cnn: Any, workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees what the student sees, in eval mode."""
    modules: list[Any] = []
    seen: list[bool] = []
    original, call = TaskModule.training_step, Distillation.__call__

    def step(module: Any, batch: Any, number: int) -> Any:
        modules.append(module)
        return original(module, batch, number)

    def noted(teacher: Any, x: torch.Tensor, output: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
        seen.append(not teacher._network.training)
        with torch.no_grad():
            # The student in training mode, without dropout: the same input gives the same output.
            assert torch.equal(modules[-1].inference.network(x), output)
        return call(teacher, x, output, loss)

    monkeypatch.setattr(TaskModule, "training_step", step)
    monkeypatch.setattr(Distillation, "__call__", noted)
    room = workshop(cnn)
    make_step("distill.Distill", model=STUDENT, epochs=1).run(room.teacher, room)
    assert len(seen) == 19 and all(seen)
    module = modules[0]
    assert isinstance(module, ClassificationModule) and isinstance(module.teacher, Distillation)
    assert deepcopy(module.teacher) is module.teacher
    held = {id(parameter) for parameter in module.teacher._network.parameters()}
    assert not held & {id(parameter) for parameter in module.parameters()}
    assert not [name for name in module.state_dict() if "teacher" in name]


def test_the_student_is_a_function_of_the_seed(cnn: Any, workshop: Any) -> None:
    room, step = workshop(cnn), make_step("distill.Distill", model=STUDENT)
    first, second = (step.change(room.teacher, room).network.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["features.0.weight"].shape == (8, 1, 3, 3) and first["head.5.weight"].shape == (10, 16)


def test_a_student_that_cannot_be_built_is_told(cnn: Any, workshop: Any) -> None:
    room = workshop(cnn)
    for model, why in (
        ({**STUDENT, "channels": [4] * 5}, "a 8x8 image is too small"),
        ({**STUDENT, "chanels": [4]}, "chanels"),
    ):
        with pytest.raises(ConfigError) as caught:
            make_step("distill.Distill", model=model).run(room.teacher, room)
        assert why in str(caught.value) and "where: model of Distill in compress.candidates" in str(caught.value)


def test_a_student_that_is_not_allowed_is_refused_before_anything_is_imported() -> None:
    with pytest.raises(ConfigError, match=r"'os\.system' is not allowed"):
        make_step("distill.Distill", model={"_target_": "os.system"})
