import xml.etree.ElementTree as ET

from stagewise.metrics.intervals import Interval
from stagewise.tasks.classification.charts import calibration_chart, interval_dot
from stagewise.tasks.classification.scores import CalibrationBin

NAN = float("nan")


def test_the_calibration_chart_has_a_dot_per_bin_with_rows():
    bins = [CalibrationBin(0, 0.5, 0, NAN, NAN), CalibrationBin(0.5, 1, 10, 0.8, 0.9)]
    chart = ET.fromstring(calibration_chart(bins, 0.95))
    assert [dot.find("title").text for dot in chart.findall("circle")] == ["10 rows: states 80.0%, 90.0% right"]


def test_interval_dots_share_an_axis_and_need_rows():
    dot = ET.fromstring(interval_dot(Interval(1.0, 0.75, 1.0), 0.5))
    assert float(dot.find("circle").attrib["cx"]) == 120
    assert float(dot.findall("line")[1].attrib["x1"]) == 62
    assert interval_dot(Interval(NAN, 0, 1), 0.5) == ""
