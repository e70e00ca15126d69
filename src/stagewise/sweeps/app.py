"""The Hydra application under ``stagewise sweep``: Hydra's sweeper chooses, its launcher starts, a trial is a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from stagewise.config.life import die_with_parent
from stagewise.config.schema.sweep import Values
from stagewise.sweeps.ready import deepest_first, sections_first
from stagewise.sweeps.runner import Plan, run_trial
from stagewise.sweeps.space import Space

Conditions = dict[str, dict[str, Values]]
"""Keys that are searched under a condition; see ``ReadySweep``."""


@hydra.main(version_base="1.3", config_path=None)
def main(config: DictConfig) -> Any:
    """Run one trial; return its objective, or the list of several."""
    die_with_parent(Path.cwd())  # a killed sweep takes its workers along, and they their trials
    plan = Plan.model_validate(OmegaConf.to_container(config.stagewise))
    given = HydraConfig.get()
    with _another_hydra():
        values = run_trial(plan, sections_first(given.overrides.task))
    return values[0] if len(values) == 1 else values


@contextmanager
def _another_hydra() -> Iterator[None]:
    """Let the trial's own config be composed inside a job, where Hydra has one at work already."""
    state = GlobalHydra.get_state()
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.set_state(state)


def write_config(folder: Path, plan: Plan, space: Space, when: Conditions) -> list[str]:
    """Write the application's config into ``folder`` and return the command line that names it.

    It holds every key of the sweep, so that Hydra takes them as they are written; what they mean is said by the
    project's own config, which composes each trial.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own_launcher = any(text.startswith("hydra/launcher=") for text in space.hydra)
    own_sweeper = any(text.startswith("hydra/sweeper") for text in space.hydra)
    # Hydra's own grid knows no conditions.
    grid = [{"override hydra/sweeper": "optuna"}, {"override hydra/sweeper/sampler": "grid"}]
    config: dict[str, Any] = {
        "defaults": [
            "_self_",
            *([] if own_launcher else [{"override hydra/launcher": "joblib"}]),
            *(grid if when and not own_sweeper else []),
            {"override hydra/hydra_logging": "disabled"},
            {"override hydra/job_logging": "disabled"},
        ],
        "hydra": {
            "output_subdir": None,
            "sweep": {"dir": str(folder / "jobs"), "subdir": "${hydra.job.num}"},
            **({} if own_launcher else {"launcher": {"n_jobs": plan.jobs}}),
            **({"sweeper": {"when": when}} if when else {}),
        },
        "stagewise": plan.model_dump(mode="json"),
    }
    for item in space.dimensions:
        _declare(config, item.key.split("."))
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return [
        "--multirun",
        "--config-path",
        str(folder),
        "--config-name",
        "config",
        *space.hydra,
        *deepest_first(space.plain),
    ]


def _declare(config: dict[str, Any], key: list[str]) -> None:
    """Make a key known, at any depth, unless it is."""
    for part in key[:-1]:
        if not isinstance(config.get(part), dict):
            config[part] = {}
        config = config[part]
    config.setdefault(key[-1], None)
