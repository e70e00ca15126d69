"""The pages of docs/: generated parts are fresh, links lead somewhere, every command exists."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagewise.cli import _parse
from stagewise.config.compose import compose
from stagewise.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:dvc exp run|python stages/|python -m stagewise)(?:(?!, or|, then|; |\. ).)*")
HEADS = sorted((ROOT / "conf").rglob("*.yaml"))


def commands(page: Path) -> Iterator[str]:
    """Yield the shell commands in the plain code blocks of a page."""
    for block in re.findall(r"^```\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        typed = [line for line in lines if line.startswith("$ ")]  # what else is in such a block was printed
        for line in typed or lines:
            line = line.removeprefix("$ ").split("  #")[0].strip()
            if line.split(" ")[0].split("=")[0] in {"make", "dvc", "python", "stagewise", "git", "STAGEWISE_MIRROR"}:
                yield line


COMMANDS = [(page.name, command) for page in PAGES for command in commands(page)]


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_has_exactly_two_commands_to_set_up_and_go() -> None:
    assert [line for line in commands(ROOT / "README.md") if line.startswith("make")] == ["make repro", "make test"]


@pytest.mark.parametrize("command", [command for _, command in COMMANDS], ids=[f"{n}: {c}" for n, c in COMMANDS])
def test_every_command_of_the_docs_exists(project: Path, command: str) -> None:
    check(project, command)


@pytest.mark.parametrize("file", HEADS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_command_at_the_head_of_a_config_exists(project: Path, file: Path) -> None:
    head = [line.lstrip("# ") for line in file.read_text().splitlines() if line.startswith("#")]
    for line in head:
        for command in COMMAND.findall(line):
            check(project, command.strip())


def check(project: Path, command: str) -> None:
    """Check a command against what it names: make targets, our parser, the composed config."""
    # As a reader has it: what an experiment says is not overridden.
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    words = shlex.split(command.split("&&")[0])
    while "=" in words[0]:
        words.pop(0)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "stagewise" or words[:3] == ["python", "-m", "stagewise"]:
        options = _parse(words[1:] if words[0] == "stagewise" else words[3:])
        try_overrides(project, getattr(options, "overrides", []), may_be_wrong=True)
    elif words[:3] == ["dvc", "exp", "run"]:
        try_overrides(project, [words[i + 1] for i, word in enumerate(words) if word == "-S"])
    elif words[0] == "python" and words[1].startswith("stages/"):
        assert (ROOT / words[1]).is_file()
        try_overrides(project, words[2:])
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file() or words[1] == "predict.py"
    else:
        assert words[0] in {"dvc", "git"}


def try_overrides(project: Path, overrides: list[str], may_be_wrong: bool = False) -> None:
    try:
        compose(project, overrides)
    except ConfigError:
        if not may_be_wrong:
            raise
