"""The tokeniser that a pretrained encoder of Hugging Face's format was trained with."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagewise.errors import ConfigError

_WHERE = "data.feature.tokenizer.source"


class PretrainedTokenizer:
    """A tokeniser to be taken as it is (``data.feature.tokenizer``).

    Args:
        source: a folder with the encoder, or its name on the hub.
        revision: the full commit hash, required for names on the hub: a branch or tag may be moved.

    Raises:
        ConfigError: ``source`` is no folder and has no such revision.
    """

    def __init__(self, source: str, revision: str | None = None) -> None:
        self._local = Path(source).is_dir()
        if not self._local and not re.fullmatch(r"[0-9a-f]{40}", revision or ""):
            raise ConfigError(
                f"{source} is no folder, and as a name on the hub it has no revision",
                where=_WHERE,
                fix="correct the folder, or set data.feature.tokenizer.revision to the 40 digits of a commit",
            )
        self._source = source
        self._revision = revision

    def read(self) -> tuple[str, list[int]]:
        """Return the tokeniser as JSON of the tokenizers library, and its own number for each of our ids.

        Raises:
            ConfigError: there is none, it has no form that the tokenizers library reads, or the extra is not
                installed.
        """
        try:
            from transformers import AutoTokenizer  # takes seconds, and brings torch
        except ImportError as error:
            fix = "pip install 'stagewise[huggingface]'"
            raise ConfigError("a pretrained tokeniser needs an extra", where=_WHERE, fix=fix) from error
        place: dict[str, Any] = {"local_files_only": True} if self._local else {"revision": self._revision}
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(self._source, trust_remote_code=False, **place)
            backend = tokenizer.backend_tokenizer
        except (OSError, ValueError, AttributeError, ImportError) as error:
            raise ConfigError(f"no tokeniser can be read from {self._source}", where=_WHERE, why=str(error)) from error
        backend.no_padding()
        backend.no_truncation()
        special = [getattr(tokenizer, f"{name}_token_id") for name in ("pad", "unk", "mask", "cls")]
        return backend.to_str(), own_ids(special, max(backend.get_vocab().values()) + 1)


def own_ids(special: Sequence[int | None], size: int) -> list[int]:
    """Return a tokeniser's own number for each of our ids (``models.huggingface`` counts them the same way).

    0 to 3 are its padding, unknown, mask and start; then follow its other tokens in their order.

    Args:
        special: its numbers of these four, None for what it has not: its padding stands in.
        size: how many numbers it has.

    Raises:
        ConfigError: it has no padding.
    """
    if special[0] is None:
        raise ConfigError("the tokeniser has no padding, so rows cannot have several lengths", where=_WHERE)
    first = [special[0] if number is None else number for number in special]
    return first + [number for number in range(size) if number not in set(first)]
