"""What the preprocess stage asks of a feature: one class per kind of input, named by ``data.feature``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.layout import Block as Block
from stagewise.data.layout import Layout as Layout
from stagewise.data.schema import DataSchema, Feature


class Encoder(Protocol):
    """From raw values to stored arrays, in two steps: ``check`` row by row, then ``encode`` block by block.

    Between the two, when the rows have been checked and divided, ``fit`` sees the training rows, and only those.
    """

    kind: ClassVar[str]
    """The kind of input, as schema.json names it."""
    gives: ClassVar[str]
    """What a network must take (its ``takes``): "image", "tokens", "table", "series"."""
    inputs: ClassVar[str]
    """Dotted name of the torch module in ``stagewise.tasks.inputs`` that stands before the network."""
    rows: ClassVar[str]
    """Dotted name of the class that reads the split files; ``stagewise.data.rows.StoredRows`` by default."""
    display: ClassVar[str]
    """Dotted name of the class in ``stagewise.report.displays`` that shows rows to people; numbers by default."""
    augments: ClassVar[tuple[str, ...]]
    """What transforms may take (their ``takes``); ``gives`` alone where a class has none."""
    runtime: ClassVar[str]
    """Dotted name of the module in ``stagewise.runtime`` that a package ships to read such inputs."""

    @property
    def spooled(self) -> Layout:
        """Layout of checked rows."""

    @property
    def stored(self) -> Layout:
        """Layout of encoded rows; known after ``fit``."""

    def check(self, value: Any) -> NDArray[Any]:
        """The row to spool, or a ValueError with the reason; its attribute ``check`` may name a check."""

    def fit(self, rows: Iterable[tuple[Block, NDArray[Any]]]) -> None:
        """Learn from (inputs, targets) of the training rows, streamed block by block."""

    def encode(self, block: Block) -> Block:
        """The stored form of spooled rows."""

    def describe(self) -> Feature:
        """The entry of schema.json; called last."""

    def report(self) -> dict[str, Any]:
        """What checks.json says of this feature beyond the checks: counts, warnings (a list under ``warnings``)."""

    def preview(self, settings: PreprocessSettings, schema: DataSchema, processed: Path, reports: Path) -> None:
        """Draw what the network will see as PNG files in ``reports``; equal inputs give equal bytes."""
