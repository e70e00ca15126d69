"""Network and graph agree on hostile rows of every kind, down to what is no number."""

import json
from dataclasses import asdict

import pytest
from small_models import MODELS

from stagewise.compression.checks.parity import check_chosen, check_parity
from stagewise.compression.export import export_graph
from stagewise.config.schema.compress import Parity

NO_NUMBER = {
    "series": ["all missing", "one step missing", "the last step missing", "all infinite", "one step minus infinite"]
}


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_follows_the_network_everywhere(tmp_path, name):
    inference, schema, rows = MODELS[name](tmp_path)
    graph = tmp_path / "model.onnx"
    export_graph(inference, schema, graph, opset=20)
    places = {"seed": 1, "threads": 1, "evidence": tmp_path / "evidence"}
    report = check_parity(Parity(samples=70), inference, graph, rows, **places)
    assert report.rows == 70 and report.hostile >= 10
    assert report.compared >= 70 + 8 + 3 + report.hostile
    assert report.label_agreement == 1 and report.left_out == []
    assert report.not_finite == NO_NUMBER.get(name.split(",")[0], [])
    assert json.loads(json.dumps(asdict(report), allow_nan=False)) == asdict(report)

    same = check_chosen(Parity(samples=70), graph, graph, rows, inference, agreement=1.0, **places)
    assert same.label_agreement == 1 and same.largest_difference < 1e-5  # sums round otherwise in other batches
    assert same.not_finite == report.not_finite
