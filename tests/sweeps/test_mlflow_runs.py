"""Trials as runs of MLflow: each once, with its choice, its curves and its DVC experiment."""

import importlib.util
from pathlib import Path

import pytest

from stagewise.errors import ConfigError
from stagewise.sweeps.mlflow_runs import check_mlflow, log_trials
from stagewise.sweeps.record import FOLDER, Objective, Sweep, Trial

SWEEP = Sweep(name="s", arguments=[], objectives=[Objective(metric="val_loss", direction="min")], base="abc")
TRIALS = [
    Trial(
        id="a", overrides=["model=cnn", "+optimizer.momentum=0.9"], state="finished", experiment="sweep-a", started=1.0, ended=9.0,
        curves={"val_loss": [0.5, None, 0.25]}, metrics={"val_loss": 0.25, "bytes": 100.0},
    ),
    Trial(id="b", overrides=["model=mlp"], state="failed", started=1.0, ended=2.0, error="no"),
    Trial(id="c", overrides=["model=vit"], state="running", started=1.0),
]  # fmt: skip


def test_mlflow_is_asked_for_when_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="trials cannot be logged to MLflow") as caught:
        check_mlflow()
    assert 'pip install "stagewise[mlflow]"' in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_each_ended_trial_is_a_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason='needs pip install "stagewise[mlflow]"')
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for _ in range(2):
        log_trials(tmp_path, SWEEP, TRIALS)
    client = tracking.MlflowClient((tmp_path / FOLDER / "mlflow").as_uri())
    runs = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    first, failed = sorted(runs, key=lambda run: run.data.tags["stagewise.trial"])
    assert first.data.params == {"model": "cnn", "optimizer.momentum": "0.9"}
    assert first.data.metrics == {"val_loss": 0.25, "bytes": 100.0}
    assert [(m.step, m.value) for m in client.get_metric_history(first.info.run_id, "val_loss")] == [
        (1, 0.5),
        (3, 0.25),
    ]
    assert first.data.tags["stagewise.experiment"] == "sweep-a"
    assert (first.info.status, failed.info.status) == ("FINISHED", "FAILED")
    log_trials(tmp_path, SWEEP, [TRIALS[1].model_copy(update={"state": "finished", "error": ""})])
    assert len(client.search_runs([client.get_experiment_by_name("s").experiment_id])) == 3
