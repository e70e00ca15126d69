"""The ranking in the terminal."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from sample_sweeps import empty, failed, grid, hostile, random_search, single, sweep, with_failures

from stagewise.sweeps.output.points import rank
from stagewise.sweeps.output.table import print_ranking


def printed(made, width=100, page=None, terminal=False):
    console = Console(
        file=io.StringIO(),
        width=width,
        highlight=False,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
    )
    print_ranking(*made, console, page)
    return console.file.getvalue()


ALL = {
    "grid": lambda: sweep(grid()),
    "one seed": lambda: sweep(grid(1)),
    "failures": with_failures,
    "two objectives": random_search,
    "single": single,
    "none": empty,
}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("made", ALL.values(), ids=ALL)
def test_nothing_is_cut_at_usual_widths(made, width):
    text = printed(made(), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for point in rank(made()[1], made()[0].objectives):
        assert point.typical(made()[0].objectives[0]).id in text


def test_the_best_comes_first_with_its_interval():
    lines = printed(sweep(grid())).splitlines()
    rows = [line.split() for line in lines if re.match(r"\s+\d\s", line)]
    assert rows[0] == ["1", "cnn", "0.01", "3", "0.290", "±", "0.019", "34.0", "s", "000000000003"]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    heads = next(line for line in lines if "rank" in line).split()
    assert heads == ["rank", "model", "lr", "seeds", "val_loss", "time", "trial"]


def test_only_keys_that_differ_have_a_column():
    text = printed(sweep([item for item in grid() if "model=cnn" in item.overrides]))
    assert "model" not in text
    assert " lr " in text


def test_noise_failures_stages_and_next_steps_are_below():
    text = " ".join(printed(with_failures(), page=Path(".stagewise/sweeps/sweep/sweep.html")).split())
    for part in (
        "15 of 20 trials finished, 2 failed",
        "2 finished, 1 failed",
        "so it cannot be told which is better: rank 2.",
        "000000000004 model=cnn optimizer.lr=0.01 seed=1 failed in train: the loss is not finite",
        "log: .stagewise/sweeps/logs/000000000004.log",
        "not ranked: 1 trial, finished without a finite val_loss",
        "not ranked: 1 trial, running",
        "33 stages executed, 15 restored because they had run before",
        "stagewise sweep apply 000000000003",
        "stagewise sweep show --name sweep",
        ".stagewise/sweeps/sweep/sweep.html",
    ):
        assert part in text
    assert (
        text.index("within noise")
        if "within noise" in text
        else text.index("Within noise") < text.index("2 trials failed")
    )


def test_one_seed_says_that_nothing_can_be_judged():
    assert "One seed per point: differences cannot be judged." in printed(sweep(grid(1)), 120)


def test_two_objectives_mark_the_front():
    text = printed(random_search())
    marked = re.findall(r"^\s+(\d+)\*", text, re.MULTILINE)
    assert marked == ["1", "2", "3", "4", "5"]
    assert "* Pareto-optimal" in text
    assert "*" not in printed(sweep(grid()))


def test_without_trials_nothing_is_recommended():
    text = printed(empty())
    assert "No trial finished" in text
    assert "apply" not in text
    assert "apply" not in printed(sweep([failed(0, ["model=cnn"])]))


def test_it_is_plain_without_a_terminal_and_coloured_in_one():
    assert "\x1b" not in printed(with_failures())
    assert "\x1b[1;31m2 trials failed" in printed(with_failures(), terminal=True)


def test_nothing_of_the_records_steers_the_terminal():
    text = printed(hostile())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", text)
    assert "\\u001b[31mred" in text
    assert "[bold red]rich[/]" in text
    coloured = printed(hostile(), terminal=True)
    assert "\x1b[31mred" not in coloured


def test_long_lists_say_how_much_is_left_out():
    made, trials = random_search(34)
    bad = [failed(100 + n, [f"a={n}"]) for n in range(23)]
    text = printed((made, [*trials, *bad]))
    assert "and 4 more points, on the page" in text
    assert "and 3 more failed trials, on the page" in text
    assert "a=19" in text
    assert "a=20" not in text
