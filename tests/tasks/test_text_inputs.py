import numpy as np
import pytest
import torch

from stagewise.data.schema import DataSchema, Feature, TargetEntry
from stagewise.errors import DataError
from stagewise.tasks.inputs.text import TextInputs


def schema(**entry):
    values = {"name": "tokens", "kind": "text", "dtype": "int32", "shape": (None,), "layout": "L", "storage": "ragged"}
    feature = Feature(**values | {"vocabulary": 50, "max_length": 12, "tokenizer": "{}"} | entry)
    target = TargetEntry(name="label", kind="class", outputs=2)
    return DataSchema(name="texts", features=[feature], target=target, splits={})


def test_network_shape_is_length_and_vocabulary():
    assert TextInputs(schema()).network_shape == (12, 50)


def test_tokens_pass_as_they_are():
    inputs = TextInputs(schema())
    raw = torch.tensor([[4, 49, 1], [7, 0, 0]], dtype=torch.int32)
    tokens = inputs.decode(raw)
    assert tokens.dtype == torch.int64
    assert tokens.tolist() == raw.tolist()
    assert torch.equal(inputs(tokens), tokens)


def test_half_precision_leaves_tokens_alone():
    inputs = TextInputs(schema()).half()
    tokens = inputs(inputs.decode(torch.tensor([[2049, 49_999]], dtype=torch.int32)))
    assert tokens.tolist() == [[2049, 49_999]]


@pytest.mark.parametrize(("vocabulary", "max_length"), [(50, 12), (5, 1), (30_000, 512)])
def test_example_is_a_batch_of_tokens_with_free_axes(vocabulary, max_length):
    raw, axes = TextInputs(schema(vocabulary=vocabulary, max_length=max_length)).example()
    assert raw.dtype == torch.int32
    assert raw.shape[0] == 2 and raw.shape[1] > 2
    assert axes == {0: "batch", 1: "length"}
    assert raw.min() == 0 and 4 <= raw.max() < vocabulary


@pytest.mark.parametrize(("vocabulary", "max_length"), [(50, 12), (5, 1), (30_000, 512)])
def test_hostile_rows_lie_at_the_edges_of_the_range(vocabulary, max_length):
    inputs = TextInputs(schema(vocabulary=vocabulary, max_length=max_length))
    rows = inputs.hostile(np.random.default_rng(0))
    assert all(row.dtype == np.int32 and row.ndim == 1 for row in rows.values())
    assert len(rows.pop("longer than any row")) == 2 * max_length + 1
    lengths = {len(row) for row in rows.values()}
    assert min(lengths) == 1 and max(lengths) == max_length
    contents = {tuple(row.tolist()) for row in rows.values()}
    for token in (0, 1, vocabulary - 1):
        assert (token,) * max_length in contents
    every = np.concatenate(list(rows.values()))
    assert every.min() >= 0 and every.max() == vocabulary - 1
    assert any(np.count_nonzero(row) == 1 and row[0] > 0 for row in rows.values())


def test_hostile_rows_are_a_function_of_the_generator():
    inputs = TextInputs(schema())
    first, again, other = (inputs.hostile(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.keys() == other.keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_feature_without_tokens_is_told():
    with pytest.raises(DataError, match="schema holds no TokensEntry") as caught:
        TextInputs(schema(vocabulary=None))
    assert any("vocabulary" in detail for detail in caught.value.details)
    with pytest.raises(DataError, match="special tokens only"):
        TextInputs(schema(vocabulary=4))
