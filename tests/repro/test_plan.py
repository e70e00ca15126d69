"""``stagewise plan`` says before what ``dvc repro`` does after: one real run, then edits that are only planned."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from runs import copy_of, ran_workspace
from workspaces import call

from stagewise.config.inspect.plan import PlannedStage, plan

# DVC's own use of pygtrie, where it builds the graph of stages
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

STAGES = ["configure", "ingest", "preprocess", "train", "evaluate", "compress", "package"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(ran_workspace(tmp_path_factory), tmp_path_factory.mktemp("plan") / "project")


@pytest.fixture
def root(ran: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workspace; what a test changes or removes is put back after it."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(ran.parent / "plan-site"))
    keep = ran.parent / "keep"
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(ran, keep, symlinks=True)
    yield ran
    for file in ran.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    shutil.copytree(keep, ran, symlinks=True, dirs_exist_ok=True)


def by_name(root: Path) -> dict[str, PlannedStage]:
    return {stage.name: stage for stage in plan(root)}


def states(root: Path) -> dict[str, str]:
    return {name: stage.state for name, stage in by_name(root).items() if stage.state != "unchanged"}


def edit(root: Path, name: str, change: Callable[[str], str]) -> None:
    file = root / name
    text = change(file.read_text())
    assert text != file.read_text()
    file.write_text(text)


def contents(root: Path) -> dict[str, bytes]:
    """Every file but DVC's own and the cache of parsed modules."""
    files = (file for file in root.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    named = {file.relative_to(root).as_posix(): file for file in files}
    return {name: file.read_bytes() for name, file in named.items() if not name.startswith((".dvc/", ".stagewise/"))}


def test_nothing_to_do(root: Path) -> None:
    assert list(by_name(root)) == STAGES
    assert states(root) == {}
    done = call(root, "stagewise", "plan", "--check")
    assert "nothing to do" in done.stdout
    assert "\x1b" not in done.stdout


def test_repro_with_nothing_to_do_prints_what_dvc_prints(root: Path) -> None:
    ours = call(root, "stagewise", "repro").stdout
    lines = call(root, "dvc", "repro").stdout.strip()
    assert lines.count("didn't change, skipping") == len(STAGES)
    assert ours.startswith(lines)
    assert "test accuracy" in ours


def test_a_value_runs_its_stage_and_what_follows(root: Path) -> None:
    edit(root, "params.yaml", lambda text: text.replace("lr: 0.005", "lr: 0.02"))
    before = contents(root)
    planned = by_name(root)
    assert states(root) == {
        "configure": "runs", "train": "runs", "evaluate": "after", "compress": "after", "package": "after",
    }  # fmt: skip
    assert planned["train"].changes is not None
    assert planned["train"].changes.values == ["optimizer.lr 0.005 -> 0.02"]
    assert planned["train"].changes.code == planned["train"].changes.libraries == planned["train"].reasons == []
    assert planned["configure"].reasons == ["params.yaml changed"]
    assert planned["evaluate"].after == ["train"]
    assert planned["package"].after == ["compress", "evaluate"]
    assert planned["package"].reasons == []
    done = call(root, "stagewise", "plan", "--check", code=1)
    assert "optimizer.lr 0.005 -> 0.02" in done.stdout
    assert contents(root) == before
    call(root, "stagewise", "plan")


def test_a_module_names_itself_and_a_comment_runs_configure_alone(root: Path) -> None:
    edit(root, "src/stagewise/models/mlp.py", lambda text: f"{text}\n# a comment\n")
    assert states(root) == {"configure": "runs"}
    edit(root, "src/stagewise/models/mlp.py", lambda text: f"{text}\nSIZE = 3\n")
    train = by_name(root)["train"]
    assert train.state == "runs"
    assert train.changes is not None
    assert train.changes.code == ["src/stagewise/models/mlp.py changed"]


def test_another_library_version_is_a_reason(root: Path) -> None:
    """The record is made older, since the library cannot be made newer."""
    for name in ("dvc.lock", "build/preprocess.yaml"):
        edit(root, name, lambda text: text.replace("pillow: ", "pillow: 0."))
    planned = by_name(root)
    assert planned["configure"].reasons[-1] == "the installed libraries are not those of build/"
    assert planned["preprocess"].changes is not None
    assert [line.partition(" -> ")[0].split(".")[0] for line in planned["preprocess"].changes.libraries] == ["pillow 0"]
    assert planned["preprocess"].state == "restored"  # it ran with the installed version before


def test_own_data_runs_ingest(root: Path) -> None:
    (root / "data" / "own" / "new.csv").write_text("1\n")
    ingest = by_name(root)["ingest"]
    assert (ingest.state, ingest.reasons) == ("runs", ["data/own changed"])
    assert by_name(root)["preprocess"].after == ["ingest"]


def test_a_missing_output_is_restored_or_runs_where_the_cache_lost_it(root: Path) -> None:
    shutil.rmtree(root / "models" / "trained")
    planned = by_name(root)
    assert states(root) == {"train": "restored"}
    assert planned["train"].reasons == ["models/trained is missing"]
    call(root, "stagewise", "plan", "--check")
    outs = yaml.safe_load((root / "dvc.lock").read_text())["stages"]["train"]["outs"]
    digest = next(out["md5"] for out in outs if out["path"] == "models/trained")
    (root / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
    assert states(root)["train"] == "runs"
    assert by_name(root)["train"].reasons == ["models/trained is not in the cache"]


def test_everything_is_restored_where_only_the_cache_is_left(root: Path) -> None:
    for name in ("data/raw", "data/processed", "models", "dist"):
        shutil.rmtree(root / name)
    (root / "dvc.lock").unlink()
    assert states(root) == {"configure": "runs", **dict.fromkeys(STAGES[1:], "restored")}
    printed = call(root, "dvc", "repro").stdout
    assert printed.count("Running stage") == 1
    assert printed.count("is cached - skipping run") == len(STAGES) - 1


def test_a_wrong_config_is_exit_code_2(root: Path) -> None:
    edit(root, "params.yaml", lambda text: text.replace("use: mlp", "use: mlq"))
    done = call(root, "stagewise", "plan", "--check", code=2)
    assert "there is no conf/model/mlq.yaml" in done.stderr


def test_a_broken_pipeline_is_exit_code_2(root: Path) -> None:
    edit(root, "dvc.yaml", lambda text: text.replace("cmd: python stages/train.py", "cmmd: x"))
    done = call(root, "stagewise", "plan", code=2)
    assert "DVC cannot read the pipeline" in done.stderr
    assert "Traceback" not in done.stderr
