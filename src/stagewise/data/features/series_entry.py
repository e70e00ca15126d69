"""What schema.json says of time series, typed."""

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from stagewise.data.schema import Feature, SplitInfo, TargetEntry

CalendarName = Literal["hour", "weekday", "day", "month", "yearday"]
"""The names of ``stagewise.runtime.series.CYCLES``."""

Gaps = Literal["fail", "interpolate", "split"]


class SeriesEntry(Feature):
    """Windows of ``lookback`` steps. All statistics are those of the training rows, of values that were observed."""

    name: str = "series"
    kind: str = "series"
    dtype: Literal["float32"] = "float32"
    shape: tuple[PositiveInt, PositiveInt]
    """(lookback, variables and calendar columns)."""
    layout: Literal["TV"] = "TV"
    storage: Literal["fixed", "ragged", "windows"] = "windows"
    lookback: PositiveInt
    """Steps that a forecast is made from."""
    horizon: PositiveInt
    """Steps that are forecast."""
    variables: list[str]
    """The first columns, in the unit of ``units``."""
    units: list[str]
    mean: list[float]
    std: list[PositiveFloat]
    """Population standard deviation; 1 where a variable does not vary."""
    step: str
    """Distance of the steps, as ``stagewise.runtime.series.parse_step`` reads it."""
    season: PositiveInt
    """Steps of the cycle that the seasonal-naive forecast repeats."""
    calendar: list[CalendarName]
    """What the last columns tell, two for each: see ``stagewise.runtime.series.calendar_columns``."""
    gaps: Gaps
    max_gap: NonNegativeInt
    """Most steps in a row that are interpolated."""
    time_column: str
    series_column: str | None

    @property
    def calendar_width(self) -> int:
        """How many of the last columns are calendar features."""
        return self.shape[1] - len(self.variables)


class SeriesTarget(TargetEntry):
    """The next ``outputs`` steps of every variable."""

    name: str = "forecast"
    kind: str = "series"
    variables: list[str]
    units: list[str]
    mean: list[float]
    """Of the training rows, by which the network's output is scaled back."""
    std: list[PositiveFloat]
    step: str
    season: PositiveInt
    naive: list[NonNegativeFloat]
    """Mean absolute difference of training values one season apart, by variable: the denominators of MASE."""


class SeriesSplit(SplitInfo):
    """A split; its ``rows`` are windows."""

    series: NonNegativeInt
    """Series that have windows in it."""
    steps: NonNegativeInt
    """Steps stored, those that only inputs reach back to among them."""
    filled: NonNegativeInt
    """Values among them that were interpolated: inputs, but never targets."""
    first: str
    """Time of the first step that is forecast; empty without windows."""
    last: str
