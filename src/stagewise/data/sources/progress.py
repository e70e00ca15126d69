"""What a person sees while bytes come in; on stderr, and a bar only on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Meter:
    """The progress of one file."""

    def __init__(self, progress: "Progress", name: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=total)

    def at(self, position: int, total: int | None = None) -> None:
        """Show that ``position`` bytes of the file are here."""
        if total is not None:
            self._progress.update(self._task, total=total)
        self._progress.update(self._task, completed=position)

    def note(self, text: str) -> None:
        """Print a line above the bar, also where there is no terminal."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def meter(name: str, total: int | None) -> Iterator[Meter]:
    """A bar for one file of ``total`` bytes (None when unknown)."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        yield Meter(progress, name, total)
