"""A layer of a transformer encoder, normalised before each part (Vaswani et al., 2017; Xiong et al., 2020)."""

from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention over ``[N, L, dim]``."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, scores: Tensor | None = None) -> Tensor:
        """Let each place look at all; ``scores`` ``[N, 1, 1, L]`` is added to how much it looks there."""
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(query, key, value, scores, dropout_p=dropout)
        mixed: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return mixed


class Layer(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added to its input."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, int(dim * mlp_ratio)),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(int(dim * mlp_ratio), dim),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, scores: Tensor | None = None) -> Tensor:
        """Map ``[N, L, dim]`` to the same shape; ``scores`` as ``Attention`` takes them."""
        x = x + self.dropout(self.attention(self.norm(x), scores))
        y: Tensor = x + self.mlp(x)
        return y
