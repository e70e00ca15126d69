import torch

from stagewise.compression.export import export_graph
from stagewise.compression.latency import EAGER, measure_latency
from stagewise.config.schema.compress import Latency
from stagewise.tasks.build import load_inference


def test_every_runner_is_timed_at_every_batch_size(cnn, tmp_path):
    inference = load_inference(cnn.settings(), cnn.schema, cnn.weights)
    export_graph(inference, cnn.schema, tmp_path / "model.onnx", opset=20)
    paths = dict.fromkeys(("fp32", "other"), tmp_path / "model.onnx")
    torch.set_num_threads(2)
    settings = Latency(batch_sizes=[1, 400], repeats=4, warmup=0, threads=1)
    report = measure_latency(settings, inference, paths, cnn.rows("validation"))
    assert torch.get_num_threads() == 2
    assert (report["threads"], report["repeats"]) == (1, 4)
    figures = report["batch_sizes"]
    assert list(figures) == [EAGER, "fp32", "other"]
    for sizes in figures.values():
        assert list(sizes) == ["1", "400"]  # more than the validation split has rows
        for size, item in sizes.items():
            assert 0 < item["p50_ms"] <= item["p95_ms"]
            assert item["rows_per_second"] > 0
            assert abs(item["rows_per_second"] * item["p50_ms"] / 1e3 / int(size) - 1) < 0.05
