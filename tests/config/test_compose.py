"""What is composed from params.yaml and conf/, and what is said about mistakes."""

from pathlib import Path

import pytest
import yaml
from workspaces import PARAMS

from stagewise.config.compose import compose
from stagewise.config.resolve import configure, stage_settings
from stagewise.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf"
CHOICES = [(file.parent.name, file.stem) for file in sorted(CONF.glob("*/*.yaml"))]


EXPERIMENTS = [choice for group, choice in CHOICES if group == "experiment"]
STAGES = ["ingest", "preprocess", "train", "evaluate", "compress", "package"]


@pytest.fixture
def blank(project: Path) -> Path:
    """A project whose params.yaml leaves everything to the experiment."""
    (project / "params.yaml").write_text("name: x\nversion: 0.1.0\nseed: 0\nthreads: 1\nmodel:\noptimizer:\n")
    return project


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_resolves(blank: Path, name: str) -> None:
    assert list(stage_settings(compose(blank, [f"experiment={name}"]), blank)) == STAGES


@pytest.mark.parametrize(("group", "choice"), [pair for pair in CHOICES if pair[0] not in ("experiment", "sweep")])
def test_every_choice_composes_and_resolves_within_some_experiment(blank: Path, group: str, choice: str) -> None:
    errors = []
    # The experiments that name the choice come first.
    named = sorted(EXPERIMENTS, key=lambda name: choice not in (CONF / "experiment" / f"{name}.yaml").read_text())
    for name in named:
        try:
            settings = stage_settings(compose(blank, [f"experiment={name}", f"{group}={choice}"]), blank)
        except ConfigError as error:
            errors.append(str(error))
        else:
            assert list(settings) == STAGES
            return
    raise AssertionError(errors)


def test_an_experiment_lies_under_params(blank: Path) -> None:
    file = blank / "conf/experiment/mine.yaml"
    file.write_text("data: digits\nmodel: {use: cnn, padding: 0}\noptimizer: {use: sgd, lr: 0.5, momentum: 0.9}\n")
    project = compose(blank, ["experiment=mine"])
    assert (project.model.arguments["padding"], project.optimizer.arguments["lr"]) == (0, 0.5)
    # Values are laid over the experiment's choice.
    project = compose(blank, ["experiment=mine", "optimizer.lr=0.25"])
    assert (project.optimizer.arguments["lr"], project.optimizer.arguments["momentum"]) == (0.25, 0.9)
    # Another choice takes none of its values.
    project = compose(blank, ["experiment=mine", "model=mlp", "optimizer={use: adamw}"])
    assert project.model.target.endswith(".MLP") and "padding" not in project.model.arguments
    assert project.optimizer.target.endswith(".AdamW") and project.optimizer.arguments["lr"] != 0.5


def test_the_word_that_an_experiment_stands_for_gives_the_same_files(project: Path, blank: Path) -> None:
    by_experiment = configure(blank, ["experiment=digits", "threads=2", "name=my-model"])
    experiment = {stage: file.read_bytes() for stage, file in by_experiment.items()}
    (project / "params.yaml").write_text(PARAMS)
    assert {stage: file.read_bytes() for stage, file in configure(project).items()} == experiment


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        (None, ["experiment=digit"], "experiment: there is no conf/experiment/digit.yaml"),
        (None, ["experiment=digit"], "did you mean digits"),
        ("data: digits\nmodl: cnn\n", ["experiment=mine"], "modl: unknown section (conf/experiment/mine.yaml:2)"),
        ("data: digits\nmodel: {use: cnn, hiden: 3}\n", ["experiment=mine"], "(conf/experiment/mine.yaml:2)"),
        ("data: digits\nexperiment: digits\n", ["experiment=mine"], "an experiment cannot build on another"),
        ("data: digits\ndata: mnist\n", ["experiment=mine"], "has the key data twice"),
    ],
)
def test_what_is_wrong_with_an_experiment(blank: Path, text: str | None, overrides: list[str], words: str) -> None:
    if text:
        (blank / "conf/experiment/mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        compose(blank, overrides)
    assert words in str(caught.value)


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_says_what_it_is_and_how_to_use_it(group: str, choice: str) -> None:
    head = (CONF / group / f"{choice}.yaml").read_text().split("\n\n")[0]
    comments = [line for line in head.splitlines() if line.startswith("#")]
    assert len(comments) >= 2
    assert any(word in head for word in ("dvc exp run", "python stages/", "make repro", "stagewise sweep"))


def test_files_do_not_depend_on_the_order_of_keys(project: Path) -> None:
    def written() -> dict[str, bytes]:
        return {stage: file.read_bytes() for stage, file in configure(project).items()}

    before = written()
    for file in (project / "params.yaml", *sorted((project / "conf").glob("*/*.yaml"))):
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(dict(reversed(content.items())), sort_keys=False))
    assert written() == before


def test_folds_bring_the_training_sections_into_evaluate(project: Path) -> None:
    assert stage_settings(compose(project), project)["evaluate"].cross_validation is None
    runner = stage_settings(compose(project, ["evaluate.folds=5"]), project)["evaluate"].cross_validation
    assert runner.arguments["folds"] == 5
    assert {"augment", "module", "optimizer", "scheduler", "trainer"} <= runner.arguments.keys()
