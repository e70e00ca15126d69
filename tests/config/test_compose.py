"""What is composed from params.yaml and conf/, and what is said about mistakes."""

from pathlib import Path

import pytest
import yaml

from stagewise.config.compose import compose
from stagewise.config.resolve import configure, stage_settings
from stagewise.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf"
CHOICES = [(file.parent.name, file.stem) for file in sorted(CONF.glob("*/*.yaml"))]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes_and_resolves(project: Path, group: str, choice: str) -> None:
    settings = stage_settings(compose(project, [f"{group}={choice}"]))
    assert list(settings) == ["ingest", "preprocess", "train", "evaluate", "compress", "package"]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_says_what_it_is_and_how_to_use_it(group: str, choice: str) -> None:
    head = (CONF / group / f"{choice}.yaml").read_text().split("\n\n")[0]
    comments = [line for line in head.splitlines() if line.startswith("#")]
    assert len(comments) >= 2
    assert any(word in head for word in ("dvc exp run", "python stages/", "make repro"))


WRONG = [
    (["modle=cnn"], ["modle: unknown section (command line (modle=cnn)); did you mean model"]),
    (["model=resnett"], ["there is no conf/model/resnett.yaml", "did you mean resnet"]),
    (["trainer.max_epoch=3"], ["trainer.max_epoch: unknown key", "did you mean max_epochs"]),
    (["trainer.max_epochs=0"], ["trainer.max_epochs: should be greater than 0, not 0"]),
    (["trainer.max_epochs=2.5"], ["trainer.max_epochs: should be a valid integer", "not 2.5"]),
    (["trainer.max_epochs='3'"], ['trainer.max_epochs: should be a valid integer, not "3"']),
    (["trainer.precision=16"], ["trainer.precision: should be '32-true', '16-mixed'", "not 16"]),
    (
        ["trainer.devices=x"],
        ["trainer.devices: should be a valid integer or should be 'auto' or should be a valid array"],
    ),
    (["trainer.ema_decay=1.0"], ["trainer.ema_decay: should be less than 1"]),
    (["trainer.loggers=[csv,wandb]"], ["trainer.loggers.1: should be 'csv', 'tensorboard' or 'mlflow', not \"wandb\""]),
    (["trainer.early_stopping={patence: 3}"], ["trainer.early_stopping.patence: unknown key", "did you mean patience"]),
    (["trainer.batch_size=null"], ["trainer.batch_size: should be a valid integer, not null"]),
    (["seed=-1"], ["seed: should be greater than or equal to 0, not -1"]),
    (["threads=0"], ["threads: should be greater than 0"]),
    (["version=1.0"], ["version: should be a valid string, not 1.0"]),
    (["version=one"], ["version: String should match pattern"]),
    (["name='My Model'"], ["name: String should match pattern"]),
    (["data.split.test=1.5"], ["data.split.test: should be less than 1"]),
    (["data.checks.leakage=ignore"], ["data.checks.leakage: should be 'fail', 'drop' or 'warn'"]),
    (["data.source.files=[{name: a.gz}]"], ["data.source.files.0.urls: required, but nowhere set"]),
    (["data.source.files=[{name: ../a, urls: [x]}]"], ["data.source.files.0.name: String should match pattern"]),
    (
        ["model.chanels=[8]"],
        ["model.chanels: stagewise.models.cnn.CNN has no argument of this name; did you mean channels"],
    ),
    (["optimizer.lrr=1"], ["optimizer.lrr: torch.optim.AdamW has no argument of this name; did you mean lr"]),
    (["optimizer._target_=os.system"], ["optimizer._target_: 'os.system' may not be named by a config"]),
    (["model._target_=stagewise.models.nope.Net"], ["'stagewise.models.nope.Net' does not exist"]),
    (["augment.transforms=[{_target_: builtins.eval}]"], ["augment.transforms.0._target_: 'builtins.eval' may not"]),
    (["optimizer.lr=${nothing}"], ["a config value cannot be resolved", "optimizer.lr", "'nothing' not found"]),
    (["compress.max_accuracy_drop=-1"], ["compress.max_accuracy_drop: should be greater than or equal to 0"]),
    (["evaluate.folds=-1"], ["evaluate.folds: should be greater than or equal to 0"]),
    (["package.licence=mit"], ["package.licence: unknown key", "did you mean license"]),
]


@pytest.mark.parametrize(("overrides", "fragments"), WRONG, ids=[wrong[0][0] for wrong in WRONG])
def test_a_mistake_is_named_with_its_place_and_the_valid_names(
    project: Path, overrides: list[str], fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(project, overrides)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_all_mistakes_are_reported_at_once(project: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(project, ["seed=-1", "model.chanels=2", "trainer.max_epoch=3"])
    assert len(caught.value.details) == 3
    assert "3 mistakes" in caught.value.what


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("params.yaml", "seed: 0", "seed: zero", "params.yaml:"),
        ("conf/model/cnn.yaml", "hidden: 128", "hiden: 128", "conf/model/cnn.yaml:"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line(project: Path, file: str, old: str, new: str, place: str) -> None:
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    line = text[: text.index(old)].count("\n") + 1
    with pytest.raises(ConfigError) as caught:
        compose(project)
    assert f"({place}{line})" in str(caught.value)


def test_files_do_not_depend_on_the_order_of_keys(project: Path) -> None:
    def written() -> dict[str, bytes]:
        return {stage: file.read_bytes() for stage, file in configure(project).items()}

    before = written()
    for file in (project / "params.yaml", *sorted((project / "conf").glob("*/*.yaml"))):
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(dict(reversed(content.items())), sort_keys=False))
    assert written() == before


def test_folds_bring_the_training_sections_into_evaluate(project: Path) -> None:
    assert stage_settings(compose(project))["evaluate"].cross_validation is None
    runner = stage_settings(compose(project, ["evaluate.folds=5"]))["evaluate"].cross_validation
    assert runner.arguments["folds"] == 5
    assert {"augment", "module", "optimizer", "scheduler", "trainer"} <= runner.arguments.keys()
