"""The package in a Python environment that holds onnxruntime, numpy and Pillow, and nothing of the project."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stagewise.packaging.forms.wheel import write_wheel
from stagewise.packaging.layouts.lay_out import lay_out
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


# ---- as a wheel


@pytest.fixture(scope="module")
def installed(python, packaged, tmp_path_factory) -> Path:
    """The same environment after ``pip install`` of the wheel; pip itself finds all that it asks for."""
    wheel = write_wheel(packaged, tmp_path_factory.mktemp("wheel"))
    install = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-index", wheel]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Successfully installed shades-1.2.3" in done.stdout
    return python


def test_a_wheel_is_imported_and_predicts(installed, packaged, tmp_path):
    image = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(60, 190, (40, 30, 3), np.uint8)).save(image)
    code = "import json, sys, shades\n(answer,) = shades.predict('photo.png')\n"
    code += "print(json.dumps([answer.to_dict(3), shades.__version__, shades.load().self_test()]))"
    done = run(installed, "-c", code, cwd=tmp_path)
    assert done.stderr == ""
    (expected,) = Predictor.load(packaged).predict(image)
    assert json.loads(done.stdout) == [expected.to_dict(3), "1.2.3", 3]


def test_a_wheel_does_what_the_card_says(installed, packaged, tmp_path):
    card = (packaged / "README.md").read_text()
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "import shades" in block]
    done = run(installed, "-c", code, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.startswith("{'label': 'black', 'probability': ")


def test_importing_it_loads_nothing_yet(installed, tmp_path):
    code = "import sys, shades; print({'onnxruntime', 'numpy'} & set(sys.modules))"
    assert run(installed, "-c", code, cwd=tmp_path).stdout == "set()\n"


def test_a_wheel_on_the_command_line(installed, packaged, tmp_path):
    done = run(installed, "-m", "shades", "--self-test", packaged / "examples" / "0.png", cwd=tmp_path)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "shades 1.2.3: 3 examples as recorded"
    assert second.split("\t")[1] == "black"


def test_a_wheel_whose_package_was_changed_is_refused(installed, tmp_path):
    """What pip installed is a package, verified like any other whenever it is loaded."""
    where = "import shades; print(shades.FOLDER)"
    folder = Path(run(installed, "-c", where, cwd=tmp_path).stdout.strip())
    content = (folder / "schema.json").read_bytes()
    (folder / "schema.json").write_bytes(content.replace(b"grey", b"gray"))
    try:
        done = run(installed, "-m", "shades", "--self-test", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "schema.json was changed" in done.stderr
    finally:
        (folder / "schema.json").write_bytes(content)


def test_a_wheel_leaves_nothing_behind(installed, tmp_path):
    where = run(installed, "-c", "import shades; print(shades.FOLDER.parent)", cwd=tmp_path).stdout.strip()
    before = sorted(Path(where).rglob("*"))
    assert run(installed, "-m", "shades", "--self-test", cwd=tmp_path).returncode == 0
    assert sorted(Path(where).rglob("*")) == before


# ---- what a container does, without the container


def test_the_package_of_the_container_passes_its_self_test(python, packaged, tmp_path):
    lay_out("docker", packaged, tmp_path / "context")
    done = run(python, "context/package/predict.py", "--self-test", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
