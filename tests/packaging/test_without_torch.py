"""The package in a Python environment that holds onnxruntime, numpy and Pillow, and nothing of the project."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stagewise.packaging.predictor import Predictor


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    executable = folder / "bin" / "python"
    pins = [f"{name}=={version(name)}" for name in ("numpy", "onnxruntime", "pillow")]
    install = [executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", *pins]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return executable


def run(python: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(item) for item in (python, *arguments)]
    return subprocess.run(command, cwd=cwd, env={"PATH": "/nowhere"}, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["torch", "stagewise", "onnx"])
def test_the_environment_has_no_framework(python, tmp_path, name):
    done = run(python, "-c", f"import {name}", cwd=tmp_path)
    assert f"No module named '{name}'" in done.stderr


def test_it_predicts_what_it_predicts_here(python, packaged, tmp_path):
    image = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(60, 190, (40, 30, 3), np.uint8)).save(image)
    done = run(python, packaged / "predict.py", "photo.png", "--json", "--top", 3, cwd=tmp_path)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    (expected,) = Predictor.load(packaged).predict(image)
    assert answer["label"] == expected.label
    assert answer["top"] == {label: round(value, 6) for label, value in expected.top(3)}


def test_it_changes_nothing_in_the_package(python, packaged, tmp_path):
    before = sorted(packaged.rglob("*"))
    done = run(python, packaged / "predict.py", "--self-test", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "shades 1.2.3: 3 examples as recorded\n")
    assert sorted(packaged.rglob("*")) == before


def test_it_is_importable_as_the_card_says(python, packaged, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(packaged)!r}); sys.dont_write_bytecode = True\n"
    code += f"from predict import Predictor\npredictor = Predictor.load({str(packaged)!r})\n"
    code += f"print(predictor.predict({str(packaged / 'examples' / '2.png')!r})[0].label)"
    done = run(python, "-c", code, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("white\n", "")


@pytest.mark.parametrize(("content", "message"), [(None, "no such file"), (b"<html>", "not an image")])
def test_a_mistake_is_one_message(python, packaged, tmp_path, content, message):
    if content is not None:
        (tmp_path / "bad.png").write_bytes(content)
    done = run(python, packaged / "predict.py", "bad.png", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"bad.png: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_package_is_refused(python, copy):
    (copy / "model.onnx").write_bytes(b"boo")
    done = run(python, copy / "predict.py", "examples/0.png", cwd=copy)
    assert done.returncode == 2
    assert "model.onnx was changed" in done.stderr
    assert "Traceback" not in done.stderr
