"""Two fresh processes that differ in all that must not matter, run once for all tests of this folder."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cases import ROOT, cases, missing
from small_data import LAY, lay_encoder

PARAMS = "name: exact\nversion: 0.1.0\nseed: 7\nthreads: 1\n"


@dataclass(frozen=True)
class Variant:
    """What one of the two processes is given."""

    folder: str
    environment: dict[str, str]
    umask: int
    ahead: int
    """Seconds by which its clock is ahead."""
    workers: int
    reverse: bool
    """Whether it does the cases from the last to the first, so that none leans on an earlier one."""


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """The two projects, with all that came out of every case that a test asks for below ``cases/``."""
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    folder = tmp_path_factory.mktemp("exact")
    plain = {"LC_ALL": "C", "LANG": "C", "TZ": "UTC", "PYTHONHASHSEED": "0"}
    other = {**other_locale(folder), "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "4242", "COLUMNS": "40"}
    variants = [
        Variant("one", plain, 0o022, ahead=0, workers=0, reverse=False),
        Variant("else where/naïve/two", other, 0o077, ahead=400 * 86400, workers=2, reverse=True),
    ]
    own = lay_own(folder / "own")
    roots = [lay_project(folder / variant.folder, own) for variant in variants]
    # Homes of ASCII letters: onnx opens no temporary file below another name in a locale of eight-bit letters.
    homes = [folder / "home", folder / "other home"]
    runs = [start(*given, asked) for given in zip(roots, homes, variants, strict=True)]
    try:
        for root, run in zip(roots, runs, strict=True):
            code = run.wait(timeout=1800)
            assert code == 0, (root / "printed.txt").read_text()[-4000:]
    finally:
        for run in runs:
            run.kill()
    return roots[0], roots[1]


def lay_own(folder: Path) -> Path:
    """The raw data, once: the same bytes for both."""
    folder.mkdir()
    for lay in LAY:
        lay(folder)
    if importlib.util.find_spec("transformers"):
        lay_encoder(folder)
    return folder


def lay_project(root: Path, own: Path) -> Path:
    for name in ("conf", "stages", "src"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copytree(own, root / "data" / "own")
    shutil.copy(ROOT / "dvc.yaml", root)
    (root / "params.yaml").write_text(PARAMS)
    return root


def start(root: Path, home: Path, variant: Variant, asked: set[str]) -> subprocess.Popen[bytes]:
    todo = [[name, overrides] for name, overrides in cases()[0].items() if name in asked and missing(name) is None]
    todo = [[name, [*overrides, f"trainer.workers={variant.workers}"]] for name, overrides in todo]
    (root / "cases.json").write_text(json.dumps(todo[::-1] if variant.reverse else todo))
    home.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment = {"PYTHONPATH": str(root / "src"), "HOME": str(home), "TMPDIR": str(home)}
    with (root / "printed.txt").open("w") as printed:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "run_cases.py"), "cases.json", str(variant.ahead)],
            cwd=root,
            env={**inherited, **environment, **variant.environment},
            umask=variant.umask,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )


def other_locale(folder: Path) -> dict[str, str]:
    """Turkish, whose i has other capitals, with commas in numbers and eight-bit letters; else what the machine has."""
    made = folder / "locales" / "tr_TR.ISO-8859-9"
    made.parent.mkdir()
    if tool := shutil.which("localedef"):
        command = [tool, "--no-archive", "-i", "tr_TR", "-f", "ISO-8859-9", str(made)]
        subprocess.run(command, capture_output=True, check=False)
    name = made.name if made.is_dir() else "C.UTF-8"
    return {"LC_ALL": name, "LANG": name, "LOCPATH": str(made.parent)} if made.is_dir() else {"LC_ALL": name}
