"""What is composed from params.yaml and conf/, and what is said about mistakes."""

from pathlib import Path

import pytest
import yaml

from stagewise.config.compose import compose
from stagewise.config.resolve import configure, stage_settings

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
