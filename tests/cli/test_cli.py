"""The ``stagewise`` command as a user types it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stagewise.cli import main


def stagewise(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stagewise", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_help_names_every_command_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    for word in ("repro", "summary", "configure", "plan", "config", "diff", "schema", "predict", "examples:"):
        assert word in printed


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["repro"], "there is no dvc.yaml here"),
        (["summary"], "there is nothing to summarise yet"),
        (["configure"], "there is no conf/ here"),
        (["plan"], "there is no dvc.yaml here"),
        (["plan", "--check"], "there is no dvc.yaml here"),
        (["plan", "--chekc"], "unrecognized arguments: --chekc"),
        (["config"], "there is no conf/ here"),
        (["config", "trian"], "did you mean train?"),
        (["diff"], "required: REV"),
        (["diff", "HEAD"], "git knows no revision 'HEAD' here"),
        (["predict", "dist/none", "image.png"], "dist/none"),
        (["predict", "dist/none"], "name at least one input"),
        (["train"], "invalid choice: 'train'"),
        ([], "required: COMMAND"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(tmp_path: Path, arguments: list[str], fragment: str) -> None:
    done = stagewise(tmp_path, *arguments)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr


def test_configure_takes_overrides_and_imports_no_torch(project: Path) -> None:
    code = (
        "import sys; from stagewise.config.resolve import configure; from pathlib import Path;"
        "configure(Path.cwd(), ['model=mlp']); print(*[n for n in ('torch', 'pytorch_lightning') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert "stagewise.models.mlp.MLP" in (project / "build" / "train.yaml").read_text()


def test_a_stage_without_a_key_file_says_what_to_do(project: Path) -> None:
    (project / "params.yaml").write_text("name: x\n")
    done = subprocess.run(
        [sys.executable, "stages/ingest.py"], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "version: required, but nowhere set" in done.stderr
    assert "Traceback" not in done.stderr


def test_config_prints_yaml_with_origins_and_takes_overrides(project: Path) -> None:
    done = stagewise(project, "config", "train", "model=mlp")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["model"]["_target_"] == "stagewise.models.mlp.MLP"
    assert "# conf/model/mlp.yaml:" in done.stdout
    assert "\x1b" not in done.stdout
    assert not (project / "build").exists()


def test_config_shows_every_mistake_instead(project: Path) -> None:
    done = stagewise(project, "config", "optimizer.lrr=1", "seed=-1")
    assert done.returncode == 2
    assert "optimizer.lrr" in done.stderr
    assert "seed" in done.stderr
    assert "Traceback" not in done.stderr


def test_schema_names_the_files_it_wrote(project: Path) -> None:
    done = stagewise(project, "schema")
    assert done.returncode == 0, done.stderr
    files = [project / line for line in done.stdout.splitlines()]
    assert files
    assert all(file.is_file() for file in files)
