"""A file of conf/sweep/: a search that is started by its name."""

from typing import Annotated, Literal

from pydantic import Field

from stagewise.config.schema.base import Section

Values = str | int | float | bool | list[str | int | float | bool | None]
"""What a key is searched over: Hydra's text (``1e-3,1e-2``, ``range(3)``, ``tag(log, interval(1e-4, 1e-1))``), one
value, or a list of values."""
Condition = Annotated[str, Field(pattern=r"^[^=\s]+=\S+$")]
"""A choice of another key: ``model=cnn``."""
Pruner = Literal["hyperband", "halving", "median"]
"""By what a training is ended early, see optuna.pruners: Hyperband, successive halving, worse than the median."""


class ReadySweep(Section):
    """What ``stagewise sweep -m sweep=<name>`` stands for; the command line is laid over it."""

    name: str | None = None
    """Of the sweep, where it is not to be called ``sweep``."""
    params: dict[str, Values]
    """Keys of params.yaml, and what each is searched over."""
    when: dict[Condition, dict[str, Values]] = {}
    """Keys that are searched where another one has a value: {"model=cnn": {"model.hidden": "64,128"}}."""
    objectives: list[str] = []
    """What to choose by, as ``metric`` or ``metric:min|max``; else what training keeps its best epoch by."""
    prune: Pruner | None = None
    """Whether trainings that do badly are ended early, and by which rule."""
    hydra: list[str] = []
    """Overrides for Hydra itself: hydra/sweeper=optuna, hydra.sweeper.n_trials=30, hydra/launcher=submitit_slurm."""
