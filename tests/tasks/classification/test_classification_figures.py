"""Every figure against scikit-learn, which computes it independently."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shades import from_probabilities, random_predictions
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

from stagewise.config.keys import import_closure, library_versions, module_files
from stagewise.tasks.classification.figures import measure

ROOT = Path(__file__).parents[3]
DRAW = np.random.default_rng(8)
CASES = {
    "usual": random_predictions(),
    "many classes": random_predictions(rows=900, classes=30, skill=3, seed=9),
    "two classes": random_predictions(rows=200, classes=2, seed=2),
    "absent class": random_predictions(rows=150, classes=6, seed=3, seen=4, skill=3),
    "one class predicted": from_probabilities([0, 1, 2, 1], [[0.5, 0.3, 0.2]] * 4),
    "one class there is": from_probabilities([1, 1, 1], [[1, 2, 3, 4], [4, 9, 2, 1], [1, 9, 2, 1]]),
    "two classes, one there is": from_probabilities([1, 1, 1], [[1, 2], [2, 1], [1, 9]]),
    "two classes, the other predicted": from_probabilities([1, 1, 1], [[3, 2], [2, 1], [10, 9]]),
    "many ties": from_probabilities(DRAW.integers(0, 4, 300), DRAW.integers(1, 4, (300, 4))),
    "all the same": from_probabilities(DRAW.integers(0, 3, 200), np.ones((200, 3))),
    "all right": random_predictions(rows=500, classes=10, skill=50, seed=4),
    "all wrong": from_probabilities([0, 1, 2, 0], [[1, 5, 1], [1, 1, 5], [5, 1, 1], [1, 1, 5]]),
    "sure": from_probabilities([0, 1, 2, 0, 2], [[1, 0, 0], [0, 1, 0], [1, 0, 0], [97, 1, 2], [1, 3, 0]]),
    "one row": from_probabilities([1], [[0.2, 0.8]]),
}


def classes_of(predictions):
    return predictions.probabilities.shape[1]


def measured(predictions, top_k=(), bins=15):
    return measure(predictions, [f"c{number}" for number in range(classes_of(predictions))], top_k, bins)


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def predictions(request):
    return request.param


def expected_aurocs(predictions):
    """One against the rest; NaN for a class that is all there is, or not there."""
    hits = [predictions.targets == index for index in range(classes_of(predictions))]
    scores = predictions.probabilities.T
    return [roc_auc_score(hit, s) if 0 < hit.sum() < len(hit) else np.nan for hit, s in zip(hits, scores, strict=True)]


def test_counts_are_those_of_sklearn(predictions):
    found = measured(predictions)
    expected = confusion_matrix(predictions.targets, predictions.labels, labels=range(classes_of(predictions)))
    assert (found.matrix == expected).all()
    assert found.flat["accuracy"] == pytest.approx(accuracy_score(predictions.targets, predictions.labels), abs=1e-6)


def test_scores_per_class_are_those_of_sklearn(predictions):
    labels = range(classes_of(predictions))
    expected = precision_recall_fscore_support(
        predictions.targets, predictions.labels, labels=labels, zero_division=np.nan
    )
    shares = measured(predictions).shares
    found = np.array([shares.precision, shares.recall, shares.f1])
    assert found == pytest.approx(np.array(expected[:3]), abs=1e-6, nan_ok=True)
    assert shares.auroc == pytest.approx(np.array(expected_aurocs(predictions)), abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_are_those_of_sklearn(predictions, average):
    expected = precision_recall_fscore_support(
        predictions.targets, predictions.labels, average=average, zero_division=0
    )
    flat = measured(predictions).flat
    found = [flat[f"{name}_{average}"] for name in ("precision", "recall", "f1")]
    assert found == pytest.approx(expected[:3], abs=1e-6)


def test_macro_auroc_is_over_the_classes_with_both_sides(predictions):
    known = [value for value in expected_aurocs(predictions) if not np.isnan(value)]
    found = measured(predictions).flat["auroc"]
    assert found == pytest.approx(np.mean(known) if known else np.nan, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("two classes", "one row"))])
def test_top_k_is_that_of_sklearn(name):
    predictions = CASES[name]
    classes = classes_of(predictions)
    # Of equal scores scikit-learn takes the later class, so it gets the classes in reverse.
    reversed_targets, scores = classes - 1 - predictions.targets, predictions.probabilities[:, ::-1]
    ks = range(2, classes)
    found = measured(predictions, ks).flat
    expected = {f"top_{k}": top_k_accuracy_score(reversed_targets, scores, k=k, labels=range(classes)) for k in ks}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_top_k_of_equal_probabilities_takes_the_lower_classes():
    predictions = from_probabilities([0, 1, 2, 3], np.ones((4, 4)))
    found = measured(predictions, (2, 3)).flat
    assert (found["accuracy"], found["top_2"], found["top_3"]) == (0.25, 0.5, 0.75)


def exact_calibration_error(predictions, bins):
    sums = {}
    for confidence, right in zip(predictions.confidence.tolist(), predictions.correct.tolist(), strict=True):
        number = min(int(Fraction(confidence) * bins), bins - 1)
        sums[number] = sums.get(number, 0) + int(right) - Fraction(confidence)
    return float(sum(abs(gap) for gap in sums.values()) / len(predictions.targets))


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_calibration_error_is_that_of_exact_fractions(predictions, bins):
    found = measured(predictions, bins=bins).flat["calibration_error"]
    assert found == pytest.approx(exact_calibration_error(predictions, bins), abs=1e-12)


@pytest.mark.parametrize("bins", [2, 4, 8, 10, 150, 198, 200])
def test_confidences_at_the_edge_of_a_bin_are_in_the_one_above(bins):
    edges = np.array([edge for edge in (0.5, 0.75, 0.875, 1.0) if float(edge * bins).is_integer()], np.float32)
    confidence = np.repeat(np.concatenate([edges, np.nextafter(edges, np.float32(0))]), 3)
    rest = (1 - confidence.astype(np.float64)) / 2
    predictions = from_probabilities(np.arange(len(confidence)) % 2, np.column_stack([confidence, rest, rest]))
    assert (predictions.confidence == confidence).all()
    found = measured(predictions, bins=bins).flat["calibration_error"]
    assert found == pytest.approx(exact_calibration_error(predictions, bins), abs=1e-12)


@pytest.mark.parametrize("name", ["usual", "many classes", "two classes", "absent class"])
def test_calibration_error_follows_from_sklearns_curve(name):
    predictions = CASES[name]
    accuracy, confidence = calibration_curve(predictions.correct, predictions.confidence, n_bins=10)
    counts = np.histogram(predictions.confidence, 10, (0, 1))[0]
    expected = np.abs(accuracy - confidence) @ counts[counts > 0] / counts.sum()
    assert measured(predictions, bins=10).flat["calibration_error"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["usual", "many classes", "two classes", "absent class", "many ties", "all wrong"])
def test_likelihood_is_that_of_sklearn(name):
    predictions = CASES[name]
    found, labels = measured(predictions).flat, range(classes_of(predictions))
    # scikit-learn wants rows that sum to one more exactly than float32 gives them.
    exact = predictions.probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert found["nll"] == pytest.approx(log_loss(predictions.targets, exact, labels=labels), rel=1e-6)
    expected = brier_score_loss(predictions.targets, exact, labels=labels, scale_by_half=False)
    assert found["brier"] == pytest.approx(expected, rel=1e-6)


def test_likelihood_of_an_impossible_answer_is_finite():
    found = measured(from_probabilities([1], [[1.0, 0.0]])).flat
    assert found["nll"] == pytest.approx(-np.log(np.finfo(np.float32).eps))
    assert found["brier"] == pytest.approx(2.0)


def test_a_probability_a_rounding_error_above_one_does_not_turn_the_others_into_logits():
    predictions = from_probabilities([1, 1, 0], np.ones((3, 2)))
    # As sigmoids of logits, the last two would be equal.
    predictions.probabilities[:, 1] = np.nextafter(np.float32(1), np.float32(2)), 1e-9, 1e-12
    assert measured(predictions).shares.auroc[1] == 1


def test_perfect_answers_are_exactly_one():
    for classes in (2, 3, 10, 49):
        flat = measured(random_predictions(rows=7 * classes, classes=classes, skill=60, seed=classes), bins=10).flat
        shares = {name for name in flat if name not in {"calibration_error", "nll", "brier"}}
        assert {name: flat[name] for name in shares} == dict.fromkeys(shares, 1.0)


def test_f1_of_up_to_twenty_classes_is_listed():
    for classes, listed in ((3, 3), (20, 20), (21, 0)):
        found = measured(random_predictions(rows=400, classes=classes))
        values = {name: value for name, value in found.flat.items() if name.startswith("f1_c")}
        assert values == {f"f1_c{number}": found.shares.f1[number] for number in range(listed)}


def test_two_classes_have_their_precision_and_recall():
    predictions = CASES["two classes"]
    found = measure(predictions, ["Ham", "Spam!"], (), 10).flat
    expected = precision_recall_fscore_support(predictions.targets, predictions.labels)
    for name, (ham, spam) in zip(("precision", "recall", "f1"), expected, strict=False):
        assert (found[f"{name}_ham"], found[f"{name}_spam"]) == pytest.approx((ham, spam), abs=1e-6)


def libraries(*targets, stage):
    entries = [ROOT / "stages" / f"{stage}.py", *(file for name in targets for file in module_files(name, ROOT))]
    return library_versions(import_closure(entries, ROOT), ROOT)


def test_torchmetrics_enters_the_evaluate_stage_and_no_other():
    task = "stagewise.tasks.classification"
    module = f"{task}.module.ClassificationModule", f"{task}.inference.Classifier"
    assert "torchmetrics" in libraries(f"{task}.evaluation.ClassificationEvaluation", stage="evaluate")
    assert "torchmetrics" not in libraries(*module, stage="train")
    assert "torchmetrics" not in libraries(f"{task}.quality.Quality", f"{task}.inference.Classifier", stage="compress")
    for stage in ("ingest", "preprocess", "package"):
        assert "torchmetrics" not in libraries(stage=stage)
