import csv
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from safetensors.numpy import load_file

import stagewise
from stagewise.compression import compress as module
from stagewise.compression.compress import compress
from stagewise.compression.graph import save_graph
from stagewise.compression.session import GraphSession
from stagewise.config.schema.compress import CompressSection
from stagewise.data.layout import Layout
from stagewise.data.schema import read_schema
from stagewise.data.storage import SplitWriter
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import load_inference

CONF = Path(__file__).parents[2] / "conf" / "compress"


def run(trained, folder, settings=None, processed=None):
    out, reports = folder / "out", folder / "reports"
    out.mkdir()
    reports.mkdir()
    settings = settings or trained.settings()
    summary = compress(
        settings, processed or trained.processed, trained.weights, out, reports, evidence=folder / "evidence"
    )
    return out, reports, summary


@pytest.fixture(scope="module")
def compressed(cnn, tmp_path_factory):
    return run(cnn, tmp_path_factory.mktemp("compressed"))


def test_what_is_written(compressed):
    out, reports, summary = compressed
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {
        "model.onnx",
        "schema.json",
        "choice.json",
        *(f"candidates/{name}.onnx" for name in ("fp32", "int8_static", "int8_dynamic")),
        "examples/expected.json",
        "examples/rows.safetensors",
    }
    assert {path.name for path in reports.iterdir()} == {"candidates.json", "frontier.csv", "latency.json"}
    assert json.loads((reports / "candidates.json").read_text()) == summary


def test_the_smallest_within_the_drop_becomes_the_model(compressed):
    out, reports, summary = compressed
    chosen = summary["chosen"]
    assert chosen == "int8_static"
    assert (out / "model.onnx").read_bytes() == (out / "candidates" / f"{chosen}.onnx").read_bytes()
    candidates = summary["candidates"]
    assert candidates["int8_static"]["size_ratio"] < 0.35
    assert candidates["int8_static"]["drop"] <= 0.005
    assert json.loads((out / "choice.json").read_text())["chosen"] == chosen
    with (reports / "frontier.csv").open() as file:
        assert [row["candidate"] for row in csv.DictReader(file) if row["chosen"] == "1"] == [chosen]


def test_the_figures_are_those_of_the_files(cnn, compressed):
    out, _, summary = compressed
    rows = cnn.rows("validation")
    images, targets = rows.take(np.arange(300)), rows.targets
    fp32 = GraphSession(out / "candidates" / "fp32.onnx", 1)(images)[0]
    for name, item in summary["candidates"].items():
        path = out / "candidates" / f"{name}.onnx"
        labels = GraphSession(path, 1)(images)[0]
        assert item["score"] == round(float((labels == targets).mean()), 6)
        assert item["agreement"] == round(float((labels == fp32).mean()), 6)
        assert item["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with torch.inference_mode():
        network = load_inference(cnn.settings(), cnn.schema, cnn.weights)(torch.from_numpy(images))[0]
    np.testing.assert_array_equal(fp32, network.numpy())


def test_the_examples_are_validation_rows_with_the_answers_of_the_model(cnn, compressed):
    out, _, _ = compressed
    expected = json.loads((out / "examples" / "expected.json").read_text())["outputs"]
    rows = load_file(out / "examples" / "rows.safetensors")
    images = np.stack([rows[number] for number in expected])
    np.testing.assert_array_equal(images, cnn.rows("validation").take(np.arange(8) * 300 // 8))
    np.testing.assert_allclose(GraphSession(out / "model.onnx", 1)(images)[1], list(expected.values()), atol=1e-6)


SCRIPT = """
import sys
from pathlib import Path
import stagewise
from stagewise.compression.compress import compress
from stagewise.config.schema.compress import CompressSettings
home = Path.cwd()
assert Path(stagewise.__file__).is_relative_to(home), stagewise.__file__
settings = CompressSettings.model_validate_json(sys.argv[1])
for name in ("out", "reports"):
    (home / name).mkdir()
compress(settings, Path(sys.argv[2]), Path(sys.argv[3]), home / "out", home / "reports")
"""


def test_equal_inputs_give_equal_bytes_in_another_process_folder_and_checkout(cnn, compressed, tmp_path):
    processes = []
    for number, name in enumerate(("one", "two of them/deeper")):
        home = tmp_path / name
        home.mkdir(parents=True)
        # A copy of the sources at another path, as in another checkout.
        (home / "src").mkdir()
        subprocess.run(["cp", "-r", str(Path(stagewise.__file__).parent), str(home / "src")], check=True)
        arguments = [cnn.settings().model_dump_json(), str(cnn.processed), str(cnn.weights)]
        environment = os.environ | {"PYTHONPATH": str(home / "src"), "PYTHONHASHSEED": str(number)}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", SCRIPT, *arguments],
                cwd=home,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        assert process.communicate() == ("", "")
        assert process.returncode == 0
    reference = contents(compressed[0].parent)
    assert contents(tmp_path / "one") == contents(tmp_path / "two of them/deeper") == reference
    assert len(reference) == 10
    for content in reference.values():
        assert str(tmp_path).encode() not in content


def contents(folder: Path) -> dict[str, bytes]:
    """All that compress wrote, but for the times."""
    paths = [path for name in ("out", "reports") for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.name != "latency.json"}


def test_fp32_is_kept_when_the_others_lose_too_much(cnn, tmp_path, monkeypatch):
    real = module.measure

    def worse(*arguments, **options):
        qualities = real(*arguments, **options)
        return {n: item if n == "fp32" else replace(item, drop=0.1) for n, item in qualities.items()}

    monkeypatch.setattr(module, "measure", worse)
    out, _, summary = run(cnn, tmp_path)
    assert summary["chosen"] == "fp32"
    assert (out / "model.onnx").read_bytes() == (out / "candidates" / "fp32.onnx").read_bytes()
    assert summary["verdicts"]["int8_static"].startswith("refused: accuracy drop 0.1000")


def test_fp32_alone(cnn, tmp_path):
    out, reports, summary = run(cnn, tmp_path, cnn.settings("fp32"))
    assert summary["chosen"] == "fp32"
    assert [path.name for path in (out / "candidates").iterdir()] == ["fp32.onnx"]
    assert list(json.loads((reports / "latency.json").read_text())["batch_sizes"]) == ["pytorch", "fp32"]


def test_an_export_that_differs_stops_the_stage(cnn, tmp_path, monkeypatch):
    real = module.export_graph

    def tampered(inference, schema, path, *, opset):
        real(inference, schema, path, opset=opset)
        model = onnx.load(path)
        weight = max(model.graph.initializer, key=lambda item: len(item.raw_data))
        values = onnx.numpy_helper.to_array(weight) * np.float32(1.1)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        save_graph(model, path)

    monkeypatch.setattr(module, "export_graph", tampered)
    with pytest.raises(CompressionError, match="does not answer as the network does"):
        run(cnn, tmp_path)
    assert (tmp_path / "evidence" / "worst.npz").is_file()
    assert not (tmp_path / "out" / "choice.json").exists()
    assert not list((tmp_path / "reports").iterdir())


def test_without_validation_rows_there_is_nothing_to_compare(cnn, tmp_path):
    processed = tmp_path / "processed"
    processed.mkdir()
    for path in cnn.processed.iterdir():
        (processed / path.name).write_bytes(path.read_bytes())
    with SplitWriter(processed / "validation.arrow", Layout(np.dtype(np.uint8), (8, 8, 1)), 10):
        pass
    with pytest.raises(CompressionError, match=r"no validation rows(.|\n)*data\.split\.validation"):
        run(cnn, tmp_path, processed=processed)


def test_a_config_without_the_baseline_is_refused_before_any_work(cnn, tmp_path):
    candidates = {"small": {"_target_": "stagewise.compression.candidates.int8_dynamic.Int8Dynamic"}}
    with pytest.raises(ConfigError, match="has no fp32"):
        run(cnn, tmp_path, cnn.settings(candidates=candidates))
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_fit_the_schema(path):
    section = CompressSection.model_validate(yaml.safe_load(path.read_text()))
    assert set(module._build_candidates(section)) == set(section.candidates)
    assert path.read_text().startswith("# ")


def test_the_schema_travels_with_the_model(cnn, compressed):
    assert read_schema(compressed[0]) == cnn.schema
