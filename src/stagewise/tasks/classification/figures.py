"""The figures of a classifier, by torchmetrics.

Importing torchmetrics takes seconds, so this module is imported where figures are made and nowhere else.

Its shares of counts are float32, and sums of them are off by a little: ten perfect classes have a mean of 1.0000001.
So they are rounded to six decimals. Where a convention is a matter of choice, the docstrings say which one is meant;
where torchmetrics has another one, its inputs are prepared so that it gives this one.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional import classification, regression

from stagewise.tasks.classification.predictions import Predictions
from stagewise.tasks.classification.scores import Figures, Shares, class_keys

_SMALLEST = float(np.finfo(np.float32).eps)
_BELOW_ONE = float(np.nextafter(1.0, 0.0))
_DECIMALS = 6
_SCORES: dict[str, Callable[..., Tensor]] = {
    "precision": classification.multiclass_precision,
    "recall": classification.multiclass_recall,
    "f1": classification.multiclass_f1_score,
}
_NAMED = 20
"""Most classes whose F1 is listed among the figures one by one."""


def measure(predictions: Predictions, names: list[str], top_k: Iterable[int], bins: int) -> Figures:
    """Measure everything.

    ``accuracy``, ``top_<k>``, ``f1_macro``, ``auroc`` (macro, one class against the rest), ``calibration_error``, macro
    and weighted means of precision, recall and F1, ``nll``, ``brier``, and ``f1_<class>`` of up to 20 classes; of two
    classes ``precision_<class>`` and ``recall_<class>`` as well.

    Args:
        predictions: at least one row.
        names: of the classes, two or more.
        top_k: each below the number of classes.
        bins: of equal width, for the calibration error.
    """
    matrix = confusion_matrix(predictions)
    shares, means = _by_class(predictions, matrix), _means(predictions)
    flat = {
        "accuracy": _accuracy(predictions),
        **{f"top_{k}": _top(predictions, k) for k in top_k},
        "f1_macro": means["f1_macro"],
        "auroc": _known_mean(shares.auroc),
        "calibration_error": _calibration_error(predictions, bins),
        **means,
        **_likelihood(predictions),
        **_named(shares, names),
    }
    return Figures(flat, shares, matrix)


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts ``(classes, classes)``: row is the target, column the label."""
    return np.asarray(classification.multiclass_confusion_matrix(*_labels(predictions)).numpy())


def _accuracy(predictions: Predictions) -> float:
    return _share(classification.multiclass_accuracy(*_labels(predictions), average="micro"))


def _top(predictions: Predictions, k: int) -> float:
    """Share of rows whose class is among the ``k`` most probable; of equal probabilities the lower class comes first.

    torchmetrics leaves open which it takes, so it is given merits without ties: from n of the first class down to 1.
    """
    probabilities = torch.from_numpy(predictions.probabilities)
    order = probabilities.argsort(dim=1, descending=True, stable=True)
    classes = probabilities.shape[1]
    merits = torch.zeros_like(probabilities).scatter_(1, order, torch.arange(classes, 0.0, -1).expand(order.shape))
    targets = torch.from_numpy(predictions.targets)
    return _share(classification.multiclass_accuracy(merits, targets, classes, average="micro", top_k=k))


def _means(predictions: Predictions) -> dict[str, float]:
    """Macro means over the classes that occur as target or as label, and means weighted by the rows of each class.

    An undefined share of a class that takes part counts as zero.
    """
    arguments = _labels(predictions)
    return {
        f"{name}_{average}": _share(score(*arguments, average=average))
        for name, score in _SCORES.items()
        for average in ("macro", "weighted")
    }


def _by_class(predictions: Predictions, matrix: NDArray[np.int64]) -> Shares:
    """Undefined shares are NaN: torchmetrics gives zero, which a class that fails altogether has, too."""
    rows, labelled = matrix.sum(axis=1), matrix.sum(axis=0)
    defined = {"precision": labelled > 0, "recall": rows > 0, "f1": rows + labelled > 0}
    found = {name: score(*_labels(predictions), average="none") for name, score in _SCORES.items()}
    return Shares(
        **{name: _where(defined[name], values) for name, values in found.items()},
        auroc=np.array([_auroc(predictions, index, int(count)) for index, count in enumerate(rows)]),
    )


def _named(shares: Shares, names: list[str]) -> dict[str, float]:
    kinds = {"f1": shares.f1} if len(names) <= _NAMED else {}
    if len(names) == 2:
        kinds |= {"precision": shares.precision, "recall": shares.recall}
    keys = class_keys(names)
    return {f"{kind}_{key}": float(v) for kind, own in kinds.items() for key, v in zip(keys, own, strict=True)}


def _auroc(predictions: Predictions, index: int, rows: int) -> float:
    """Area under the ROC curve of this class against the rest, equal scores counting half; NaN without either side.

    torchmetrics gives zero there, which its own macro mean counts.
    """
    if not 0 < rows < len(predictions.targets):
        return float("nan")
    # What exceeds 1 by a rounding error would make torchmetrics take all of them for logits.
    scores = torch.from_numpy(predictions.probabilities[:, index].clip(0, 1))
    return _share(classification.binary_auroc(scores, torch.from_numpy(predictions.targets == index).long()))


def _calibration_error(predictions: Predictions, bins: int) -> float:
    """Mean distance of confidence and accuracy over bins of equal width, closed at the lower edge, the last at both.

    That is the calibration of one statement per row, "this label is right", with the confidence as its probability.
    torchmetrics has a bin of its own for a confidence of 1, so that is taken for the number next to it.
    """
    confidence = torch.from_numpy(predictions.confidence).double().clamp(0.0, _BELOW_ONE)
    right = torch.from_numpy(predictions.correct).long()
    return float(classification.binary_calibration_error(confidence, right, n_bins=bins))


def _likelihood(predictions: Predictions) -> dict[str, float]:
    """Mean negative log-likelihood (nats; probabilities floored at float32's epsilon) and Brier score (0 to 2)."""
    probabilities, targets = torch.from_numpy(predictions.probabilities).double(), torch.from_numpy(predictions.targets)
    classes = probabilities.shape[1]
    hits = functional.one_hot(targets, classes).double()
    return {
        "nll": float(functional.nll_loss(probabilities.clamp(_SMALLEST, 1.0).log(), targets)),
        "brier": float(regression.mean_squared_error(probabilities.flatten(), hits.flatten())) * classes,
    }


def _labels(predictions: Predictions) -> tuple[Tensor, Tensor, int]:
    """The arguments of everything that is counted: labels, targets, number of classes."""
    classes = predictions.probabilities.shape[1]
    return torch.from_numpy(predictions.labels), torch.from_numpy(predictions.targets), classes


def _share(value: Tensor) -> float:
    return round(float(value), _DECIMALS)


def _where(defined: NDArray[np.bool_], values: Tensor) -> NDArray[np.float64]:
    return np.array([_share(value) if known else np.nan for known, value in zip(defined, values, strict=True)])


def _known_mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return round(float(known.mean()), _DECIMALS) if len(known) else float("nan")
