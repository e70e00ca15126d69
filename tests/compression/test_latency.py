import copy

import onnx
import pytest
import torch

from stagewise.compression.cost import latency as module
from stagewise.compression.cost.latency import EAGER, measure_latency
from stagewise.compression.export import export_graph
from stagewise.config.schema.compress import Latency
from stagewise.tasks.build import load_inference

QUICK = Latency(batch_sizes=[1, 5], repeats=2, warmup=0, threads=1)


@pytest.fixture(scope="module")
def timed(cnn, tmp_path_factory):
    """Times two graphs, or more; returns the report."""
    folder = tmp_path_factory.mktemp("graphs")
    inference = load_inference(cnn.settings(), cnn.schema, cnn.weights)
    export_graph(inference, cnn.schema, folder / "fp32.onnx", opset=20)
    model = onnx.load(folder / "fp32.onnx")
    for name in ("second", "third"):
        model.producer_name = name
        onnx.save(model, folder / f"{name}.onnx")

    def run(*names: str, settings: Latency = QUICK, known=None, baseline="fp32"):
        paths = {name: folder / f"{name}.onnx" for name in names}
        return measure_latency(settings, inference, paths, cnn.rows("validation"), known=known, baseline=baseline)

    return run


@pytest.fixture
def turns(monkeypatch):
    """Names of what was timed together, one list per batch size."""
    seen, real = [], module._take_turns

    def take_turns(runners, batch, settings):
        seen.append(list(runners))
        return real(runners, batch, settings)

    monkeypatch.setattr(module, "_take_turns", take_turns)
    return seen


def test_every_runner_is_timed_at_every_batch_size(timed):
    torch.set_num_threads(2)
    report = timed("fp32", "second", settings=Latency(batch_sizes=[1, 400], repeats=4, warmup=0, threads=1))
    assert torch.get_num_threads() == 2
    assert list(report) == ["machine", "settings", "candidates"]
    assert (report["settings"]["threads"], report["settings"]["repeats"]) == (1, 4)
    assert set(report["machine"]["libraries"]) == {"onnxruntime", "torch"}
    entries = report["candidates"]
    assert list(entries) == [EAGER, "fp32", "second"]
    assert entries[EAGER]["sha256"] == entries["fp32"]["sha256"] != entries["second"]["sha256"]
    for name, entry in entries.items():
        assert list(entry["batch_sizes"]) == ["1", "400"]  # more than the validation split has rows
        for size, item in entry["batch_sizes"].items():
            assert 0 < item["p50_ms"] <= item["p95_ms"]
            assert abs(item["rows_per_second"] * item["p50_ms"] / 1e3 / int(size) - 1) < 0.05
            reference = entries["fp32"]["batch_sizes"][size]["p50_ms"]
            assert item["speedup"] == pytest.approx(reference / item["p50_ms"], rel=0.05, abs=1e-3)
        assert ("peak_memory_bytes" in entry) == (name != EAGER)
    assert entries["fp32"]["batch_sizes"]["1"]["speedup"] == 1
    assert 2**20 < entries["second"]["peak_memory_bytes"] < 2**30


def test_what_is_known_is_not_timed_again(timed, turns):
    before = timed("fp32", "second")
    assert timed("fp32", "second", known=before) == before
    assert turns == [[EAGER, "fp32", "second"]] * 2


def test_a_new_graph_is_timed_beside_network_and_baseline_only(timed, turns):
    before = timed("fp32", "second")
    after = timed("fp32", "second", "third", known=before)
    assert turns[2:] == [[EAGER, "fp32", "third"]] * 2
    assert after["candidates"]["second"] == before["candidates"]["second"]
    assert list(after["candidates"]) == [EAGER, "fp32", "second", "third"]


def test_a_graph_is_known_by_its_content(timed, turns):
    before = timed("fp32", "second")
    before["candidates"]["renamed"] = before["candidates"].pop("second")
    assert timed("fp32", "second", known=before)["candidates"]["second"] == before["candidates"]["renamed"]
    assert len(turns) == 2


def change(report, *path, value):
    report = copy.deepcopy(report)
    item = report
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    return report


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("machine", "cpu"), "another"),
        (("machine", "libraries", "onnxruntime"), "1.0"),
        (("settings", "repeats"), 3),
        (("settings", "batch_sizes"), [1]),
        (("candidates", "fp32", "sha256"), "0"),
        (("candidates", EAGER, "batch_sizes"), {}),
        (("candidates",), []),
    ],
)
def test_figures_of_elsewhere_or_beside_another_baseline_do_not_count(timed, turns, path, value):
    before = timed("fp32", "second")
    timed("fp32", "second", known=change(before, *path, value=value))
    assert turns[2:] == [[EAGER, "fp32", "second"]] * 2


@pytest.mark.parametrize("known", [{}, {"threads": 1, "batch_sizes": {"fp32": {}}}])
def test_a_file_of_another_form_is_passed_over(timed, turns, known):
    timed("fp32", known=known)
    assert turns == [[EAGER, "fp32"]] * 2


def test_a_changed_graph_is_timed_again(timed, turns):
    before = timed("fp32", "second")
    after = timed("fp32", "second", known=change(before, "candidates", "second", "sha256", value="0"))
    assert turns[2:] == [[EAGER, "fp32", "second"]] * 2
    assert after["candidates"]["second"]["sha256"] == before["candidates"]["second"]["sha256"]
