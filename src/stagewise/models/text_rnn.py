"""Recurrent network over words, read from both ends; padding takes no part."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.tokens import TokenEmbedding, lengths, masked_max, masked_mean, present, token_shape

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
"""Recurrent layers by the names that configs use."""


class TextRNN(nn.Module):
    """LSTM or GRU layers over the words of a row, a summary of their states, and a linear head.

    A reader from the end needs to begin at each row's own end. Packed sequences, torch's way to that, do not become
    ONNX; here the words of each row are turned round in place, so that padding is last for both readers.

    Args:
        input_shape: length of the longest row, number of different tokens.
        outputs: number of logits.
        dim: length of a token's vector.
        cell: ``lstm``, or ``gru`` (three quarters of the weights).
        hidden: size of a state.
        layers: recurrent layers on top of each other.
        bidirectional: read from the end as well; twice the time.
        pool: how states become a row's summary: ``max`` or ``mean`` over words, or the state after the ``last``.
        embedding_dropout: share of the vectors' values set to zero while training.
        dropout: share of each layer's output set to zero while training.

    Raises:
        ValueError: the cell or the pooling is unknown, a size out of range, or the input no rows of tokens.
    """

    takes = "tokens"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        dim: Annotated[int, Gt(0)] = 128,
        cell: Literal["lstm", "gru"] = "lstm",
        hidden: Annotated[int, Gt(0)] = 128,
        layers: Annotated[int, Gt(0)] = 1,
        bidirectional: bool = True,
        pool: Literal["max", "mean", "last"] = "max",
        embedding_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, dim=dim, hidden=hidden, layers=layers)
        if cell not in CELLS:
            raise ValueError(f"cell must be lstm or gru, not {cell!r}")
        if pool not in ("max", "mean", "last"):
            raise ValueError(f"pool must be max, mean or last, not {pool!r}")
        _, vocabulary = token_shape(input_shape)
        self.embedding = TokenEmbedding(vocabulary, dim, embedding_dropout)
        self.bidirectional, self.pool = bidirectional, pool
        width = hidden * (2 if bidirectional else 1)
        sizes = [dim] + [width] * (layers - 1)
        self.forwards = nn.ModuleList(_reader(cell, size, hidden) for size in sizes)
        self.backwards = nn.ModuleList(_reader(cell, size, hidden) for size in sizes if bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map int64 ``[N, L]`` to logits ``[N, outputs]``."""
        if torch.compiler.is_exporting():
            _forget_dispatch()
        length = lengths(tokens)
        turned = _turn(length, tokens.shape[1])
        x = self.embedding(tokens)
        for number, reader in enumerate(self.forwards):
            states = [reader(x)[0]]
            if self.bidirectional:
                states.append(_pick(self.backwards[number](_pick(x, turned))[0], turned))
            x = self.dropout(torch.cat(states, 2))
        logits: Tensor = self.head(self._summary(x, present(tokens), length))
        return logits

    def _summary(self, x: Tensor, mask: Tensor, length: Tensor) -> Tensor:
        """Return ``[N, width]`` of the states ``[N, L, width]``."""
        if self.pool != "last":
            return masked_max(x, mask) if self.pool == "max" else masked_mean(x, mask)
        hidden = x.shape[2] // 2 if self.bidirectional else x.shape[2]
        end = (length - 1).clamp(min=0).unsqueeze(1)
        ahead = _pick(x[:, :, :hidden], end).squeeze(1)
        # The reader from the end is done where the row begins.
        return torch.cat([ahead, x[:, 0, hidden:]], 1)


def _forget_dispatch() -> None:
    """Let the exporter find its own rule for these layers, which leaves the length free.

    torch 2.13 remembers the rule of an earlier export in the process, one that silently fixes the length.
    """
    for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
        operator._dispatch_cache.clear()


def _turn(length: Tensor, size: int) -> Tensor:
    """Return int64 ``[N, size]``: the places of each row's words from its last to its first, then of its padding."""
    places = torch.arange(size, device=length.device)
    back = length.unsqueeze(1) - 1 - places
    return torch.where(back >= 0, back, places)


def _pick(x: Tensor, places: Tensor) -> Tensor:
    """Return ``x`` ``[N, L, D]`` at ``places`` ``[N, M]``."""
    return x.gather(1, places.unsqueeze(2).expand(-1, -1, x.shape[2]))


def _reader(cell: str, size: int, hidden: int) -> nn.LSTM | nn.GRU:
    """A layer that reads one way; orthogonal recurrent weights, and a forget gate that starts open."""
    reader = CELLS[cell](size, hidden, batch_first=True)
    weights = {name: parameter.detach() for name, parameter in reader.named_parameters()}
    for gate in weights["weight_hh_l0"].view(-1, hidden, hidden):
        nn.init.orthogonal_(gate)
    nn.init.xavier_uniform_(weights["weight_ih_l0"])
    nn.init.zeros_(weights["bias_hh_l0"])
    nn.init.zeros_(weights["bias_ih_l0"])
    if cell == "lstm":
        # Gates are stored as input, forget, cell, output.
        nn.init.ones_(weights["bias_ih_l0"][hidden : 2 * hidden])
    return reader
