"""Windows of time series."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from stagewise.data.features.series_entry import CalendarName, Gaps, SeriesEntry, SeriesTarget
from stagewise.data.series.steps import usual_season
from stagewise.errors import ConfigError
from stagewise.runtime.series import CYCLES, SeriesError, Step, parse_step

_WHERE = "data.feature"


class SeriesFeature:
    """Forecasts ``horizon`` steps from the ``lookback`` steps before them; data.preparation cuts the windows.

    Args:
        lookback: steps that a forecast is made from; at least a season.
        horizon: steps that are forecast.
        step: distance of neighbouring steps: 15min, 1h, 1d, 1w, 1mo, 1y, or "row" when every row is a step whatever
            its time (trading days). Null takes what is most frequent in the data.
        calendar: what the network is told of each step besides its values.
        gaps: what is done about steps and values that are missing. "interpolate" fills up to ``max_gap`` steps in a
            row along a straight line, for inputs only: a filled value is never a target, and no window ends in one,
            since the line would lead to what comes after. "split" has no window across a gap.
        max_gap: longest gap that is filled.
        season: steps of the cycle that the seasonal-naive forecast repeats. Null: a day for steps below a day, a week
            for days, a year for weeks, months and quarters, if the lookback holds one; else 1.
        unit: of all variables, or of each by its name.

    Raises:
        ConfigError: an argument is out of its range.
    """

    kind = "series"
    """The kind of input, as schema.json names it."""
    gives = "series"
    """What a network must take."""
    inputs = "stagewise.tasks.inputs.series.SeriesInputs"
    """The module between the stored rows and the network."""
    rows = "stagewise.data.series.windows.WindowReader"
    """What reads the split files."""
    runtime = "stagewise.runtime.series"
    """The module that a package ships to read inputs."""

    def __init__(
        self,
        lookback: Annotated[int, Gt(0)],
        horizon: Annotated[int, Gt(0)],
        step: str | None = None,
        calendar: Sequence[Literal["hour", "weekday", "day", "month", "yearday"]] = (),
        gaps: Literal["fail", "interpolate", "split"] = "fail",
        max_gap: Annotated[int, Gt(0)] = 3,
        season: Annotated[int, Ge(1)] | None = None,
        unit: str | dict[str, str] = "",
    ) -> None:
        sizes = {"lookback": lookback, "horizon": horizon, "max_gap": max_gap, "season": season or 1}
        for name, size in sizes.items():
            if type(size) is not int or size < 1:
                raise ConfigError(
                    f"{name} must be a whole number of at least 1, not {size!r}", where=f"{_WHERE}.{name}"
                )
        if gaps not in ("fail", "interpolate", "split"):
            raise ConfigError(f"no way {gaps!r}", where=f"{_WHERE}.gaps", fix="fail, interpolate or split")
        if unknown := [name for name in calendar if name not in CYCLES]:
            fix = f"choose among {', '.join(CYCLES)}"
            raise ConfigError(f"no calendar feature {unknown[0]!r}", where=f"{_WHERE}.calendar", fix=fix)
        if season is not None and season > lookback:
            raise ConfigError(
                f"a season of {season} steps does not fit into the lookback of {lookback}",
                where=f"{_WHERE}.season",
                why="the seasonal-naive forecast repeats the last season of the lookback",
                fix=f"raise lookback to {season}, or set season=1",
            )
        self.lookback, self.horizon = lookback, horizon
        self.step = _step(step)
        self.calendar: list[CalendarName] = list(dict.fromkeys(calendar))
        self.gaps: Gaps = gaps
        self.max_gap = max_gap if gaps == "interpolate" else 0
        """Most missing steps in a row that are filled."""
        self._season, self._unit = season, unit

    def describe(
        self,
        variables: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        step: str,
        columns: tuple[str, str | None],
        dropped: Sequence[str] = (),
    ) -> SeriesEntry:
        """The entry of schema.json.

        Args:
            variables, mean, std: names and statistics of the training rows.
            step: that of the data, in the notation of the config.
            columns: names of the time and the series column.
            dropped: variables of the data that were left out.

        Raises:
            ConfigError: there is a unit for a variable that the data does not have.
        """
        usual = usual_season(parse_step(step))
        return SeriesEntry(
            shape=(self.lookback, len(variables) + 2 * len(self.calendar)),
            lookback=self.lookback,
            horizon=self.horizon,
            variables=list(variables),
            units=_units(self._unit, variables, dropped),
            unit=self._unit if isinstance(self._unit, str) else "",
            mean=list(mean),
            std=list(std),
            step=step,
            season=self._season or (usual if usual <= self.lookback else 1),
            calendar=self.calendar,
            gaps=self.gaps,
            max_gap=self.max_gap,
            time_column=columns[0],
            series_column=columns[1],
        )


def describe_target(entry: SeriesEntry, naive: Sequence[float]) -> SeriesTarget:
    """The target's entry of schema.json; ``naive`` are the denominators of MASE."""
    return SeriesTarget(
        outputs=entry.horizon,
        variables=entry.variables,
        units=entry.units,
        mean=entry.mean,
        std=entry.std,
        step=entry.step,
        season=entry.season,
        naive=list(naive),
    )


def _step(text: str | None) -> Step | None:
    try:
        return None if text is None else parse_step(text)
    except SeriesError as error:
        raise ConfigError(str(error), where=f"{_WHERE}.step") from error


def _units(unit: str | Mapping[str, str], variables: Sequence[str], dropped: Sequence[str]) -> list[str]:
    if isinstance(unit, str):
        return [unit] * len(variables)
    if unknown := [name for name in unit if name not in {*variables, *dropped}]:
        raise ConfigError(
            f"there is no variable {unknown[0]!r} to have a unit",
            where=f"{_WHERE}.unit",
            details=[f"there is {name}" for name in variables[:10]],
        )
    return [unit.get(name, "") for name in variables]
