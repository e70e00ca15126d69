"""What ``make repro`` leaves behind, from raw data to a package that predicts."""

import json
import shutil
import sys
from pathlib import Path

import yaml
from workspaces import call, workspace

STAGES = ["configure", "ingest", "preprocess", "train", "evaluate", "compress", "package"]


def metrics(root: Path) -> dict[str, float]:
    return json.loads((root / "reports" / "evaluation" / "metrics.json").read_text())


def stages_run(printed: str) -> list[str]:
    return [line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")]


def lock(root: Path) -> dict:
    return yaml.safe_load((root / "dvc.lock").read_text())["stages"]


def test_every_stage_runs_once_in_order(finished: Path) -> None:
    assert stages_run((finished.parent / "printed.txt").read_text()) == STAGES


def test_the_default_reaches_the_promised_accuracy(finished: Path) -> None:
    assert metrics(finished)["accuracy"] >= 0.98


def test_the_summary_names_what_a_user_looks_for(finished: Path) -> None:
    printed = (finished.parent / "printed.txt").read_text()
    for fragment in (
        "test accuracy",
        "dist/my-model-0.1.0",
        "reports/evaluation/report.html",
        "stagewise predict",
    ):
        assert fragment in printed


def test_a_second_run_runs_no_stage(finished: Path) -> None:
    assert stages_run(call(finished, "stagewise", "repro").stdout) == []


def test_dvc_reads_metrics_and_plots(finished: Path) -> None:
    shown = json.loads(call(finished, "dvc", "metrics", "show", "--json").stdout)
    files = shown[""]["data"]
    assert files["reports/evaluation/metrics.json"]["data"]["accuracy"] == metrics(finished)["accuracy"]
    call(finished, "dvc", "plots", "show", "--out", str(finished.parent / "plots"))
    page = (finished.parent / "plots" / "index.html").read_text()
    for name in ("learning curves", "confusion", "calibration", "size and score"):
        assert name in page


def test_the_package_predicts_an_image(finished: Path) -> None:
    package = finished / "dist" / "my-model-0.1.0"
    example = sorted((package / "examples").glob("*.png"))[0]
    line = call(finished, "stagewise", "predict", str(package), str(example)).stdout.split()
    assert line[-2] in {str(digit) for digit in range(10)}
    assert 0 < float(line[-1]) <= 1


def test_equal_inputs_give_equal_bytes_at_another_path(finished: Path, tmp_path: Path) -> None:
    other = workspace(tmp_path / "elsewhere" / "deeper" / "copy")
    call(other, "stagewise", "repro", PYTHONHASHSEED="7", TZ="Asia/Tokyo", LC_ALL="C")
    assert lock(other) == lock(finished)


def test_times_are_no_output(finished: Path) -> None:
    outputs = [out["path"] for stage in lock(finished).values() for out in stage["outs"]]
    assert (finished / "reports/compression/latency.json").is_file()
    assert not [path for path in outputs if "latency" in path or path == "reports/compression"]


def test_no_output_names_the_machine(finished: Path) -> None:
    for folder in ("build", "data/processed", "data/raw", "models", "reports", "dist"):
        for file in (finished / folder).rglob("*"):
            if file.is_file():
                assert str(finished).encode() not in file.read_bytes(), file


def test_an_edit_of_one_value_runs_only_what_follows(finished: Path) -> None:
    params = finished / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("version: 0.1.0", "version: 0.1.1"))
    assert stages_run(call(finished, "dvc", "repro").stdout) == ["configure", "package"]
    params.write_text(text)
    assert stages_run(call(finished, "dvc", "repro").stdout) == ["configure"]


def test_what_ran_before_is_restored_and_not_run(finished: Path) -> None:
    kept = lock(finished)
    for name in ("models", "reports", "dist", "data/processed", "data/raw"):
        shutil.rmtree(finished / name)
    (finished / "dvc.lock").unlink()
    assert stages_run(call(finished, "dvc", "repro").stdout) == ["configure"]
    assert lock(finished) == kept
    assert "test accuracy" in call(finished, "stagewise", "summary").stdout


def test_three_ways_to_choose_give_the_same_files(tmp_path: Path) -> None:
    choices = ["model=mlp", "threads=1", "+trainer.max_epochs=2"]

    def files(root: Path) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (root / "build").glob("*.yaml")}

    by_file, by_experiment, by_hand = (workspace(tmp_path / name) for name in ("file", "experiment", "hand"))
    params = yaml.safe_load((by_file / "params.yaml").read_text())
    params |= {"model": "mlp", "threads": 1, "trainer": {"use": "default", "max_epochs": 2}}
    (by_file / "params.yaml").write_text(yaml.safe_dump(params))
    call(by_file, "dvc", "repro", "configure")
    settings = [part for choice in choices for part in ("-S", choice)]
    call(by_experiment, "dvc", "exp", "run", *settings, "configure")
    call(by_hand, sys.executable, "stages/ingest.py", *choices)
    assert files(by_file) == files(by_experiment) == files(by_hand)
    assert "stagewise.models.mlp.MLP" in files(by_hand)["train.yaml"].decode()


def test_a_wrong_config_stops_before_any_stage(tmp_path: Path) -> None:
    root = workspace(tmp_path / "wrong")
    (root / "params.yaml").write_text("name: x\nversion: 0.1.0\nseed: 0\nthreads: 2\nmodel: cnm\n")
    done = call(root, "stagewise", "repro", code=255)
    assert "there is no conf/model/cnm.yaml (params.yaml:5); did you mean cnn" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (root / "data" / "raw").exists()
