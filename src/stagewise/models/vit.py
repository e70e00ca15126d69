"""Small vision transformer, after Dosovitskiy et al. (2021)."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.transformer import Layer


class ViT(nn.Module):
    """Square patches as tokens with learned positions, transformer layers, and a linear head.

    Args:
        input_shape: channels, height and width.
        outputs: number of logits.
        patch: side of a patch in pixels; height and width are multiples of it.
        dim: width of a token, a multiple of ``heads``.
        depth: number of layers.
        heads: attention heads per layer.
        mlp_ratio: width of the perceptron's hidden layer, in multiples of ``dim``.
        dropout: share of attention weights and layer outputs set to zero while training.
        pool: what the head reads: the ``mean`` of all tokens, or a class token of its own (``cls``).

    Raises:
        ValueError: the image is not a multiple of the patch, ``dim`` not one of ``heads``, or a size out of range.
    """

    takes = "image"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        patch: Annotated[int, Gt(0)] = 4,
        dim: Annotated[int, Gt(0)] = 64,
        depth: Annotated[int, Gt(0)] = 4,
        heads: Annotated[int, Gt(0)] = 4,
        mlp_ratio: Annotated[float, Gt(0)] = 2.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        pool: Literal["mean", "cls"] = "mean",
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, patch=patch, dim=dim, depth=depth, heads=heads)
        channels, height, width = input_shape
        _check(height, width, patch, dim, heads, mlp_ratio, pool)
        tokens = (height // patch) * (width // patch) + (pool == "cls")
        self.patches = nn.Conv2d(channels, dim, patch, stride=patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim)) if pool == "cls" else None
        self.positions = nn.Parameter(torch.empty(1, tokens, dim))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(*(Layer(dim, heads, mlp_ratio, dropout) for _ in range(depth)))
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, outputs))
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to logits ``[B, outputs]``."""
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        if self.cls is not None:
            tokens = torch.cat([self.cls.expand(x.shape[0], -1, -1), tokens], 1)
        tokens = self.layers(self.dropout(tokens + self.positions))
        logits: Tensor = self.head(tokens.mean(1) if self.cls is None else tokens[:, 0])
        return logits


def _check(height: int, width: int, patch: int, dim: int, heads: int, mlp_ratio: float, pool: str) -> None:
    if height % patch or width % patch:
        raise ValueError(f"a {height}x{width} image does not divide into patches of {patch}x{patch} pixels")
    if dim % heads:
        raise ValueError(f"dim ({dim}) must be a multiple of heads ({heads})")
    if int(dim * mlp_ratio) < 1:
        raise ValueError(f"mlp_ratio ({mlp_ratio}) leaves the perceptron no hidden unit")
    if pool not in ("mean", "cls"):
        raise ValueError(f"pool must be mean or cls, not {pool!r}")


def _initialise(network: ViT) -> None:
    nn.init.trunc_normal_(network.positions, std=0.02)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
