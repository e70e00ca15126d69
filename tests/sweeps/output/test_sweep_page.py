"""The page of a sweep: one file, nothing fetched, nothing of the records takes effect, every part there."""

import base64
import hashlib
import re
import subprocess
import sys
from itertools import pairwise

import pytest
from pages import Page
from sample_sweeps import (
    ACCURACY,
    BYTES,
    HOSTILE,
    LOSS,
    curves,
    empty,
    failed,
    grid,
    hostile,
    random_search,
    single,
    sweep,
    trial,
    with_failures,
)

from stagewise.report.plain_text import clean
from stagewise.sweeps.output import words
from stagewise.sweeps.output.page import to_html

ALL = {
    "grid": lambda: sweep(grid()),
    "one seed": lambda: sweep(grid(1)),
    "failures": with_failures,
    "two objectives": random_search,
    "single": single,
    "none": empty,
    "hostile": hostile,
}
SHAPES = {"rect", "line", "circle", "polyline"}


@pytest.fixture(params=ALL)
def text(request):
    return to_html(*ALL[request.param]())


def shown(text):
    return " ".join(" ".join(Page(text).texts).split())


def test_nothing_runs_and_nothing_is_fetched(text):
    page = Page(text)
    allowed = {
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "p", "span", "h1", "h2", "b",
        "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "code", "strong", "ul", "li", "details", "summary",
        "pre", "figure", "figcaption", "svg", "text", *SHAPES,
    }  # fmt: skip
    assert set(page.tags) <= allowed
    names = {name for _, name, _ in page.attributes}
    assert not {"src", "href", "xlink:href", "srcset", "style", "action", "data", "poster"} & names
    assert not [name for name in names if name.startswith("on")]
    css = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    assert "url(" not in css
    assert "@import" not in css
    assert text.count("<style") == 1


def test_the_policy_lets_only_our_own_style_sheet_in(text):
    policies = [
        value for tag, name, value in Page(text).attributes if tag == "meta" and (value or "").startswith("default-src")
    ]
    css = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_hostile_text_is_shown_as_text():
    text = to_html(*hostile())
    for attack in HOSTILE:
        assert " ".join(clean(attack).split()) in shown(text), attack
    assert "alert" not in "".join(Page(text).tags)


def test_what_is_unseen_is_spelt_out(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", text)


def test_every_place_of_a_picture_is_in_it(text):
    for picture in re.findall(r"<svg.*?</svg>", text):
        width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', picture).groups())
        points = [pair.split(",") for line in re.findall(r' points="([^"]*)"', picture) for pair in line.split()]
        across = [float(x) for x, _ in points] + [float(x) for x in re.findall(r' (?:x|cx|x1|x2)="([^"]*)"', picture)]
        down = [float(y) for _, y in points] + [float(y) for y in re.findall(r' (?:y|cy|y1|y2)="([^"]*)"', picture)]
        assert all(0 <= x <= width for x in across)
        assert all(0 <= y <= height for y in down)


@pytest.mark.parametrize("made", [with_failures, random_search], ids=["grid", "forest"])
def test_equal_records_give_equal_bytes(made):
    assert to_html(*made()) == to_html(*made())


def sections(text):
    return re.findall(r'<section id="([^"]*)"', text)


def test_a_page_has_the_parts_that_there_is_something_for():
    assert sections(to_html(*sweep(grid()))) == [
        "ranking",
        "coordinates",
        "parameters",
        "importance",
        "curves",
        "trials",
        "method",
    ]
    assert sections(to_html(*random_search())) == [
        "ranking",
        "coordinates",
        "parameters",
        "importance",
        "front",
        "curves",
        "trials",
        "method",
    ]
    assert sections(to_html(*with_failures()))[0] == "failed"
    assert sections(to_html(*with_failures()))[-3:] == ["unranked", "trials", "method"]
    assert sections(to_html(*single())) == ["ranking", "importance", "curves", "trials", "method"]
    assert sections(to_html(*empty())) == ["method"]


def test_ranking_noise_and_importance_are_told():
    text = shown(to_html(*sweep(grid())))
    assert "18 of 18 trials finished" in text
    assert "Best: model=cnn , lr=0.01 with val_loss 0.290 ± 0.019 over 3 seeds." in text
    assert "1 cnn 0.01 3 0.290 ± 0.019 best 34.0 s 000000000003" in text
    assert "2 cnn 0.001 3 0.310 ± 0.022 within noise p 1 31.0 s" in text
    assert "different p 0.0038" in text
    assert "optimizer.lr 76% model 23% combinations and chance 1%" in text
    assert "stagewise sweep apply 000000000003" in text
    assert "stagewise sweep model=cnn,mlp optimizer.lr=1e-3,1e-2,1e-1 'seed=range(3)'" in text
    assert "hold nothing of the test split" in text
    assert "not judged" in shown(to_html(*sweep(grid(1))))


def test_every_trial_is_told_in_full():
    made, trials = with_failures()
    text = shown(to_html(made, trials))
    for item in trials:
        for word in (item.id, *item.overrides, item.experiment, item.log):
            assert word in text
        for value in item.metrics.values():
            assert words.number(value) in text
    assert "ingest restored" in text
    assert "train executed, 21.0 s" in text
    assert "failed in train: the loss is not finite" in text
    assert "epoch 3: val_loss nan" in text


def test_all_trials_are_drawn_and_the_best_point_stands_out():
    text = to_html(*sweep(grid()))
    lines = re.findall(r'<polyline class="(path [^"]*)"', text)
    assert len(lines) == 18
    assert lines.count("path best") == 3
    charts = dict(re.findall(r'aria-label="(\S+) of all trials, epoch by epoch">(.*?)</svg>', text))
    assert list(charts) == ["train_loss", "val_loss", "val_accuracy"]
    for chart in charts.values():
        assert re.findall(r'<polyline class="run( best)?"', chart) == [""] * 15 + [" best"] * 3
    assert len(re.findall(r'<circle class="dot', text)) == 3 * 18
    assert len(re.findall(r'<line class="mean"', text)) == 2 + 3 + 3


def test_the_better_end_of_an_objective_is_on_top():
    text = to_html(*sweep(grid()))
    ends = {
        style: float(points.split()[-1].split(",")[1])
        for style, points in re.findall(r'<polyline class="path ([^"]*)" points="([^"]*)"', text)
    }
    assert ends["best"] < ends["quarter4"]


def front_of(made):
    """Corners of the line and places of the trials on it, in the picture, from left to right."""
    chart = re.search(r'<section id="front">.*?</section>', to_html(*made), re.DOTALL).group(0)
    line = re.search(r'<polyline class="front" points="([^"]*)"', chart).group(1)
    dots = re.findall(r'<circle class="dot best" cx="([^"]*)" cy="([^"]*)"', chart)
    return [tuple(map(float, pair.split(","))) for pair in line.split()], [(float(x), float(y)) for x, y in dots]


def test_the_front_is_a_staircase_through_its_trials():
    corners, dots = front_of(random_search())
    assert len(dots) == 5
    assert corners[0] in dots
    assert set(dots) <= set(corners)
    for (x1, y1), (x2, y2) in pairwise(corners):
        assert x1 <= x2
        assert y1 <= y2
        assert x1 == x2 or y1 == y2


def test_between_two_trials_the_front_is_what_the_worse_one_reaches():
    trials = [
        trial(n, [f"a={n}"], {"val_loss": loss, "val_accuracy": loss, "bytes": size})
        for n, (loss, size) in enumerate([(0.1, 50.0), (0.9, 10.0)])
    ]
    (left, corner, right), dots = front_of(sweep(trials, [LOSS, BYTES]))
    assert {left, right} == set(dots)
    assert corner == (right[0], left[1])
    trials[0].metrics["bytes"] = 5.0
    (left, corner, right), dots = front_of(sweep(trials, [ACCURACY, BYTES]))
    assert {left, right} == set(dots)
    assert corner == (left[0], right[1])


def test_epochs_without_value_and_trials_that_diverged_are_drawn():
    rough = [
        trial(n, [f"a={n}"], {"val_loss": 10.0**n}, curves={"val_loss": [None, 10.0**n, float("inf"), 1.0]})
        for n in range(8)
    ]
    rough.append(failed(9, ["a=9"], curves={**curves(2.0), "val_loss": []}))
    text = to_html(*sweep(rough, [LOSS]))
    assert "logarithmic up" in text
    assert "inf" not in "".join(re.findall(r'(?:points|cx|cy)="([^"]*)"', text))


def test_a_large_search_stays_a_page_that_opens():
    made, trials = random_search(400)
    text = to_html(made, trials)
    assert len(re.findall(r'<polyline class="path ', text)) == 250
    assert text.count("<details>") == 400
    assert len(text) < 2_000_000


def test_nothing_heavy_is_imported():
    modules = "page, table, live, export"
    code = f"from stagewise.sweeps.output import {modules}; import sys; print({{'torch', 'dvc', 'sklearn', 'hydra'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
