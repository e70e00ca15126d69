import numpy as np
import pyarrow as pa
import pytest

from stagewise.compression.cost.size import compressed_bytes


def test_weights_that_are_zero_cost_little(tmp_path):
    weights = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    (tmp_path / "dense").write_bytes(weights.tobytes())
    weights[np.random.default_rng(1).random(100_000) < 0.9] = 0
    (tmp_path / "sparse").write_bytes(weights.tobytes())
    dense, sparse = compressed_bytes(tmp_path / "dense"), compressed_bytes(tmp_path / "sparse")
    assert sparse < 0.2 * dense < dense <= 400_000 * 1.01


@pytest.mark.parametrize("content", [b"", b"abc" * 10_000])
def test_it_is_what_zstd_needs_and_can_be_had_back(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    packed = pa.Codec("zstd", compression_level=19).compress(content, asbytes=True)
    assert compressed_bytes(tmp_path / "file") == len(packed)
    assert pa.decompress(packed, len(content), codec="zstd", asbytes=True) == content
