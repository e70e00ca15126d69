"""PatchTST: a transformer over patches of single variables, after Nie et al. (2023)."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.series import normalise_windows, series_shape
from stagewise.models.transformer import Attention


class PatchTST(nn.Module):
    """Overlapping patches of a variable as tokens, transformer layers, and a linear head on all of them.

    Every variable is forecast from itself alone, by weights that all share (channel independence), on the scale of
    its window: Nie et al., "A Time Series is Worth 64 Words", ICLR 2023.

    Args:
        input_shape: lookback and number of variables; a third number is that of calendar features.
        outputs: steps of the forecast.
        patch: steps of a patch.
        stride: steps from one patch to the next; the last value is repeated this often, so that the end of the
            window is in a patch however it divides.
        dim: width of a token, a multiple of ``heads``.
        depth: number of layers.
        heads: attention heads per layer.
        hidden: width of each layer's perceptron.
        dropout: share of attention weights, tokens and layer outputs set to zero while training.
        head_dropout: the same for the head's input.
        norm: ``batch`` as in the paper, or ``layer``, which does not depend on the rest of the batch.
        instance_norm: whether windows are normalised one by one, and the forecasts scaled back.

    Calendar features of a patch's last step are added to its token.

    Raises:
        ValueError: a size is below one, ``dim`` is no multiple of ``heads``, or a patch is longer than the window.
    """

    takes = "series"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        patch: Annotated[int, Gt(0)] = 16,
        stride: Annotated[int, Gt(0)] = 8,
        dim: Annotated[int, Gt(0)] = 16,
        depth: Annotated[int, Gt(0)] = 3,
        heads: Annotated[int, Gt(0)] = 4,
        hidden: Annotated[int, Gt(0)] = 128,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.3,
        head_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        norm: Literal["batch", "layer"] = "batch",
        instance_norm: bool = True,
    ) -> None:
        super().__init__()
        lookback, self.variables, calendar = series_shape(input_shape)
        check_positive(outputs=outputs, patch=patch, stride=stride, dim=dim, depth=depth, heads=heads, hidden=hidden)
        _check(lookback, patch, stride, dim, heads, norm)
        self.patch, self.stride, self.instance_norm = patch, stride, instance_norm
        count = (lookback + stride - patch) // stride + 1
        # Place in the window of each patch's last step; what is repeated has the calendar of the last step.
        ends = (torch.arange(count) * stride + patch - 1).clamp(max=lookback - 1)
        self.register_buffer("ends", ends, persistent=False)
        self.ends: Tensor
        self.embed = nn.Linear(patch, dim)
        self.calendar = nn.Linear(calendar, dim, bias=False) if calendar else None
        self.positions = nn.Parameter(torch.empty(count, dim).uniform_(-0.02, 0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(*(Layer(dim, heads, hidden, dropout, norm) for _ in range(depth)))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(head_dropout), nn.Linear(count * dim, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``[N, lookback, variables + calendar]`` to forecasts ``[N, outputs, variables]``."""
        series = x[..., : self.variables]
        if not self.instance_norm:
            return self._forecast(series, x)
        series, mean, std = normalise_windows(series)
        return self._forecast(series, x) * std + mean

    def _forecast(self, series: Tensor, x: Tensor) -> Tensor:
        """Forecasts ``[N, outputs, V]`` of ``[N, lookback, V]``; ``x`` holds the calendar."""
        repeated = series[:, -1:].expand(-1, self.stride, -1)
        patches = torch.cat([series, repeated], 1).unfold(1, self.patch, self.stride)  # [N, patches, V, patch]
        tokens = self.embed(patches) + self.positions[:, None]
        if self.calendar is not None:
            tokens = tokens + self.calendar(x[:, self.ends, self.variables :])[:, :, None]
        tokens = self.layers(self.dropout(tokens.transpose(1, 2).flatten(0, 1)))
        forecast: Tensor = self.head(tokens).unflatten(0, (-1, self.variables))
        return forecast.transpose(1, 2)


class Layer(nn.Module):
    """Attention and a two-layer perceptron, each added to its input and normalised after.

    Args:
        norm: ``batch`` or ``layer``.
    """

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float, norm: str) -> None:
        super().__init__()
        self.attention = nn.Sequential(Attention(dim, heads, 0.0), nn.Dropout(dropout))
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim), nn.Dropout(dropout)
        )
        self.norms = nn.ModuleList(TokenNorm(dim) if norm == "batch" else nn.LayerNorm(dim) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, tokens, dim]`` to the same shape."""
        x = self.norms[0](x + self.attention(x))
        y: Tensor = self.norms[1](x + self.mlp(x))
        return y


class TokenNorm(nn.BatchNorm1d):
    """Batch normalisation of every value of a token, over all tokens of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, tokens, dim]`` to the same shape."""
        return super().forward(x.flatten(0, 1)).view_as(x)


def _check(lookback: int, patch: int, stride: int, dim: int, heads: int, norm: str) -> None:
    if patch > lookback:
        raise ValueError(f"a patch of {patch} steps is longer than the lookback of {lookback}")
    if stride > patch:
        raise ValueError(f"a stride of {stride} leaves out steps between patches of {patch}")
    if dim % heads:
        raise ValueError(f"dim ({dim}) must be a multiple of heads ({heads})")
    if norm not in ("batch", "layer"):
        raise ValueError(f"norm must be batch or layer, not {norm!r}")
