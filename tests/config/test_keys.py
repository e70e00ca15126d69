"""Stage keys: what is in the import closure, and which edits change its digest."""

from pathlib import Path

import pytest

from stagewise.config.keys import code_and_libraries
from stagewise.errors import ConfigError

HELPER = '''"""Docstring."""
import numpy
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from demo import typed

SIZE = 3

def double(x):
    """Twice."""
    return x * 2  # comment
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    package = tmp_path / "src" / "demo"
    (package / "nets").mkdir(parents=True)
    (package / "__init__.py").write_text('"""Demo."""\n')
    (package / "nets" / "__init__.py").write_text("")
    (package / "helper.py").write_text(HELPER)
    (package / "typed.py").write_text("A = 1\n")
    (package / "lazy.py").write_text("B = 1\n")
    (package / "nets" / "cnn.py").write_text("from ..helper import double\nclass CNN: ...\n")
    (package / "nets" / "mlp.py").write_text("class MLP: ...\n")
    (package / "page.jinja").write_text("<p>")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "train.py").write_text("import demo.helper\ndef f():\n    from demo import lazy\n")
    return tmp_path


CONFIG = {"model": {"_target_": "demo.nets.cnn.CNN"}}


def key(root: Path, config: dict = CONFIG) -> dict:
    return code_and_libraries("train", config, root)


def test_the_closure_follows_imports_and_targets(root: Path) -> None:
    assert list(key(root)["code"]) == [
        "src/demo/helper.py",
        "src/demo/lazy.py",
        "src/demo/nets/cnn.py",
        "src/demo/page.jinja",
        "stages/train.py",
    ]


def test_libraries_are_those_the_closure_imports(root: Path) -> None:
    assert set(key(root)["libraries"]) == {"python", "numpy"}


def test_a_target_in_a_library_brings_its_version(root: Path) -> None:
    assert set(key(root, {"model": {"_target_": "torch.nn.Linear"}})["libraries"]) == {"python", "numpy", "torch"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("src/demo/helper.py", "# comment", "# another"),
        ("src/demo/helper.py", '"""Twice."""', '"""Two times."""'),
        ("src/demo/helper.py", '    """Twice."""\n', ""),
        ("src/demo/helper.py", "x * 2", "(x  *  2)"),
        ("src/demo/typed.py", "1", "2"),
        ("src/demo/nets/mlp.py", "...", "x = 1"),
        ("src/demo/__init__.py", "Demo", "Another text"),
    ],
)
def test_what_does_not_enter_leaves_the_key(root: Path, file: str, old: str, new: str) -> None:
    before = key(root)
    edit(root / file, old, new)
    assert key(root) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("src/demo/helper.py", "x * 2", "x * 3"),
        ("src/demo/helper.py", "SIZE = 3", "SIZE = 4"),
        ("src/demo/lazy.py", "1", "2"),
        ("src/demo/nets/cnn.py", "...", "x = 1"),
        ("src/demo/page.jinja", "<p>", "<div>"),
        ("src/demo/__init__.py", '"""Demo."""', "import os"),
        ("src/demo/nets/__init__.py", "", "import demo.typed"),
        ("stages/train.py", "lazy", "typed"),
    ],
)
def test_what_enters_changes_the_key(root: Path, file: str, old: str, new: str) -> None:
    before = key(root)
    edit(root / file, old, new)
    assert key(root) != before
    edit(root / file, new, old)
    assert key(root) == before


def test_another_target_brings_its_own_module(root: Path) -> None:
    code = key(root, {"model": {"_target_": "demo.nets.mlp.MLP"}})["code"]
    assert "src/demo/nets/mlp.py" in code
    assert "src/demo/nets/cnn.py" not in code


def test_a_module_that_is_not_python_is_named_with_its_line(root: Path) -> None:
    (root / "src" / "demo" / "lazy.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(ConfigError) as caught:
        key(root)
    assert "src/demo/lazy.py:2" in str(caught.value)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    file.write_text(text.replace(old, new, 1) if old else text + new)
