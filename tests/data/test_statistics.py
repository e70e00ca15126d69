import numpy as np
import pytest

from stagewise.data.statistics import ChannelSums


def sums(parts, channels=3):
    total = ChannelSums(channels)
    for part in parts:
        total.add(part)
    return total.statistics()


def test_mean_and_standard_deviation_of_each_channel():
    values = np.random.default_rng(0).integers(0, 256, (40, 9, 7, 3), dtype=np.uint8)
    found = sums([values])
    np.testing.assert_allclose(found.mean, (values / 255).mean(axis=(0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(found.std, (values / 255).std(axis=(0, 1, 2)), rtol=1e-12)


def test_no_bit_depends_on_the_batches():
    values = np.random.default_rng(1).integers(0, 256, (700, 50, 40, 1), dtype=np.uint8)  # more than one block
    assert sums([values], 1) == sums([values[:1], values[1:333], values[333:]], 1) == sums([values[::-1]], 1)


def test_a_channel_that_does_not_vary_is_only_shifted():
    assert sums([np.full((4, 2, 2, 1), 51, np.uint8)], 1) == type(sums([np.ones((1, 1), np.uint8)], 1))([0.2], [1.0])


def test_large_sums_stay_exact():
    values = np.full((1, 3000, 3000, 1), 255, np.uint8)
    values[0, 0, 0] = 254
    found = sums([values], 1)
    count = values.size
    assert found.mean == [(255 * count - 1) / (255 * count)]
    assert found.std[0] == pytest.approx(np.sqrt(count - 1) / count / 255, rel=1e-12)


def test_nothing_has_no_statistics():
    with pytest.raises(ValueError, match="no values"):
        ChannelSums(1).statistics()
