"""The comment: what GitHub renders of it, whatever a revision calls its things."""

import re

import pytest
from markdown_it import MarkdownIt
from sample_reviews import HOSTILE, differing, empty, failed, hostile, review, stage

from stagewise.report.plain_text import clean
from stagewise.review.output.markdown import LIMIT, code, prose, to_markdown
from stagewise.review.record import Finding, Metric

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})
OWN_HTML = {"<!-- stagewise review -->", "<details>", "</details>", "<summary>", "</summary>"}


def tokens(text):
    """Every token, inline ones too."""
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def plain(text):
    """What GitHub looks through for mentions, references and addresses: text outside of code."""
    return "\n".join(token.content for token in tokens(text) if token.type == "text")


@pytest.mark.parametrize("made", [review(), differing(), failed(), empty(), hostile()], ids=["identical", "differing", "failed", "empty", "hostile"])  # fmt: skip
def test_nothing_takes_effect(made):
    text = to_markdown(made)
    found = list(tokens(text))
    kinds = {token.type for token in found}
    assert (
        not {
            "link_open",
            "image",
            "heading_open_2",
            "fence",
            "code_block",
            "hr",
            "blockquote_open",
            "s_open",
            "em_open",
        }
        & kinds
    )
    html = [
        tag
        for token in found
        if token.type in ("html_block", "html_inline")
        for tag in re.findall(r"<[^>]*>", token.content)
    ]
    assert set(html) <= OWN_HTML
    assert html.count("<details>") == html.count("</details>")
    assert not re.search(r"[@#<>`$|\\]|https?:|www\.|:\w+:|\bGH-\d|[\x00-\x09\x0b-\x1f\u202e\u200b]", plain(text))


def test_every_row_of_a_table_has_its_cells():
    text = to_markdown(hostile())
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    columns = 0
    for token in PARSER.parse(text):
        columns = 0 if token.type == "tr_open" else columns + (token.type in ("td_open", "th_open"))
        assert columns <= 6


@pytest.mark.parametrize("attack", HOSTILE)
@pytest.mark.parametrize("write", [code, prose], ids=["code", "prose"])
def test_a_hostile_text_is_shown_whole(attack, write):
    inline = PARSER.parseInline(f"a {write(attack)} b")[0].children
    assert {token.type for token in inline} <= {"text", "code_inline"}
    shown = "".join(token.content for token in inline)
    assert " ".join(shown.split()) == " ".join(f"a {clean(attack)} b".split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12 of 359 rows moved, by 0.1 % at most; see it.", "12 of 359 rows moved, by 0.1 % at most; see it."),
        ("reports/a_b.json moved", "`reports/a_b.json` moved"),
        ("see params.yaml:12.", "see `params.yaml:12`."),
        ("by @octocat in #12, GH-12 and deadbeef1", "by `@octocat` in `#12`, `GH-12` and `deadbeef1`"),
        ("naïve Größe 数", "naïve Größe 数"),
        ("www.evil.example http://x", "`www.evil.example` `http://x`"),
        ("", ""),
    ],
)
def test_plain_words_stay_and_others_become_code(text, shown):
    assert prose(text) == shown


def test_the_comment_says_what_matters():
    text = to_markdown(differing())
    lines = text.splitlines()
    assert lines[0] == "<!-- stagewise review -->"
    assert lines[1] == "### 🔴 DIFFERS: `my-model`"
    assert "(`exit 13: another result than the recorded one`)" in lines[3]
    assert "| `ingest` | 🟢 IDENTICAL | 3.2 s | identical: every output was compared |" in lines
    assert (
        "| `accuracy` `reports/evaluation/metrics.json` | 0.9972 | 0.9638 | -0.0334 (-3.35 %) | 0.9861 | -0.0223 (-2.26 %) |"
        in lines
    )
    assert "- **error** `data-leak` 18 test rows are also in the training split. Stage `preprocess`. Where: `data/processed/test.arrow`. Next: set data.checks.leakage to drop, then dvc repro" in lines  # fmt: skip
    assert "| `torch` | `2.12.0` | `2.13.0` | yes |" in lines
    assert "| `margin` | 0.01 | statistically equivalent: the quality differs by less than this |" in lines
    assert text.index("data-leak") < text.index("network-access")
    assert "**No figure moved.**" in to_markdown(review())


def test_an_error_in_a_reproduced_revision_has_its_own_exit():
    found = [Finding(code="leak", severity="error", stage=None, what="w", where=None, fix=None)]
    assert "`exit 20: the result is reproduced, yet the revision itself has an error`" in to_markdown(
        review(findings=found)
    )


@pytest.mark.parametrize(
    "made",
    [
        review([stage(f"stage{number}", reason="@x " * 200) for number in range(400)]),
        review(findings=[Finding(code="c" * 300, severity="note", stage="s" * 300, what="w " * 300, where="w" * 300, fix="f" * 300) for _ in range(400)]),
        review(metrics=[Metric(file="f" * 400, name=f"{n}" + "|" * 400, recorded=0.0, reproduced=1.0, against=None) for n in range(400)]),
    ],
    ids=["stages", "findings", "figures"],
)  # fmt: skip
def test_a_long_comment_is_cut_and_says_so(made):
    text = to_markdown(made)
    assert 20_000 < len(text) <= LIMIT < 65_536
    assert text.endswith("The whole review is in `review.html` and `review.json`._\n")
    assert text.count("<details>") == text.count("</details>")
    assert len(text.encode("utf-16-le")) // 2 <= 65_536
