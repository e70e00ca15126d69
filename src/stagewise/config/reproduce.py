"""Run ``dvc repro`` in this process, with this process's Python for every stage."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stagewise.config.environment import environment_moved
from stagewise.config.locks import hold_pipeline
from stagewise.errors import ConfigError


def reproduce(root: Path, arguments: Sequence[str] = ()) -> int:
    """Run the pipeline of the project at ``root`` and return DVC's exit code.

    After an upgrade of a library or of Python, or an edit of a file that a config names, the configure stage runs
    first, so that the stages which use it run again. Where nothing changed, DVC's lines are printed without starting
    its command line (bench/noop.py).

    Raises:
        ConfigError: ``root`` is not a project.
        StageError: another run is under way in it, or the project cannot be written.
    """
    if not (root / "dvc.yaml").is_file():
        raise ConfigError("there is no dvc.yaml here", where=str(root), fix="run the command in the project's folder")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        with hold_pipeline(root):
            return _reproduce(root, arguments)
    except OSError as error:
        from stagewise.config.machine import explain  # only where it is needed: a repro with nothing to do is quick

        if (told := explain(error, root)) is None:
            raise
        raise told from error


def _reproduce(root: Path, arguments: Sequence[str]) -> int:
    if environment_moved(root):
        print("libraries, Python or files differ from build/: configuring again", flush=True)
        code = _dvc(root, ["repro", "--single-item", "--force", "configure"])
        if code:
            return code
    elif not arguments and _print_if_current(root):
        return 0
    return _dvc(root, ["repro", *arguments])


def _print_if_current(root: Path) -> bool:
    from stagewise.config.current import stages_if_current  # DVC takes 0.4 s: only once it is needed

    stages = stages_if_current(root)
    if stages is None:
        return False
    for stage in stages:
        print(f"Stage '{stage}' didn't change, skipping")
    print("Data and pipelines are up to date.")
    return True


def _dvc(root: Path, arguments: list[str]) -> int:
    from dvc.cli import main

    from stagewise.config.guarded import guarded

    with guarded(root):
        return int(main(arguments))
