"""The settings of windows."""

import pytest

from stagewise.data.features.series import SeriesFeature, describe_target
from stagewise.errors import ConfigError


def describe(feature, step="1h"):
    return feature.describe(["a", "b"], [1.0, 2.0], [0.5, 1.0], step, ("time", None))


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"lookback": 0}, "lookback"),
        ({"horizon": 2.5}, "horizon"),
        ({"max_gap": 0}, "max_gap"),
        ({"season": 0, "lookback": 5}, None),
        ({"season": 30}, "season"),
        ({"gaps": "drop"}, "gaps"),
        ({"calendar": ["hour", "moon"]}, "calendar"),
        ({"step": "1 hour"}, "step"),
    ],
)
def test_an_argument_out_of_range_is_told(arguments, where):
    if where is None:  # 0 is no season: as null
        assert describe(SeriesFeature(**{"lookback": 24, "horizon": 6, **arguments})).season == 1
        return
    with pytest.raises(ConfigError) as raised:
        SeriesFeature(**{"lookback": 24, "horizon": 6, **arguments})
    assert raised.value.where == f"data.feature.{where}"


def test_the_entry_holds_the_settings():
    entry = describe(SeriesFeature(48, 6, calendar=["hour", "weekday", "hour"], gaps="interpolate", unit="kW"))
    assert entry.shape == (48, 2 + 4) and entry.calendar == ["hour", "weekday"] and entry.calendar_width == 4
    assert (entry.gaps, entry.max_gap, entry.units, entry.unit) == ("interpolate", 3, ["kW", "kW"], "kW")
    target = describe_target(entry, [0.1, 0.2])
    assert (target.outputs, target.units, target.naive) == (6, ["kW", "kW"], [0.1, 0.2])


@pytest.mark.parametrize(("step", "season"), [("1h", 24), ("15min", 1), ("1d", 7), ("1mo", 12), ("row", 1)])
def test_the_season_is_the_usual_one_if_it_fits(step, season):
    assert describe(SeriesFeature(24, 6), step).season == season


def test_a_unit_for_no_variable_is_told():
    with pytest.raises(ConfigError, match="no variable 'c'"):
        describe(SeriesFeature(24, 6, unit={"c": "m"}))
    assert describe(SeriesFeature(24, 6, unit={"b": "m"})).units == ["", "m"]


def test_gaps_are_only_filled_when_asked():
    assert SeriesFeature(24, 6, gaps="split", max_gap=9).max_gap == 0
    assert SeriesFeature(24, 6, gaps="interpolate", max_gap=9).max_gap == 9
