"""What every benchmark needs: a private copy of the project with a cold cache, and the median of a list."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
"""Where the mirror of the data sets and the reference programs lie, unless told otherwise."""


@contextmanager
def cold_copy() -> Iterator[Path]:
    """Yield a copy of the project's files as git sees them, as a git repository of its own with an empty cache."""
    with tempfile.TemporaryDirectory(prefix="stagewise-bench-") as name:
        root = Path(name) / "project"
        listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for file in filter(None, listed.split("\0")):
            if (ROOT / file).is_file():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, root / file)
        for leftover in ("dvc.lock", "build"):
            shutil.rmtree(root / leftover, ignore_errors=True) if (root / leftover).is_dir() else (
                root / leftover
            ).unlink(missing_ok=True)
        git(root, "init", "--quiet")
        yield root


def environment(root: Path) -> dict[str, str]:
    """Return the variables for commands in a copy: this Python first, the copy's own sources, a private site cache."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(root / "src"),
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        "STAGEWISE_MIRROR": os.environ.get("STAGEWISE_MIRROR", str(SHARED / "data")),
    }


def run(root: Path, *command: str) -> None:
    """Run a command in a copy, quietly; its output is shown when it fails."""
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def git(root: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def write_params(root: Path, overrides: list[str]) -> None:
    """Lay overrides over the copy's params.yaml, as `dvc exp run -S` would."""
    code = (
        "import sys, yaml, pathlib; from stagewise.config.params import apply_overrides, read_params;"
        "root = pathlib.Path.cwd(); groups = {f.name for f in (root / 'conf').iterdir() if f.is_dir()};"
        "params = apply_overrides(read_params(root), sys.argv[1:], groups);"
        "(root / 'params.yaml').write_text(yaml.safe_dump(params, sort_keys=False))"
    )
    subprocess.run([sys.executable, "-c", code, *overrides], cwd=root, env=environment(root), check=True)
