"""How the trials of a sweep share the machine."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from stagewise.errors import SweepError
from stagewise.sweeps.record import Objective
from stagewise.sweeps.runner import Plan, lease
from stagewise.sweeps.search import Search, search
from stagewise.sweeps.space import read_space


def plan(root: Path, devices: list[str], jobs: int) -> Plan:
    return Plan(
        root=root, sweep="s", base=root, head="h", snapshot="h", project="p", cache=root, on_error="continue",
        objectives=[Objective(metric="val_loss", direction="min")], prunes=False, jobs=jobs, mlflow=False, devices=devices,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("devices", "jobs", "given"),
    [
        ([], 2, [None, None]),
        (["0", "1"], 2, ["0", "1"]),
        (["GPU-a"], 1, ["GPU-a"]),
        (["0", "1"], 4, ["0", "1", "0", "1"]),
        (["0", "1"], 3, ["0", "1", "0"]),
    ],
)
def test_gpus_are_shared_out_evenly(tmp_path: Path, devices: list[str], jobs: int, given: list[str | None]) -> None:
    with ExitStack() as stack:
        assert [stack.enter_context(lease(plan(tmp_path, devices, jobs))) for _ in given] == given


def test_a_trial_waits_for_a_gpu_that_is_free(tmp_path: Path) -> None:
    """Not for its turn: the second trial may end before the first."""
    got: list[str | None] = []

    def third() -> None:
        with lease(plan(tmp_path, ["0", "1"], 2)) as device:
            got.append(device)

    with lease(plan(tmp_path, ["0", "1"], 2)), ExitStack() as second:
        second.enter_context(lease(plan(tmp_path, ["0", "1"], 2)))
        waiting = threading.Thread(target=third)
        waiting.start()
        waiting.join(0.3)
        assert got == []
        second.close()
        waiting.join()
    assert got == ["1"]


def test_an_interval_wants_a_sweeper_that_chooses(project: Path) -> None:
    asked = Search(
        name="s", space=read_space(["optimizer.lr=interval(1e-3,1e-2)"]), when={}, objectives=[], prune=None,
        on_error="continue", jobs=1, mlflow=False, typed=[],
    )  # fmt: skip
    with pytest.raises(SweepError, match=r"no grid can be laid over the interval of optimizer\.lr") as caught:
        search(project, asked)
    assert "hydra/sweeper=optuna" in str(caught.value)
