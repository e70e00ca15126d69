import numpy as np
import pyarrow.parquet as pq
import pytest
from shades import Brightness, from_probabilities

from stagewise.data.storage import SplitReader
from stagewise.errors import TrainingError
from stagewise.tasks.classification.predictions import predict, write_predictions


def test_predictions_keep_the_order_of_the_rows_whatever_the_batch(shades):
    folder, schema = shades
    rows = SplitReader(folder / "test.arrow", schema.features[0].shape)
    whole, parts = (predict(Brightness(4), rows, size) for size in (1000, 7))
    assert whole.ids == parts.ids == [f"test#{number}" for number in range(80)]
    assert (whole.labels == parts.labels).all()
    assert whole.probabilities.dtype == np.float32
    assert np.allclose(whole.probabilities, parts.probabilities)
    assert (whole.targets == rows.targets).all()
    assert whole.correct.mean() == (whole.labels == rows.targets).mean()


def test_prediction_leaves_the_module_in_eval_mode(shades):
    folder, schema = shades
    module = Brightness(4).train()
    predict(module, SplitReader(folder / "test.arrow", schema.features[0].shape), 16)
    assert not module.training


def test_answers_that_are_not_finite_are_told(shades):
    folder, schema = shades
    module = Brightness(4)
    module.levels[2] = float("nan")
    with pytest.raises(TrainingError, match="not finite"):
        predict(module, SplitReader(folder / "test.arrow", schema.features[0].shape), 16)


def test_the_parquet_file_says_all_and_repeats_byte_for_byte(tmp_path):
    predictions = from_probabilities([0, 1, 1], [[3, 1], [3, 1], [1, 3]])
    for name in ("a", "b"):
        write_predictions(predictions, ["cat", "dog"], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    table = pq.read_table(tmp_path / "a")
    assert table.column_names == ["id", "target", "label", "correct", "confidence", "p_cat", "p_dog"]
    assert table.to_pylist()[1] == {
        "id": "rows#1",
        "target": "dog",
        "label": "cat",
        "correct": False,
        "confidence": 0.75,
        "p_cat": 0.75,
        "p_dog": 0.25,
    }
