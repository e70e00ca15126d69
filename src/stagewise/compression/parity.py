"""Whether the exported graph answers as the network does: a mismatch stops the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stagewise.compression.quantization import strided
from stagewise.compression.session import GraphSession
from stagewise.config.schema.compress import Parity
from stagewise.data.rows import Rows
from stagewise.errors import CompressionError
from stagewise.tasks.inference import Inference

_BATCH = 64
_SINGLE = 8
"""Real rows that are also run one at a time; the hostile ones always are."""

Outputs = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How close the graph came; written to candidates.json."""

    compared: int
    """Answers compared: every row in a batch, and some of them alone."""
    label_agreement: float
    """Share of equal whole-number answers; 1 where the task gives none."""
    largest_difference: float
    """Of any other number."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What network and graph say of one row, each output without its row axis."""

    id: str
    row: NDArray[Any]
    expected: Outputs
    got: Outputs

    def excess(self, settings: Parity) -> float:
        """The largest difference as a multiple of what is allowed; infinite for what is no number."""
        worst = 0.0
        for a, b in self._pairs("f"):
            ratio = np.abs(b - a) / (settings.atol + settings.rtol * np.abs(a))
            worst = max(worst, float(np.nan_to_num(ratio, nan=np.inf).max(initial=0.0)))
        return worst

    def difference(self) -> float:
        """The largest absolute difference."""
        return max((float(np.abs(a - b).max(initial=0.0)) for a, b in self._pairs("f")), default=0.0)

    def same(self) -> bool:
        """Whether all whole-number outputs are equal."""
        return all(np.array_equal(a, b) for a, b in self._pairs("iu"))

    def describe(self) -> str:
        """Where they differ most, in a line."""
        labels = [f"answer {a} became {b}" for a, b in self._pairs("iu")]
        numbers = []
        for a, b in self._pairs("f"):
            worst = np.unravel_index(int(np.nan_to_num(np.abs(a - b), nan=np.inf).argmax()), a.shape)
            place = ", ".join(map(str, worst))
            numbers.append(f"number [{place}]: expected {a[worst]:.6f}, got {b[worst]:.6f}")
        return f"{self.id}: {'; '.join([*labels, *numbers])}"

    def _pairs(self, kinds: str) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        pairs = [(a, b) for a, b in zip(self.expected, self.got, strict=True) if a.dtype.kind in kinds]
        return [(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs] if kinds == "f" else pairs


def check_parity(
    settings: Parity,
    inference: Inference,
    graph: Path,
    rows: Rows,
    *,
    seed: int,
    threads: int,
    evidence: Path,
) -> ParityReport:
    """Compare network and graph on validation rows and on hostile ones, in batches and one at a time.

    Args:
        rows: the validation split, of which ``settings.samples`` evenly strided rows are taken.
        seed: of the hostile rows that are noise.
        evidence: folder into which the worst example is written when they differ.

    Raises:
        CompressionError: more answers differ than ``settings`` allow.
    """
    session = GraphSession(graph, threads)
    hostile = inference.source.hostile(np.random.default_rng(seed))
    answers = [_alone(session, name, row[None], _run(inference, row[None])) for name, row in hostile.items()]
    indices = strided(len(rows), settings.samples)
    for begin in range(0, len(indices), _BATCH):
        batch = _together(inference, session, rows, indices[begin : begin + _BATCH])
        # What the network says in a batch, the graph says of the row alone: no answer depends on other rows.
        for answer, index in zip(batch, indices[: _SINGLE if begin == 0 else 0, None], strict=False):
            answers.append(_alone(session, answer.id, rows.take(index), [part[None] for part in answer.expected]))
        answers += batch
    _judge(settings, answers, evidence)
    agreement = float(np.mean([answer.same() for answer in answers]))
    return ParityReport(len(answers), round(agreement, 6), round(max(answer.difference() for answer in answers), 6))


def _judge(settings: Parity, answers: list[_Answer], evidence: Path) -> None:
    excess = np.array([answer.excess(settings) for answer in answers])
    same = np.array([answer.same() for answer in answers])
    if not (excess > 1).any() and same.mean() >= settings.agreement:
        return
    # Rows whose label differs come first, then those whose numbers are farthest off.
    order = np.lexsort((-excess, same))
    raise CompressionError(
        "the ONNX graph does not answer as the network does",
        where=str(_save(answers[int(order[0])], evidence)),
        why=f"{int((excess > 1).sum())} of {len(answers)} answers have a number off by more than "
        f"{settings.atol:g} + {settings.rtol:g} * expected, and {same.mean():.2%} of the labels agree "
        f"(needed: {settings.agreement:.2%})",
        details=[answers[row].describe() for row in order[:5] if excess[row] > 1 or not same[row]],
        fix="look at the saved example; if the differences are harmless, raise compress.parity.atol or rtol",
    )


def _together(inference: Inference, session: GraphSession, rows: Rows, indices: NDArray[np.int64]) -> list[_Answer]:
    batch = rows.take(indices)
    expected, got = _run(inference, batch), session(batch)
    return [
        _Answer(name, batch[k], tuple(e[k] for e in expected), tuple(g[k] for g in got))
        for k, name in enumerate(rows.ids(indices))
    ]


def _alone(session: GraphSession, name: str, batch: NDArray[Any], expected: Sequence[NDArray[Any]]) -> _Answer:
    """What the graph says of a batch of one row."""
    got = session(batch)
    return _Answer(f"{name} (alone)", batch[0], tuple(e[0] for e in expected), tuple(g[0] for g in got))


def _run(inference: Inference, batch: NDArray[Any]) -> Outputs:
    with torch.inference_mode():
        return tuple(output.numpy() for output in inference(torch.from_numpy(batch)))


def _save(answer: _Answer, evidence: Path) -> Path:
    evidence.mkdir(parents=True, exist_ok=True)
    path = evidence / "worst.npz"
    arrays = {f"expected_{k}": value for k, value in enumerate(answer.expected)}
    arrays |= {f"got_{k}": value for k, value in enumerate(answer.got)}
    np.savez(path, allow_pickle=False, id=np.array(answer.id), input=answer.row, **arrays)
    return path
