"""requirements.lock: exact pins of everything pyproject.toml asks for, and nothing of any machine."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_line_is_an_exact_pin() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][^\s+@/]*", line)] == []


def test_every_requirement_is_pinned() -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "requirements.lock").read_text().splitlines()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"]
    lines += [
        line for extra in ("pipeline", "serve", "parquet", "dev") for line in project["optional-dependencies"][extra]
    ]
    assert {re.split(r"[\[<>=]", line)[0].lower() for line in lines} - pinned == set()
