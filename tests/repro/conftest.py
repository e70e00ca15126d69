"""One real run of the whole default pipeline, shared by the tests that look at what it leaves."""

from pathlib import Path

import pytest
from workspaces import call, workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which ``stagewise repro`` has run every stage on the default data."""
    root = workspace(tmp_path_factory.mktemp("finished") / "project")
    (root / "dvc.lock").unlink()  # as if nothing had ever run
    done = call(root, "stagewise", "repro")
    (root.parent / "printed.txt").write_text(done.stdout)
    return root
