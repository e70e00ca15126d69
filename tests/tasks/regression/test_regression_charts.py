import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from stagewise.metrics.intervals import Interval
from stagewise.tasks.regression.charts import Coverage, actual_chart, coverage_chart, residual_bins, residual_chart


def test_every_row_is_in_a_square(predictions_of):
    predictions = predictions_of()
    chart = actual_chart(predictions.targets, predictions.values, "USD")
    titles = [title.text for title in ET.fromstring(chart).iter() if title.tag.endswith("title")]
    assert sum(int(re.match(r"\d+", title)[0]) for title in titles) == 400
    assert "actual (thousand USD)" in chart


def test_a_stray_row_does_not_shrink_the_others():
    numbers = np.append(np.linspace(0, 1, 5000), 9999.0)
    ticks = re.findall(r'class="tick end"[^>]*>([^<]+)<', actual_chart(numbers, numbers, ""))
    assert max(float(tick) for tick in ticks) < 3


@pytest.mark.parametrize(
    ("largest", "label"),
    [
        (9999.0, "actual (m)"),
        (10_000.0, "actual (thousand m)"),
        (5e7, "actual (million m)"),
        (2e12, "actual (billion m)"),
    ],
)
def test_large_numbers_are_scaled_to_fit_the_axis(largest, label):
    chart = actual_chart(np.linspace(0, largest, 50), np.linspace(0, largest, 50), "m")
    assert label in chart
    ticks = re.findall(r'class="tick middle"[^>]*>([^<]+)<', chart)
    assert all(len(tick) <= 5 for tick in ticks[:-1])


def test_residuals_are_counted_around_zero():
    errors = np.concatenate([np.zeros(10), np.full(5, -3.0), np.linspace(-4, 4, 101), [1e6]])
    edges, counts = residual_bins(errors)
    assert counts.sum() == len(errors)
    assert edges[0] == pytest.approx(-edges[-1])
    assert edges[-1] < 10
    middle = len(counts) // 2
    assert edges[middle] < 0 < edges[middle + 1]
    assert counts[middle] >= 10
    assert counts[-1] >= 1
    ET.fromstring(residual_chart(errors, "m"))


def test_errors_that_are_all_zero_have_a_chart():
    edges, counts = residual_bins(np.zeros(4))
    assert (edges[-1], counts.sum()) == (1.0, 4)
    ET.fromstring(residual_chart(np.zeros(4), ""))


def test_equal_numbers_have_a_chart():
    ET.fromstring(actual_chart(np.full(3, 7.0), np.full(3, 7.0), "km"))


def test_coverage_has_a_dot_per_level():
    coverages = [Coverage(0.5, 1.0, Interval(0.52, 0.45, 0.6)), Coverage(0.9, 3.0, Interval(0.88, 0.8, 0.93))]
    chart = ET.fromstring(coverage_chart(coverages))
    dots = [element for element in chart.iter() if element.tag.endswith("circle")]
    assert [dot.attrib["class"] for dot in dots] == ["point point2"] * 2
    assert "promises 50%, holds 52.0% of the test rows" in coverage_chart(coverages)


def test_a_hostile_unit_is_text():
    assert "<script>" not in actual_chart(np.arange(3.0), np.arange(3.0), "<script>")
