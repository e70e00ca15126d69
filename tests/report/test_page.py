import base64
import hashlib
import re

import pytest
from pages import Page
from shades import from_probabilities, random_predictions

from stagewise.config.schema.evaluate import EvaluateSection, EvaluateSettings
from stagewise.data.storage import SplitReader
from stagewise.evaluation.protocol import Fold, FoldsResult
from stagewise.metrics.intervals import student
from stagewise.report.page import figure, label, learning_curves, percent, plain, render, thousands

FETCHES = ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href")


@pytest.fixture
def draw(shades, evaluation_of):
    folder, schema = shades
    rows = SplitReader(folder / "test.arrow", schema.features[0].shape)

    def draw(predictions, folds=None, **settings):
        evaluation = evaluation_of(schema, **settings)
        result = evaluation.measure(predictions)
        target = {"_target_": "stagewise.models.mlp.MLP", "hidden": [8], "activation": "<script>"}
        context = {
            "settings": EvaluateSettings(
                seed=1,
                threads=1,
                name="shades",
                model=target,
                inference=target,
                rows=target,
                inputs=target,
                display=target,
                evaluation=target,
                evaluate=EvaluateSection(**settings),
            ),
            "schema": schema,
            "parameters": 12345,
            "curves": learning_curves({"epoch": [1.0, 2.0], "train_loss": [1.0, 0.5], "val_loss": [1.1, None]}),
            "epochs": 2,
            "folds": folds,
            "subgroups": None,
            "baseline": None,
        }
        return render(evaluation.template, context | evaluation.page(result, rows))

    return draw


@pytest.fixture
def text(draw):
    predictions = random_predictions(rows=80, classes=4)
    predictions.ids[:] = [f'"><script>{name}</script>' for name in predictions.ids]
    return draw(predictions)


def test_hostile_names_are_text(text):
    page = Page(text)
    assert "script" not in page.tags
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in text
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]


def test_nothing_is_fetched(text):
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text
    page = Page(text)
    assert {"link", "script", "iframe", "object", "base", "form"}.isdisjoint(page.tags)
    links = [value for _, name, value in page.attributes if name in FETCHES]
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)


def test_the_policy_lets_only_our_own_style_sheet_in(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    css = re.search(r"<style>(.*)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy


def test_equal_input_gives_equal_bytes(draw):
    assert draw(random_predictions(rows=80, classes=4)) == draw(random_predictions(rows=80, classes=4))


def test_the_headline_counts(draw):
    weights = [[9, 1, 1, 1]] * 80
    text = draw(from_probabilities([0] * 60 + [1] * 20, weights))
    assert "75.0\u202f% of 80 test rows named right" in text
    assert "<b>dusk</b> read as <b>night</b> (20 of 20)" in text


@pytest.mark.parametrize(("wrong", "words"), [(1, "The only one."), (2, "All 2 mistakes, the most confident first.")])
def test_the_mistakes_are_counted_in_words_that_fit(draw, wrong, words):
    weights = [[7, 1, 1, 1], [1, 7, 1, 1], [1, 1, 7, 1], [1, 1, 1, 7]] * 20
    text = draw(from_probabilities([1] * wrong + ([0, 1, 2, 3] * 20)[wrong:], [[7, 1, 1, 1]] * wrong + weights[wrong:]))
    assert words in text


def test_a_perfect_model_has_no_mistakes_to_show(draw):
    text = draw(from_probabilities([0, 1, 2, 3] * 20, [[7, 1, 1, 1], [1, 7, 1, 1], [1, 1, 7, 1], [1, 1, 1, 7]] * 20))
    assert "Not one mistake" in text
    assert 'id="mistakes"' not in text
    assert 'id="confusions"' not in text
    Page(text)


def test_classes_without_rows_and_a_single_class_are_drawn(draw):
    Page(draw(from_probabilities([1] * 80, [[1, 2, 3, 4]] * 80)))


def test_folds_have_a_section_only_where_they_were_run(draw, text):
    folds = [Fold(70, 10, 40, {"accuracy": value}) for value in (0.9, 0.94)]
    result = FoldsResult(folds, {"accuracy": student([0.9, 0.94], 0.95)}, {"accuracy": 0.028})
    section = draw(random_predictions(rows=80, classes=4), result)
    assert 'id="folds"' in section
    assert "0.9200" in section
    assert 'id="folds"' not in text


def test_shares_are_never_rounded_to_all_or_nothing():
    assert percent(0.99996) == "99.996\u202f%"
    assert percent(0.00001) == "0.001\u202f%"
    assert percent(1.0) == "100.0\u202f%"
    assert percent(float("nan")) == "–"
    assert figure(0.99999) == "0.99999"
    assert figure(1.0) == "1.0000"
    assert figure(float("nan")) == "–"


def test_values_are_written_as_in_yaml():
    assert plain([1, [True, None], {"a": 0.5}]) == "[1, [true, null], {a: 0.5}]"
    assert thousands(1234567) == "1\u202f234\u202f567"
    assert (label("auroc"), label("top_3")) == ("AUROC", "Top 3")
