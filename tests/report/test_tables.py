import json

import pytest

from stagewise.errors import TrainingError
from stagewise.report.tables import read_history, write_csv, write_curves, write_metrics


def test_csv_keeps_floats_whole_and_leaves_out_what_is_undefined(tmp_path):
    write_csv(tmp_path / "t.csv", ("a", "b"), [(0.1 + 0.2, None), (float("nan"), 'say "x", y')])
    assert (tmp_path / "t.csv").read_text() == 'a,b\n0.30000000000000004,\n,"say ""x"", y"\n'


def test_metrics_keep_their_order_and_refuse_what_json_has_not(tmp_path):
    write_metrics({"b": 1.5, "a": 2}, tmp_path / "m.json")
    assert list(json.loads((tmp_path / "m.json").read_text())) == ["b", "a"]
    with pytest.raises(ValueError, match="Out of range"):
        write_metrics({"a": float("nan")}, tmp_path / "n.json")


def test_history_is_a_row_per_epoch_and_comes_back_as_curves(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,train_loss,val_loss\n1,2.5,\n1,,2.0\n2,1.5,1.0\n")
    history = read_history(path)
    assert history == {"epoch": [1.0, 2.0], "train_loss": [2.5, 1.5], "val_loss": [2.0, 1.0]}
    write_curves(history, tmp_path / "curves.csv")
    assert (tmp_path / "curves.csv").read_text() == "epoch,train_loss,val_loss\n1,2.5,2.0\n2,1.5,1.0\n"


@pytest.mark.parametrize("text", ["epoch,loss\none,2\n", "step,loss\n1,2\n", "epoch,loss\n1,2,3\n"])
def test_a_damaged_history_is_told(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(TrainingError, match="damaged"):
        read_history(tmp_path / "history.csv")


def test_a_missing_history_is_told(tmp_path):
    with pytest.raises(TrainingError, match="no training history"):
        read_history(tmp_path / "history.csv")
