"""The picture of the series."""

import numpy as np
from PIL import Image
from series_data import prepare, wave

from stagewise.data.features.series import SeriesFeature
from stagewise.data.series.picture import MAX_PANELS
from stagewise.data.series.series import Series


def colours(path):
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    return {tuple(colour) for colour in np.unique(pixels, axis=0).tolist()}


def size(path):
    with Image.open(path) as picture:
        return picture.size


def test_each_split_has_its_band_and_unused_rows_none(tmp_path):
    prepare(tmp_path, {"a": wave(300)}, SeriesFeature(12, 3), borders=[150, 50, 50])
    found = colours(tmp_path / "series.png")
    assert {(0xEA, 0xF1, 0xFB), (0xFD, 0xF0, 0xE2), (0xE9, 0xF5, 0xEA), (0xF3, 0xF3, 0xF1)} <= found
    prepare(tmp_path / "all", {"a": wave(300)}, SeriesFeature(12, 3), split={"validation": 0.2, "test": 0.2})
    assert size(tmp_path / "all" / "series.png") == size(tmp_path / "series.png")


def test_a_panel_for_each_variable_or_series_up_to_a_limit(tmp_path):
    heights = []
    for number, series in enumerate(
        [{"a": wave(100, variables=1)}, {"a": wave(100, variables=3)}, {f"s{k}": wave(100, seed=k) for k in range(20)}]
    ):
        prepare(tmp_path / str(number), series, SeriesFeature(12, 3))
        heights.append(size(tmp_path / str(number) / "series.png")[1])
    panel = (heights[1] - heights[0]) // 2
    assert heights[2] == heights[0] + (MAX_PANELS - 1) * panel


def test_gaps_dense_lines_and_strange_names_can_be_drawn(tmp_path):
    one = wave(20_000, variables=2)
    one.values[100:103] = np.nan
    one.values[200, 0] = np.nan
    named = Series(one.times, one.values, ("température extérieure", "v1"))
    prepare(tmp_path, {"a": named}, SeriesFeature(24, 6, gaps="split"))
    assert size(tmp_path / "series.png")[0] == 1120
