"""The export: typed columns, a row per trial, both formats, errors."""

import csv
import re

import pyarrow as pa
import pytest
from pyarrow import parquet
from sample_sweeps import failed, grid, hostile, sweep, trial, with_failures

from stagewise.errors import SweepError
from stagewise.sweeps.output.export import export, table


def test_a_row_per_trial_with_typed_columns(tmp_path):
    made, trials = with_failures()
    export(made, trials, tmp_path / "new" / "sweep.parquet")
    rows = parquet.read_table(tmp_path / "new" / "sweep.parquet")
    assert rows.column_names == [
        "id", "state", "model", "optimizer.lr", "seed", "metric.val_loss", "metric.val_accuracy", "metric.bytes", "metric.epoch",
        "seconds.configure", "seconds.train", "experiment",
    ]  # fmt: skip
    assert rows.schema.field("optimizer.lr").type == pa.float64()
    assert rows.schema.field("seed").type == pa.int64()
    assert rows.schema.field("model").type == pa.string()
    assert rows.num_rows == 18
    assert rows.column("metric.val_loss").to_pylist()[:4] == [t.metrics["val_loss"] for t in trials[:4]]
    assert rows.column("metric.val_loss").to_pylist()[4] is None
    assert rows.column("state").to_pylist()[4] == "failed"


def test_csv_says_the_same(tmp_path):
    made, trials = sweep([*grid(1)[:2], failed(7, ["model=mlp", "flag=true"])])
    export(made, trials, tmp_path / "sweep.CSV")
    with (tmp_path / "sweep.CSV").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["flag"] for row in rows] == ["", "", "true"]
    assert [row["seed"] for row in rows] == ["0", "0", ""]
    assert float(rows[1]["metric.val_loss"]) == trials[1].metrics["val_loss"]
    assert [row["experiment"] for row in rows] == ["sweep-000000000000", "sweep-000000000001", ""]


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (["1", "-2"], pa.int64(), [1, -2]), (["1", "1e-3"], pa.float64(), [1.0, 0.001]), (["true", "false"], pa.bool_(), [True, False]),
        (["1", "cnn"], pa.string(), ["1", "cnn"]), (["nan", "inf"], pa.string(), ["nan", "inf"]), (["1_000", "0x1"], pa.string(), ["1_000", "0x1"]),
        (["9" * 30, "1"], pa.float64(), [1e30, 1.0]), (["1e999", "1"], pa.string(), ["1e999", "1"]), (["[1,2]", ""], pa.string(), ["[1,2]", ""]),
    ],
)  # fmt: skip
def test_values_are_what_all_of_a_column_are(values, kind, found):
    column = table([trial(n, [f"+a.b={value}"]) for n, value in enumerate(values)]).column("a.b")
    assert column.type == kind
    assert column.to_pylist() == found


def test_hostile_texts_and_no_trials_are_written(tmp_path):
    made, trials = hostile()
    export(made, trials, tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["plain"] for row in rows] == [item.overrides[1].partition("=")[2] for item in trials]
    export(made, [], tmp_path / "empty.parquet")
    assert parquet.read_table(tmp_path / "empty.parquet").num_rows == 0


@pytest.mark.parametrize("name", ["sweep.xlsx", "sweep", "sweep.csv.gz", ""])
def test_another_suffix_is_refused(tmp_path, name):
    made, trials = sweep(grid(1))
    with pytest.raises(SweepError, match=re.escape("exported to .csv or .parquet")) as caught:
        export(made, trials, tmp_path / name)
    assert re.fullmatch(r"stagewise sweep export \S+\.csv --name sweep", caught.value.fix)
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepError, match="cannot be written"):
        export(*sweep(grid(1)), tmp_path / "file" / "sweep.csv")
