import csv
import hashlib
import json
import os
import re
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
from stagewise.compression.make import build_steps
from stagewise.compression.session import GraphSession
from stagewise.compression.shelf import Shelf
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection
from stagewise.config.targets import build
from stagewise.data.layout import Layout
from stagewise.data.schema import read_schema
from stagewise.data.storage import SplitWriter
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import load_inference

CONF = Path(__file__).parents[2] / "conf" / "compress"


def run(trained, folder, settings=None, processed=None, **options):
    out, reports = folder / "out", folder / "reports"
    out.mkdir(parents=True)
    reports.mkdir()
    settings = settings or trained.settings(max_drop=0.02)
    shelf = Shelf(options.pop("shelf", folder / "shelf"), lambda _: "")
    processed = processed or trained.processed
    summary = compress(settings, processed, trained.weights, out, reports, shelf=shelf, work=folder / "work", **options)
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
        "reference.json",
        *(f"candidates/{name}.onnx" for name in ("fp32", "int8_static", "int8_dynamic")),
        "examples/expected.json",
        "examples/rows.safetensors",
    }
    assert {path.name for path in reports.iterdir()} == {
        "candidates.json",
        "frontier.csv",
        "frontier.png",
        "latency.json",
        "latency.png",
    }
    assert json.loads((reports / "candidates.json").read_text()) == summary


def test_the_smallest_within_the_drop_becomes_the_model(compressed):
    out, reports, summary = compressed
    chosen = summary["chosen"]
    assert chosen == "int8_static"
    assert (out / "model.onnx").read_bytes() == (out / "candidates" / f"{chosen}.onnx").read_bytes()
    candidates = summary["candidates"]
    assert candidates["int8_static"]["size_ratio"] < 0.35
    assert candidates["int8_static"]["drop_high"] <= 0.02
    assert summary["limits"] == {"max_drop": 0.02}
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
from stagewise.compression.shelf import Shelf
from stagewise.config.schema.compress import CompressSettings
home = Path.cwd()
assert Path(stagewise.__file__).is_relative_to(home), stagewise.__file__
settings = CompressSettings.model_validate_json(sys.argv[1])
for name in ("out", "reports"):
    (home / name).mkdir()
shelf = Shelf(home / "shelf", lambda _: "")
compress(
    settings, Path(sys.argv[2]), Path(sys.argv[3]), home / "out", home / "reports", shelf=shelf, work=home / "work"
)
"""


@pytest.mark.long
def test_equal_inputs_give_equal_bytes_in_another_process_folder_and_checkout(cnn, compressed, tmp_path):
    processes = []
    for number, name in enumerate(("one", "two of them/deeper")):
        home = tmp_path / name
        home.mkdir(parents=True)
        # A copy of the sources at another path, as in another checkout.
        (home / "src").mkdir()
        subprocess.run(["cp", "-r", str(Path(stagewise.__file__).parent), str(home / "src")], check=True)
        arguments = [cnn.settings(max_drop=0.02).model_dump_json(), str(cnn.processed), str(cnn.weights)]
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
    assert len(reference) == 12
    for content in reference.values():
        assert str(tmp_path).encode() not in content


def contents(folder: Path) -> dict[str, bytes]:
    """All that compress wrote, but for the times and their picture."""
    paths = [path for name in ("out", "reports") for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.stem != "latency"}


def test_fp32_is_kept_when_the_others_lose_too_much(cnn, tmp_path, monkeypatch):
    real = module.measure

    def worse(*arguments, **options):
        qualities = real(*arguments, **options)
        return {n: item if n == "fp32" else replace(item, drop=0.1, drop_high=0.2) for n, item in qualities.items()}

    monkeypatch.setattr(module, "measure", worse)
    out, _, summary = run(cnn, tmp_path)
    assert summary["chosen"] == "fp32"
    assert (out / "model.onnx").read_bytes() == (out / "candidates" / "fp32.onnx").read_bytes()
    assert summary["verdicts"]["int8_static"].startswith("refused: accuracy drop 0.1000")


def test_what_few_rows_cannot_show_is_refused(cnn, tmp_path):
    _, _, summary = run(cnn, tmp_path, cnn.settings(max_drop=0.005))
    assert summary["chosen"] == "fp32"
    quality = summary["candidates"]["int8_static"]
    assert quality["drop"] <= 0.005 < quality["drop_high"]
    assert "may be 0.0089 as far as 300 rows tell (95% sure)" in summary["verdicts"]["int8_static"]


def test_without_a_confidence_the_measured_loss_counts(cnn, tmp_path):
    _, _, summary = run(cnn, tmp_path, cnn.settings(max_drop=0.005, confidence=None))
    assert summary["chosen"] == "int8_static"


HALF = {"_target_": "stagewise.compression.candidates.float16.Float16"}


def test_a_further_candidate_is_all_that_is_made_measured_and_timed(cnn, tmp_path, monkeypatch):
    first = run(cnn, tmp_path / "first", shelf=tmp_path / "shelf")
    settings = cnn.settings(max_drop=0.02)
    section = settings.compress
    more = section.model_copy(update={"candidates": section.candidates | {"half": Target.model_validate(HALF)}})
    made, measured = [], []
    for name in ("Int8Static", "Int8Dynamic", "Float16"):
        kind = type(build(Target(_target_=f"stagewise.compression.candidates.{_file(name)}.{name}")))
        monkeypatch.setattr(kind, "__call__", _noted(kind.__call__, name, made))
    monkeypatch.setattr(module, "measure", _noted_paths(module.measure, measured))
    times = first[1] / "latency.json"
    again = run(
        cnn,
        tmp_path / "again",
        settings.model_copy(update={"compress": more}),
        shelf=tmp_path / "shelf",
        known_times=times,
    )
    assert made == ["Float16"]
    assert measured == [["fp32", "half"]]
    before, after = (
        json.loads((reports / "latency.json").read_text())["candidates"] for _, reports, _ in (first, again)
    )
    assert set(after) - set(before) == {"half"}
    assert {name: after[name] for name in ("int8_static", "int8_dynamic")} == {
        name: before[name] for name in ("int8_static", "int8_dynamic")
    }
    fresh = run(cnn, tmp_path / "fresh", settings.model_copy(update={"compress": more}))
    assert fresh[2] == again[2]
    assert contents(tmp_path / "fresh") == contents(tmp_path / "again")


def _file(name: str) -> str:
    return {"Float16": "float16", "Int8Static": "int8_static", "Int8Dynamic": "int8_dynamic"}[name]


def _noted(real, name, calls):
    def call(self, *arguments):
        calls.append(name)
        return real(self, *arguments)

    return call


def _noted_paths(real, calls):
    def call(paths, *arguments, **options):
        calls.append(list(paths))
        return real(paths, *arguments, **options)

    return call


def test_a_choice_by_time_follows_the_file_of_times(cnn, tmp_path, monkeypatch):
    """Whatever this machine would measure: the slowest here is the fastest there."""
    _, reports, _ = run(cnn, tmp_path / "first", shelf=tmp_path / "shelf")
    times = json.loads((reports / "latency.json").read_text())
    for name in ("fp32", "int8_static", "int8_dynamic"):
        times["candidates"][name]["batch_sizes"]["1"]["p50_ms"] = 1.0 if name == "int8_dynamic" else 2.0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "times.json").write_text(json.dumps(times))
    settings = cnn.settings(max_drop=0.05, objective="latency", timings="times.json")
    _, _, summary = run(cnn, tmp_path / "again", settings, shelf=tmp_path / "shelf")
    assert summary["chosen"] == "int8_dynamic"
    assert summary["verdicts"]["fp32"].startswith("not chosen: 1 ms slower than the chosen one")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it is no copy of latency.json (FileNotFoundError"),
        ("[]", "it is no copy of latency.json (TypeError"),
        ('{"candidates": {"fp32": {}}}', "it is no copy of latency.json (KeyError: 'sha256')"),
        ('{"candidates": {}}', "it has no figures of fp32, int8_static, int8_dynamic as they are now"),
        (
            '{"candidates": {"fp32": {"sha256": "0"}}}',
            "it has no figures of fp32, int8_static, int8_dynamic as they are",
        ),
    ],
    ids=["missing", "a list", "no digests", "empty", "another graph"],
)
def test_a_file_of_times_that_does_not_fit_is_refused(cnn, tmp_path, monkeypatch, content, why):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "times.json").write_text(content)
    settings = cnn.settings(objective="latency", timings="times.json")
    with pytest.raises(CompressionError, match=re.escape(why) + r"(.|\n)*copy reports/compression/latency.json"):
        run(cnn, tmp_path / "run", settings)


def test_fp32_alone(cnn, tmp_path):
    out, reports, summary = run(cnn, tmp_path, cnn.settings("fp32"))
    assert summary["chosen"] == "fp32"
    assert [path.name for path in (out / "candidates").iterdir()] == ["fp32.onnx"]
    assert list(json.loads((reports / "latency.json").read_text())["candidates"]) == ["pytorch", "fp32"]


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
    assert (tmp_path / "work" / "parity" / "worst.npz").is_file()
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
    assert set(build_steps(section)) == set(section.candidates)
    assert path.read_text().startswith("# ")


def test_the_schema_travels_with_the_model(cnn, compressed):
    assert read_schema(compressed[0]) == cnn.schema
