"""Trials as runs of MLflow, where that is chosen: an experiment per sweep, a run per trial."""

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stagewise.errors import ConfigError
from stagewise.sweeps.record import FOLDER, Sweep, Trial, settings_of

_TRIAL, _STATE, _EXPERIMENT, _BASE = (f"stagewise.{name}" for name in ("trial", "state", "experiment", "base"))
_STATUS = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}


def check_mlflow() -> None:
    """Check that MLflow is there.

    Raises:
        ConfigError: it is not installed.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError(
            "trials cannot be logged to MLflow, which is not installed",
            where="--mlflow",
            fix='pip install "stagewise[mlflow]", or leave --mlflow out',
        )


def log_trials(root: Path, sweep: Sweep, trials: Iterable[Trial]) -> None:
    """Give MLflow a run for each trial that has ended and has none yet.

    Its parameters are the values that the trial chose, its metrics the curves and figures of the record, its tags the
    trial, the DVC experiment and the commit. They go to MLFLOW_TRACKING_URI, or to .stagewise/sweeps/mlflow.
    """
    # MLflow's other local store, a database, needs more than mlflow-skinny.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or (root / FOLDER / "mlflow").resolve().as_uri())
    found = client.get_experiment_by_name(sweep.name)
    experiment = found.experiment_id if found else client.create_experiment(sweep.name)
    known = _known(client, experiment)
    for trial in trials:
        if trial.state in _STATUS and (trial.id, trial.state) not in known:
            _log(client, experiment, sweep, trial)


def _known(client: Any, experiment: str) -> set[tuple[str, str]]:
    known, token = set(), None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        known |= {(run.data.tags.get(_TRIAL, ""), run.data.tags.get(_STATE, "")) for run in page}
        token = page.token
        if not token:
            return known


def _log(client: Any, experiment: str, sweep: Sweep, trial: Trial) -> None:
    from mlflow.entities import Metric, Param

    tags = {_TRIAL: trial.id, _STATE: trial.state, _EXPERIMENT: trial.experiment, _BASE: sweep.base}
    run = client.create_run(experiment, start_time=int(trial.started * 1000), run_name=trial.id, tags=tags)
    now = int(trial.ended * 1000)
    metrics = [
        Metric(name, value, now, step)
        for name, values in trial.curves.items()
        for step, value in enumerate(values, start=1)
        if value is not None
    ]
    metrics += [Metric(name, value, now, 0) for name, value in trial.metrics.items() if name not in trial.curves]
    params = [Param(key, value) for key, value in settings_of(trial).items()]
    for begin in range(0, max(len(metrics), 1), 1000):  # the most that MLflow takes at a time
        batch = metrics[begin : begin + 1000]
        client.log_batch(run.info.run_id, metrics=batch, params=params if begin == 0 else ())
    client.set_terminated(run.info.run_id, status=_STATUS[trial.state], end_time=now)
