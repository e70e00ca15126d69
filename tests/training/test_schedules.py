from collections.abc import Callable
from typing import Any

import pytest
import torch

from stagewise.training import schedules


def rates(
    schedule: Callable[..., schedules.Schedule], epochs: int = 4, per_epoch: int = 10, **config: Any
) -> list[float]:
    """The rate of every optimiser step for a peak of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    built = schedule(optimizer, total_steps=epochs * per_epoch, steps_per_epoch=per_epoch, **config)
    assert built["interval"] == "step"
    seen = []
    for _ in range(epochs * per_epoch):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        built["scheduler"].step()  # type: ignore[call-arg]
    return seen


def test_constant_with_warm_up() -> None:
    seen = rates(schedules.constant, warmup_epochs=0.4)
    assert seen[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert set(seen[4:]) == {1.0}


def test_cosine_falls_from_the_peak_to_its_end() -> None:
    seen = rates(schedules.cosine, final_fraction=0.1)
    assert seen[0] == 1.0
    assert seen[20] == pytest.approx(0.55)
    assert 0.1 < seen[-1] < 0.11
    assert seen == sorted(seen, reverse=True)


def test_cosine_after_warm_up_starts_at_the_peak() -> None:
    seen = rates(schedules.cosine, warmup_epochs=1)
    assert seen[10] == max(seen) == 1.0
    assert seen[:10] == pytest.approx([step / 11 for step in range(1, 11)])


def test_one_cycle_climbs_and_descends() -> None:
    seen = rates(schedules.one_cycle, warmup_fraction=0.25, initial_fraction=0.04, final_fraction=0.0)
    assert seen[0] == pytest.approx(0.04)
    assert seen[10] == max(seen) == 1.0
    assert seen[25] == pytest.approx(0.5)
    assert seen[-1] < 0.01


@pytest.mark.parametrize("schedule", [schedules.one_cycle, schedules.cosine, schedules.constant, schedules.step])
def test_one_step_is_enough(schedule: Callable[..., schedules.Schedule]) -> None:
    assert 0 < rates(schedule, epochs=1, per_epoch=1)[0] <= 1


def test_step_drops_every_few_epochs() -> None:
    seen = rates(schedules.step, every_epochs=2, gamma=0.1)
    assert seen == pytest.approx([1.0] * 20 + [0.1] * 20)


def test_plateau_waits_for_its_metric() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    built = schedules.plateau(optimizer, total_steps=1, steps_per_epoch=1, monitor="val_loss", patience=1, factor=0.5)
    assert (built["interval"], built["monitor"]) == ("epoch", "val_loss")
    for _ in range(3):
        built["scheduler"].step(1.0)  # type: ignore[arg-type]
    assert optimizer.param_groups[0]["lr"] == 0.5
