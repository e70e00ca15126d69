import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stagewise.compression.pictures.frontier import draw_frontier, draw_speed
from stagewise.compression.pictures.points import Point, size_words, time_words

LIMITS = {"max_drop": 0.005}
WARM, ACCENT, SOFT, BAND = (194, 65, 12), (31, 95, 191), (95, 104, 114), (228, 237, 249)


def point(name, size, drop, half=0.001, *, fits=True, chosen=False, time=0.1):
    return Point(name, size, size // 2, 0.99 - drop, drop, drop - half, drop + half, fits, chosen, time)


FP32 = point("fp32", 4_800_000, 0, 0)
INT8 = point("int8", 1_200_000, 0.001, chosen=True, time=0.05)
BAD = point("pruned", 300_000, 0.008, fits=False, time=0.02)
HOPELESS = point("guess", 1_000, 0.7, fits=False, time=0.01)


def drawn(path):
    """Pixels of the picture, and how many of them have each colour."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    packed = pixels.reshape(-1, 3).astype(int) @ (1 << 16, 1 << 8, 1)
    return pixels, {
        colour: int((packed == (colour[0] << 16) + (colour[1] << 8) + colour[2]).sum())
        for colour in (WARM, ACCENT, SOFT, BAND)
    }


def test_the_chosen_the_fitting_and_the_refused_can_be_told_apart(tmp_path):
    draw_frontier([FP32, INT8, BAD], tmp_path / "a.png", figure="accuracy", limits=LIMITS)
    pixels, counts = drawn(tmp_path / "a.png")
    assert pixels.shape[1] == 1600
    assert min(counts.values()) > 200
    draw_frontier([FP32, INT8, replace(BAD, fits=True)], tmp_path / "b.png", figure="accuracy", limits=LIMITS)
    _, filled = drawn(tmp_path / "b.png")
    assert filled[ACCENT] > counts[ACCENT] + 200
    assert filled[SOFT] < counts[SOFT]


def band(path):
    """Share of the height that the allowed drop takes."""
    pixels, _ = drawn(path)
    return (np.abs(pixels.astype(int) - BAND).sum(-1) == 0).any(1).mean()


def test_one_hopeless_candidate_does_not_squeeze_the_others(tmp_path):
    for name, points in {"without": [FP32, INT8, BAD], "with": [FP32, INT8, BAD, HOPELESS]}.items():
        draw_frontier(points, tmp_path / f"{name}.png", figure="accuracy", limits=LIMITS)
    assert band(tmp_path / "with.png") > 0.8 * band(tmp_path / "without.png") > 0.1


def test_a_limit_of_size_is_drawn(tmp_path):
    draw_frontier([FP32, INT8], tmp_path / "free.png", figure="accuracy", limits=LIMITS)
    draw_frontier([FP32, INT8], tmp_path / "limited.png", figure="accuracy", limits={**LIMITS, "max_bytes": 2_000_000})
    assert drawn(tmp_path / "limited.png")[1][WARM] > drawn(tmp_path / "free.png")[1][WARM] + 200


def test_the_second_picture_shows_times(tmp_path):
    untimed = replace(BAD, latency_ms=None)
    draw_speed([FP32, INT8, untimed], tmp_path / "a.png", figure="accuracy", limits=LIMITS)
    draw_speed([FP32, INT8], tmp_path / "b.png", figure="accuracy", limits=LIMITS)
    draw_speed([FP32, replace(INT8, latency_ms=0.01)], tmp_path / "c.png", figure="accuracy", limits=LIMITS)
    same = (tmp_path / "a.png").read_bytes()
    assert (tmp_path / "b.png").read_bytes() == same
    assert (tmp_path / "c.png").read_bytes() != same


@pytest.mark.parametrize(
    ("points", "figure", "limits"),
    [
        ([replace(FP32, chosen=True)], "accuracy", LIMITS),
        ([replace(FP32, score=0.0, chosen=True), replace(FP32, name="b", score=0.0)], "r2", {"max_drop": 0.0}),
        (
            [replace(FP32, fits=False, chosen=True), BAD],
            "accuracy",
            {**LIMITS, "max_bytes": 10, "max_latency_ms": 1e-4},
        ),
        ([FP32, replace(INT8, name="x" * 300, drop_low=-0.3)], "accuracy", LIMITS),
        (
            [replace(FP32, score=-3.2), replace(INT8, score=-3.0, drop=-0.2, drop_low=-0.3, drop_high=-0.1)],
            "r2",
            LIMITS,
        ),
        ([FP32, INT8, *(point(f"{k} of many", 10**6, k / 9000) for k in range(28))], "accuracy", LIMITS),
    ],
)
def test_whatever_the_figures_are_there_is_a_picture(tmp_path, points, figure, limits):
    for draw in (draw_frontier, draw_speed):
        draw(points, tmp_path / "a.png", figure=figure, limits=limits)
        _, counts = drawn(tmp_path / "a.png")
        assert counts[WARM] > 50


DRAW = """
import sys
sys.path[:0] = sys.argv[2].split("|")
from pathlib import Path
from test_picture import FP32, INT8, BAD, HOPELESS, LIMITS
from stagewise.compression.pictures.frontier import draw_frontier
draw_frontier([FP32, INT8, BAD, HOPELESS], Path(sys.argv[1]), figure="accuracy", limits=LIMITS)
"""


def test_equal_bytes_whatever_the_user_has_set(tmp_path):
    digests = set()
    for number, settings in enumerate(("", "font.family: serif\nfont.size: 30\nfigure.dpi: 50\naxes.facecolor: red\n")):
        home = tmp_path / str(number)
        home.mkdir()
        (home / "matplotlibrc").write_text(settings)
        variables = {"HOME": str(home), "MPLCONFIGDIR": str(home), "PYTHONHASHSEED": str(number), "LC_ALL": "C"}
        command = [sys.executable, "-c", DRAW, str(home / "a.png"), "|".join([str(Path(__file__).parent), *sys.path])]
        subprocess.run(command, check=True, cwd=home, env=variables)
        digests.add(hashlib.sha256((home / "a.png").read_bytes()).hexdigest())
        assert {path.name for path in home.iterdir()} == {"a.png", "matplotlibrc"}
        chunks = (home / "a.png").read_bytes()
        assert not any(word in chunks for word in (b"tEXt", b"tIME", b"atplotlib"))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [(5, "5 B"), (999, "999 B"), (64_123, "64.1 kB"), (999_600, "1 MB"), (1_240_000, "1.24 MB"), (2.5e9, "2.5 GB")],
)
def test_sizes_in_words(value, words):
    assert size_words(value) == words


@pytest.mark.parametrize(("value", "words"), [(0.0221, "22.1 µs"), (0.1, "0.1 ms"), (12.34, "12.3 ms")])
def test_times_in_words(value, words):
    assert time_words(value) == words
