"""Whether graph, chosen candidate and further formats answer as the network does: a mismatch stops the pipeline.

What is compared: ``parity.samples`` rows of the validation split, in batches of 64 and of 3 and one at a time, and the
hostile rows of the kind of input (empty, extreme, constant, not a number, longer than any), alone and together.

A row of which the network makes no number (a window with a missing value, say) must give no number elsewhere either:
a graph that made one up would hide the fault from whoever uses it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stagewise.compression.checks.answers import Answer, Outputs, Runner, pair, save_answer
from stagewise.compression.quantization import strided
from stagewise.compression.session import GraphSession
from stagewise.config.schema.compress import Parity
from stagewise.data.rows import Rows
from stagewise.errors import CompressionError
from stagewise.tasks.inference import Inference

_BATCH = 64
_FEW = 3
_SINGLE = 8
"""Real rows that are also run one at a time; the hostile ones always are."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How close one came to the other; written to candidates.json."""

    rows: int
    """Real rows."""
    hostile: int
    """Hostile rows."""
    compared: int
    """Answers compared: each row in a batch, and some of them in others, and alone."""
    label_agreement: float
    """Share of equal whole-number answers; 1 where the task gives none."""
    largest_difference: float
    """Of any other number."""
    not_finite: list[str]
    """Hostile rows for which what is expected is not a finite number."""
    left_out: list[str]
    """Hostile rows that the network refuses, or that the format cannot hold."""


@dataclass(frozen=True, slots=True)
class _Check:
    """One comparison: who is asked, and how a failure is told."""

    subject: str
    """The ONNX graph, the chosen candidate, the export."""
    model: str
    """What it is compared with."""
    expected: Runner
    got: Runner
    worst: Path
    """Where the worst example goes."""
    longest: int | None = None
    """Longest row that is compared, where length varies."""

    def ask(self, name: str, batch: NDArray[Any]) -> Outputs:
        """What it says of a batch.

        Raises:
            CompressionError: it cannot run it.
        """
        try:
            return self.got(batch)
        except Exception as error:  # every runtime raises errors of its own
            saved = save_answer(Answer(name, batch, (), ()), self.worst)
            size = "one row" if len(batch) == 1 else f"a batch of {len(batch)}"
            raise CompressionError(
                f"{self.subject} cannot run {size}",
                where=str(saved),
                why=f"{name}: {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}",
                fix="look at the saved rows; a graph must take batches of any size",
            ) from error

    def stop(self, answer: Answer, what: str, why: str, fix: str, details: list[str]) -> CompressionError:
        """The error of a mismatch, whose worst example is saved."""
        return CompressionError(what, where=str(save_answer(answer, self.worst)), why=why, fix=fix, details=details)


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
    """Compare the exported graph with the network.

    Args:
        rows: the validation split.
        seed: of the hostile rows that are noise.
        evidence: folder into which the worst example is written (worst.npz) when they differ.

    Raises:
        CompressionError: more answers differ than ``settings`` allow, or the graph cannot run a batch.
    """
    runner = GraphSession(graph, threads)
    check = _Check("the ONNX graph", "the network", network_runner(inference), runner, evidence / "worst.npz")
    return _compare(settings, check, inference, rows, seed)


def check_export(
    settings: Parity,
    inference: Inference,
    runner: Runner,
    rows: Rows,
    *,
    name: str,
    seed: int,
    evidence: Path,
    longest: int | None = None,
) -> ParityReport:
    """Compare the program called ``name`` with the network, as ``check_parity`` does.

    Args:
        longest: rows of more than this length are left out, where the format has a fixed length.

    Raises:
        CompressionError: as ``check_parity``.
    """
    worst = evidence / f"worst-{name}.npz"
    check = _Check(f"the export {name}", "the network", network_runner(inference), runner, worst, longest)
    return _compare(settings, check, inference, rows, seed)


def check_chosen(
    settings: Parity,
    fp32: Path,
    chosen: Path,
    rows: Rows,
    inference: Inference,
    *,
    agreement: float,
    seed: int,
    threads: int,
    evidence: Path,
) -> ParityReport:
    """Compare the chosen candidate with the exported graph, which may give other numbers but no worse answers.

    Args:
        agreement: share of the validation rows with the answer of fp32, as the task's meter counted it.
        rows, seed, evidence: as in ``check_parity``; the worst example is worst-chosen.npz.

    Raises:
        CompressionError: it cannot run a batch, gives something that is not finite where fp32 gives a number, a label
            that no class has, or another answer than fp32 for more rows than ``settings.chosen_agreement`` allows.
    """
    runners = GraphSession(fp32, threads), GraphSession(chosen, threads)
    check = _Check("the chosen candidate", "fp32", *runners, evidence / "worst-chosen.npz")
    # Together is not asked: int8 scales of a batch are those of its widest row.
    hostile, left_out = _hostile(check, inference, seed)
    real = list(_real(check, rows, settings.samples))
    _judge_validity(check, [*hostile, *real], inference.schema.target.outputs)
    _judge_agreement(settings, check, real, agreement)
    return _report(hostile, real, left_out, min(len(rows), settings.samples))


def network_runner(inference: Inference) -> Runner:
    """The network itself, operator by operator."""

    def run(batch: NDArray[Any]) -> Outputs:
        with torch.inference_mode():
            return tuple(output.numpy() for output in inference(torch.from_numpy(batch)))

    return run


def _compare(settings: Parity, check: _Check, inference: Inference, rows: Rows, seed: int) -> ParityReport:
    hostile, left_out = _hostile(check, inference, seed)
    hostile += _together(check, hostile)
    real = list(_real(check, rows, settings.samples))
    _judge(settings, check, [*hostile, *real])
    return _report(hostile, real, left_out, min(len(rows), settings.samples))


def _hostile(check: _Check, inference: Inference, seed: int) -> tuple[list[Answer], list[str]]:
    """What is said of every hostile row alone; and the names of those left out."""
    answers, left_out = [], []
    for name, row in inference.source.hostile(np.random.default_rng(seed)).items():
        alone = f"{name} (alone)"
        try:
            expected = check.expected(row[None])
        except Exception:  # whatever the network raises: what it refuses has no answer to compare with
            left_out.append(name)
            continue
        if check.longest is not None and len(row) > check.longest:
            left_out.append(name)
            continue
        answers += pair([alone], row[None], expected, check.ask(alone, row[None]))
    return answers, left_out


def _together(check: _Check, alone: list[Answer]) -> list[Answer]:
    """Hostile rows of one shape in a batch: what is wrong with one must not reach the others."""
    shapes: dict[tuple[int, ...], list[Answer]] = {}
    for answer in alone:
        shapes.setdefault(answer.row.shape, []).append(answer)
    answers = []
    for group in shapes.values():
        if len(group) > 1:
            batch = np.stack([answer.row for answer in group])
            expected = tuple(np.stack(parts) for parts in zip(*(answer.expected for answer in group), strict=True))
            names = [answer.id.replace("(alone)", "(together)") for answer in group]
            answers += pair(names, batch, expected, check.ask("hostile rows together", batch))
    return answers


def _real(check: _Check, rows: Rows, samples: int) -> Iterator[Answer]:
    """What is said of evenly strided rows in batches; and of the first of them in smaller batches."""
    indices = strided(len(rows), samples)
    for begin in range(0, len(indices), _BATCH):
        part = indices[begin : begin + _BATCH]
        names, batch = rows.ids(part), rows.take(part)
        expected = check.expected(batch)
        yield from pair(names, batch, expected, check.ask(names[0], batch))
        # What is expected in a batch is expected of the row in any other: no answer depends on other rows.
        smaller = [slice(k, k + 1) for k in range(min(_SINGLE, len(part)))] + [slice(0, _FEW)]
        for place in smaller if begin == 0 else []:
            few, wanted = rows.take(part[place]), tuple(output[place] for output in expected)
            suffix = "(alone)" if len(few) == 1 else f"(in a batch of {len(few)})"
            yield from pair([f"{n} {suffix}" for n in names[place]], few, wanted, check.ask(names[place][0], few))


def _report(hostile: list[Answer], real: list[Answer], left_out: list[str], rows: int) -> ParityReport:
    alone = [answer for answer in hostile if answer.id.endswith("(alone)")]
    answers = [*hostile, *real]
    return ParityReport(
        rows=rows,
        hostile=len(alone),
        compared=len(answers),
        label_agreement=round(float(np.mean([answer.same() for answer in answers])), 6),
        largest_difference=float(f"{max(answer.difference() for answer in answers):.6g}"),
        not_finite=[answer.id.removesuffix(" (alone)") for answer in alone if not answer.is_finite()],
        left_out=left_out,
    )


def _judge(settings: Parity, check: _Check, answers: list[Answer]) -> None:
    _judge_form(check, answers)
    excess = np.array([answer.excess(settings) for answer in answers])
    same = np.array([answer.same() for answer in answers])
    if not (excess > 1).any() and same.mean() >= settings.agreement:
        return
    # Rows whose label differs come first, then those whose numbers are farthest off.
    order = np.lexsort((-excess, same))
    raise check.stop(
        answers[int(order[0])],
        f"{check.subject} does not answer as {check.model} does",
        f"{int((excess > 1).sum())} of {len(answers)} answers have a number off by more than "
        f"{settings.atol:g} + {settings.rtol:g} * expected, and {same.mean():.2%} of the labels agree "
        f"(needed: {settings.agreement:.2%})",
        "look at the saved example; if the differences are harmless, raise compress.parity.atol or rtol",
        [answers[row].describe() for row in order[:5] if excess[row] > 1 or not same[row]],
    )


def _judge_form(check: _Check, answers: list[Answer]) -> None:
    wrong = [answer for answer in answers if not answer.fits()]
    if wrong:
        raise check.stop(
            wrong[0],
            f"{check.subject} gives outputs of another form than {check.model}",
            "number, shape or kind of the outputs differ",
            "leave the candidate or export out of conf/compress/, and report what made it",
            [answer.describe() for answer in wrong[:5]],
        )


def _judge_validity(check: _Check, answers: list[Answer], outputs: int) -> None:
    """Refuse what no user of the model could make sense of, even where fp32 would say something else."""
    _judge_form(check, answers)
    lost = [answer for answer in answers if answer.loses_numbers()]
    beyond = [a for a in answers if a.is_finite() and any(((x < 0) | (x >= outputs)).any() for x in a.labels())]
    if not lost and not beyond:
        return
    wrong = lost or beyond
    raise check.stop(
        wrong[0],
        f"{check.subject} gives answers that are none",
        f"{len(lost)} of {len(answers)} answers hold something that is not a finite number where {check.model} gives "
        f"one, and {len(beyond)} a label outside 0 to {outputs - 1}",
        "leave the candidate out of compress.candidates",
        [answer.describe() for answer in wrong[:5]],
    )


def _judge_agreement(settings: Parity, check: _Check, answers: list[Answer], agreement: float) -> None:
    if agreement >= settings.chosen_agreement:
        return
    order = sorted(answers, key=lambda answer: (answer.same(), -answer.difference()))
    raise check.stop(
        order[0],
        f"{check.subject} gives other answers than {check.model}",
        f"{agreement:.2%} of the validation rows get the same answer (needed: {settings.chosen_agreement:.2%})",
        "set compress.min_agreement so that such a candidate is not chosen, or lower compress.parity.chosen_agreement",
        [answer.describe() for answer in order[:5]],
    )
