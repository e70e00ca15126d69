"""What schema.json says of texts, typed."""

from typing import Literal

from pydantic import PositiveInt

from stagewise.data.schema import Feature


class TextEntry(Feature):
    """Token ids, and all that it takes to turn a text into them."""

    name: str = "tokens"
    kind: str = "text"
    dtype: Literal["int32"] = "int32"
    shape: tuple[None] = (None,)
    layout: Literal["L"] = "L"
    storage: Literal["ragged"] = "ragged"
    unit: str = "token id"
    minimum: float | None = 0
    algorithm: Literal["bpe", "wordpiece", "unigram", "word", "pretrained"]
    vocabulary: PositiveInt
    """How many ids there are; 0 to 3 are padding, unknown, masked and start in every vocabulary."""
    max_length: PositiveInt
    """Most tokens of a row."""
    normalization: Literal["NFC", "NFKC"]
    lower: bool
    strip_accents: bool
    fold_digits: bool
    tokenizer: str
    """JSON of the tokenizers library; what it takes is cleaned by ``stagewise.runtime.text.clean``."""
    own_ids: list[int] | None = None
    """A pretrained tokeniser's own number for each id, and its rows have its own start and end; None: they are ours."""
