"""Counter-based random numbers: pure functions of a key per sample, on any device, in any batch.

A generator with a state gives a sample other numbers when the batch before it changes. Here each sample has a
key, a hash of (seed, epoch, sample index), and number ``i`` of stream ``s`` is the hash of (key, s, i). The hash
is the finaliser of splitmix64 in wrapping int64 arithmetic. Nothing after it needs a transcendental function,
whose last bit depends on the device, so CPU and GPU draw the same bits.
"""

import math
from functools import cache
from hashlib import blake2b

import torch
from torch import Tensor


def _signed(value: int) -> int:
    """The int64 that has the same 64 bits as ``value`` modulo 2**64."""
    return (value + 2**63) % 2**64 - 2**63


_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)
_COUNTER = 0x9E3779B97F4A7C15
_STREAM = 0xD1B54A32D192ED03


def keys(seed: int, epoch: int, index: Tensor) -> Tensor:
    """Keys int64 ``[B]`` of the samples ``index`` (int64 ``[B]``) in an epoch; any integers will do."""
    digest = blake2b(f"{seed},{epoch}".encode(), digest_size=8).digest()
    return _mix(index * _signed(_COUNTER) + int.from_bytes(digest, "little", signed=True))


def derive(key: Tensor, stream: int) -> Tensor:
    """Keys of an independent stream, of the same shape: what one part of a computation draws from."""
    return _mix(key + _signed((stream + 1) * _STREAM))


def uniform(key: Tensor, stream: int, shape: tuple[int, ...] = ()) -> Tensor:
    """Draw float32 ``[B, *shape]``, uniform over the multiples of 2**-24 in [0, 1)."""
    bits = _hashes(key, stream, math.prod(shape))
    return (bits >> 40).bitwise_and_(2**24 - 1).to(torch.float32).mul_(2**-24).view(-1, *shape)


def normal(key: Tensor, stream: int, shape: tuple[int, ...] = ()) -> Tensor:
    """Draw float32 ``[B, *shape]`` from the 65,536 equally likely mid-quantiles of N(0, 1) (none beyond 4.33)."""
    count = math.prod(shape)
    # Each hash is four draws of 16 bits: an even share of the table, and a quarter of the hashing.
    ranks = _hashes(key, stream, -(-count // 4)).view(torch.int16)[:, :count].to(torch.int32).add_(2**15)
    return _quantiles(key.device).index_select(0, ranks.flatten()).view(-1, *shape)


def chosen(key: Tensor, stream: int, p: float) -> Tensor:
    """Draw bool ``[B]``, each true with probability ``p``."""
    if p >= 1:
        return torch.ones_like(key, dtype=torch.bool)
    return uniform(key, stream) < p


def _hashes(key: Tensor, stream: int, count: int) -> Tensor:
    counters = torch.arange(count, device=key.device).mul_(_signed(_COUNTER))
    return _mix(derive(key, stream)[:, None] + counters)


def _mix(state: Tensor) -> Tensor:
    """Hash int64 to int64, one to one."""
    state = _shift_xor(state, 30).mul_(_FIRST)
    state = _shift_xor(state, 27).mul_(_SECOND)
    return _shift_xor(state, 31)


def _shift_xor(state: Tensor, bits: int) -> Tensor:
    # >> copies the sign bit; the mask makes the shift a logical one.
    return (state >> bits).bitwise_and_(2 ** (64 - bits) - 1).bitwise_xor_(state)


@cache
def _quantiles(device: torch.device) -> Tensor:
    ranks = torch.arange(2**16, dtype=torch.float64).add_(0.5).div_(2**16)
    quantiles: Tensor = torch.special.ndtri(ranks)
    return quantiles.to(torch.float32).to(device)
