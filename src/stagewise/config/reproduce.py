"""Run ``dvc repro`` in this process, with this process's Python for every stage."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stagewise.config.environment import environment_moved
from stagewise.errors import ConfigError


def reproduce(root: Path, arguments: Sequence[str] = ()) -> int:
    """Run the pipeline of the project at ``root`` and return DVC's exit code.

    After an upgrade of a library or of Python the configure stage runs first, so that the stages which import
    it run again.

    Raises:
        ConfigError: ``root`` is not a project.
    """
    if not (root / "dvc.yaml").is_file():
        raise ConfigError("there is no dvc.yaml here", where=str(root), fix="run the command in the project's folder")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    from dvc.cli import main as dvc  # takes 0.4 s: only once it is needed

    if environment_moved(root):
        print("libraries or Python differ from build/: configuring again")
        code = int(dvc(["repro", "--single-item", "--force", "configure"]))
        if code:
            return code
    return int(dvc(["repro", *arguments]))
