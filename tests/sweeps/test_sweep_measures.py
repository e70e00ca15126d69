"""What a search may choose by, and what it may not."""

import json
from pathlib import Path

import pytest
import yaml

from stagewise.config.schema.train import TrainerSection
from stagewise.errors import SweepError
from stagewise.sweeps.measures import curves_of, metrics_of, objectives_from, values_of

TRAINER = TrainerSection(max_epochs=3, batch_size=8, monitor="val_loss", mode="min")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], [("val_loss", "min")]),
        (["val_accuracy"], [("val_accuracy", "max")]),
        (["val_accuracy:min"], [("val_accuracy", "min")]),
        (["val_loss", "bytes"], [("val_loss", "min"), ("bytes", "min")]),
        (["score", "p50_ms"], [("score", "max"), ("p50_ms", "min")]),
        (["train_loss"], [("train_loss", "min")]),
    ],
)
def test_objectives(texts: list[str], expected: list[tuple[str, str]]) -> None:
    assert [(o.metric, o.direction) for o in objectives_from(texts, TRAINER)] == expected


@pytest.mark.parametrize("text", ["accuracy", "f1_macro", "auroc:max", "rmse", "nll", "test_accuracy"])
def test_the_test_split_cannot_be_chosen_by(text: str) -> None:
    with pytest.raises(SweepError, match="cannot be an objective") as caught:
        objectives_from([text], TRAINER)
    assert "never at the test split" in str(caught.value)


def test_a_direction_is_min_or_max() -> None:
    with pytest.raises(SweepError, match="minimised or maximised"):
        objectives_from(["val_loss:down"], TRAINER)


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    files = {
        "models/trained/history.csv": "epoch,train_loss,val_loss,lr\n1,2.0,0.9,0.1\n2,1.0,0.5,0.1\n3,0.5,0.5,0.1\n",
        "build/train.yaml": yaml.safe_dump(
            {"config": {"trainer": {"keep": "best", "monitor": "val_loss", "mode": "min"}}}
        ),
        "reports/compression/candidates.json": json.dumps(
            {"chosen": "int8", "candidates": {"int8": {"score": 0.9, "bytes": 10}}}
        ),
        "reports/evaluation/metrics.json": json.dumps({"accuracy": 0.123}),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_metrics_are_those_of_the_kept_epoch_and_none_of_the_test_split(finished: Path) -> None:
    found = metrics_of(finished)
    assert found == {"epoch": 2.0, "train_loss": 1.0, "val_loss": 0.5, "lr": 0.1, "score": 0.9, "bytes": 10.0}
    assert 0.123 not in found.values()
    assert curves_of(finished) == {"train_loss": [2.0, 1.0, 0.5], "val_loss": [0.9, 0.5, 0.5], "lr": [0.1, 0.1, 0.1]}


def test_latency_is_a_figure_where_it_was_measured(finished: Path) -> None:
    latency = {"candidates": {"int8": {"batch_sizes": {"1": {"p50_ms": 0.25}}}}}
    (finished / "reports/compression/latency.json").write_text(json.dumps(latency))
    assert metrics_of(finished)["p50_ms"] == 0.25


def test_a_figure_that_a_trial_lacks_is_told() -> None:
    with pytest.raises(SweepError, match="has no figure 'p50_ms'") as caught:
        values_of({"val_loss": 1.0}, objectives_from(["p50_ms"], TRAINER))
    assert "not where it is restored" in str(caught.value)
