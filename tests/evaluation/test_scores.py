import numpy as np
import pytest
from shades import from_probabilities, random_predictions
from sklearn.metrics import (
    brier_score_loss,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)
from sklearn.metrics import (
    confusion_matrix as sklearn_confusion_matrix,
)

from stagewise.evaluation.scores import averages, calibration, class_scores, confusion_matrix, likelihood, ranks

CASES = {
    "usual": random_predictions(),
    "absent class": random_predictions(rows=150, classes=6, seed=3, seen=4, skill=3),
    "one class predicted": from_probabilities([0, 1, 2, 1], [[0.5, 0.3, 0.2]] * 4),
}


def names(predictions):
    return [f"c{number}" for number in range(predictions.probabilities.shape[1])]


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def predictions(request):
    return request.param


def test_confusion_matrix_is_that_of_sklearn(predictions):
    labels = range(predictions.probabilities.shape[1])
    expected = sklearn_confusion_matrix(predictions.targets, predictions.labels, labels=labels)
    assert (confusion_matrix(predictions.targets, predictions.labels, len(labels)) == expected).all()


def test_scores_per_class_are_those_of_sklearn(predictions):
    labels = range(predictions.probabilities.shape[1])
    expected = precision_recall_fscore_support(
        predictions.targets, predictions.labels, labels=labels, zero_division=np.nan
    )
    scores = class_scores(predictions, names(predictions), 0.95)
    found = [[s.precision.value, s.recall.value, s.f1, s.rows] for s in scores]
    assert pytest.approx(np.array(expected), nan_ok=True) == np.array(found).T


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_are_those_of_sklearn(predictions, average):
    expected = precision_recall_fscore_support(
        predictions.targets, predictions.labels, average=average, zero_division=0
    )
    found = averages(class_scores(predictions, names(predictions), 0.95))
    assert [found[f"{name}_{average}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected[:3])


@pytest.mark.parametrize("k", [1, 2, 4])
def test_ranks_give_the_top_k_accuracy_of_sklearn(k):
    predictions = CASES["usual"]
    place = ranks(predictions.targets, predictions.probabilities)
    expected = top_k_accuracy_score(predictions.targets, predictions.probabilities, k=k)
    assert (place < k).mean() == pytest.approx(expected)


def test_ranks_among_ties_agree_with_the_label():
    predictions = from_probabilities(np.random.default_rng(0).integers(0, 3, 200), np.ones((200, 3)))
    assert ((ranks(predictions.targets, predictions.probabilities) == 0) == predictions.correct).all()
    assert ranks(np.array([2, 1]), np.array([[0.25, 0.5, 0.25]] * 2, np.float32)).tolist() == [2, 0]


def test_likelihood_is_that_of_sklearn():
    predictions = CASES["usual"]
    found = likelihood(predictions)
    assert found["nll"] == pytest.approx(log_loss(predictions.targets, predictions.probabilities), rel=1e-5)
    expected = brier_score_loss(predictions.targets, predictions.probabilities, scale_by_half=False)
    assert found["brier"] == pytest.approx(expected, rel=1e-5)


def test_likelihood_of_an_impossible_answer_is_finite():
    found = likelihood(from_probabilities([1], [[1.0, 0.0]]))
    assert found == {"nll": pytest.approx(-np.log(np.finfo(np.float32).eps)), "brier": pytest.approx(2.0)}


def test_calibration_bins_hold_all_rows_and_average_them():
    predictions = CASES["usual"]
    bins = calibration(predictions, 10)
    assert sum(b.count for b in bins) == 500
    for b in bins:
        inside = (predictions.confidence >= b.low) & ((predictions.confidence < b.high) | (b.high == 1))
        assert b.count == inside.sum()
        if b.count:
            assert b.confidence == pytest.approx(predictions.confidence[inside].mean(), rel=1e-5)
            assert b.accuracy == pytest.approx(predictions.correct[inside].mean())
