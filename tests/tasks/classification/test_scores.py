import numpy as np
import pytest
from shades import from_probabilities, random_predictions
from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

from stagewise.metrics.intervals import wilson
from stagewise.tasks.classification.figures import measure
from stagewise.tasks.classification.scores import calibration, class_keys, class_scores, ranks

CASES = {
    "usual": random_predictions(),
    "absent class": random_predictions(rows=150, classes=6, seed=3, seen=4, skill=3),
    "one class predicted": from_probabilities([0, 1, 2, 1], [[0.5, 0.3, 0.2]] * 4),
}


@pytest.mark.parametrize("name", CASES)
def test_classes_have_the_scores_of_sklearn_with_intervals(name):
    predictions = CASES[name]
    names = [f"c{number}" for number in range(predictions.probabilities.shape[1])]
    expected = precision_recall_fscore_support(
        predictions.targets, predictions.labels, labels=range(len(names)), zero_division=np.nan
    )
    scores = class_scores(measure(predictions, names, (), 10), names, 0.95)
    found = [[s.precision.value, s.recall.value, s.f1, s.rows] for s in scores]
    assert pytest.approx(np.array(expected), nan_ok=True, abs=1e-6) == np.array(found).T
    for index, score in enumerate(scores):
        right = int(((predictions.targets == index) & predictions.correct).sum())
        assert score.precision[1:] == wilson(right, score.predicted, 0.95)[1:]
        assert score.recall[1:] == wilson(right, score.rows, 0.95)[1:]


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["ham", "spam"], ["ham", "spam"]),
        (["T-shirt/top", "Ankle boot"], ["t_shirt_top", "ankle_boot"]),
        (["<=50K", ">50K"], ["50k_0", "50k_1"]),
        (["0", "1"], ["0", "1"]),
        (["macro", "weighted", "other"], ["macro_0", "weighted_1", "other"]),
        (["low", "medium", "Very High"], ["low_0", "medium", "very_high_2"]),
        (["+", "-", "a_b"], ["0", "1", "a_b"]),
        (["a", "A", "a 0"], ["a_0", "a_1", "a_0_2"]),
        (["Straße", "猫"], ["straße", "猫"]),
    ],
    ids=["words", "signs", "same", "digits", "averages", "ends", "signs only", "taken", "other scripts"],
)
def test_class_keys_are_plain_and_differ(names, keys):
    assert class_keys(names) == keys


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
