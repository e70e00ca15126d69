"""Small conformer, after Gulati et al. (2020)."""

import math
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.nn import functional

from stagewise.models.layers import check_positive

_SUBSAMPLING = 4


class FeedForward(nn.Sequential):
    """The half-step perceptron around each block: normalised before, with the Swish activation."""

    def __init__(self, dim: int, mlp_ratio: float, dropout: float) -> None:
        hidden = int(dim * mlp_ratio)
        first, second = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        super().__init__(nn.LayerNorm(dim), first, nn.SiLU(), nn.Dropout(dropout), second, nn.Dropout(dropout))


class RelativeAttention(nn.Module):
    """Multi-head self-attention over ``[B, T, dim]`` that knows how far apart two frames are.

    The score of query i and key j is (q_i + u) k_j + (q_i + v) r_{i-j}, scaled, where r is a projected sinusoid of
    the distance (Dai et al., 2019, section 3.3).
    """

    positions: Tensor

    def __init__(self, dim: int, heads: int, frames: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.frames, self.dropout = heads, frames, dropout
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.distance = nn.Linear(dim, dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, dim // heads))
        self.distance_bias = nn.Parameter(torch.zeros(heads, 1, dim // heads))
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))
        self.register_buffer("positions", _sinusoids(frames, dim), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Let each frame of ``[B, T, dim]`` look at all."""
        query, key, value = self.qkv(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        distances = self.distance(self.positions).unflatten(1, (self.heads, -1)).permute(1, 2, 0)
        scores = self.by_distance((query + self.distance_bias) @ distances) / math.sqrt(query.shape[-1])
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(
            query + self.content_bias, key, value, attn_mask=scores, dropout_p=dropout
        )
        mixed: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return mixed

    def by_distance(self, scores: Tensor) -> Tensor:
        """From scores per distance T - 1 down to 1 - T, ``[B, heads, T, 2T - 1]``, to those per key, ``[.., T, T]``."""
        # Row i wants the distances i - j, which begin T - 1 - i places in: one more zero per row shifts them so.
        frames = self.frames
        padded = functional.pad(scores, (1, 0)).reshape(-1, self.heads, 2 * frames, frames)
        return padded[:, :, 1:].reshape(-1, self.heads, frames, 2 * frames - 1)[..., :frames]


class Convolution(nn.Module):
    """Gated pointwise convolution, depthwise convolution over time, and pointwise convolution of ``[B, T, dim]``."""

    def __init__(self, dim: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.gate = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GLU())
        self.depthwise = nn.Sequential(
            nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=False), nn.BatchNorm1d(dim), nn.SiLU()
        )
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Mix each frame with its ``kernel`` neighbours."""
        moved = self.depthwise(self.gate(self.norm(x)).transpose(1, 2))
        mixed: Tensor = self.out(moved.transpose(1, 2))
        return mixed


class Block(nn.Module):
    """Half a perceptron, attention, convolution and half a perceptron, each added to its input; then a layer norm."""

    def __init__(self, dim: int, heads: int, frames: int, kernel: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.before = FeedForward(dim, mlp_ratio, dropout)
        self.attention = RelativeAttention(dim, heads, frames, dropout)
        self.convolution = Convolution(dim, kernel, dropout)
        self.after = FeedForward(dim, mlp_ratio, dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, dim]`` to the same shape."""
        x = x + 0.5 * self.before(x)
        x = x + self.attention(x)
        x = x + self.convolution(x)
        y: Tensor = self.norm(x + 0.5 * self.after(x))
        return y


class Conformer(nn.Module):
    """Two strided convolutions that quarter a spectrogram, conformer blocks over its frames, and a mean over time.

    Columns of the image are moments, rows are frequency bands.

    Args:
        input_shape: channels, bands and frames.
        outputs: number of logits.
        dim: width of a frame, a multiple of ``heads``, and even.
        depth: number of blocks.
        heads: attention heads per block.
        kernel: frames (of four each) that a depthwise convolution sees; odd.
        mlp_ratio: width of a perceptron's hidden layer, in multiples of ``dim``.
        dropout: share of attention weights and layer outputs set to zero while training.

    Raises:
        ValueError: ``dim`` is odd or no multiple of ``heads``, ``kernel`` is even, or a size out of range.
    """

    takes = "image"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        dim: Annotated[int, Gt(0)] = 64,
        depth: Annotated[int, Gt(0)] = 4,
        heads: Annotated[int, Gt(0)] = 4,
        kernel: Annotated[int, Gt(0)] = 15,
        mlp_ratio: Annotated[float, Gt(0)] = 4.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, dim=dim, depth=depth, heads=heads, kernel=kernel)
        _check(dim, heads, kernel, mlp_ratio)
        channels, bands, frames = (
            side if axis == 0 else -(-side // _SUBSAMPLING) for axis, side in enumerate(input_shape)
        )
        self.subsample = nn.Sequential(
            nn.Conv2d(channels, dim, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(dim, dim, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.project = nn.Sequential(nn.Linear(dim * bands, dim), nn.Dropout(dropout))
        self.blocks = nn.Sequential(*(Block(dim, heads, frames, kernel, mlp_ratio, dropout) for _ in range(depth)))
        self.head = nn.Linear(dim, outputs)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[B, C, bands, frames]`` to logits ``[B, outputs]``."""
        frames = self.project(self.subsample(x).flatten(1, 2).transpose(1, 2))
        logits: Tensor = self.head(self.blocks(frames).mean(1))
        return logits


def _sinusoids(frames: int, dim: int) -> Tensor:
    """Sines and cosines of the distances frames - 1 down to 1 - frames, ``[2 frames - 1, dim]``."""
    distance = torch.arange(frames - 1, -frames, -1, dtype=torch.float64)
    rate = 10_000 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angle = distance[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], 1).float()


def _check(dim: int, heads: int, kernel: int, mlp_ratio: float) -> None:
    if dim % heads or dim % 2:
        raise ValueError(f"dim ({dim}) must be even, and a multiple of heads ({heads})")
    if kernel % 2 == 0:
        raise ValueError(f"kernel must be odd, so that it has a middle, not {kernel}")
    if int(dim * mlp_ratio) < 1:
        raise ValueError(f"mlp_ratio ({mlp_ratio}) leaves the perceptrons no hidden unit")


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
