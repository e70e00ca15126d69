import numpy as np
import pytest
from sklearn.metrics import r2_score
from small_tables import number_column, number_target, table_schema

from stagewise.tasks.regression.quality import CLOSE, Quality


@pytest.fixture
def quality() -> Quality:
    return Quality(table_schema([number_column("a", [1.0, 2.0])], number_target([1.0, 2.0])))


def test_batches_add_up_to_the_figures_of_all_rows(quality):
    draw = np.random.default_rng(0)
    targets = draw.normal(1000, 100, 300)
    reference = (targets + draw.normal(0, 30, 300)).astype(np.float32)
    value = (reference + draw.normal(0, 5, 300)).astype(np.float32)
    for part in (slice(0, 7), slice(7, 200), slice(200, 300)):
        quality.add(targets[part], (value[part],), (reference[part],))
    assert quality.score() == pytest.approx(r2_score(targets, value))
    assert quality.agreement() == pytest.approx((np.abs(value - reference) <= CLOSE * targets.std()).mean())
    assert 0.5 < quality.agreement() < 1
    details = quality.details()
    assert details["rmse"] == pytest.approx(np.sqrt(((value - targets) ** 2).mean()), rel=1e-4)
    assert details["largest_shift"] == pytest.approx(np.abs(value - reference).max(), rel=1e-4)
    assert details["unit"] == "USD"
    assert quality.lost().shape == (300,)
    assert quality.lost().mean() == pytest.approx(r2_score(targets, reference) - quality.score())


def test_fp32_agrees_with_itself(quality):
    value = np.array([1.0, 5.0], np.float32)
    quality.add(np.array([2.0, 4.0]), (value,), (value,))
    assert (quality.name, quality.agreement()) == ("r2", 1.0)


def test_targets_that_do_not_vary_score_0(quality):
    quality.add(np.ones(3), (np.zeros(3, np.float32),), (np.zeros(3, np.float32),))
    assert quality.score() == 0.0
    assert not quality.lost().any()
