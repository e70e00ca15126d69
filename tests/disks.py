"""A small disk for tests: a tmpfs that a process mounts in a namespace of its own, which needs no rights."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A tmpfs: seen here at ``root``, and by the commands that run in it at ``place``."""

    process: int
    place: Path

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.process}/root{self.place}")

    def run(self, folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, in ``folder`` as seen from there."""
        # nsenter's own --wd is looked up outside, where the folder below the mount is empty.
        enter = ["nsenter", "-t", str(self.process), "-U", "-m", "--preserve-credentials"]
        enter += ["sh", "-c", 'cd "$0" && exec "$@"', str(folder)]
        variables = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DVC_SITE_CACHE_DIR": str(self.place.parent / "site"),
            **environment,
        }
        return subprocess.run(
            [*enter, *command], env=variables, capture_output=True, text=True, timeout=300, check=False
        )

    def stage(self, name: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.place, "python", f"stages/{name}.py", DVC_STAGE=name)

    def mount(self, options: str) -> None:
        assert self.run(Path("/"), "mount", "-o", f"remount,{options}", str(self.place)).returncode == 0

    def fill(self, left: int) -> None:
        """Write a file that leaves room for ``left`` bytes."""
        with (self.root / "fill").open("wb", buffering=0) as file:
            free = shutil.disk_usage(self.root).free
            os.posix_fallocate(file.fileno(), 0, free - left)


def small_disk(place: Path, megabytes: int) -> Iterator[Disk]:
    place.mkdir(parents=True)
    script = f"mount -t tmpfs -o size={megabytes}m tmpfs '{place}' && echo ready && exec sleep 600"
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            pytest.skip("the kernel gives no namespace in which to mount a disk")
        yield Disk(holder.pid, place)
    finally:
        holder.kill()
        holder.communicate()
