"""The plugin ``hydra/sweeper=optuna``, found by Hydra because of this package's name.

Hydra's own plugin of that name is bound to Optuna 2, counts all trials anew when it is started again, and knows no
conditions, no repetitions over seeds and no trials that were ended early. Keys that both have mean the same; directions
come from the sweep's objectives.

Hydra reads this file whenever it composes a config, so it imports next to nothing.
"""

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

_SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe": {"_target_": "optuna.samplers.TPESampler", "seed": 0, "n_startup_trials": 10, "constant_liar": True},
    "cmaes": {"_target_": "optuna.samplers.CmaEsSampler", "seed": 0},
    "nsgaii": {"_target_": "optuna.samplers.NSGAIISampler", "seed": 0, "population_size": 50},
    "random": {"_target_": "optuna.samplers.RandomSampler", "seed": 0},
    "grid": {"_target_": "optuna.samplers.GridSampler"},
}
"""hydra/sweeper/sampler=<name>: a class of optuna.samplers and its arguments; grid runs every combination."""


class OptunaSweeper(Sweeper):
    """Asks Optuna for points and has Hydra's launcher run them; see ``stagewise.sweeps.optuna_search``.

    Args:
        settings: the keys of hydra.sweeper.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives every sweeper."""
        from stagewise.sweeps.optuna_search import OptunaSearch

        self._search = OptunaSearch(hydra_context, task_function, config, **self._settings)

    def sweep(self, arguments: list[str]) -> None:
        """Search over the overrides of the command line."""
        self._search.run(arguments)


def _store() -> None:
    store = ConfigStore.instance()
    name = f"{OptunaSweeper.__module__}.{OptunaSweeper.__qualname__}"
    keys = {"n_trials": 20, "n_jobs": None, "storage": None, "study_name": None, "params": None, "when": None}
    node = {"_target_": name, "_recursive_": False, "defaults": [{"sampler": "tpe"}, "_self_"], **keys}
    store.store(group="hydra/sweeper", name="optuna", node=OmegaConf.create(node), provider="stagewise")
    for sampler, settings in _SAMPLERS.items():
        store.store(group="hydra/sweeper/sampler", name=sampler, node=OmegaConf.create(settings), provider="stagewise")


_store()
