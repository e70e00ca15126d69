import json

import numpy as np
import pytest

from stagewise.compression import examples


class Rows:
    def __len__(self):
        return 4

    def take(self, indices):
        return np.array(indices, np.float32)[:, None]


@pytest.mark.parametrize(
    ("apart", "tolerance"), [(0.0, 0.02), (0.005, 0.02), (0.03, 0.06)], ids=["equal", "a little", "more"]
)
def test_the_tolerance_covers_what_another_number_of_threads_changes(tmp_path, monkeypatch, apart, tolerance):
    class Session:
        def __init__(self, _, threads):
            self._off = 0.0 if threads == 2 else apart

        def __call__(self, batch):
            return np.zeros(len(batch), np.int64), batch * (1 + self._off)

    monkeypatch.setattr(examples, "GraphSession", Session)
    examples.write_examples(tmp_path / "model.onnx", Rows(), tmp_path / "examples", threads=2)
    written = json.loads((tmp_path / "examples" / "expected.json").read_text())
    assert written == {
        "tolerance": pytest.approx(tolerance, rel=1e-4),
        "outputs": {"0": [0.0], "1": [1.0], "2": [2.0], "3": [3.0]},
    }
