"""Whether the exported graph answers as the network does: a mismatch stops the pipeline."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stagewise.compression.quantization import strided
from stagewise.compression.session import GraphSession
from stagewise.config.schema.compress import Parity
from stagewise.data.schema import Feature
from stagewise.data.storage import SplitReader
from stagewise.errors import CompressionError

_BATCH = 64
_SINGLE = 8
"""Real rows that are also run one at a time; the hostile ones always are."""
_NOISE = 4


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How close the graph came; written to candidates.json."""

    compared: int
    """Answers compared: every image in a batch, and some of them alone."""
    label_agreement: float
    largest_difference: float
    """Of any probability."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """Probabilities float32 ``[N, K]`` and labels int64 ``[N]``, aligned with ids and images."""

    ids: list[str]
    images: NDArray[np.uint8]
    labels: tuple[NDArray[np.int64], NDArray[np.int64]]
    probabilities: tuple[NDArray[np.float32], NDArray[np.float32]]


def check_parity(
    settings: Parity,
    inference: nn.Module,
    graph: Path,
    rows: SplitReader,
    feature: Feature,
    *,
    seed: int,
    threads: int,
    evidence: Path,
) -> ParityReport:
    """Compare network and graph on validation rows and on hostile images, in batches and one at a time.

    Args:
        rows: the validation split, of which ``settings.samples`` evenly strided rows are taken.
        seed: of the noise images.
        evidence: folder into which the worst example is written when they differ.

    Raises:
        CompressionError: more labels or probabilities differ than ``settings`` allow.
    """
    ids, images = _cases(rows, settings.samples, feature, seed)
    answers = _answer(inference, GraphSession(graph, threads), ids, images)
    excess = _excess(answers, settings)
    same = answers.labels[0] == answers.labels[1]
    agreement = float(same.mean())
    if (excess > 1).any() or agreement < settings.agreement:
        # Rows whose label differs come first, then those whose probabilities are farthest off.
        order = np.lexsort((-excess, same))
        saved = _save(answers, int(order[0]), evidence)
        raise CompressionError(
            "the ONNX graph does not answer as the network does",
            where=str(saved),
            why=f"{int((excess > 1).sum())} of {len(answers.ids)} answers have a probability off by more than "
            f"{settings.atol:g} + {settings.rtol:g} * expected, and {agreement:.2%} of the labels agree "
            f"(needed: {settings.agreement:.2%})",
            details=[_describe(answers, int(row)) for row in order[:5] if excess[row] > 1 or not same[row]],
            fix="look at the saved example; if the differences are harmless, raise compress.parity.atol or rtol",
        )
    first, second = answers.probabilities
    return ParityReport(len(answers.ids), round(agreement, 6), round(float(np.abs(first - second).max()), 6))


def _cases(rows: SplitReader, count: int, feature: Feature, seed: int) -> tuple[list[str], NDArray[np.uint8]]:
    indices = strided(len(rows), count)
    generator = np.random.default_rng(seed)
    hostile = {
        "all 0": np.zeros(feature.shape, np.uint8),
        "all 255": np.full(feature.shape, 255, np.uint8),
    }
    hostile |= {f"noise {k}": generator.integers(0, 256, feature.shape, np.uint8) for k in range(_NOISE)}
    images = np.concatenate([np.stack(list(hostile.values())), rows.take(indices)])
    return [*hostile, *rows.ids(indices)], images


def _answer(inference: nn.Module, session: GraphSession, ids: list[str], images: NDArray[np.uint8]) -> _Answers:
    alone = min(len(ids), 2 + _NOISE + _SINGLE)
    batches = [images[begin : begin + _BATCH] for begin in range(0, len(images), _BATCH)]
    with torch.inference_mode():
        pairs = [inference(torch.from_numpy(batch)) for batch in batches]
    expected = [np.concatenate([pair[part].numpy() for pair in pairs]) for part in (0, 1)]
    found = [session(batch) for batch in [*batches, *(images[row : row + 1] for row in range(alone))]]
    label, probabilities = (np.concatenate([pair[part] for pair in found]) for part in (0, 1))
    return _Answers(
        [*ids, *(f"{name} (alone)" for name in ids[:alone])],
        np.concatenate([images, images[:alone]]),
        (np.concatenate([expected[0], expected[0][:alone]]), label),
        (np.concatenate([expected[1], expected[1][:alone]]), probabilities),
    )


def _excess(answers: _Answers, settings: Parity) -> NDArray[np.float64]:
    """Per answer: the largest difference as a multiple of what is allowed; infinite for what is no number."""
    expected, got = (values.astype(np.float64) for values in answers.probabilities)
    ratio = np.abs(got - expected) / (settings.atol + settings.rtol * np.abs(expected))
    return np.asarray(np.nan_to_num(ratio, nan=np.inf).max(axis=1))


def _describe(answers: _Answers, row: int) -> str:
    (expected, got), (label, other) = (pair for pair in (answers.probabilities, answers.labels))
    worst = int(np.nan_to_num(np.abs(expected[row] - got[row]), nan=np.inf).argmax())
    return (
        f"{answers.ids[row]}: label {label[row]} became {other[row]}; "
        f"probability of class {worst}: expected {expected[row, worst]:.6f}, got {got[row, worst]:.6f}"
    )


def _save(answers: _Answers, row: int, evidence: Path) -> Path:
    evidence.mkdir(parents=True, exist_ok=True)
    path = evidence / "worst.npz"
    np.savez(
        path,
        id=np.array(answers.ids[row]),
        input=answers.images[row],
        expected=answers.probabilities[0][row],
        got=answers.probabilities[1][row],
    )
    return path
