"""What every test of a review needs."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_site_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC keeps what it knows of files in one folder for all projects of a machine, unless told otherwise."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
