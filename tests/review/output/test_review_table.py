"""The table in the terminal."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from sample_reviews import differing, empty, failed, hostile, review

from stagewise.review.output.table import print_review
from stagewise.review.record import Finding, Metric


def printed(made, width=100, files=None, terminal=False):
    console = Console(
        file=io.StringIO(),
        width=width,
        highlight=False,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
    )
    print_review(made, console, files)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_at_usual_widths(width):
    text = printed(differing(), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    run_on = re.sub(r"\s+", "", text)
    for stage in differing().stages:
        assert stage.name in text
        assert re.sub(r"\s+", "", stage.verdict.value) in run_on
    for metric in ("accuracy", "nll", "new_figure"):
        assert metric in run_on
    assert "1,190woulddecideit" in run_on


def test_only_what_moved_is_shown_of_the_figures():
    text = printed(differing())
    assert "3 of 5 figures moved" in text
    assert "bytes" not in text
    assert "all 3 figures are as recorded" in printed(review())


def test_errors_come_first_and_what_changes_numbers_before_what_does_not():
    text = printed(differing())
    assert text.index("data-leak") < text.index("network-access") < text.index("absolute-path")
    assert text.index("torch") < text.index("threads") < text.index("platform ")
    assert "next: set data.checks.leakage to drop" in text


def test_verdict_exit_and_files_are_named():
    text = printed(review(), files={"json": Path("out/review.json"), "statement": Path("out/review.intoto.json")})
    assert "IDENTICAL  6 of 6 stages reproduced" in text
    assert "exit 0: equal content" in text
    assert "statement  out/review.intoto.json" in text
    assert "stagewise review --attest" in text
    assert "stagewise review --attest" not in printed(differing())


def test_a_failed_stage_shows_the_end_of_what_it_printed():
    text = printed(failed())
    assert "train printed last, 16 earlier lines left out:" in text
    assert "TrainingError: the loss is not finite" in text
    assert "epoch 3:" not in text
    assert "2 of 6 stages reproduced" in text


def test_a_review_of_nothing_does_not_look_like_a_success():
    assert "no stage was executed" in printed(empty())


def test_it_is_plain_without_a_terminal_and_coloured_in_one():
    assert "\x1b" not in printed(differing())
    assert "\x1b[31mDIFFERS" in printed(differing(), terminal=True)


def test_nothing_of_the_revision_steers_the_terminal():
    text = printed(hostile())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", text)
    assert "\\u001b[31mred" in text
    assert "[bold red]rich[/]" in text
    assert ":smile:" in text
    coloured = printed(hostile(), terminal=True)
    assert set(re.findall("\x1b(.)", coloured)) == {"["}
    assert "\x1b[31mred" not in coloured


def test_long_lists_say_how_much_is_left_out():
    metrics = [Metric(file="m.json", name=f"figure{n}", recorded=0.0, reproduced=1.0, against=None) for n in range(30)]
    findings = [
        Finding(code=f"code{n}", severity="note", stage=None, what="w", where=None, fix=None) for n in range(70)
    ]
    text = printed(review(metrics=metrics, findings=findings))
    assert "and 10 more, in review.html" in text
    assert "and 20 more, in review.html" in text
    assert "figure19" in text
    assert "figure20" not in text
