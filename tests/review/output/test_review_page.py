"""The page: one file, nothing fetched, nothing of the revision takes effect, every part there."""

import base64
import hashlib
import json
import re

import pytest
from pages import Page
from sample_reviews import HOSTILE, differing, empty, equivalence, failed, hostile, review

from stagewise.report.plain_text import clean
from stagewise.review.output import words
from stagewise.review.output.charts import interval_chart
from stagewise.review.output.page import repeat_command, to_html
from stagewise.review.output.schema import review_schema
from stagewise.review.output.write import to_json, write_review
from stagewise.review.record import Review
from stagewise.review.verdict import Verdict

ALL = {"identical": review, "differing": differing, "failed": failed, "empty": empty, "hostile": hostile}
SHAPES = {"rect", "line", "circle", "path", "polyline"}


@pytest.fixture(params=ALL)
def text(request):
    return to_html(ALL[request.param]())


def test_nothing_runs_and_nothing_is_fetched(text):
    page = Page(text)
    allowed = {
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "p", "span", "h1", "h2", "h3",
        "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "code", "strong", "ul", "ol", "li", "details", "summary",
        "pre", "figure", "figcaption", "svg", "g", "text", *SHAPES,
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
    page = Page(to_html(hostile()))
    shown = " ".join(" ".join(page.texts).split())
    for attack in HOSTILE:
        assert " ".join(clean(attack).split()) in shown, attack
    assert "alert" not in "".join(page.tags)


def test_what_is_unseen_is_spelt_out(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", text)


def test_equal_reviews_give_equal_bytes():
    assert to_html(differing()) == to_html(differing())
    assert to_json(differing()) == to_json(differing())


def test_every_part_of_a_review_is_on_its_page():
    made = differing()
    text = to_html(made)
    shown = " ".join(" ".join(Page(text).texts).split())
    for stage in made.stages:
        assert stage.reason in shown
        for output in stage.outputs:
            assert output.path in shown
            assert f'title="{output.reproduced}"' in text
    for finding in made.findings:
        assert finding.what in shown
    for difference in made.environment.differences:
        assert f"{difference.name} {difference.recorded}" in shown
    for words_of in (*words.LADDER.values(), *words.THRESHOLDS.values(), "archive.example:443", "MKL_CBWR"):
        assert words_of in shown
    assert "accuracy reports/evaluation/metrics.json 0.9972 0.9638 -0.0334 (-3.35 %) 0.9861 -0.0223 (-2.26 %)" in shown
    assert "test-00011 seven one 61.0 % seven 60.0 %" in shown.replace("\u202f", " ")
    assert "1,190 would decide it with a power of 80 %" in shown
    assert shown.index("torch 2.12.0") < shown.index("platform macOS")
    assert shown.index("data-leak") < shown.index("network-access") < shown.index("absolute-path")
    assert repeat_command(made) == f"stagewise review {made.revision.commit} --against {'a' * 40}"
    assert repeat_command(made) in shown


def test_equal_curves_are_two_lines_of_different_style():
    text = to_html(review())
    chart = re.search(r'<svg class="chart".*?</svg>', text).group(0)
    lines = re.findall(r'<polyline class="curve (curve\d)" points="([^"]*)"', chart)
    assert [style for style, _ in lines] == ["curve1", "curve2"]
    assert lines[0][1] == lines[1][1] != ""
    assert re.search(r"\.curve2 \{[^}]*stroke-dasharray", text)


def test_runs_of_different_length_share_an_axis():
    charts = re.findall(r'<svg class="chart".*?</svg>', to_html(differing()))
    styles = [re.findall(r'class="curve (curve\d)"', chart) for chart in charts]
    assert styles == [["curve1", "curve2", "curve3"], ["curve1", "curve2", "curve3"], ["curve1", "curve2"]]


@pytest.mark.parametrize(
    ("more", "fragment"),
    [
        ({}, "Undecided: the 90 % interval of the accuracy's difference, -1.52 to +0.81 points, reaches across the margin ±1.00 points. There were 359 rows; 1,190 would"),
        ({"low": -0.004, "high": 0.004, "rows_to_decide": None}, "Equivalent: the 90 % interval of the accuracy's difference, -0.40 to +0.40 points, lies inside"),
        ({"outer_low": -0.09, "outer_high": -0.02, "low": -0.08, "high": -0.03, "rows_to_decide": None}, "Different: the 95 % interval of the accuracy's difference, -9.00 to -2.00 points, lies outside"),
        ({"method": "paired means", "low": 0.0, "high": 0.02}, "Undecided: the 90 % interval of the mean error's difference, 0.00 to +2.00 %, reaches across the margin ±1.00 %."),
    ],
)  # fmt: skip
def test_the_test_of_equivalence_is_told_in_words(more, fragment):
    assert fragment in words.equivalence_in_words(equivalence(**more))


@pytest.mark.parametrize("scale", [1e-6, 0.01, 1.0, 80.0, float("inf")])
def test_the_interval_stays_in_its_picture(scale):
    chart = interval_chart(
        equivalence(low=-scale, high=scale / 2, outer_low=-2 * scale, outer_high=scale, difference=-scale / 4)
    )
    places = [float(place) for place in re.findall(r' (?:x|x1|x2|cx)="([^"]*)"', chart)]
    assert all(0 <= place <= 640 for place in places)
    inner = re.search(r'class="inner" x1="([^"]*)" x2="([^"]*)"', chart)
    outer = re.search(r'class="outer" x1="([^"]*)" x2="([^"]*)"', chart)
    assert float(outer[1]) <= float(inner[1]) <= float(inner[2]) <= float(outer[2])


def test_the_files_of_a_review_are_written_and_read_back(tmp_path):
    made = differing()
    files = write_review(made, tmp_path / "new" / "folder")
    assert {name: path.name for name, path in files.items()} == {
        "json": "review.json",
        "page": "review.html",
        "comment": "review.md",
    }
    assert Review.model_validate_json(files["json"].read_text()) == made
    assert files["json"].read_bytes().endswith(b"}\n")
    assert list(json.loads(files["json"].read_text())) == list(Review.model_fields)


def test_the_schema_documents_every_key():
    schema = review_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["required"]) == set(schema["properties"]) == set(Review.model_fields)
    assert schema["$defs"]["Verdict"]["enum"] == [verdict.value for verdict in Verdict]
    assert schema["$defs"]["Equivalence"]["properties"]["rows_to_decide"]["description"].startswith(
        "Rows that would decide"
    )
