"""Every figure against scikit-learn and torchmetrics, which compute it independently."""

import numpy as np
import pytest
import torch
from shades import from_probabilities, random_predictions
from sklearn.metrics import f1_score, roc_auc_score
from torchmetrics.functional.classification import multiclass_auroc, multiclass_calibration_error, multiclass_f1_score

from stagewise.metrics.weighted import F1, Auroc, CalibrationError, GroupSum, MacroAuroc, MacroF1

CASES = {
    "usual": random_predictions(),
    "skilful": random_predictions(rows=300, classes=12, skill=5, seed=1),
    "two classes": random_predictions(rows=200, classes=2, seed=2),
    "absent class": random_predictions(rows=200, classes=6, seed=3, seen=4),
    "all right": random_predictions(rows=60, classes=3, skill=50, seed=4),
    "one class predicted": from_probabilities([0, 1, 2, 1, 0, 2], [[0.5, 0.3, 0.2]] * 5 + [[0.6, 0.2, 0.2]]),
    "many ties": from_probabilities(
        np.random.default_rng(5).integers(0, 4, 300), np.random.default_rng(6).integers(1, 4, (300, 4))
    ),
}


def ones(predictions):
    return np.ones((len(predictions.targets), 1))


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def predictions(request):
    return request.param


def test_macro_f1_is_that_of_sklearn_and_torchmetrics(predictions):
    classes = predictions.probabilities.shape[1]
    found = MacroF1(predictions.targets, predictions.labels, classes)(ones(predictions))[0]
    assert found == pytest.approx(f1_score(predictions.targets, predictions.labels, average="macro", zero_division=0))
    labels, targets = torch.tensor(predictions.labels), torch.tensor(predictions.targets)
    assert found == pytest.approx(multiclass_f1_score(labels, targets, classes, average="macro").item(), abs=1e-6)


def test_f1_of_a_class_is_that_of_sklearn(predictions):
    labels = range(predictions.probabilities.shape[1])
    expected = f1_score(predictions.targets, predictions.labels, labels=labels, average=None, zero_division=np.nan)
    found = [F1(predictions.targets, predictions.labels, index)(ones(predictions))[0] for index in labels]
    assert found == pytest.approx(expected.tolist(), nan_ok=True)


def test_macro_auroc_is_the_mean_of_sklearns_over_the_classes_that_occur(predictions):
    present = np.unique(predictions.targets)
    expected = [roc_auc_score(predictions.targets == c, predictions.probabilities[:, c]) for c in present]
    found = MacroAuroc(predictions.targets, predictions.probabilities)(ones(predictions))[0]
    assert found == pytest.approx(np.mean(expected), abs=1e-12)


def test_macro_auroc_is_that_of_torchmetrics():
    predictions = CASES["usual"]
    expected = multiclass_auroc(torch.tensor(predictions.probabilities), torch.tensor(predictions.targets), 5)
    found = MacroAuroc(predictions.targets, predictions.probabilities)(ones(predictions))[0]
    assert found == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("bins", [5, 15])
@pytest.mark.parametrize("name", ["usual", "skilful", "two classes", "absent class"])
def test_calibration_error_is_that_of_torchmetrics(name, bins):
    predictions = CASES[name]
    probabilities, targets = torch.tensor(predictions.probabilities), torch.tensor(predictions.targets)
    expected = multiclass_calibration_error(probabilities, targets, probabilities.shape[1], n_bins=bins)
    found = CalibrationError(predictions.confidence, predictions.correct, bins)(ones(predictions))[0]
    assert found == pytest.approx(expected.item(), abs=1e-6)


def test_calibration_error_by_hand_with_a_confidence_of_one():
    confidence = np.array([1.0, 1.0, 0.75, 0.6], np.float32)
    correct = np.array([True, False, True, False])
    # The upper half of [0, 1] holds all four: |(1 - 1) + (0 - 1) + (1 - .75) + (0 - .6)| / 4.
    assert CalibrationError(confidence, correct, 2)(np.ones((4, 1)))[0] == pytest.approx(1.35 / 4)


def test_weights_count_as_repeated_rows(predictions):
    classes = predictions.probabilities.shape[1]
    weights = np.random.default_rng(9).integers(0, 4, (len(predictions.targets), 3)).astype(np.float64)
    statistics = {
        "f1": lambda p: MacroF1(p.targets, p.labels, classes),
        "f1 of one": lambda p: F1(p.targets, p.labels, 0),
        "auroc": lambda p: MacroAuroc(p.targets, p.probabilities),
        "calibration": lambda p: CalibrationError(p.confidence, p.correct, 10),
    }
    for build in statistics.values():
        for column, found in enumerate(build(predictions)(weights)):
            rows = np.repeat(np.arange(len(weights)), weights[:, column].astype(int))
            repeated = from_probabilities(predictions.targets[rows], predictions.probabilities[rows])
            assert found == pytest.approx(build(repeated)(ones(repeated))[0], abs=1e-6, nan_ok=True)


def test_auroc_without_one_of_the_sides_is_nan():
    scores = np.array([0.1, 0.9], np.float32)
    assert np.isnan(Auroc(scores, np.array([True, True]))(np.ones((2, 1)))[0])
    assert np.isnan(Auroc(scores, np.array([False, False]))(np.ones((2, 1)))[0])
    assert np.isnan(Auroc(scores, np.array([True, False]))(np.array([[1.0], [0.0]]))[0])


def test_auroc_of_equal_scores_is_a_half():
    assert Auroc(np.full(4, 0.5), np.array([True, False, True, False]))(np.ones((4, 1)))[0] == 0.5


def test_group_sum_leaves_absent_groups_at_zero():
    sums = GroupSum(np.array([3, 0, 1]), np.array([2, 0, 2]), 4)(np.array([[1.0], [10.0], [100.0], [1000.0]]))
    assert sums[:, 0].tolist() == [1.0, 0.0, 1010.0, 0.0]
