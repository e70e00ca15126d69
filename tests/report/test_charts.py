import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from stagewise.report.charts import line_chart, ticks


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.97, 0.999), (3, 3), (0, 0), (-2, 70), (0.0004, 0.00041)])
def test_ticks_reach_around_the_values_in_equal_steps(low, high):
    found = ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 8
    steps = [b - a for a, b in pairwise(found)]
    assert steps == pytest.approx([steps[0]] * len(steps))


@pytest.mark.parametrize("values", [[2.0, 1.0, 0.5], [None, 1.0, None], [1.0, 1.0, 1.0], [None] * 3])
def test_a_line_chart_is_well_formed_and_stays_inside(values):
    chart = ET.fromstring(line_chart('a "title" <b>', [1, 2, 3], {"<i>": values, "other": [1.0, 2.0, 3.0]}))
    assert chart.attrib["aria-label"] == 'a "title" <b>'
    curves = chart.findall("polyline")
    assert len(curves) == 2
    for pair in " ".join(curve.attrib["points"] for curve in curves).split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= 380
        assert 0 <= y <= 240


def test_a_chart_of_one_epoch_or_none_is_drawn():
    assert ET.fromstring(line_chart("one", [1], {"a": [0.5]})).find("circle") is not None
    assert ET.fromstring(line_chart("none", [], {"a": []})).find("circle") is None
