"""The errors of an inference module's forecasts, and of naive ones beside them, and their Parquet file.

Windows overlap, so all forecasts of a split are many times larger than the split. What is held and written is bounded:
the errors of every window, summed; the errors of every step and variable, summed over the windows; and the forecasts
of every k-th window, ``KEPT_VALUES`` values in all.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.data.series.windows import WindowReader
from stagewise.errors import TrainingError

Floats = NDArray[np.float64]

FORECASTERS = ("model", "seasonal_naive", "persistence")
"""Whose errors are measured, on the same windows."""
KEPT_VALUES = 200_000
"""Most forecast values that are kept, unless LEAST_KEPT windows have more."""
LEAST_KEPT = 9
_BATCH_VALUES = 1 << 22


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of one forecaster, of standardised values, over those that were observed.

    Attributes:
        mse: mean squared error.
        mae: mean absolute error.
        window_squares, window_sizes: squared and absolute errors summed by window, ``(n,)``.
        step_squares, step_sizes: the same summed by step and variable, ``(H, V)``.
    """

    mse: float
    mae: float
    window_squares: Floats
    window_sizes: Floats
    step_squares: Floats
    step_sizes: Floats


@dataclass(frozen=True, slots=True)
class Kept:
    """Whole forecasts of some windows, in the unit of each variable.

    Attributes:
        indices: which windows, ascending ``(k,)``.
        forecasts: of the model, float32 ``(k, H, V)``.
        truths: float32 ``(k, H, V)``, NaN where nothing was observed.
    """

    indices: NDArray[np.int64]
    forecasts: NDArray[np.float32]
    truths: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is known of the forecasts for all windows of a split, in their order.

    Attributes:
        ids: names of the windows, ``series@time``.
        blocks: number of the block of each window, ``(n,)``: windows of one series whose forecasts begin within the
            same ``horizon`` steps.
        counts: observed values by window, ``(n,)``.
        step_counts: observed values by step and variable, ``(H, V)``.
        errors: by forecaster.
    """

    ids: list[str]
    blocks: NDArray[np.int64]
    counts: Floats
    step_counts: Floats
    errors: dict[str, Errors]
    kept: Kept


def predict(inference: nn.Module, rows: WindowReader, target: SeriesTarget, batch_size: int) -> Predictions:
    """Run ``inference`` and the naive forecasts over all windows, on the GPU where there is one.

    Raises:
        TrainingError: a forecast is not a finite number.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    inference = inference.eval().to(device)
    size = target.outputs * len(target.variables)
    every = min(-(-len(rows) * size // KEPT_VALUES), max(len(rows) // LEAST_KEPT, 1))
    tallies = {name: _Tally(target) for name in FORECASTERS}
    ids: list[str] = []
    kept: list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]] = []
    with torch.inference_mode():
        for indices, inputs, truths in rows.batches(max(1, min(batch_size, _BATCH_VALUES // size))):
            (output,) = inference(torch.from_numpy(inputs).to(device))
            forecast = output.to("cpu", torch.float32).numpy()
            ids.extend(rows.ids(indices))
            _check_finite(forecast, ids[-len(indices) :])
            tallies["model"].add(forecast, truths)
            tallies["seasonal_naive"].add(repeat_season(inputs, target), truths)
            tallies["persistence"].add(repeat_season(inputs, target, season=1), truths)
            chosen = indices % every == 0
            kept.append((indices[chosen], forecast[chosen], truths[chosen]))
    return Predictions(
        ids=ids,
        blocks=_blocks(rows, target.outputs),
        counts=tallies["model"].window_counts,
        step_counts=tallies["model"].step_counts,
        errors={name: tally.errors() for name, tally in tallies.items()},
        kept=Kept(*(np.concatenate(parts) for parts in zip(*kept, strict=True))),
    )


def repeat_season(inputs: NDArray[np.float32], target: SeriesTarget, season: int | None = None) -> NDArray[np.float32]:
    """The last season of each window again and again, ``(n, H, V)``; a season of 1 is persistence.

    Args:
        inputs: ``(n, lookback, V + calendar)``.
        season: that of the data when None.
    """
    length = target.season if season is None else season
    steps = inputs.shape[1] - length + np.arange(target.outputs) % length
    return inputs[:, steps, : len(target.variables)]


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a row per window: its id, block, and mean errors; and the forecast of the windows that are kept.

    ``squared_error`` and ``absolute_error`` are those of the model on the standardised scale, the others carry the
    name of the naive forecast. ``forecast`` and ``truth`` are lists of steps, each a list of variables in their
    units; null for all other windows. Equal input gives equal bytes.
    """
    columns = {"id": pa.array(predictions.ids, pa.string()), "block": pa.array(predictions.blocks)}
    for name, errors in predictions.errors.items():
        prefix = "" if name == "model" else f"{name}_"
        columns[f"{prefix}squared_error"] = pa.array(errors.window_squares / predictions.counts)
        columns[f"{prefix}absolute_error"] = pa.array(errors.window_sizes / predictions.counts)
    kept = predictions.kept
    for name, values in (("forecast", kept.forecasts), ("truth", kept.truths)):
        columns[name] = _spread(values, kept.indices, len(predictions.ids))
    pq.write_table(pa.table(columns), path, compression="zstd")


class _Tally:
    """Running errors of one forecaster."""

    def __init__(self, target: SeriesTarget) -> None:
        # Importing torchmetrics takes seconds, and only a forecaster's evaluation needs it.
        from torchmetrics import MeanAbsoluteError, MeanSquaredError

        self._mean, self._std = np.array(target.mean), np.array(target.std)
        self._mse = MeanSquaredError().set_dtype(torch.float64)
        self._mae = MeanAbsoluteError().set_dtype(torch.float64)
        self._windows: list[Floats] = []
        self._steps = np.zeros((3, target.outputs, len(target.variables)))

    def add(self, forecast: NDArray[np.float32], truth: NDArray[np.float32]) -> None:
        """Add a batch ``(n, H, V)`` in the unit of each variable; NaN in ``truth`` is left out."""
        known = ~np.isnan(truth)
        found, wanted = ((values.astype(np.float64) - self._mean) / self._std for values in (forecast, truth))
        pair = torch.from_numpy(found[known]), torch.from_numpy(wanted[known])
        self._mse.update(*pair)
        self._mae.update(*pair)
        error = np.where(known, found - wanted, 0.0)
        parts = np.stack([known.astype(np.float64), error**2, np.abs(error)])
        self._windows.append(parts.sum((2, 3)))
        self._steps += parts.sum(1)

    @property
    def window_counts(self) -> Floats:
        counts: Floats = np.concatenate(self._windows, 1)[0]
        return counts

    @property
    def step_counts(self) -> Floats:
        counts: Floats = self._steps[0]
        return counts

    def errors(self) -> Errors:
        windows = np.concatenate(self._windows, 1)
        mse, mae = float(self._mse.compute()), float(self._mae.compute())
        return Errors(mse, mae, windows[1], windows[2], self._steps[1], self._steps[2])


def _blocks(rows: WindowReader, horizon: int) -> NDArray[np.int64]:
    series, begins = rows.series(), rows.begins()
    _, first, place = np.unique(series, return_index=True, return_inverse=True)
    pairs = np.stack([series, (begins - begins[first[place]]) // horizon], 1)
    _, blocks = np.unique(pairs, axis=0, return_inverse=True)
    return np.asarray(blocks.reshape(-1), np.int64)


def _spread(values: NDArray[np.float32], indices: NDArray[np.int64], rows: int) -> pa.Array:
    """Nested lists of the kept windows at their places, null elsewhere."""
    _, steps, variables = values.shape
    flat = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), variables)
    windows = pa.FixedSizeListArray.from_arrays(flat, steps)
    place = np.full(rows, -1, np.int64)
    place[indices] = np.arange(len(indices))
    return windows.take(pa.array(place, mask=place < 0))


def _check_finite(forecast: NDArray[np.float32], ids: list[str]) -> None:
    broken = np.flatnonzero(~np.isfinite(forecast).all((1, 2)))
    if len(broken):
        raise TrainingError(
            "the model's forecasts are not finite numbers",
            why=f"so for {len(broken)} of {len(ids)} windows in a row",
            details=[ids[row] for row in broken[:5]],
            fix="train again with a lower optimizer.lr, or with trainer.precision=32-true",
        )
