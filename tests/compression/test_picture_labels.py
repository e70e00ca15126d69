from itertools import combinations

import numpy as np
import pytest

from stagewise.compression.pictures.labels import Box, place

BOUNDS = Box(0, 0, 800, 500)


def crowd(count, spread=60):
    draw = np.random.default_rng(count)
    return [(float(x), float(y)) for x, y in draw.normal((400, 250), spread, (count, 2))]


@pytest.mark.parametrize("count", [2, 6, 14, 30])
def test_no_label_covers_a_label_a_point_or_a_note(count):
    points, note = crowd(count), Box(500, 0, 800, 60)
    boxes = place(points, [(90, 14)] * count, BOUNDS, gap=6, obstacles=[note])
    assert all(a.shared(b) == 0 for a, b in combinations([*boxes, note], 2))
    for box in boxes:
        assert (box.right - box.left, box.top - box.bottom) == pytest.approx((90, 14))
        assert box.shared(BOUNDS) == pytest.approx(box.area)
        assert not any(box.left < x < box.right and box.bottom < y < box.top for x, y in points)


def test_a_lonely_label_is_right_beside_its_point():
    (box,) = place([(100, 100)], [(50, 10)], BOUNDS, gap=6)
    assert (box.left, box.bottom) == (109, 95)


@pytest.mark.parametrize(
    ("point", "side"), [((790, 250), "left"), ((10, 250), "right"), ((400, 498), "below"), ((400, 2), "above")]
)
def test_it_stays_within_the_bounds(point, side):
    (box,) = place([point], [(60, 30)], BOUNDS, gap=6)
    assert box.shared(BOUNDS) == pytest.approx(box.area)
    beside = {"left": box.right < point[0], "right": box.left > point[0]}
    assert beside.get(side, box.top < point[1] if side == "below" else box.bottom > point[1])


def test_lines_are_crossed_only_where_that_brings_it_nearer_by_much():
    line = Box(0, 99, 800, 101)
    (box,) = place([(100, 100)], [(50, 10)], BOUNDS, gap=6, thin=[line])
    assert box.shared(line) == 0
    hemmed = [Box(0, 105, 800, 500), Box(0, 0, 800, 95)]
    (box,) = place([(100, 100)], [(50, 9)], BOUNDS, gap=6, obstacles=hemmed, thin=[line])
    assert box.shared(line) > 0


def test_without_any_room_it_still_gives_a_box_each():
    boxes = place([(5.0, 5.0)] * 20, [(9, 9)] * 20, Box(0, 0, 10, 10), gap=2)
    assert len(boxes) == 20
