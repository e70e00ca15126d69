"""The same choice gives the same files in a locale of eight-bit letters."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_letters_beyond_ascii_mean_the_same_everywhere(project: Path, tmp_path: Path) -> None:
    tool = shutil.which("localedef")
    made = tmp_path / "tr_TR.ISO-8859-9"
    if tool:
        subprocess.run([tool, "--no-archive", "-i", "tr_TR", "-f", "ISO-8859-9", str(made)], check=False)
    if not made.is_dir():
        pytest.skip("this machine cannot make the locale")
    params = project / "params.yaml"
    params.write_text(params.read_text() + "data: {use: digits, source: {license: '© café ğ'}}\n")
    params.write_text(params.read_text().replace("data: digits\n", "", 1), encoding="utf-8")
    found = []
    for name in ("C.UTF-8", made.name):
        variables = {**os.environ, "LC_ALL": name, "LANG": name, "LOCPATH": str(tmp_path), "PYTHONUTF8": "0"}
        command = [sys.executable, "-m", "stagewise", "configure"]
        subprocess.run(command, cwd=project, env=variables, check=True, capture_output=True)
        found.append({file.name: file.read_bytes() for file in (project / "build").glob("*.yaml")})
        shutil.rmtree(project / "build")
    assert found[0] == found[1]
    assert "© café ğ".encode() in found[0]["ingest.yaml"]
