"""What is told where an extra is not installed, and that every import has one."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from installations import ROOT, brought, hidden, run
from packaging.utils import canonicalize_name

from stagewise.extras import MODULES, explain_missing

OTHERS = {
    "OpenSSL", "ai_edge_litert", "executorch", "litert_torch", "mlflow", "model_signing", "openvino", "peft",
    "transformers",
}  # fmt: skip
"""Modules of the extras that a config chooses, which tell of themselves."""

PIPELINE = (
    "why:   what leads to a package is an extra, so that using a package takes no PyTorch\n"
    "  next:  pip install 'stagewise[pipeline]'\n"
)
SERVE = "why:   answering over HTTP takes libraries that nothing else needs\n  next:  pip install 'stagewise[serve]'\n"


@pytest.mark.parametrize(
    ("extras", "arguments", "message"),
    [
        ((), ["repro"], f"stagewise repro: dvc is not installed\n  {PIPELINE}"),
        ((), ["repro", "--single-item", "train"], f"stagewise repro: dvc is not installed\n  {PIPELINE}"),
        ((), ["configure"], f"stagewise configure: hydra is not installed\n  {PIPELINE}"),
        ((), ["plan"], f"stagewise plan: dvc is not installed\n  {PIPELINE}"),
        ((), ["config", "train"], f"stagewise config: hydra is not installed\n  {PIPELINE}"),
        ((), ["diff", "HEAD"], f"stagewise diff: hydra is not installed\n  {PIPELINE}"),
        ((), ["schema"], f"stagewise schema: omegaconf is not installed\n  {PIPELINE}"),
        ((), ["sweep", "model=mlp"], f"stagewise sweep: omegaconf is not installed\n  {PIPELINE}"),
        ((), ["review"], f"stagewise review: hydra is not installed\n  {PIPELINE}"),
        (("serve",), ["review"], f"stagewise review: hydra is not installed\n  {PIPELINE}"),
        ((), ["serve", "dist/none"], f"stagewise serve: fastapi is not installed\n  {SERVE}"),
        (("pipeline",), ["serve", "dist/none"], f"stagewise serve: fastapi is not installed\n  {SERVE}"),
    ],
    ids=lambda value: "-".join(value) or "core" if isinstance(value, (list, tuple)) else "",
)
def test_a_missing_extra_is_one_message_and_exit_code_2(project, extras, arguments, message):
    done = run(extras, *arguments, cwd=project)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_help_needs_no_extra(tmp_path):
    for arguments in (["--help"], ["serve", "--help"], ["drift", "--help"], ["review", "--help"]):
        done = run((), *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["my_readers", "stagewise.none", None])
def test_a_module_of_no_extra_is_not_explained(name):
    assert explain_missing(ModuleNotFoundError("No module", name=name)) is None


def imports() -> Iterator[str]:
    """Modules of libraries that the code imports, wherever it does."""
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (item.name.partition(".")[0] for item in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield str(node.module).partition(".")[0]


def test_every_import_is_of_the_core_or_of_an_extra_that_is_told():
    owners = {name: set(map(canonicalize_name, found)) for name, found in packages_distributions().items()}
    libraries = set(imports()) - sys.stdlib_module_names - {"stagewise"} - OTHERS
    beyond = {name for name in libraries if not owners.get(name, set()) & brought(())}
    assert beyond == set().union(*MODULES.values()) - {"httptools", "uvloop"}  # uvicorn's to import


def test_every_module_that_is_told_comes_with_its_extra():
    owners = {name: set(map(canonicalize_name, found)) for name, found in packages_distributions().items()}
    for extra, modules in MODULES.items():
        assert [name for name in modules if not owners[name] & brought((extra,), core=False)] == []


def test_the_entry_point_of_containers_says_the_same(tmp_path):
    done = run((), "dist/none", cwd=tmp_path, module="stagewise.serving")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f"stagewise serve: fastapi is not installed\n  {SERVE}",
    )


def test_what_serves_holds_no_framework():
    names = brought(("serve",))
    assert not {"torch", "dvc", "hydra-core", "pytorch-lightning", "onnx", "pyarrow", "scipy", "pandas"} & names
    assert {"torch", "dvc", "pyarrow"} <= set(hidden(("serve",)))
