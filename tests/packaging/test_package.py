import hashlib
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import yaml

from stagewise.config.schema.package import PackageSection
from stagewise.errors import DataError, PackageError
from stagewise.packaging import predictor
from stagewise.packaging.predictor import verify
from stagewise.runtime import image

CONF = Path(__file__).parents[2] / "conf" / "package"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_package_holds(packaged, inputs):
    content = files(packaged)
    assert set(content) == {
        "README.md",
        "answers.py",
        "config.json",
        "examples/0.png",
        "examples/1.png",
        "examples/2.png",
        "examples/expected.json",
        "inputs.py",
        "integrity.py",
        "io.schema.json",
        "manifest.json",
        "model.onnx",
        "predict.py",
        "provenance.intoto.json",
        "reference.json",
        "requirements.txt",
        "sbom.cdx.json",
        "schema.json",
    }
    assert content["model.onnx"] == (inputs.compressed / "model.onnx").read_bytes()
    assert content["predict.py"] == Path(predictor.__file__).read_bytes()
    assert content["inputs.py"] == Path(image.__file__).read_bytes()


def test_equal_inputs_give_equal_bytes(packaged, inputs, tmp_path):
    assert files(inputs.package(tmp_path / "elsewhere" / "shades")) == files(packaged)


def test_the_manifest_lists_every_file_and_the_stage_keys(packaged):
    manifest = verify(packaged)
    content = files(packaged)
    del content["manifest.json"]
    assert manifest["files"] == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in sorted(content.items())
    }
    assert manifest["stage_keys"] == {"evaluate": "e" * 64, "ingest": "b" * 64, "train": "a" * 64}
    assert (manifest["name"], manifest["version"]) == ("shades", "1.2.3")


def test_the_schema_says_what_goes_in_and_out(packaged):
    schema = json.loads((packaged / "schema.json").read_text())
    assert schema["target"]["classes"] == ["black", "grey", "white"]
    assert schema["runtime"] == {
        "inputs": "stagewise.runtime.image",
        "answers": "stagewise.runtime.classes",
    }
    (feature,) = schema["inputs"]
    assert (
        feature.items()
        >= {
            "name": "image",
            "kind": "image",
            "dtype": "uint8",
            "shape": [6, 4, 1],
            "layout": "HWC",
            "minimum": 0,
            "maximum": 255,
            "resize": "bilinear",
        }.items()
    )
    graph = onnx.load(packaged / "model.onnx").graph
    assert [output["name"] for output in schema["outputs"]] == [output.name for output in graph.output]
    assert schema["outputs"][1]["shape"] == ["batch", 3]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("compressed/model.onnx", PackageError),
        ("compressed/schema.json", DataError),
        ("raw/ingest.json", PackageError),
        ("reports/evaluation/metrics.json", PackageError),
        ("reports/compression/candidates.json", PackageError),
    ],
)
@pytest.mark.parametrize("content", [None, b"{"], ids=["missing", "damaged"])
def test_inputs_that_are_missing_or_damaged(own_inputs, tmp_path, name, error, content):
    path = own_inputs.raw.parent / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(error, match="dvc repro"):
        own_inputs.package(tmp_path / "package")


def test_a_package_that_predicts_something_else_is_refused(own_inputs, tmp_path):
    model = onnx.load(own_inputs.compressed / "model.onnx")
    levels = next(weight for weight in model.graph.initializer if weight.name == "levels")
    levels.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(levels)[::-1].copy(), "levels"))
    onnx.save(model, own_inputs.compressed / "model.onnx")
    with pytest.raises(PackageError, match=r"does not predict what it should(.|\n)*examples/0\.png"):
        own_inputs.package(tmp_path / "package")


def test_the_stage_imports_neither_torch_nor_onnx():
    code = (
        "import sys; import stagewise.packaging.package, stagewise.packaging.forms.archive, stagewise.packaging.forms.wheel; "
        "print(sorted({'torch', 'onnx', 'pyarrow', 'pytorch_lightning', 'scipy', 'sklearn', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_only_making_a_package_loads_what_writes_bills_of_materials():
    code = (
        "import sys; import stagewise.packaging.predictor, stagewise.packaging.layouts.lay_out; "
        "print([name for name in sys.modules if name.startswith(('cyclonedx', 'pydantic'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("table", "why"), [("kind,recall\na,1\n", "'class'"), (b"class,recall\n\xff,1\n", "Unicode")], ids=["head", "bytes"]
)
def test_a_table_of_figures_that_is_none(own_inputs, tmp_path, table, why):
    content = table.encode() if isinstance(table, str) else table
    (own_inputs.reports / "evaluation" / "figures" / "classes.csv").write_bytes(content)
    with pytest.raises(PackageError, match=why):
        own_inputs.package(tmp_path / "package")


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_fit_the_schema(path):
    PackageSection.model_validate(yaml.safe_load(path.read_text()))
    assert path.read_text().startswith("# ")
