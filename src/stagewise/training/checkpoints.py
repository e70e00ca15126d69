"""Checkpoints on disk: written whole or not at all, read only when their digest is right; nothing unpickles."""

import contextlib
import hashlib
import logging
import os
import shutil
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, BinaryIO, cast

import torch
from lightning_fabric.plugins import CheckpointIO
from typing_extensions import override

from stagewise.config.digests import file_sha256
from stagewise.errors import TrainingError

log = logging.getLogger(__name__)

KEPT = 2
"""Checkpoints of a run that are kept: the newest, and the one before should it be damaged."""

OTHERS = 3
"""Folders of other runs that were killed and are kept, so that going back to a config goes on from there."""

PATTERN = "step-*.ckpt"

_UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def refuse_unpickling() -> None:
    """Refuse the environment variable that has torch run code from the files it reads.

    Raises:
        TrainingError: it is set to what torch takes as true.
    """
    if os.environ.get(_UNSAFE, "0").lower() in ("1", "y", "yes", "true"):
        raise TrainingError(
            f"{_UNSAFE} is set", why="torch would run code from checkpoints", fix=f"unset {_UNSAFE}, then run again"
        )


def identity(*parts: str | bytes) -> str:
    """Name of a run's folder: 16 hex digits that differ when a part does."""
    digests = [hashlib.sha256(part.encode() if isinstance(part, str) else part).digest() for part in parts]
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


class CheckpointFiles(CheckpointIO):
    """How Lightning writes and reads checkpoints here.

    A file gets its name when all of it is on the disk, and after its digest has (``.sha256`` beside it, as sha256sum
    writes it): one without a digest was not written here.
    """

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write ``path`` and its digest so that a kill at any moment leaves it whole or absent; keep the newest."""
        path = Path(path)
        temporary = path.with_suffix(".ckpt.tmp")
        try:
            with temporary.open("wb") as file:
                hashing = _Hashing(file)
                torch.save(checkpoint, cast(IO[bytes], hashing))
                _flush(file)
        except (OSError, RuntimeError):
            # Perhaps the disk is full: leave it as it was.
            temporary.unlink(missing_ok=True)
            raise
        _write_text(_sidecar(path), f"{hashing.digest.hexdigest()}  {path.name}\n")
        temporary.replace(path)
        _flush_folder(path.parent)
        for old in sorted(path.parent.glob(PATTERN))[:-KEPT]:
            self.remove_checkpoint(old)

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint that ``newest`` found: tensors, numbers and containers, never code.

        Raises:
            TrainingError: it holds something else.
        """
        del map_location, weights_only  # Lightning's, which might say otherwise
        refuse_unpickling()
        try:
            checkpoint: dict[str, Any] = torch.load(Path(path), map_location="cpu", weights_only=True)
        except (UnpicklingError, RuntimeError, EOFError) as error:
            raise TrainingError(
                "the checkpoint cannot be read",
                where=str(path),
                why=str(error).splitlines()[0],
                fix=f"remove {Path(path).parent}, and training starts from the beginning",
            ) from error
        return checkpoint

    @override
    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint and its digest."""
        # In this order: a digest alone is no checkpoint.
        Path(path).unlink(missing_ok=True)
        _sidecar(Path(path)).unlink(missing_ok=True)


class CheckpointFolder:
    """The checkpoints of one run, ``step-<optimiser steps>.ckpt`` each.

    Args:
        path: a folder beside those of other runs, named by ``identity``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, step: int) -> Path:
        """Where the checkpoint after this many optimiser steps lies."""
        return self.path / f"step-{step:09d}.ckpt"

    @staticmethod
    def step(path: Path) -> int:
        """The optimiser steps before this checkpoint."""
        return int(path.stem.removeprefix("step-"))

    def newest(self, tidy: bool) -> Path | None:
        """The newest checkpoint that is whole; damaged ones are named in the log.

        Every process of a run finds the same one.

        Args:
            tidy: rename damaged ones to ``.damaged``; the first process does.
        """
        damaged = 0
        for path in sorted(self.path.glob(PATTERN), reverse=True):
            problem = _problem(path)
            if problem is None:
                return path
            damaged += 1
            if tidy:
                log.warning("checkpoint set aside: %s (%s), using the one before", path.name, problem)
                path.replace(path.with_suffix(".damaged"))
        if damaged and tidy:
            log.warning("no whole checkpoint is left: training starts from the beginning")
        return None

    def open(self) -> None:
        """Make the folder, remove what a killed process left half-written, and the folders of long-gone runs."""
        self.path.mkdir(parents=True, exist_ok=True)
        # The folder that was used last is the newest one.
        os.utime(self.path)
        for path in self.path.glob("*.tmp"):
            path.unlink()
        for path in self.path.glob(f"{PATTERN}.sha256"):
            if not path.with_suffix("").exists():
                path.unlink()
        others = [path for path in self.path.parent.iterdir() if path.is_dir() and path != self.path]
        for path in sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)[OTHERS:]:
            shutil.rmtree(path)

    def remove(self) -> None:
        """Remove the run's checkpoints: it is over."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # other runs have theirs there, or it is a link
            self.path.parent.rmdir()


class _Hashing:
    """A file that digests what is written to it; torch writes from the first byte to the last."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _problem(path: Path) -> str | None:
    """Why the checkpoint cannot be used."""
    try:
        recorded = _sidecar(path).read_text(encoding="ascii").split()[0]
    except FileNotFoundError:
        return f"{_sidecar(path).name} is missing"
    except (OSError, ValueError, IndexError):
        return f"{_sidecar(path).name} cannot be read"
    try:
        found = file_sha256(path)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if found == recorded else "its sha256 is not the recorded one"


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(text.encode("ascii"))
        _flush(file)
    temporary.replace(path)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Have the names on the disk too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
