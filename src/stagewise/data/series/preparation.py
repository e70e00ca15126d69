"""From raw series to checked, split, memory-mapped windows with their schema.

Series are split by time, never shuffled: the training rows come first, then those of validation, then those of test.
A window of validation or test may look back into the split before it, as forecasts in use do; what it forecasts lies
in its own split. All statistics are those of the training rows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Len
from numpy.typing import NDArray

from stagewise.config.digests import file_sha256
from stagewise.config.schema.data import PreprocessSettings, Split
from stagewise.data.checks import judge
from stagewise.data.features.series import SeriesFeature, describe_target
from stagewise.data.features.series_entry import SeriesEntry, SeriesSplit
from stagewise.data.schema import SPLITS, DataSchema, SplitInfo, write_schema
from stagewise.data.series.checks import Ledger, locate, tidy
from stagewise.data.series.picture import draw_series
from stagewise.data.series.segments import Segment, find_segments, forecast_begins
from stagewise.data.series.series import Series
from stagewise.data.series.statistics import SeriesStatistics, fit_statistics
from stagewise.data.series.steps import infer_step, show_step
from stagewise.data.series.windows import Steps, write_steps
from stagewise.errors import ConfigError
from stagewise.runtime.series import SeriesError, Step, calendar_columns, show_time

Borders = tuple[int, int, int]
"""Rows of a series before which training, validation and test end."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A series that passed the checks: the places of its rows, and its borders in rows."""

    name: str
    series: Series
    places: NDArray[np.int64]
    borders: Borders

    @property
    def edges(self) -> list[int]:
        """Place of the first step, and the places before which training, validation and test end."""
        after = int(self.places[-1]) + 1
        return [0, *(int(self.places[row]) if row < len(self.places) else after for row in self.borders)]


class SeriesPreparation:
    """Checks series, cuts them by time, and writes the steps that the windows of each split need.

    Args:
        borders: rows of training, of validation and of test, from the beginning of each series; further rows stay
            unused, as the published splits have it. Null takes the shares of data.split: ``test`` of the rows of
            each series, and ``validation`` of those that are left.

    The series are held in memory while they are prepared.
    """

    predicts = "series"
    """The kind of target, as schema.json names it; a task says which it ``answers``."""

    def __init__(self, borders: Annotated[Sequence[Annotated[int, Gt(0)]], Len(3, 3)] | None = None) -> None:
        if borders is not None and (len(borders) != 3 or any(type(rows) is not int or rows < 1 for rows in borders)):
            fix = "write rows of training, validation and test, [8640, 2880, 2880]"
            raise ConfigError(f"no borders {list(borders)}", where="data.preparation.borders", fix=fix)
        self._borders = borders

    def __call__(self, settings: PreprocessSettings, reader: Any, feature: Any, out: Path, reports: Path) -> DataSchema:
        """Write train.arrow, validation.arrow, test.arrow and schema.json into ``out``.

        checks.json (also when a check fails) and series.png go into ``reports``. Both folders exist.

        Args:
            reader: yields one Sample per series.
            feature: a SeriesFeature.

        Raises:
            DataError: checks failed (all of them are told at once), or the raw data cannot be read.
            ConfigError: the config does not fit the data or itself.
        """
        _check_config(settings, feature)
        ledger = Ledger(settings.data.checks, feature.gaps)
        found = tidy(reader, ledger)
        step = _find_step(feature.step, list(found.values()))
        tracks = self._tracks(found, step, settings.data.split, ledger)
        report: dict[str, Any] = {
            "rows": {"read": sum(len(series.times) for series in found.values())},
            "series": {"count": len(found), "step": show_step(step)},
        }
        if ledger.failed:
            _conclude(ledger, report, reports, settings.data.name)
        tracks, statistics = _fit(tracks, ledger)
        entry = _describe(statistics, next(iter(found.values())).variables, feature, step, reader)
        infos = _write_splits(_cut(tracks, entry, step, ledger), entry, out, ledger)
        report["rows"] |= {name: info.rows for name, info in infos.items()}
        report["series"] |= {"variables": entry.variables, "filled": {name: i.filled for name, i in infos.items()}}
        _conclude(ledger, report, reports, settings.data.name)
        # As open records, which keep the fields of their kind when they are written.
        splits = {name: SplitInfo.model_validate(info.model_dump()) for name, info in infos.items()}
        target = describe_target(entry, statistics.naive(entry.season))
        schema = DataSchema(name=settings.data.name, features=[entry], target=target, splits=splits)
        write_schema(schema, out)
        draw_series(schema, [(t.name, t.series, t.borders) for t in tracks], reports / "series.png")
        return schema

    def _tracks(self, found: dict[str, Series], step: Step, split: Split, ledger: Ledger) -> list[Track]:
        tracks = []
        for name, places in locate(found, step, ledger).items():
            borders = self._divide(len(places), split)
            if borders[-1] > len(places):
                ledger["borders"].add(f"{name}: {len(places):,} rows, {borders[-1]:,} needed")
            elif len(places):
                tracks.append(Track(name, found[name], places, borders))
        if not tracks and not ledger.failed:
            ledger["splits"].add("there are no series with rows")
        return tracks

    def _divide(self, rows: int, split: Split) -> Borders:
        if self._borders is not None:
            train, validation, test = np.cumsum(self._borders).tolist()
            return train, validation, test
        seen = rows - round(split.test * rows)
        return seen - round(split.validation * seen), seen, rows


def _check_config(settings: PreprocessSettings, feature: Any) -> None:
    if not isinstance(feature, SeriesFeature):
        raise ConfigError(
            f"{type(feature).__name__} does not make windows of series",
            where="data.feature",
            fix="choose stagewise.data.features.series.SeriesFeature, or another data.preparation",
        )
    if settings.augment.offline_copies:
        raise ConfigError(
            "windows overlap, so copies of single ones cannot be stored",
            where="augment.offline_copies",
            fix="set augment.offline_copies=0, and windows are changed while training",
        )


def _find_step(step: Step | None, series: list[Series]) -> Step:
    try:
        return step or infer_step([one.times for one in series])
    except SeriesError as error:
        raise ConfigError(
            "the distance of the steps cannot be found", where="data.feature.step", why=str(error), fix="set it, to 1h"
        ) from error


def _fit(tracks: list[Track], ledger: Ledger) -> tuple[list[Track], SeriesStatistics]:
    """Statistics of the training rows, and the tracks with the variables that stay."""
    statistics = fit_statistics([(t.series, t.places, t.borders[0]) for t in tracks])
    constant = [name for name, varies in zip(statistics.variables, statistics.varies, strict=True) if not varies]
    for name in constant:
        ledger["constant"].add(name, dropped=int(ledger.action("constant") == "drop"))
    if ledger.action("constant") != "drop" or not constant or len(constant) == len(statistics.variables):
        return tracks, statistics
    kept = np.flatnonzero(statistics.varies)
    names = tuple(statistics.variables[column] for column in kept)
    tracks = [
        Track(t.name, Series(t.series.times, t.series.values[:, kept], names), t.places, t.borders) for t in tracks
    ]
    return tracks, fit_statistics([(t.series, t.places, t.borders[0]) for t in tracks])


def _describe(
    statistics: SeriesStatistics, held: tuple[str, ...], feature: SeriesFeature, step: Step, reader: Any
) -> SeriesEntry:
    columns = (getattr(reader, "time_column", "time"), getattr(reader, "series_column", None))
    left = statistics.variables
    dropped = [name for name in held if name not in left]
    return feature.describe(left, statistics.mean, statistics.std, show_step(step), columns, dropped)


def _cut(tracks: list[Track], entry: SeriesEntry, step: Step, ledger: Ledger) -> dict[str, list[Steps]]:
    """The steps of each split that its windows need."""
    parts: dict[str, list[Steps]] = {name: [] for name in SPLITS}
    for track in tracks:
        segments = list(find_segments(track.places, track.series.times, track.series.values, step, entry.max_gap))
        edges = track.edges
        trains = False
        for name, begin, end in zip(SPLITS, edges[:-1], edges[1:], strict=True):
            for segment in segments:
                begins = forecast_begins(segment, begin, end, entry.lookback, entry.horizon)
                if len(begins):
                    parts[name].append(_steps(track.name, segment, begins, entry))
                    trains |= name == "train"
        if not trains:
            ledger["short"].add(f"{track.name}: {track.borders[0]:,} rows to train on")
    return parts


def _steps(name: str, segment: Segment, begins: NDArray[np.int64], entry: SeriesEntry) -> Steps:
    first, last = int(begins[0]) - entry.lookback, int(begins[-1]) + entry.horizon
    part = segment.part(first, last)
    values = np.concatenate([part.values.astype(np.float32), calendar_columns(part.times, entry.calendar)], 1)
    marks = np.zeros(last - first, np.bool_)
    marks[begins - first] = True
    return Steps(name, part.times, values, part.observed, marks)


def _write_splits(
    parts: dict[str, list[Steps]], entry: SeriesEntry, out: Path, ledger: Ledger
) -> dict[str, SeriesSplit]:
    infos = {name: _write(out / f"{name}.arrow", parts[name], entry) for name in SPLITS}
    for name in (name for name in SPLITS if not infos[name].rows):
        ledger["splits"].add(f"{name}: nowhere {entry.horizon} steps after {entry.lookback} others, without a gap")
    return infos


def _write(path: Path, parts: list[Steps], entry: SeriesEntry) -> SeriesSplit:
    write_steps(parts, entry.shape[1], len(entry.variables), path)
    times = np.concatenate([part.times[part.begins] for part in parts] or [np.empty(0, "datetime64[s]")])
    return SeriesSplit(
        file=path.name,
        rows=len(times),
        sha256=file_sha256(path),
        series=len({part.series for part in parts}),
        steps=sum(len(part.times) for part in parts),
        filled=sum(int((~part.observed).sum()) for part in parts),
        first=show_time(times.min()) if len(times) else "",
        last=show_time(times.max()) if len(times) else "",
    )


def _conclude(ledger: Ledger, report: dict[str, Any], reports: Path, name: str) -> None:
    """Write checks.json, and raise the DataError of the checks that failed."""
    findings = ledger.findings()
    checks = {finding.check: finding.report() for finding in findings}
    text = json.dumps({"passed": not ledger.failed, **report, "checks": checks}, indent=2, ensure_ascii=False)
    (reports / "checks.json").write_text(text + "\n", encoding="utf-8")
    judge(findings, name)
