"""Text on its way from stored token numbers to the network."""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt
from torch import Tensor, nn

from stagewise.data.schema import DataSchema, Feature
from stagewise.errors import DataError

PAD, UNK, MASK, CLS = range(4)
"""The numbers of the special tokens, the same in every tokeniser: padding, unknown, masked out, beginning."""

_EXAMPLE = 7
"""Length of the rows of the export's example: unlike their number, and no size that an exporter takes for special."""
_NOISE = 4


class TokensEntry(Feature):
    """What of a text feature's entry concerns the network (the rest is the tokeniser's, which train has no use for)."""

    vocabulary: PositiveInt
    """Number of different tokens, special ones included."""
    max_length: PositiveInt
    """Most tokens per row."""


class TextInputs(nn.Module):
    """Token numbers as they are, widened to what embeddings take.

    Args:
        schema: gives the size of the vocabulary and the length of the longest row.

    Attributes:
        network_shape: (most tokens per row, number of different tokens).

    Raises:
        DataError: the schema's feature is no text, or has no token beside the special ones.
    """

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        entry = schema.feature.narrow(TokensEntry)
        if entry.vocabulary <= CLS + 1:
            raise DataError(
                "the vocabulary holds special tokens only",
                where=f"schema.json, feature {entry.name}",
                fix="check the texts and the arguments of data.feature, then: dvc repro -f preprocess",
            )
        self.network_shape = (entry.max_length, entry.vocabulary)

    def decode(self, raw: Tensor) -> Tensor:
        """Turn stored rows int32 ``[N, L]`` into what augmentation sees: the same numbers as int64."""
        return raw.to(torch.int64)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens int64 ``[N, L]`` as the network takes them: unchanged."""
        return x

    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Two stored rows int32 ``[2, 7]`` for the export, and the names of the axes that stay free."""
        tokens = CLS + 1 + torch.arange(2 * _EXAMPLE).view(2, _EXAMPLE) % (self.network_shape[1] - CLS - 1)
        # The second row is padded, as rows of a batch are.
        tokens[1, -2:] = PAD
        return tokens.to(torch.int32), {0: "batch", 1: "length"}

    def hostile(self, generator: np.random.Generator) -> dict[str, NDArray[np.int32]]:
        """Return rows int32 ``[L]`` of every unusual kind, by name; all but one are 1 to the longest long.

        Longer ones are for networks that know no longest row; others refuse them.
        """
        longest, vocabulary = self.network_shape
        highest = vocabulary - 1
        single = np.zeros(longest, np.int32)
        single[0] = highest
        rows = {
            "one token": np.full(1, CLS + 1, np.int32),
            "two tokens": np.full(min(2, longest), CLS + 1, np.int32),
            "one token, then padding": single,
            "padding only": np.zeros(longest, np.int32),
            "one padding": np.zeros(1, np.int32),
            "longer than any row": np.resize(np.arange(CLS + 1, vocabulary, dtype=np.int32), 2 * longest + 1),
            "highest token, longest row": np.full(longest, highest, np.int32),
        }
        rows |= {
            f"only token {name}, longest row": np.full(longest, number, np.int32)
            for name, number in (("UNK", UNK), ("MASK", MASK), ("CLS", CLS))
        }
        for number in range(_NOISE):
            length = int(generator.integers(1, longest, endpoint=True))
            rows[f"noise {number}"] = generator.integers(UNK, vocabulary, length, np.int32)
        return rows
