"""Figures in words: their names and values as every page, card and summary writes them."""

_WORDS = {
    "auroc": "AUROC",
    "f1": "F1",
    "mae": "MAE",
    "mape": "MAPE",
    "mse": "MSE",
    "nll": "NLL",
    "r2": "R²",
    "rmse": "RMSE",
}
_SHARES = ("accuracy", "top", "precision", "recall", "f1", "coverage", "calibration")


def title(name: str) -> str:
    """A figure's name in words: ``f1_macro`` becomes "F1 macro"."""
    return " ".join(_WORDS.get(word, word) for word in name.split("_"))


def label(name: str) -> str:
    """The same as a heading."""
    words = title(name)
    return words[:1].upper() + words[1:]


def show(name: str, value: float) -> str:
    """A value of that figure: shares in percent, others with four significant digits or as whole numbers."""
    if name.split("_")[0] in _SHARES:
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def headline(metrics: dict[str, float]) -> str:
    """Name of the figure that sums a model up: the first after the number of rows."""
    return next(name for name in metrics if name != "rows")
