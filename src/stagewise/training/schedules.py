"""Learning-rate schedules: how the configured rate is scaled from step to step.

Every schedule is called with ``optimizer``, ``total_steps`` and ``steps_per_epoch`` (optimiser steps) besides its
config arguments, and returns the scheduler with the interval at which Lightning steps it. The optimiser's ``lr``
is the peak.
"""

import math
from collections.abc import Callable
from typing import Annotated, Literal, NotRequired, TypedDict

from annotated_types import Ge, Gt, Le, Lt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

Shape = Callable[[int], float]


class Schedule(TypedDict):
    """A scheduler and how Lightning steps it."""

    scheduler: LambdaLR | ReduceLROnPlateau
    interval: Literal["step", "epoch"]
    monitor: NotRequired[str]
    """Metric that a plateau is seen in."""


def constant(
    optimizer: Optimizer, total_steps: int, steps_per_epoch: int, *, warmup_epochs: Annotated[float, Ge(0)] = 0.0
) -> Schedule:
    """The same rate throughout, after a linear warm-up."""
    return _by_step(optimizer, lambda _: 1.0, total_steps, steps_per_epoch, warmup_epochs)


def cosine(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    *,
    warmup_epochs: Annotated[float, Ge(0)] = 0.0,
    final_fraction: Annotated[float, Ge(0), Le(1)] = 0.0,
) -> Schedule:
    """Linear warm-up, then half a cosine down to ``final_fraction`` of the rate."""
    warmup = _warmup_steps(total_steps, steps_per_epoch, warmup_epochs)

    def shape(step: int) -> float:
        return _cosine(1.0, final_fraction, (step - warmup) / max(total_steps - warmup, 1))

    return _by_step(optimizer, shape, total_steps, steps_per_epoch, warmup_epochs)


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    *,
    warmup_fraction: Annotated[float, Ge(0), Le(1)] = 0.25,
    initial_fraction: Annotated[float, Ge(0), Le(1)] = 0.04,
    final_fraction: Annotated[float, Ge(0), Le(1)] = 1e-4,
) -> Schedule:
    """One cosine up from ``initial_fraction`` of the rate over ``warmup_fraction`` of all steps, and one down."""
    top = max(round(warmup_fraction * total_steps), 1)

    def shape(step: int) -> float:
        if step < top:
            return _cosine(initial_fraction, 1.0, step / top)
        return _cosine(1.0, final_fraction, (step - top) / max(total_steps - top, 1))

    return _by_step(optimizer, shape, total_steps, steps_per_epoch, 0.0)


def step(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    *,
    every_epochs: Annotated[int, Gt(0)] = 10,
    gamma: Annotated[float, Gt(0), Le(1)] = 0.1,
    warmup_epochs: Annotated[float, Ge(0)] = 0.0,
) -> Schedule:
    """Times ``gamma`` every ``every_epochs`` epochs, after a linear warm-up."""
    period = every_epochs * steps_per_epoch
    return _by_step(optimizer, lambda step: gamma ** (step // period), total_steps, steps_per_epoch, warmup_epochs)


def plateau(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    *,
    monitor: str = "val_loss",
    mode: Literal["min", "max"] = "min",
    factor: Annotated[float, Gt(0), Lt(1)] = 0.5,
    patience: Annotated[int, Ge(0)] = 2,
    min_lr: Annotated[float, Ge(0)] = 0.0,
) -> Schedule:
    """Times ``factor`` when ``monitor`` has not improved for more than ``patience`` epochs.

    The length of the run does not matter to it.
    """
    del total_steps, steps_per_epoch
    scheduler = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience, min_lr=min_lr)
    return {"scheduler": scheduler, "interval": "epoch", "monitor": monitor}


def _by_step(optimizer: Optimizer, shape: Shape, total: int, per_epoch: int, warmup_epochs: float) -> Schedule:
    warmup = _warmup_steps(total, per_epoch, warmup_epochs)

    def factor(step: int) -> float:
        # The last scheduler step follows the last optimiser step and asks for one more.
        step = min(step, total - 1)
        return (step + 1) / (warmup + 1) if step < warmup else shape(step)

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def _warmup_steps(total: int, per_epoch: int, epochs: float) -> int:
    return min(round(epochs * per_epoch), total - 1)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
