"""Encoders pretrained by others, in the format of Hugging Face: fine-tuned as a whole or by low-rank adapters.

The libraries are an extra (``pip install 'stagewise[huggingface]'``), imported when such a network is built. Weights
are read from .safetensors files only, and no code that comes with a model is run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.tokens import masked_mean, present, token_shape

_LORA = {"rank": 8, "alpha": 16.0, "dropout": 0.0, "targets": None}
"""Every key of ``lora`` and its value where it is not given."""


class HuggingFaceEncoder(nn.Module):
    """An encoder of the transformers library, a summary of its last states, and a linear head.

    Rows carry the project's token numbers, whose first four are special in every tokeniser; ``own_numbers`` says
    which of the model's own they stand for.

    Args:
        input_shape: length of the longest row, number of different tokens.
        outputs: number of logits.
        source: a local folder with config.json, model.safetensors and the tokeniser, or a name on the hub.
        revision: the full commit hash, required for names on the hub: a branch or tag may be moved.
        lora: null trains all weights. ``{rank, alpha, dropout, targets}`` trains low-rank additions (Hu et al., 2022)
            to the linear layers named by ``targets`` (null: the library's choice for the architecture), and the head.
        pool: what the head reads: the ``mean`` of the tokens' states, or the first one's (``cls``).
        dropout: share of the head's input set to zero while training; the encoder has its own in config.json.

    Raises:
        ValueError: the extra is not installed, the source no encoder that fits the data, or an argument out of range.
    """

    takes = "tokens"
    """The kind of input, as features name it."""

    own: Tensor

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        source: str,
        revision: str | None = None,
        lora: Mapping[str, Any] | None = None,
        pool: Literal["mean", "cls"] = "cls",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs)
        if pool not in ("mean", "cls"):
            raise ValueError(f"pool must be mean or cls, not {pool!r}")
        length, vocabulary = token_shape(input_shape)
        place = _place(source, revision)
        with _quiet():
            own = _vocabulary(place)
            encoder = _encoder(place)
        _check(encoder.config, length, vocabulary, len(own), source)
        self.register_buffer("own", torch.tensor(own), persistent=False)
        self.encoder = encoder if lora is None else _adapted(encoder, lora)
        # It comes in eval mode.
        self.encoder.train()
        self.pool = pool
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.config.hidden_size, outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map int64 ``[N, L]`` to logits ``[N, outputs]``."""
        mask = present(tokens)
        # Attention to nothing at all is no number; a row of padding looks at its first place.
        seen = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)
        states = self.encoder(input_ids=self.own[tokens], attention_mask=seen.to(torch.int64)).last_hidden_state
        logits: Tensor = self.head(masked_mean(states, mask) if self.pool == "mean" else states[:, 0])
        return logits


def own_numbers(special: Sequence[int | None], size: int) -> list[int]:
    """Return the model's own number for each token number of the project.

    0 to 3 are the model's [PAD], [UNK], [MASK] and [CLS]; from 4 on follow all its other tokens in their order.

    Args:
        special: the model's numbers of these four, None for what it has not (its [PAD] stands in).
        size: number of tokens that the model knows.

    Raises:
        ValueError: it has no padding.
    """
    if special[0] is None:
        raise ValueError("the model's tokeniser has no padding token, so it cannot take rows of several lengths")
    first = [special[0] if number is None else number for number in special]
    return first + [number for number in range(size) if number not in set(first)]


def _place(source: str, revision: str | None) -> dict[str, Any]:
    """Return the arguments by which the library finds the model."""
    if source and Path(source).is_dir():
        return {"pretrained_model_name_or_path": source, "local_files_only": True, "trust_remote_code": False}
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
        raise ValueError(f"source {source!r} is neither a folder nor a name on the hub (owner/model)")
    if not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        raise ValueError(
            f"source {source!r} is no folder; as a name on the hub it needs a revision: the 40 digits of a commit,"
            f" which no one can move, not {revision!r}"
        )
    return {"pretrained_model_name_or_path": source, "revision": revision, "trust_remote_code": False}


@contextmanager
def _quiet() -> Iterator[None]:
    """Import the library, and hide its progress bars and advice.

    Raises:
        ValueError: it is not installed.
    """
    try:
        from transformers.utils import logging
    except ImportError as error:
        raise ValueError("this network needs an extra: pip install 'stagewise[huggingface]'") from error
    talk: Any = logging
    verbosity, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(verbosity)
        if bars:
            talk.enable_progress_bar()


def _vocabulary(place: dict[str, Any]) -> list[int]:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(**place)
    except (OSError, ValueError) as error:
        raise ValueError(f"no tokeniser can be read from {place['pretrained_model_name_or_path']}: {error}") from error
    special = [getattr(tokenizer, f"{name}_token_id") for name in ("pad", "unk", "mask", "cls")]
    return own_numbers(special, max(tokenizer.get_vocab().values()) + 1)


def _encoder(place: dict[str, Any]) -> Any:
    """Read the pretrained encoder, without the layers that only its own head would use."""
    from transformers import AutoModel

    source = place["pretrained_model_name_or_path"]
    try:
        encoder, notes = AutoModel.from_pretrained(
            **place, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"no encoder can be read from {source}: {error}") from error
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    missing = sorted(name for name in notes["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise ValueError(f"the weights in {source} lack {len(missing)} tensors of the encoder ({missing[0]}, ...)")
    return encoder


def _check(config: Any, length: int, vocabulary: int, known: int, source: str) -> None:
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(f"{source} is a {config.model_type}, an encoder with a decoder: choose an encoder")
    if vocabulary != known:
        raise ValueError(
            f"the texts are written in {vocabulary} tokens, but {source} knows {known}: a pretrained network reads"
            " only what its own tokeniser wrote (data.feature)"
        )
    # Some count places from the padding's number on.
    most = getattr(config, "max_position_embeddings", None)
    offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET else 0
    if most is not None and length > most - offset:
        raise ValueError(f"rows of up to {length} tokens are longer than the {most - offset} places of {source}")


_OFFSET = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "roberta-prelayernorm", "xlm-roberta-xl")
"""Architectures whose positions begin after the number of their padding token."""


def _adapted(encoder: nn.Module, lora: Mapping[str, Any]) -> nn.Module:
    """Return the encoder with adapters, which alone are trained."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ValueError("lora needs an extra: pip install 'stagewise[huggingface]'") from error
    unknown = sorted(set(lora) - set(_LORA))
    if unknown:
        raise ValueError(f"lora has no key {unknown[0]!r}; it has {', '.join(_LORA)}")
    values = {**_LORA, **lora}
    check_positive(**{"lora.rank": values["rank"]})
    if not values["alpha"] > 0 or not 0 <= values["dropout"] < 1:
        raise ValueError(f"lora needs alpha > 0 and 0 <= dropout < 1, not {values['alpha']} and {values['dropout']}")
    targets = values["targets"]
    config = LoraConfig(
        r=values["rank"],
        lora_alpha=values["alpha"],
        lora_dropout=values["dropout"],
        target_modules=targets if targets is None or isinstance(targets, str) else list(targets),
    )
    adapted: nn.Module = inject_adapter_in_model(config, encoder)
    return adapted
