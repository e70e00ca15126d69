import numpy as np
import pytest

from stagewise.data.splits import TEST, TRAIN, UNPUBLISHED, VALIDATION, assign


def free(count):
    return np.full(count, UNPUBLISHED, np.int8)


def table(labels, splits):
    return np.array(
        [[np.sum((labels == label) & (splits == split)) for split in range(3)] for label in np.unique(labels)]
    )


def test_shares_are_as_asked_in_all_and_in_each_class():
    labels = np.random.default_rng(0).choice(10, 1797, p=np.arange(1, 11) / 55)
    splits = assign(labels, free(1797), validation=0.1, test=0.2, seed=1)
    counts = table(labels, splits)
    assert counts[:, TEST].sum() == round(0.2 * 1797)
    assert counts[:, VALIDATION].sum() == round(0.1 * (1797 - 359))
    sizes = counts.sum(axis=1)
    assert np.abs(counts[:, TEST] - 0.2 * sizes).max() < 1
    assert np.abs(counts[:, VALIDATION] - 0.1 * (sizes - counts[:, TEST])).max() < 1


def test_the_same_seed_gives_the_same_split_and_another_another():
    labels = np.arange(300) % 3
    first, again, other = (assign(labels, free(300), 0.1, 0.2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).sum() > 50
    np.testing.assert_array_equal(table(labels, first), table(labels, other))


def test_the_draw_is_the_one_of_all_time():
    assert assign(np.array([0, 1] * 6), free(12), 0.25, 0.25, 7).tolist() == [0, 0, 2, 0, 1, 2, 2, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("size", "expected"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (4, [2, 1, 1]), (1000, [720, 80, 200])]
)
def test_every_class_has_rows_where_it_can(size, expected):
    labels = np.repeat([0, 1], [size, 1000])
    splits = assign(labels, free(len(labels)), 0.1, 0.2, 0)
    assert table(labels, splits)[0].tolist() == expected


def test_a_large_share_leaves_a_row_to_train_on():
    labels = np.arange(9) % 3
    assert table(labels, assign(labels, free(9), 0.9, 0.9, 0)).tolist() == [[1, 1, 1]] * 3


def test_published_test_rows_are_the_test_split():
    labels = np.arange(100) % 2
    published = np.where(np.arange(100) < 80, TRAIN, TEST).astype(np.int8)
    splits = assign(labels, published, 0.25, 0.5, 0)
    np.testing.assert_array_equal(splits == TEST, published == TEST)
    assert (splits == VALIDATION).sum() == 20


def test_published_validation_rows_are_the_validation_split():
    labels = np.arange(100) % 2
    published = np.where(np.arange(100) < 90, UNPUBLISHED, VALIDATION).astype(np.int8)
    splits = assign(labels, published, 0.5, 0.2, 0)
    np.testing.assert_array_equal(splits == VALIDATION, published == VALIDATION)
    assert (splits == TEST).sum() == 18


def test_rows_published_as_train_alone_are_divided():
    labels = np.arange(100) % 2
    train = np.full(100, TRAIN, np.int8)
    np.testing.assert_array_equal(assign(labels, train, 0.1, 0.2, 3), assign(labels, free(100), 0.1, 0.2, 3))


def test_a_share_of_zero_draws_nothing():
    labels = np.arange(20) % 2
    assert (assign(labels, free(20), 0.0, 0.0, 0) == TRAIN).all()


def test_no_rows_are_divided_into_nothing():
    assert len(assign(np.empty(0, np.int64), free(0), 0.1, 0.2, 0)) == 0


def test_rows_without_order_in_the_file_are_still_mixed():
    labels = np.zeros(1000, np.int64)
    tests = np.flatnonzero(assign(labels, free(1000), 0.1, 0.2, 5) == TEST)
    assert 400 < tests.mean() < 600
