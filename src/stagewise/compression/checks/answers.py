"""What two runners say of the same rows, side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.compress import Parity

Outputs = tuple[NDArray[Any], ...]

Runner = Callable[[NDArray[Any]], Outputs]
"""Answers for rows as they are stored ``(n, ...)``: an array ``(n, ...)`` per output of the inference module."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is expected and what was got for one row, each output without its row axis."""

    id: str
    row: NDArray[Any]
    expected: Outputs
    got: Outputs

    def fits(self) -> bool:
        """Whether both have the same outputs, of the same kind and shape."""
        return len(self.expected) == len(self.got) and all(
            a.shape == b.shape and (a.dtype.kind == "f") == (b.dtype.kind == "f")
            for a, b in zip(self.expected, self.got, strict=True)
        )

    def is_finite(self) -> bool:
        """Whether every number that is expected is one."""
        return all(bool(np.isfinite(a).all()) for a, _ in self._pairs("f"))

    def loses_numbers(self) -> bool:
        """Whether something is not finite where a finite number is expected."""
        return any(bool((np.isfinite(a) & ~np.isfinite(b)).any()) for a, b in self._pairs("f"))

    def excess(self, settings: Parity) -> float:
        """The largest difference as a multiple of what is allowed; infinite where only one of the two is finite."""
        worst = 0.0
        for a, b in self._pairs("f"):
            known = np.isfinite(a)
            if not np.array_equal(known, np.isfinite(b)):
                return np.inf
            ratio = np.abs(b - a)[known] / (settings.atol + settings.rtol * np.abs(a[known]))
            worst = max(worst, float(ratio.max(initial=0.0)))
        return worst

    def difference(self) -> float:
        """The largest absolute difference of finite numbers."""
        gaps = (np.abs(a - b)[np.isfinite(a) & np.isfinite(b)] for a, b in self._pairs("f"))
        return max((float(gap.max(initial=0.0)) for gap in gaps), default=0.0)

    def same(self) -> bool:
        """Whether all whole numbers are equal; those that rest on something that is not finite say nothing."""
        return not self.is_finite() or all(np.array_equal(a, b) for a, b in self._pairs("iu"))

    def labels(self) -> list[NDArray[Any]]:
        """The whole-number outputs that were got."""
        return [b for _, b in self._pairs("iu")]

    def describe(self) -> str:
        """Where they differ most, in a line."""
        if not self.fits():
            return f"{self.id}: expected {_forms(self.expected)}, got {_forms(self.got)}"
        labels = [f"answer {a} became {b}" for a, b in self._pairs("iu")]
        return f"{self.id}: {'; '.join([*labels, *(_farthest(a, b) for a, b in self._pairs('f') if a.size)])}"

    def _pairs(self, kinds: str) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        pairs = [(a, b) for a, b in zip(self.expected, self.got, strict=True) if a.dtype.kind in kinds]
        return [(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs] if kinds == "f" else pairs


def pair(names: Sequence[str], batch: NDArray[Any], expected: Outputs, got: Outputs) -> list[Answer]:
    """The answers of a batch, row by row."""
    return [
        Answer(name, batch[k], tuple(e[k] for e in expected), tuple(g[k] for g in got)) for k, name in enumerate(names)
    ]


def save_answer(answer: Answer, path: Path) -> Path:
    """Write a row and what was said of it as .npz (``id``, ``input``, ``expected_0``, ..., ``got_0``, ...)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"expected_{k}": value for k, value in enumerate(answer.expected)}
    arrays |= {f"got_{k}": value for k, value in enumerate(answer.got)}
    np.savez(path, allow_pickle=False, id=np.array(answer.id), input=answer.row, **arrays)
    return path


def _farthest(a: NDArray[np.float64], b: NDArray[np.float64]) -> str:
    """The number that differs most; one that only one of the two has as a number comes first."""
    with np.errstate(invalid="ignore"):
        gap = np.where(np.isfinite(a) == np.isfinite(b), np.nan_to_num(np.abs(a - b), nan=0.0), np.inf)
    worst = np.unravel_index(int(gap.argmax()), a.shape)
    return f"number [{', '.join(map(str, worst))}]: expected {a[worst]:.6f}, got {b[worst]:.6f}"


def _forms(outputs: Outputs) -> str:
    return ", ".join(f"{value.dtype}{list(value.shape)}" for value in outputs)
