"""A few numbers of every row and answer, by which drift is told: for the reference and in the service alike."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = Sequence[NDArray[Any]]
Table = NDArray[np.float32]
"""``(rows, columns)``; NaN where a value is missing, the place of its label where the column has labels."""

INPUT, ANSWER, OUTCOME = "input", "answer", "outcome"
_LABELS = 24
_REST = "(rest)"
_SIDE = 32
_SAMPLES = 32768
_VARIABLES = 16
_SCORES = 16
_LEAST = 1e-6
_HASHED = 8
_UNKNOWN = 1
_MIX = 2654435761


class Column(NamedTuple):
    """One number of a row, or one of its categories."""

    name: str
    """Unlike that of any other: ``input.mean``, ``answer.class``, ``outcome.correct``."""
    labels: tuple[str, ...] = ()
    """Of the categories; none where it is a number."""

    @property
    def group(self) -> str:
        """``input``, ``answer`` or ``outcome``."""
        return self.name.partition(".")[0]


class Measured(NamedTuple):
    """Columns, and what computes them."""

    columns: list[Column]
    measure: Callable[[Rows], Table]


class Columns:
    """What is measured of the rows and answers of one model; nothing of kinds that are not known here.

    Args:
        schema: schema.json of the package: ``inputs`` with one entry, and ``target``.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        (feature,) = schema["inputs"]
        target = schema["target"]
        self.kind: str = feature["kind"]
        self._inputs = _INPUTS.get(self.kind, _nothing)(feature)
        self._answers = _ANSWERS.get(target["kind"], _nothing)(target)
        self.columns = [*self._inputs.columns, *self._answers.columns]
        self.outcomes = _OUTCOMES.get(target["kind"], [])
        """What a label that comes back tells of an answer; none for forecasts."""

    def table(self, rows: Rows, outputs: Rows) -> Table:
        """The numbers of some rows, ``(n, columns)``.

        Args:
            rows: as the graph takes them, without the batch; padding of texts counts for nothing.
            outputs: as the graph gives them, for all of these rows.
        """
        parts = [self._inputs.measure(rows), self._answers.measure(outputs)]
        return np.concatenate([np.empty((len(rows), 0), np.float32), *(part for part in parts if part.size)], axis=1)


class Said(NamedTuple):
    """All of some answers that a label is compared with."""

    values: list[Any]
    """Numbers of classes, or numbers."""
    confidence: list[float] | None
    """Of the classes."""


def said(kind: str, outputs: Rows) -> Said:
    """What the graph said, in as little as can be kept: it is asked of every answer that a service gives.

    Args:
        kind: of the target, ``class`` or ``number``.
        outputs: as the graph gives them.
    """
    values = outputs[0].reshape(-1).tolist()
    if kind != "class":
        return Said(values, None)
    return Said(values, [outputs[1].item(row, value) for row, value in enumerate(values)])


def outcomes(answers: Said, labels: NDArray[Any]) -> Table:
    """What labels tell of answers: ``(n, 2)`` of classes, whether it was right and how far the confidence was from
    that; ``(n, 1)`` of numbers, the absolute error.
    """
    if answers.confidence is None:
        return coarse(np.abs(np.array(answers.values, np.float64) - labels.reshape(-1)))[:, None]
    right = np.array(answers.values) == labels.reshape(-1)
    confidence = np.array(answers.confidence, np.float32).round(3)
    return coarse(np.stack([right, (confidence - right).round(3)], axis=1))


def confidence(outputs: Rows) -> NDArray[np.float32]:
    """The probability of every answer's class, to a thousandth: beyond that it depends on the CPU."""
    labels, probabilities = outputs
    return np.asarray(np.asarray(probabilities)[np.arange(len(labels)), labels].round(3), np.float32)


def coarse(values: NDArray[Any]) -> Table:
    """The values to about four digits, so that the last bits, which depend on the CPU and the batch, break no ties."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits + np.uint32(0x800)) & np.uint32(0xFFFFF000)).view(np.float32)
    return np.asarray(np.where(np.isfinite(rounded), rounded, np.float32(np.nan)), np.float32)


def _names(group: str, names: Sequence[str]) -> list[Column]:
    return [Column(f"{group}.{name}") for name in names]


def _nothing(entry: Mapping[str, Any]) -> Measured:  # noqa: ARG001
    """Of a kind that is not known here: one of another project."""
    return Measured([], lambda rows: np.empty((0, 0), np.float32))  # noqa: ARG005


def _image(feature: Mapping[str, Any]) -> Measured:
    """Brightness, contrast, edges of both directions, where the light is (a grid of three by three), and colours."""
    height, width, channels = feature["shape"]
    step = max(1, -(-max(height, width) // _SIDE))
    # Coarse for what is all over the image; for edges the middle as it is, since blur is not seen from afar.
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    places = ["left", "middle", "right"]
    names = ["brightness", "contrast", "darkest", "brightest", "edges_across", "edges_down", "sharpness"]
    names += [f"{row}_{column}" for row in ("top", "centre", "bottom") for column in places]
    names += [f"channel_{number}" for number in range(channels)] if channels > 1 else []
    scale = 255.0 if np.dtype(feature["dtype"]).kind == "u" else 1.0

    def load(parts: list[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Every channel, ``(n, height, width)``."""
        pixels = np.moveaxis(np.stack(parts), 3, 0).astype(np.float32, order="C")
        return list(pixels / np.float32(scale))

    def measure(rows: Rows) -> Table:
        colours = load([row[::step, ::step] for row in rows])
        grey = _mean_of(colours)
        near = grey if step == 1 else _mean_of(load([row[top : top + _SIDE, left : left + _SIDE] for row in rows]))
        across, down = (_mean(np.abs(np.diff(near, axis=axis)), (1, 2)) for axis in (2, 1))
        sharp = (across + down) / np.maximum(near.std((1, 2)), np.float32(1e-6))
        found = [grey.mean((1, 2)), grey.std((1, 2)), grey.min((1, 2)), grey.max((1, 2)), across, down, sharp]
        for band in np.array_split(grey, 3, axis=1):
            found += [_mean(part, (1, 2)) for part in np.array_split(band, 3, axis=2)]
        if channels > 1:
            found += [colour.mean((1, 2)) for colour in colours]
        return coarse(np.nan_to_num(np.stack(found, axis=1)))

    return Measured(_names(INPUT, names), measure)


def _sound(feature: Mapping[str, Any]) -> Measured:
    """Level, peak, crest, offset, zero crossings, brightness of the tone, and silence."""
    scale = 32768.0 if np.dtype(feature["dtype"]).kind == "i" else 1.0

    def measure(rows: Rows) -> Table:
        return coarse(np.stack([_wave(row, scale) for row in rows]))

    names = ["level", "peak", "crest", "offset", "zero_crossings", "brightness", "silence"]
    return Measured(_names(INPUT, names), measure)


def _wave(row: NDArray[Any], scale: float) -> Table:
    wave = row.reshape(len(row), -1)[:, 0].astype(np.float32) / np.float32(scale)
    first = max(0, (len(wave) - _SAMPLES) // 2)
    wave = wave[first : first + _SAMPLES]
    size = np.abs(wave)
    level, peak = float(np.sqrt((wave**2).mean())), float(size.max(initial=0.0))
    steps = np.abs(np.diff(wave)).mean() if len(wave) > 1 else 0.0
    crossings = (np.signbit(wave[1:]) != np.signbit(wave[:-1])).mean() if len(wave) > 1 else 0.0
    decibel = 20 * np.log10(max(level, 1e-5))
    silent = (size < 0.01 * max(peak, 1e-5)).mean()
    found = [decibel, peak, peak / max(level, 1e-5), wave.mean(), crossings, steps / max(level, 1e-5), silent]
    return np.array(found, np.float32)


def _series(feature: Mapping[str, Any]) -> Measured:
    """Mean, spread, last value, step and missing share of every variable (of the first sixteen)."""
    variables = list(feature["variables"])[:_VARIABLES]
    names = [f"{name}.{what}" for what in ("mean", "spread", "last", "step", "missing") for name in variables]

    def measure(rows: Rows) -> Table:
        values = np.stack(rows)[:, :, : len(variables)].astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but missing values there is no mean
            step = np.nanmean(np.abs(np.diff(values, axis=1)), axis=1)
            found = [np.nanmean(values, axis=1), np.nanstd(values, axis=1), values[:, -1], step]
        found.append(np.isnan(values).mean(1))
        return coarse(np.concatenate(found, axis=1))

    return Measured(_names(INPUT, names), measure)


def _text(feature: Mapping[str, Any]) -> Measured:  # noqa: ARG001
    """Length, unknown and repeated tokens, and the shares of eight groups of tokens: what is written about."""
    names = ["length", "unknown", "distinct", *(f"tokens_{number}" for number in range(_HASHED))]

    def measure(rows: Rows) -> Table:
        return coarse(np.stack([_tokens(row) for row in rows]))

    return Measured(_names(INPUT, names), measure)


def _tokens(row: NDArray[Any]) -> Table:
    ids = np.trim_zeros(row, "b").astype(np.uint64)
    count = max(len(ids), 1)
    groups = (ids * np.uint64(_MIX) >> np.uint64(16)) % np.uint64(_HASHED)
    shares = np.bincount(groups.astype(np.int64), minlength=_HASHED) / count
    unknown = float((ids == _UNKNOWN).sum()) / count
    return np.array([len(ids), unknown, len(np.unique(ids)) / count, *shares], np.float32)


def _table(feature: Mapping[str, Any]) -> Measured:
    """Every column as it is, but for dates, which are new every day."""
    used = [(place, column) for place, column in enumerate(feature["columns"]) if column["type"] != "date"]
    columns, codes = [], []
    for _, column in used:
        labels, places = _coded(column)
        columns.append(Column(f"{INPUT}.{column['name']}", labels))
        codes.append(places)

    def measure(rows: Rows) -> Table:
        given = np.stack(rows).astype(np.float32)
        found = np.empty((len(given), len(used)), np.float32)
        for number, ((place, _), places) in enumerate(zip(used, codes, strict=True)):
            values = given[:, place]
            found[:, number] = values if places is None else places[values.astype(np.int64)]
        return found

    return Measured(columns, measure)


def _coded(column: Mapping[str, Any]) -> tuple[tuple[str, ...], NDArray[np.float32] | None]:
    """Labels of a column's categories, and the place of each code among them: codes of rare ones share one.

    Which are rare is not told by the reference, but by their order in the schema: else the test would not be exact.
    """
    if column["type"] == "number":
        return (), None
    names = ["(unknown)", *map(str, column["categories"])]
    missing = column["missing_code"]
    labels = names if len(names) <= _LABELS else [*names[: _LABELS - 1], _REST]
    places = np.minimum(np.arange(max(int(column["codes"]), len(names))), len(labels) - 1).astype(np.float32)
    if missing:
        places[missing] = len(labels)
        labels = [*labels, "(missing)"]
    return tuple(labels), places


def _classes(target: Mapping[str, Any]) -> Measured:
    """Which class, how sure, and the score of every class (of the first sixteen): the row as the network sees it.

    The scores are the embedding: tests of a classifier's scores, one by one, found more shifts than other ways to
    make a row small, and without a network of their own (Lipton et al. 2018, Rabanser et al. 2019: "BBSDs"). Of two
    classes they would say what class and confidence say.
    """
    classes = [str(name) for name in target["classes"]]
    labels = classes if len(classes) <= _LABELS else [*classes[: _LABELS - 1], _REST]
    scored = classes[:_SCORES] if len(classes) > 2 else []

    def measure(outputs: Rows) -> Table:
        found = np.minimum(np.asarray(outputs[0]).reshape(-1, 1), len(labels) - 1)
        scores = np.log(np.maximum(np.asarray(outputs[1], np.float32)[:, : len(scored)], _LEAST))
        return np.concatenate([found.astype(np.float32), confidence(outputs)[:, None], coarse(scores)], axis=1)

    columns = [Column(f"{ANSWER}.class", tuple(labels)), Column(f"{ANSWER}.confidence")]
    return Measured([*columns, *_names(ANSWER, [f"score.{name}" for name in scored])], measure)


def _numbers(target: Mapping[str, Any]) -> Measured:  # noqa: ARG001
    return Measured(_names(ANSWER, ["value"]), lambda outputs: coarse(np.asarray(outputs[0]).reshape(-1, 1)))


def _forecast(target: Mapping[str, Any]) -> Measured:
    """Mean and spread of the forecast of every variable (of the first sixteen)."""
    variables = list(target["variables"])[:_VARIABLES]

    def measure(outputs: Rows) -> Table:
        values = np.asarray(outputs[0], np.float64)[:, :, : len(variables)]
        return coarse(np.concatenate([values.mean(1), values.std(1)], axis=1))

    return Measured(_names(ANSWER, [f"{name}.{what}" for what in ("mean", "spread") for name in variables]), measure)


def _mean_of(colours: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Grey, in an order of its own, whatever the number of images."""
    total = colours[0].copy()
    for colour in colours[1:]:
        total += colour
    return np.asarray(total / np.float32(len(colours)))


def _mean(values: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """0 where there is nothing to take it of: an image of fewer than three pixels has empty places."""
    return np.asarray(values.mean(axes)) if values.size else np.zeros(len(values), np.float32)


_INPUTS: dict[str, Callable[[Mapping[str, Any]], Measured]] = {
    "image": _image,
    "sound": _sound,
    "series": _series,
    "text": _text,
    "table": _table,
}
_ANSWERS: dict[str, Callable[[Mapping[str, Any]], Measured]] = {
    "class": _classes,
    "number": _numbers,
    "series": _forecast,
}
_OUTCOMES: dict[str, list[Column]] = {
    "class": [Column(f"{OUTCOME}.correct", ("wrong", "right")), Column(f"{OUTCOME}.overconfidence")],
    "number": [Column(f"{OUTCOME}.error")],
    "series": [],
}
