"""Charts of forecasts."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np

from stagewise.tasks.forecasting.charts import example_chart, step_chart

HISTORY, TRUTH = np.arange(10.0), np.arange(10.0, 16.0)


def lines(chart):
    root = ElementTree.fromstring(chart)
    return [(line.get("class"), line.get("points").split()) for line in root.iter("polyline")]


def test_an_example_joins_history_and_truth_and_begins_the_forecast_at_zero():
    chart = example_chart(HISTORY, TRUTH, TRUTH + 1, TRUTH - 1, "1h", "a, <b>")
    (naive, was, forecast) = lines(chart)
    assert naive[0] is None and was[0] == "curve" and forecast[0] == "curve curve2"
    assert (len(naive[1]), len(was[1]), len(forecast[1])) == (6, 16, 6)
    assert was[1][10].split(",")[0] == forecast[1][0].split(",")[0]
    assert "steps of 1h" in chart and "a, &lt;b&gt;" in chart and "style=" not in chart


def test_the_line_is_broken_where_nothing_was_observed():
    truth = TRUTH.copy()
    truth[[1, 3]] = np.nan
    found = lines(example_chart(HISTORY, truth, TRUTH, TRUTH, "1d", "a"))
    assert [len(points) for style, points in found if style == "curve"] == [11, 2]
    alone = example_chart(HISTORY, truth, TRUTH, TRUTH, "1d", "a")
    assert len(re.findall("<circle", alone)) == 1  # the single value between two holes


def test_a_flat_series_and_one_step_can_be_drawn():
    flat = np.zeros(1)
    assert "<svg" in example_chart(flat, flat, flat, flat, "1h", "a")
    assert "<svg" in step_chart({"model": flat}, "MSE")


def test_errors_by_step_have_a_line_for_every_forecaster():
    curves = {"model": np.linspace(0.1, 0.5, 8), "seasonal_naive": np.full(8, 0.4), "persistence": np.full(8, np.nan)}
    found = lines(step_chart(curves, "Mean squared error"))
    assert [style for style, _ in found] == ["curve curve2", None]
    assert "steps ahead" in step_chart(curves, "Mean squared error")
