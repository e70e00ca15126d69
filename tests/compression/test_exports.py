"""The trained network in further formats: equal bytes, no trace of the machine, the network's answers."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import TypeAdapter
from small_models import MODELS

from stagewise.compression.export import export_graph
from stagewise.compression.exports.program import full_batch, in_batches
from stagewise.compression.exports.writing import build_exports, write_exports
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection, Parity
from stagewise.errors import CompressionError, ConfigError

EXPORTS = {
    "pt2": ("torch_export.TorchExport", ["model.pt2"]),
    "openvino": ("openvino_ir.OpenVINO", ["model.bin", "model.xml"]),
    "executorch": ("executorch_pte.ExecuTorch", ["model.pte"]),
    "litert": ("litert.LiteRT", ["model.tflite"]),
}
NEEDS = {"openvino": ["openvino"], "executorch": ["executorch"], "litert": ["ai_edge_litert"]}
FREE = ["pt2", "openvino"]
ROOT = Path(__file__).parents[2]


def target(name: str, **arguments) -> Target:
    return Target(target=f"stagewise.compression.exports.{EXPORTS[name][0]}", **arguments)


def write(model: str, export: str, folder: Path, **arguments) -> dict:
    inference, schema, rows = MODELS[model](folder)
    export_graph(inference, schema, folder / "model.onnx", opset=20)
    exports = build_exports({export: target(export, **arguments)})
    places = {"seed": 1, "threads": 1, "evidence": folder / "evidence"}
    return write_exports(
        exports, inference, schema, folder / "model.onnx", rows, Parity(samples=70), folder / "x", **places
    )


def need(export: str) -> None:
    for module in NEEDS.get(export, []):
        pytest.importorskip(module)
    if export == "litert" and "STAGEWISE_LITERT_PYTHON" not in os.environ:
        pytest.skip("litert-torch has no environment here")


def check_written(written: dict, export: str, folder: Path) -> dict:
    (entry,) = written.values()
    assert list(written) == [export]
    assert list(entry["files"]) == EXPORTS[export][1]
    for name, figures in entry["files"].items():
        content = (folder / "x" / export / name).read_bytes()
        assert figures == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for trace in (str(ROOT), os.sep + "site-packages", str(folder)):
            assert trace.encode() not in content
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert entry["parity"]["label_agreement"] == 1 and entry["parity"]["largest_difference"] < 1e-3
    return entry


QUICK = ("image, cnn", "text, transformer", "series, linear")
"""`make long` tries every model."""


@pytest.mark.parametrize("model", [pytest.param(m, marks=[pytest.mark.long] * (m not in QUICK)) for m in MODELS])
def test_torch_export_answers_as_the_network_does(tmp_path, model):
    entry = check_written(write(model, "pt2", tmp_path), "pt2", tmp_path)
    fixed = model in ("text, lstm", "text, bag")
    assert entry["longest"] == (12 if fixed else None)
    assert entry["parity"]["left_out"] == (["longer than any row"] if fixed else [])


@pytest.mark.parametrize("model", ["image, cnn", "text, transformer", "table, mlp", "series, linear"])
@pytest.mark.parametrize("export", ["openvino", "executorch", "litert"])
def test_other_formats_answer_as_the_network_does(tmp_path, export, model):
    need(export)
    entry = check_written(write(model, export, tmp_path), export, tmp_path)
    long = ["longer than any row"] if model.startswith("text") and export not in FREE else []
    assert entry["parity"]["left_out"] == long
    assert entry["longest"] == (12 if long else None)


SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from pathlib import Path
from test_exports import MODELS, write
if {first!r}:
    write({first!r}, "pt2", Path("first"))
written = write({model!r}, {export!r}, Path("second"))
print([file["sha256"] for file in written[{export!r}]["files"].values()])
"""


@pytest.mark.parametrize("model", ["image, cnn", pytest.param("text, transformer", marks=pytest.mark.long)])
@pytest.mark.parametrize("export", EXPORTS)
def test_equal_networks_give_equal_bytes_in_two_processes(tmp_path, export, model):
    """In folders of other names, one of them after an export of another network."""
    need(export)
    digests = []
    for number, first in enumerate(["", "text, cnn"]):
        folder = tmp_path / f"a folder {number}"
        for name in ("first", "second"):
            (folder / name).mkdir(parents=True)
        script = SCRIPT.format(
            tests=str(ROOT / "tests"), here=str(Path(__file__).parent), first=first, model=model, export=export
        )
        command = [sys.executable, "-W", "ignore", "-c", script]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        digests.append(done.stdout.splitlines()[-1])
    assert digests[0] == digests[1]
    assert "sha" not in digests[0] and len(digests[0]) > 60


def test_a_program_runs_without_this_project(tmp_path):
    write("image, cnn", "pt2", tmp_path)
    inference, _, rows = MODELS["image, cnn"](tmp_path)
    np.save(tmp_path / "rows.npy", rows.values[:3])
    script = (
        "import sys, numpy as np, torch\n"
        "module = torch.export.load('x/pt2/model.pt2').module()\n"
        "print(module(torch.from_numpy(np.load('rows.npy')))[0].tolist(), 'stagewise' in sys.modules)\n"
    )
    command = [sys.executable, "-I", "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    with torch.inference_mode():
        assert done.stdout == f"{inference(torch.from_numpy(rows.values[:3]))[0].tolist()} False\n"


class Wrong:
    """An export that mixes up the classes."""

    def __call__(self, trained, folder):
        from stagewise.compression.exports.program import Program

        (folder / "model.bin").write_bytes(b"")

        def run(rows):
            with torch.inference_mode():
                label, probabilities = trained.inference(torch.from_numpy(rows))
            return (2 - label).numpy(), probabilities.flip(1).numpy()

        return Program(run)


def test_an_export_that_answers_otherwise_is_refused(tmp_path):
    inference, schema, rows = MODELS["image, cnn"](tmp_path)
    with pytest.raises(CompressionError, match="the export board does not answer as the network does") as caught:
        write_exports(
            {"board": Wrong()}, inference, schema, tmp_path / "model.onnx", rows, Parity(), tmp_path / "x",
            seed=1, threads=1, evidence=tmp_path / "evidence",
        )  # fmt: skip
    assert caught.value.where == str(tmp_path / "evidence" / "worst-board.npz")
    assert Path(caught.value.where).is_file()


@pytest.mark.parametrize(
    ("export", "module", "line"),
    [
        ("openvino", "openvino", "pip install 'stagewise[openvino]', or take the export out of compress.exports"),
        ("executorch", "executorch", "pip install 'stagewise[executorch]', or take the export out of compress.exports"),
        ("litert", "ai_edge_litert", "pip install 'stagewise[litert]', or take the export out of compress.exports"),
    ],
)
def test_a_missing_library_is_told_before_any_work(monkeypatch, export, module, line):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        build_exports({"mine": target(export)})
    assert caught.value.what == f"an export needs {module}, which is not installed"
    assert (caught.value.where, caught.value.fix) == ("compress.exports", line)


@pytest.mark.parametrize(
    ("python", "why"),
    [
        (None, "STAGEWISE_LITERT_PYTHON is not set"),
        (sys.executable, "STAGEWISE_LITERT_PYTHON does not name a Python that has it"),
        ("no/such/python", "STAGEWISE_LITERT_PYTHON does not name a Python that has it"),
    ],
)
def test_the_converter_of_litert_must_be_named(monkeypatch, python, why):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.delenv("STAGEWISE_LITERT_PYTHON", raising=False)
    if python:
        monkeypatch.setenv("STAGEWISE_LITERT_PYTHON", python)
    with pytest.raises(ConfigError, match="an export needs litert-torch") as caught:
        build_exports({"mine": target("litert")})
    assert caught.value.why == why
    assert "pip install litert-torch==0.10.0, then set STAGEWISE_LITERT_PYTHON=" in caught.value.fix


def test_no_exports_write_nothing(tmp_path):
    places = {"seed": 1, "threads": 1, "evidence": tmp_path}
    inference, schema, rows = MODELS["image, cnn"](tmp_path)
    assert write_exports({}, inference, schema, tmp_path, rows, Parity(), tmp_path / "x", **places) == {}
    assert not (tmp_path / "x").exists()


def test_rows_are_padded_and_handed_on_in_batches():
    seen = []

    def run(rows):
        seen.append(rows.shape)
        return rows.sum(1), rows[:, :1] * 2

    values = np.arange(1, 11).reshape(5, 2)
    sums, first = in_batches(run, 2, 4)(values)
    assert seen == [(2, 4), (2, 4), (1, 4)]
    assert sums.tolist() == values.sum(1).tolist() and first.tolist() == (values[:, :1] * 2).tolist()


@pytest.mark.parametrize(
    ("rows", "longest", "expected"),
    [
        (3, None, [[1, 2], [3, 4], [1, 2]]),
        (1, None, [[1, 2]]),
        (2, 3, [[1, 2, 0], [3, 4, 0]]),
        (3, 1, [[1], [3], [1]]),
    ],
)
def test_a_full_batch_is_the_example_again_and_again(rows, longest, expected):
    assert full_batch(torch.tensor([[1, 2], [3, 4]]), rows, longest).tolist() == expected


def test_the_choice_of_exports_names_these_classes():
    text = (ROOT / "conf" / "compress" / "exports.yaml").read_text()
    section = TypeAdapter(CompressSection).validate_python(yaml.safe_load(text))
    assert {name: item.target for name, item in section.exports.items()} == {
        name: target(name).target for name in ("pt2", "openvino")
    }
    commented = yaml.safe_load("\n".join(line.replace("# ", "", 1) for line in text.splitlines() if line[:3] == "  #"))
    others = {name: item["_target_"] for name, item in commented.items()}
    assert others == {name: target(name).target for name in ("executorch", "litert")}
