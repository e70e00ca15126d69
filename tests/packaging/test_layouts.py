"""``stagewise layout``: a package as other servers want it."""

import base64
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stagewise.cli import main
from stagewise.errors import PackageError
from stagewise.packaging.forms.zip_files import write_zip
from stagewise.packaging.layouts import triton
from stagewise.packaging.layouts.contents import Contents
from stagewise.packaging.layouts.lay_out import LAYOUTS, lay_out
from stagewise.packaging.predictor import Predictor, verify


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_equal_packages_give_equal_bytes(kind, packaged, tmp_path):
    moved = Path(shutil.copytree(packaged, tmp_path / "moved"))
    lay_out(kind, packaged, tmp_path / "a")
    lay_out(kind, moved, tmp_path / "deeper" / "b")
    assert content(tmp_path / "a") == content(tmp_path / "deeper" / "b") != {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "deeper", "moved"]


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_command_says_what_to_do_next(kind, packaged, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["layout", kind, str(packaged), str(tmp_path / "out")])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path / 'out'}\nnext: ")
    assert str(tmp_path / "out") in out.split("next: ")[1]


def damaged(copy: Path, _: Path) -> None:
    (copy / "model.onnx").write_bytes(b"boo")


def file_there(_: Path, out: Path) -> None:
    out.write_text("mine")


def folder_there(_: Path, out: Path) -> None:
    out.mkdir()
    (out / "mine").write_text("mine")


def link_there(copy: Path, out: Path) -> None:
    out.symlink_to(copy.parent / "elsewhere")


def no_package(copy: Path, _: Path) -> None:
    shutil.rmtree(copy)


REFUSED = {
    "a damaged package": (damaged, "cannot be trusted"),
    "no package": (no_package, "cannot be trusted"),
    "a file in its place": (file_there, "nothing is overwritten"),
    "a folder that is not empty": (folder_there, "nothing is overwritten"),
    "a link": (link_there, "nothing is overwritten"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("kind", LAYOUTS)
def test_what_is_refused_leaves_nothing_behind(kind, case, copy, tmp_path):
    change, message = REFUSED[case]
    out = tmp_path / "out"
    change(copy, out)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PackageError, match=message):
        lay_out(kind, copy, out)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", [".", "layout", "examples/layout"])
def test_a_layout_inside_the_package_is_refused(place, copy):
    with pytest.raises(PackageError, match="inside the package"):
        lay_out("docker", copy, copy / place)
    verify(copy)


def test_an_empty_folder_is_filled(packaged, tmp_path):
    (tmp_path / "out").mkdir()
    lay_out("huggingface", packaged, tmp_path / "out")
    assert (tmp_path / "out" / "README.md").is_file()


def test_a_failure_leaves_nothing_behind(packaged, tmp_path, monkeypatch):
    def fail(_: Contents, out: Path) -> None:
        (out / "half").write_text("half")
        raise OSError("disk full")

    monkeypatch.setitem(LAYOUTS, "docker", fail)
    with pytest.raises(OSError, match="disk full"):
        lay_out("docker", packaged, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


# ---- Hugging Face


def test_what_is_downloaded_from_the_hub_is_the_package(packaged, tmp_path):
    lay_out("huggingface", packaged, tmp_path / "out")
    inside = content(tmp_path / "out")
    assert inside.pop(".gitattributes") == b"*.onnx filter=lfs diff=lfs merge=lfs -text\n"
    assert inside == content(packaged)
    assert Predictor.load(tmp_path / "out").self_test() == 3
    assert json.loads(inside["config.json"])["id2label"]["1"] == "grey"


# ---- Docker


def test_the_dockerfile(packaged, tmp_path):
    lay_out("docker", packaged, tmp_path / "out")
    lines = (tmp_path / "out" / "Dockerfile").read_text().splitlines()
    steps = [line for line in lines if line and not line.startswith("#")]
    assert steps[0] == "FROM python:3.11-slim"
    assert steps.index("USER 10001:10001") < steps.index("RUN python /model/predict.py --self-test")
    assert 'ENTRYPOINT ["python", "/model/predict.py"]' in steps
    copied = [line.split()[1].rstrip("/") for line in steps if line.startswith("COPY")]
    assert copied == ["requirements.txt", "package"]
    assert all((tmp_path / "out" / name).exists() for name in copied)
    ignored = (tmp_path / "out" / ".dockerignore").read_text().split()
    assert ignored == ["*", *(f"!{name}" for name in sorted(copied))]
    assert content(tmp_path / "out" / "package") == content(packaged)


def test_the_image_gets_the_versions_that_are_known(packaged, tmp_path):
    lay_out("docker", packaged, tmp_path / "out")
    pins = (tmp_path / "out" / "requirements.txt").read_text().splitlines()
    assert pins == ["numpy==2.4.6", "onnxruntime>=1.24", "pillow==13.0.0"]


# ---- Triton


def described(**changes: Any) -> Contents:
    feature = {"name": "tokens", "dtype": "int32", "shape": [None]}
    outputs = [{"name": "value", "dtype": "float32", "shape": ["batch"]}]
    schema = {"inputs": [feature], "target": {"kind": "number"}, "outputs": outputs, **changes}
    return Contents(Path("nowhere"), "m", "1.0.0", schema)


def test_the_repository_of_triton(packaged, tmp_path):
    lay_out("triton", packaged, tmp_path / "out")
    folder = tmp_path / "out" / "shades"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shades"]
    assert (folder / "1" / "model.onnx").read_bytes() == (packaged / "model.onnx").read_bytes()
    assert (folder / "labels.txt").read_text() == "black\ngrey\nwhite\n"
    lines = [line.strip() for line in (folder / "config.pbtxt").read_text().splitlines()]
    for line in (
        'name: "shades"',
        'backend: "onnxruntime"',
        "max_batch_size: 64",
        '{ name: "image" data_type: TYPE_UINT8 dims: [ 6, 4, 1 ] }',
        '{ name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape: { shape: [ ] } },',
        '{ name: "probabilities" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "labels.txt" }',
        "dynamic_batching { }",
    ):
        assert line in lines
    text = (folder / "config.pbtxt").read_text()
    for left, right in ("{}", "[]"):
        assert text.count(left) == text.count(right)


def test_a_client_of_triton_makes_the_rows_of_the_graph(packaged, tmp_path):
    lay_out("triton", packaged, tmp_path / "out")
    readme = (tmp_path / "out" / "shades" / "client" / "README.md").read_text()
    code = "\n".join(re.findall(r"^    (?!tritonserver)(.*)$", readme, re.MULTILINE))
    program = f"value = {str(packaged / 'examples' / '1.png')!r}\n{code}\nprint(rows.dtype, rows.shape, rows.mean())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "out" / "shades" / "client", capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("uint8 (1, 6, 4, 1) 120.0\n", "")


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        ({"name": "value", "dtype": "float32", "shape": ["batch"]}, '"value" data_type: TYPE_FP32 dims: [ 1 ] reshape'),
        ({"name": "f", "dtype": "float32", "shape": ["batch", 96, 7]}, '"f" data_type: TYPE_FP32 dims: [ 96, 7 ] }'),
        ({"name": "f", "dtype": "float64", "shape": ["batch", "n"]}, '"f" data_type: TYPE_FP64 dims: [ -1 ] }'),
    ],
)
def test_other_shapes_for_triton(outputs, line, packaged, tmp_path):
    contents = described(outputs=[outputs])
    contents = Contents(packaged, contents.name, contents.version, contents.schema)
    triton.write(contents, tmp_path)
    text = (tmp_path / "m" / "config.pbtxt").read_text()
    assert '"tokens" data_type: TYPE_INT32 dims: [ -1 ] }' in text
    assert line in text
    assert "label_filename" not in text
    assert not (tmp_path / "m" / "labels.txt").exists()


# ---- MLflow


def loaded(folder: Path) -> Any:
    """What MLflow does with a ``python_function``, without MLflow."""
    flavor = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    source = (folder / flavor["code"] / f"{flavor['loader_module']}.py").read_text()
    module: dict[str, Any] = {}
    exec(source, module)
    return module["_load_pyfunc"](str(folder / flavor["data"]))


class Frame:
    """As much of a data frame as the loader uses."""

    def __init__(self, **columns: list[Any]) -> None:
        self.columns, self._data = list(columns), columns

    def __getitem__(self, name: str) -> list[Any]:
        return self._data[name]

    def to_dict(self, orient: str) -> Any:
        rows = [dict(zip(self._data, row, strict=True)) for row in zip(*self._data.values(), strict=True)]
        return {"records": rows, "list": self._data}[orient]


def test_the_loader_of_mlflow_predicts(packaged, tmp_path):
    lay_out("mlflow", packaged, tmp_path / "out")
    model = loaded(tmp_path / "out")
    data = (packaged / "examples" / "2.png").read_bytes()
    pixels = np.full((6, 4), 250, np.uint8)
    (expected,) = [answer.to_dict() for answer in Predictor.load(packaged).predict(data)]
    assert expected["label"] == "white"
    for given in (
        Frame(image=[data]),
        Frame(image=[base64.b64encode(data).decode()]),
        [data],
        [pixels],
        [pixels.tolist()],
        pixels[None],
        data,
    ):
        assert model.predict(given) == [expected]
    assert len(model.predict([data], {"top": 3})[0]["top"]) == 3


def test_mlmodel(packaged, tmp_path):
    lay_out("mlflow", packaged, tmp_path / "out")
    described = yaml.safe_load((tmp_path / "out" / "MLmodel").read_text())
    assert json.loads(described["signature"]["inputs"]) == [{"type": "binary", "name": "image", "required": True}]
    assert described["metadata"]["version"] == "1.2.3"
    assert "utc_time_created" not in described
    assert (tmp_path / "out" / "requirements.txt").read_text().split()[0] == "mlflow"
    environment = described["flavors"]["python_function"]["env"]["virtualenv"]
    assert yaml.safe_load((tmp_path / "out" / environment).read_text())["dependencies"] == ["-r requirements.txt"]


@pytest.mark.parametrize(
    ("kind", "frame", "expected"),
    [
        ("table", Frame(a=[1, 2], b=["x", "y"]), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("series", Frame(t=["2024"], x=[0.5]), [{"t": ["2024"], "x": [0.5]}]),
        ("text", Frame(text=["one", "two"]), ["one", "two"]),
        ("sound", Frame(sound=["UklGRg==", b"fLaC"]), [b"RIFF", b"fLaC"]),
    ],
)
def test_frames_of_other_kinds(kind, frame, expected, packaged, tmp_path):
    lay_out("mlflow", packaged, tmp_path / "out")
    seen: list[Any] = []

    class Echo:
        schema = {"inputs": [{"kind": kind}]}

        def predict(self, values: list[Any]) -> list[Any]:
            seen.extend(values)
            return []

    assert type(loaded(tmp_path / "out"))(Echo()).predict(frame) == []
    assert seen == expected


@pytest.mark.filterwarnings("ignore")
def test_mlflow_itself_loads_it(packaged, tmp_path):
    pandas, pyfunc = pytest.importorskip("pandas"), pytest.importorskip("mlflow.pyfunc")
    lay_out("mlflow", packaged, tmp_path / "out")
    model = pyfunc.load_model(str(tmp_path / "out"))
    data = (packaged / "examples" / "2.png").read_bytes()
    (answer,) = model.predict(pandas.DataFrame({"image": [data]}), params={"top": 2})
    assert (answer["label"], len(answer["top"])) == ("white", 2)


def test_layouts_of_an_unpacked_archive(packaged, tmp_path):
    """What was sent as a .zip is a package again."""
    write_zip(tmp_path / "p.zip", {f"p/{name}": data for name, data in sorted(content(packaged).items())})
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        archive.extractall(tmp_path)
    assert lay_out("docker", tmp_path / "p", tmp_path / "out").startswith("docker build --tag shades:1.2.3 ")
