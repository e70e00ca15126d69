"""A search that asks Optuna for the next points, over Hydra's launchers and in its grammar."""

import hashlib
import json
import math
import warnings
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from stagewise.errors import SweepError
from stagewise.sweeps.ready import deepest_first, sweep_text
from stagewise.sweeps.record import add_trials, read_sweep, storage_url
from stagewise.sweeps.runner import Ended, Plan, stop_file
from stagewise.sweeps.space import Dimension, Space, grid, read_space, repetitions

_PACKAGE = "optuna.samplers."
_TRIALS = "trials"
_AGAIN = "again"


class OptunaSearch:
    """Asks for points, has the launcher run them in batches, and tells Optuna what came of them.

    A point is run once per seed, where ``seed`` has several values, and its objective is the mean. A study that is
    started again goes on: points that were under way or failed are run again, and count once.

    Args:
        hydra_context: for the launcher.
        task_function: what a job runs.
        config: the application's.
        sampler: a class of optuna.samplers as ``_target_`` and its arguments; GridSampler runs every combination.
        n_trials: points in all, those of earlier starts included.
        n_jobs: points that are asked for at a time; None takes as many as trials run at once (``--jobs``).
        storage: an Optuna storage URL; None keeps an SQLite file beside the sweep's record.
        study_name: in that storage; None names it by all that a point's value depends on.
        params: what is searched, over which the command line goes.
        when: further keys, by the condition under which they count.
    """

    def __init__(
        self,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
        *,
        sampler: DictConfig,
        n_trials: int,
        n_jobs: int | None,
        storage: str | None,
        study_name: str | None,
        params: DictConfig | None,
        when: DictConfig | None,
    ) -> None:
        self._sampler, self._n_trials, self._n_jobs = sampler, n_trials, n_jobs
        self._storage, self._study_name = storage, study_name
        self._params, self._when = _plain(params), _plain(when)
        self._started = 0
        self._plan = Plan.model_validate(OmegaConf.to_container(config.stagewise))
        self._launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def run(self, arguments: list[str]) -> None:
        """Search over what is written in the overrides ``arguments``.

        Raises:
            SweepError: the sampler is none of Optuna's, or a grid has an interval.
        """
        given = {text.partition("=")[0] for text in arguments}
        params = [f"{key}={sweep_text(value)}" for key, value in self._params.items() if key not in given]
        space = read_space([*params, *arguments], self._when)
        target = str(self._sampler.get("_target_", ""))
        if not target.startswith(_PACKAGE):
            raise SweepError(
                f"{target!r} is no sampler of Optuna's",
                where="hydra.sweeper.sampler",
                fix="hydra/sweeper/sampler=tpe, cmaes, nsgaii, random or grid",
            )
        if target == f"{_PACKAGE}GridSampler":
            self._all(space)
        else:
            points, seeds = repetitions(space)
            self._search(points, seeds)

    def _all(self, space: Space) -> None:
        endless = [item.key for item in space.dimensions if item.is_interval]
        if endless:
            raise SweepError(
                f"no grid can be laid over the interval of {endless[0]}",
                where=endless[0],
                fix="name its values, or choose hydra/sweeper=optuna hydra/sweeper/sampler=tpe",
            )
        jobs = list(grid(space))
        add_trials(self._plan.root, self._plan.sweep, [], total=len(jobs))
        self._launch(jobs)

    def _search(self, space: Space, seeds: list[str]) -> None:
        study = self._open_study(space, seeds)
        _ask_again(study)
        add_trials(
            self._plan.root,
            self._plan.sweep,
            study.user_attrs.get(_TRIALS, []),
            total=self._n_trials * len(seeds),
        )
        left = self._n_trials - _ended(study)
        while left > 0 and not stop_file(self._plan.root, self._plan.sweep).exists():
            asked = [study.ask() for _ in range(min(left, self._n_jobs or self._plan.jobs))]
            points = [_suggest(trial, space) for trial in asked]
            came = iter(self._launch([[*point, *filter(None, [seed])] for point in points for seed in seeds]))
            for trial in asked:
                _tell(study, trial, [next(came) for _ in seeds])
            sweep = read_sweep(self._plan.root, self._plan.sweep)
            study.set_user_attr(_TRIALS, list(sweep.trials) if sweep else [])
            left -= len(asked)

    def _launch(self, jobs: Sequence[Sequence[str]]) -> list[Any]:
        """Run jobs; return what came of each: a value, values, or ``Ended`` where it is not to be compared."""
        returned = self._launcher.launch([deepest_first(job) for job in jobs], initial_job_idx=self._started)
        self._started += len(jobs)
        return [job.return_value for job in returned]

    def _open_study(self, space: Space, seeds: list[str]) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        storage = self._storage or storage_url(self._plan.root, self._plan.sweep)
        name = self._study_name or f"{self._plan.sweep}-{self._identity(space, seeds)}"
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize" if o.direction == "min" else "maximize" for o in self._plan.objectives],
            load_if_exists=True,
        )
        settings = _plain(self._sampler)
        if settings.get("seed") is not None:
            # The generator of a sampler is no part of the storage: it would suggest its first points again.
            settings["seed"] += len(study.trials)
        study.sampler = instantiate(settings)
        return study

    def _identity(self, space: Space, seeds: list[str]) -> str:
        """Of a study: its space, its objectives, and the stages under it."""
        texts = [[str(item.override.input_line), item.when] for item in space.dimensions]
        objectives = [objective.model_dump() for objective in self._plan.objectives]
        parts = [texts, seeds, objectives, self._plan.project]
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]


def _suggest(trial: Any, space: Space) -> list[str]:
    """The overrides of the next point: a value for each key that counts beside those chosen before it."""
    chosen: dict[str, str] = {}
    overrides = []
    for item in space.dimensions:
        if not item.values:
            overrides.append(str(item.override.input_line))
        elif item.applies(chosen):
            chosen[item.key] = _value(trial, item)
            overrides.append(item.chosen(chosen[item.key]))
    return overrides


def _value(trial: Any, item: Dimension) -> str:
    """Ask for one key: a number within an interval or of a range, else one of the choices as they are written."""
    value = item.override.value()
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        log = "log" in value.tags
        if isinstance(low, int) and isinstance(high, int):
            return str(trial.suggest_int(item.key, low, high, log=log))
        return repr(trial.suggest_float(item.key, float(low or 0), float(high or 0), log=log))
    if isinstance(value, RangeSweep) and not value.shuffle and len(item.values) > 1:
        place: int = trial.suggest_int(item.key, 0, len(item.values) - 1)
        return item.values[place]
    if len(item.values) == 1:
        return item.values[0]
    return str(trial.suggest_categorical(item.key, item.values))


def _tell(study: Any, trial: Any, came: Sequence[Any]) -> None:
    """The mean over the repetitions; no value where one of them has none."""
    from optuna.trial import TrialState

    rows = [list(value) if isinstance(value, (list, tuple)) else [value] for value in came]
    if any(isinstance(number, Ended) for row in rows for number in row):
        study.tell(trial, state=TrialState.PRUNED)
        return
    means = [math.fsum(column) / len(column) for column in zip(*rows, strict=True)]
    if all(math.isfinite(mean) for mean in means):
        study.tell(trial, means)
    else:
        study.tell(trial, state=TrialState.FAIL)


def _ask_again(study: Any) -> None:
    """Enqueue, once each, the points that a killed sweep left under way, and those that failed."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    asked = {trial.user_attrs.get(_AGAIN) for trial in study.get_trials()}
    for trial in study.get_trials(states=(TrialState.FAIL,)):
        if trial.number not in asked:
            study.enqueue_trial(trial.params, user_attrs={_AGAIN: trial.number})


def _ended(study: Any) -> int:
    from optuna.trial import TrialState

    return len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _plain(config: DictConfig | None) -> dict[str, Any]:
    return dict(OmegaConf.to_container(config, resolve=True)) if config is not None else {}  # type: ignore[arg-type]
