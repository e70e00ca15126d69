"""Recurrent network that reads an image row by row."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
"""Recurrent layers by the names that configs use."""


class RNN(nn.Module):
    """LSTM or GRU layers over the rows of an image, top to bottom, and a linear head on their final states.

    Args:
        input_shape: channels, height and width; a row of all channels is one step.
        outputs: number of logits.
        cell: ``lstm``, or ``gru`` (three quarters of the weights).
        hidden: size of a state.
        layers: recurrent layers on top of each other.
        bidirectional: read bottom to top as well; twice the time.
        dropout: share of each layer's output set to zero while training.

    Raises:
        ValueError: the cell is unknown or a size is out of range.
    """

    takes = "image"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        cell: Literal["lstm", "gru"] = "lstm",
        hidden: Annotated[int, Gt(0)] = 128,
        layers: Annotated[int, Gt(0)] = 1,
        bidirectional: bool = True,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, hidden=hidden, layers=layers)
        if cell not in CELLS:
            raise ValueError(f"cell must be lstm or gru, not {cell!r}")
        channels, _, width = input_shape
        self.recurrent = CELLS[cell](
            channels * width,
            hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.directions = 2 if bidirectional else 1
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.directions * hidden, outputs))
        _initialise(self.recurrent)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to logits ``[B, outputs]``."""
        _, state = self.recurrent(x.transpose(1, 2).flatten(2))
        hidden = state[0] if isinstance(state, tuple) else state
        logits: Tensor = self.head(torch.cat(hidden[-self.directions :].unbind(0), 1))
        return logits


def _initialise(recurrent: nn.LSTM | nn.GRU) -> None:
    """Orthogonal recurrent weights keep gradients in size; a forget gate that starts open remembers the first rows."""
    for name, parameter in recurrent.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.detach().view(-1, recurrent.hidden_size, recurrent.hidden_size):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
            if isinstance(recurrent, nn.LSTM) and name.startswith("bias_ih"):
                # Gates are stored as input, forget, cell, output.
                nn.init.ones_(parameter.detach()[recurrent.hidden_size : 2 * recurrent.hidden_size])
