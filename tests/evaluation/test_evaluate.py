"""The whole stage on a small network, with and without folds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from parts import IMAGE_DISPLAY, IMAGE_NETWORK
from shades import write_processed

from stagewise.config.schema.evaluate import EvaluateSection, EvaluateSettings
from stagewise.config.schema.train import TrainSettings
from stagewise.errors import DataError, TrainingError
from stagewise.evaluation.evaluate import evaluate
from stagewise.tasks.build import build_inference
from stagewise.tasks.weights import save_weights

NAMES = ["night", "dusk", "dawn", "day"]
FILES = {
    "metrics.json",
    "predictions.parquet",
    "figures",
    "learning_curves.csv",
    "report.html",
}
FIGURES = {"confusion.csv", "classes.csv", "calibration.csv", "mistakes.csv", "mistakes.png"}
NETWORK = {
    "seed": 3,
    "threads": 1,
    "model": {"_target_": "stagewise.models.mlp.MLP", "hidden": [8]},
    **IMAGE_NETWORK,
}
TRAINING = {
    "module": {"_target_": "stagewise.tasks.classification.module.ClassificationModule"},
    "augment": {},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.02},
    "scheduler": {"_target_": "stagewise.training.schedules.constant"},
    "trainer": {
        "max_epochs": 6,
        "batch_size": 16,
        "accelerator": "cpu",
        "progress": False,
        "loggers": [],
        "monitor": "val_accuracy",
        "mode": "max",
    },
}


def settings(folds: int = 0) -> EvaluateSettings:
    runner = {"_target_": "stagewise.evaluation.folds.CrossValidation", "folds": folds, **TRAINING}
    return EvaluateSettings.model_validate(
        {
            **NETWORK,
            "name": "shades",
            "display": IMAGE_DISPLAY,
            "evaluation": {"_target_": "stagewise.tasks.classification.evaluation.ClassificationEvaluation"},
            "evaluate": {"resamples": 50, "batch_size": 32, "folds": folds},
            "cross_validation": runner if folds else None,
        }
    )


@pytest.fixture
def stage(tmp_path):
    """(processed, trained, out, work) with an untrained network."""
    folders = [tmp_path / name for name in ("processed", "trained", "out", "work")]
    schema = write_processed(folders[0], NAMES, {"train": 120, "validation": 40, "test": 80})
    for folder in folders[1:]:
        folder.mkdir()
    inference = build_inference(settings(), schema)
    save_weights(inference.get_submodule("network").state_dict(), folders[1] / "model.safetensors")
    (folders[1] / "history.csv").write_text("epoch,train_loss,val_loss,lr\n1,1.5,1.4,0.1\n2,1.2,1.3,0.1\n")
    return folders


def test_every_file_is_written_and_they_agree(stage):
    metrics = evaluate(settings(), *stage)
    out = stage[2]
    assert {path.name for path in out.iterdir()} == FILES
    assert {path.name for path in (out / "figures").iterdir()} == FIGURES
    assert json.loads((out / "metrics.json").read_text()) == metrics
    table = pq.read_table(out / "predictions.parquet")
    assert np.mean(table["correct"].to_pylist()) == pytest.approx(metrics["accuracy"], abs=1e-6)
    assert table.num_rows == metrics["rows"] == 80
    assert not any(name.startswith("cv_") for name in metrics)


def test_two_runs_give_the_same_bytes(stage, tmp_path):
    evaluate(settings(), *stage)
    again = tmp_path / "again"
    again.mkdir()
    evaluate(settings(), stage[0], stage[1], again, stage[3])
    figures = {f"figures/{name}" for name in FIGURES}
    for name in sorted(FILES - {"figures"} | figures):
        assert (stage[2] / name).read_bytes() == (again / name).read_bytes(), name


def test_folds_train_on_what_they_are_not_measured_on(stage, tmp_path):
    metrics = evaluate(settings(folds=3), *stage)
    assert metrics["cv_folds"] == 3
    assert 0.5 < metrics["cv_accuracy_mean"] <= 1
    assert metrics["cv_accuracy_low"] <= metrics["cv_accuracy_mean"] <= metrics["cv_accuracy_high"] <= 1
    assert list(stage[3].iterdir()) == []
    assert 'id="folds"' in (stage[2] / "report.html").read_text()
    again = tmp_path / "again"
    again.mkdir()
    assert evaluate(settings(folds=3), stage[0], stage[1], again, stage[3]) == metrics


def test_folds_never_see_the_test_rows(stage):
    again = stage[2].with_name("again")
    again.mkdir()
    before = evaluate(settings(folds=2), *stage)
    # Other test rows, the same training and validation rows.
    (stage[0] / "test.arrow").write_bytes((stage[0] / "validation.arrow").read_bytes())
    after = evaluate(settings(folds=2), stage[0], stage[1], again, stage[3])
    assert {k: v for k, v in after.items() if k.startswith("cv_")} == {
        k: v for k, v in before.items() if k.startswith("cv_")
    }
    assert after["rows"] == 40


def test_no_test_rows_is_told(stage, tmp_path):
    processed = tmp_path / "empty"
    write_processed(processed, NAMES, {"train": 8, "validation": 8, "test": 0})
    with pytest.raises(DataError, match="no test rows"):
        evaluate(settings(), processed, *stage[1:])


def test_a_missing_model_or_history_is_told(stage):
    (stage[1] / "history.csv").unlink()
    with pytest.raises(TrainingError, match="history"):
        evaluate(settings(), *stage)
    (stage[1] / "history.csv").write_text("epoch\n1\n")
    (stage[1] / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="weights"):
        evaluate(settings(), *stage)


def test_the_training_settings_of_a_fold_are_valid():
    assert TrainSettings.model_validate({**NETWORK, **TRAINING}).trainer.max_epochs == 6


def test_lightning_and_plotting_are_not_imported_without_folds():
    code = (
        "import sys, stagewise.evaluation.evaluate, stagewise.tasks.classification.evaluation as c;"
        "print(*sorted({'pytorch_lightning', 'torchmetrics', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


CONF = Path(__file__).parents[2] / "conf" / "evaluate"


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_choice_is_valid_and_says_how_to_use_it(path):
    text = path.read_text()
    assert text.startswith("# ")
    assert f"evaluate={path.stem}" in text.partition("\n\n")[0]
    values = yaml.safe_load(text)
    base = {}
    for parent in values.pop("defaults", []):
        base |= {} if parent == "_self_" else yaml.safe_load((CONF / f"{parent}.yaml").read_text())
    section = EvaluateSection.model_validate(base | values)
    assert set(base | values) == set(EvaluateSection.model_fields)
    assert section.folds == (5 if path.stem == "folds" else 0)
