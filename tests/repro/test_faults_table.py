"""Every promise of docs/faults.md names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs" / "faults.md").read_text().splitlines() if line.startswith("| ")][1:]
NAMED = [re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row) for row in ROWS]


def test_every_row_names_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row, tests in zip(ROWS, NAMED, strict=True) if len(tests) != 1] == []


@pytest.mark.parametrize(("file", "name"), [test for tests in NAMED for test in tests])
def test_the_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_fault_of_a_whole_run_is_in_the_table() -> None:
    shown = {name for tests in NAMED for _, name in tests}
    for file in Path(__file__).parent.glob("test_faults_*.py"):
        if file.name != Path(__file__).name:
            tests = {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}
            assert {name for name in tests if name.startswith("test_")} <= shown | CONTROLS


CONTROLS = {"test_whole_objects_are_restored_and_nothing_is_said"}
