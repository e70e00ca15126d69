from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_tables import people

from stagewise.tasks.regression.predictions import Predictions


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def houses() -> tuple[Any, Any, Any]:
    """(values, prices, columns) of 600 rows."""
    values, score, columns = people(600)
    return values, np.maximum(200_000 + 60_000 * score, 15_000), columns


@pytest.fixture
def predictions_of() -> Callable[..., Predictions]:
    """Predictions of gamma-distributed prices with normal errors."""

    def make(rows: int = 400, seed: int = 0, noise: float = 20_000.0, bias: float = 0.0) -> Predictions:
        draw = np.random.default_rng(seed)
        targets = draw.gamma(3.0, 70_000, rows)
        return Predictions([f"row#{n}" for n in range(rows)], targets, targets + draw.normal(bias, noise, rows))

    return make
