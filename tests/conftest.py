"""Fixtures that several parts of the test suite share."""

import os
import shutil
from pathlib import Path

import pytest
from workspaces import PARAMS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this project's config and stages, with its sources linked."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS)
    shutil.copy(ROOT / "dvc.yaml", root / "dvc.yaml")
    for name in ("conf", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "src").symlink_to(ROOT / "src")
    return root


@pytest.fixture
def mirror() -> Path:
    """The folder of published data sets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("STAGEWISE_MIRROR", ROOT.parent / "shared" / "data"))
    if not (folder / "mnist").is_dir():
        pytest.skip("no mirror of the data sets (STAGEWISE_MIRROR)")
    return folder


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name raw bytes by their length: their content may differ between workers (a time inside a gzip header)."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few long tests come first: begun last, one of them would keep a single worker busy at the end."""
    first = (
        "repro/test_faults_kill.py",
        "exact/",
        "review/test_planted.py",
        "repro/",
        "experiments/",
        "training/test_resume.py",
    )
    ranks = {
        item: next((rank for rank, name in enumerate(first) if f"tests/{name}" in str(item.path)), len(first))
        for item in items
    }
    items.sort(key=lambda item: ranks[item])
