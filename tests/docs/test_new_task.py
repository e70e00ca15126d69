"""docs/new-task.md, followed to the letter: its files written, its commands run, in a copy of the project."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from workspaces import ROOT, call, workspace

PAGE = (ROOT / "docs" / "new-task.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:^|\n)`([\w./-]+)`\n\n$")
MAY_CHANGE = {"conf/targets.yaml", "params.yaml"}


def written() -> dict[str, str]:
    """The page's files, by name: the line before a block of code says it."""
    files: dict[str, str] = {}
    for block in FENCE.finditer(PAGE):
        language, text = block.groups()
        if language:
            name = NAMED.search(PAGE[: block.start()])
            assert name, f"no file name before the block that begins with {text.splitlines()[0]!r}"
            files[name[1]] = text
    return files


def commands() -> list[str]:
    """The page's commands, in order."""
    return [line for language, text in FENCE.findall(PAGE) if not language for line in text.splitlines()]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project before the page."""
    return workspace(tmp_path_factory.mktemp("new-task") / "project")


@pytest.fixture(scope="module")
def followed(start: Path) -> tuple[Path, dict[str, str]]:
    """The workspace after the page, and what each of its commands printed."""
    for name, text in written().items():
        (start / name).parent.mkdir(parents=True, exist_ok=True)
        (start / name).write_text(text)
    printed = {}
    for command in commands():
        words = shlex.split(command)
        if words[0] == "make":  # the environment is there already
            words[0] = "stagewise"
        printed[command] = call(start, *words, OMP_NUM_THREADS="1").stdout
    return start, printed


def package(root: Path) -> Path:
    params = yaml.safe_load(written()["params.yaml"])
    return root / "dist" / f"{params['name']}-{params['version']}"


def test_the_page_says_what_to_run() -> None:
    assert [" ".join(shlex.split(command)[:2]) for command in commands()] == [
        "make repro",
        "stagewise predict",
        "stagewise plan",
    ]


def test_no_line_of_the_page_is_longer_than_the_project_allows() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_only_settings_of_the_project_change(followed: tuple[Path, dict[str, str]]) -> None:
    root, _ = followed
    changed = call(root, "git", "diff", "--name-only", "HEAD", "--", "src", "conf", "stages", "params.yaml", "dvc.yaml")
    assert set(changed.stdout.split()) == MAY_CHANGE
    existing = set(call(root, "git", "ls-tree", "-r", "--name-only", "HEAD").stdout.split())
    assert existing & written().keys() == MAY_CHANGE


def test_the_metric_of_the_page_sums_the_model_up(followed: tuple[Path, dict[str, str]]) -> None:
    root, printed = followed
    metrics = json.loads((root / "reports/evaluation/metrics.json").read_text())
    assert list(metrics)[:4] == ["rows", "coverage", "coverage_low", "coverage_high"]
    assert metrics["coverage_low"] < metrics["coverage"] < metrics["coverage_high"]
    assert metrics["coverage_low"] <= 0.8 <= metrics["coverage_high"]  # the loss aims at the level, not at the mean
    assert "test coverage" in printed["make repro"]


def test_the_loss_and_the_measure_are_recorded(followed: tuple[Path, dict[str, str]]) -> None:
    root, _ = followed
    head, *rows = (root / "reports/evaluation/learning_curves.csv").read_text().splitlines()
    assert {"train_loss", "train_pinball", "val_loss", "val_pinball"} <= set(head.split(","))
    first, last = (dict(zip(head.split(","), row.split(","), strict=True)) for row in (rows[0], rows[-1]))
    assert float(last["train_pinball"]) < float(first["train_pinball"])


def test_the_report_is_the_page_s_own(followed: tuple[Path, dict[str, str]]) -> None:
    root, _ = followed
    report = (root / "reports/evaluation/report.html").read_text()
    assert "stay below the answer" in report
    assert "LinePlus" in report


def test_the_package_answers_with_what_it_expects(followed: tuple[Path, dict[str, str]]) -> None:
    root, printed = followed
    asked = next(command for command in commands() if command.startswith("stagewise predict"))
    *_, folder, example = shlex.split(asked)
    assert root / folder == package(root)
    expected = json.loads((package(root) / "examples" / "expected.json").read_text())["outputs"][Path(example).name]
    name, answer = printed[asked].rstrip("\n").split("\t")
    assert name == example
    assert float(answer) == pytest.approx(expected[0], rel=1e-4)


def test_the_package_needs_neither_the_project_nor_the_page_s_code(
    followed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    root, _ = followed
    elsewhere = package(root).rename(tmp_path / "package")
    try:
        call(elsewhere, "python", "predict.py", "--self-test", PYTHONPATH="")
        loaded = call(elsewhere, "python", "-c", "import sys, predict; print(*sys.modules)", PYTHONPATH="")
    finally:
        elsewhere.rename(package(root))
    assert not {"torch", "stagewise", "myproject"} & {name.split(".")[0] for name in loaded.stdout.split()}


def test_nothing_is_left_to_run(followed: tuple[Path, dict[str, str]]) -> None:
    root, printed = followed
    assert "nothing" in printed["stagewise plan"], printed["stagewise plan"]
    call(root, "stagewise", "plan", "--check")


@pytest.mark.parametrize(
    ("name", "old", "new", "stages"),
    [
        ("readers.py", "columns", "cells", {"preprocess"}),
        ("module.py", "(level - 1) * error", "(level - 1.0) * error", {"train"}),
        ("evaluation.html.jinja", "Promised were", "The promise was", {"evaluate"}),
    ],
    ids=["reader", "loss", "template"],
)
def test_an_edit_of_the_page_s_code_enters_the_stages_that_use_it(
    followed: tuple[Path, dict[str, str]], name: str, old: str, new: str, stages: set[str]
) -> None:
    root, _ = followed
    file = root / "src/myproject" / name
    text = file.read_text()
    assert old in text
    try:
        file.write_text(text.replace(old, new))
        plan = call(root, "stagewise", "plan", "--check", code=1).stdout
    finally:
        file.write_text(text)
    blocks = re.findall(r"^(\w+)(.*(?:\n .*)*)", plan, re.MULTILINE)
    assert {stage for stage, why in blocks if f"src/myproject/{name}" in why and stage != "configure"} == stages


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.hidden=0", "model.hidden"),
        ("task.module.level=1", "task.module.level"),
        ("+task.module.decay_norm=true", "did you mean decay_norm_and_bias?"),
        ("model=cnn", "takes image"),
    ],
)
def test_the_page_s_code_is_checked_before_it_runs(
    followed: tuple[Path, dict[str, str]], override: str, told: str
) -> None:
    root, _ = followed
    refused = call(root, "stagewise", "config", "train", override, code=2)
    assert told in refused.stderr


def test_the_page_s_code_passes_the_linter(followed: tuple[Path, dict[str, str]]) -> None:
    root, _ = followed
    call(root, "ruff", "check", "src/myproject")
    call(root, "ruff", "format", "--check", "src/myproject")
