from pathlib import Path

import pytest
from small_packages import MAKERS


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small package of every kind of input; that of images answers by default where all are served."""
    root = tmp_path_factory.mktemp("packages")
    return {kind: make(root / kind) for kind, make in MAKERS.items()}
