import pytest
import torch

from stagewise.models.text_bag import TextBag


def test_is_the_mean_of_vectors():
    network = TextBag((6, 20), 3, dim=4).eval()
    table, linear = network.embedding.table.weight, network.head[1]
    expected = linear((table[7] + table[7] + table[2]) / 3)
    torch.testing.assert_close(network(torch.tensor([[7, 2, 7, 0, 0]]))[0], expected)


def test_pairs_join_the_mean():
    network = TextBag((6, 20), 3, dim=4, bigrams=1000).eval()
    row = torch.tensor([[7, 2, 9]])
    pairs = network._hash(row)[0].tolist()
    assert pairs[2] == 0
    vectors = [*network.embedding.table.weight[[7, 2, 9]], *network.pairs.table.weight[pairs[:2]]]
    torch.testing.assert_close(network(row)[0], network.head(torch.stack(vectors).mean(0)))


def test_order_matters_with_pairs_only():
    row, other = torch.tensor([[7, 2, 9, 5]]), torch.tensor([[9, 5, 2, 7]])
    blind, seeing = TextBag((6, 20), 3).eval(), TextBag((6, 20), 3, bigrams=1000).eval()
    torch.testing.assert_close(blind(row), blind(other))
    assert (seeing(row) - seeing(other)).abs().max() > 1e-3


@pytest.mark.parametrize("buckets", [1024, 1000, 997])
def test_pairs_spread_over_the_table(buckets):
    network = TextBag((400, 400), 2, dim=1, bigrams=buckets)
    row = torch.arange(4, 400).expand(100, -1).clone()
    row[:, 1::2] = torch.arange(4, 104).unsqueeze(1)
    found = network._hash(row)
    found = found[found > 0].unique()
    assert found.max() <= buckets
    assert len(found) > 0.95 * buckets


def test_large_token_numbers_hash_without_overflow():
    network = TextBag((4, 8), 2, dim=1, bigrams=64)
    found = network._hash(torch.tensor([[2**31 - 2, 2**31 - 3, 4]]))
    assert (found[0, :2] >= 1).all() and (found[0, :2] <= 64).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bigrams": -1}, "bigrams is the size of a table, not -1"),
        ({"hidden": [8, 0]}, r"hidden\[1\] must be a whole number of at least 1, not 0"),
    ],
)
def test_impossible_sizes_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        TextBag((6, 20), 3, **arguments)
