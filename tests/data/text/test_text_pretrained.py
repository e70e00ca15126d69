"""Texts cut by the tokeniser of a pretrained encoder, made here: nothing is downloaded."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_texts import odd_texts, plain_texts
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

pytest.importorskip("transformers")

from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.data.features.pretrained import own_ids
from stagewise.data.features.text import TextFeature
from stagewise.errors import ConfigError
from stagewise.models.huggingface import own_numbers
from stagewise.runtime.text import Reader, save_example

NAMES = ["[SEP]", "[MASK]", "[UNK]", "[CLS]", "[PAD]"]


@pytest.fixture(autouse=True)
def _foreign_warnings() -> Iterator[None]:
    """Their libraries warn about each other's ways."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cased WordPiece tokeniser as of BERT, whose special tokens come in another order than ours."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=NAMES, show_progress=False)
    tokenizer.train_from_iterator([*plain_texts(100), "Good FILM"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 3), ("[SEP]", 0)])
    tokenizer.enable_truncation(5)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "mask", "cls", "sep")}
    path = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(path)
    return path


def fitted(folder: Path, revision: str | None = None, **arguments: Any) -> tuple[TextFeature, list[Any]]:
    tokenizer = {"_target_": "stagewise.data.features.pretrained.PretrainedTokenizer", "source": str(folder)}
    config = {"tokenizer": {**tokenizer, "revision": revision}, **arguments}
    feature: TextFeature = build(Target(target="stagewise.data.features.text.TextFeature", **config))
    rows = [feature.check(text) for text in plain_texts(20)]
    feature.fit([(rows, np.zeros(20, np.int64))])
    return feature, rows


def test_rows_are_what_the_encoder_was_trained_on(folder: Path) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    feature, _ = fitted(folder, max_length=400)
    entry = feature.describe()
    own = entry.own_ids or []
    assert (entry.algorithm, entry.lower, entry.vocabulary) == ("pretrained", False, len(theirs))
    assert [theirs.convert_ids_to_tokens(own[number]) for number in range(4)] == ["[PAD]", "[UNK]", "[MASK]", "[CLS]"]
    texts = [*plain_texts(50, seed=2), "Good FILM, bad [SEP] [PAD] ж plot", "İ ﬁ"]
    for text, row in zip(texts, feature.encode([feature.check(text) for text in texts]), strict=True):
        cleaned = " ".join(text.split())
        bare = theirs.backend_tokenizer
        bare.no_truncation()
        bare.encode_special_tokens = True
        assert [own[number] for number in row] == bare.encode(cleaned).ids
        assert row[0] == 3 and not {0, 2, 3}.intersection(row[1:].tolist())


def test_cut_rows_keep_their_end(folder: Path) -> None:
    feature, rows = fitted(folder, max_length=6)
    entry = feature.describe()
    end = (entry.own_ids or []).index(0)
    encoded = feature.encode(rows)
    assert max(map(len, encoded)) == 6 and all(row[0] == 3 and row[-1] == end for row in encoded)
    assert feature.report()["truncated"]["rows"] > 0 and feature.report()["algorithm"] == "pretrained"


def test_examples_give_their_rows_again(folder: Path, tmp_path: Path) -> None:
    entry = fitted(folder, max_length=30)[0].describe().model_dump(mode="json")
    reader = Reader(entry)
    texts = [*plain_texts(20, seed=3), *(text for text in odd_texts(40, seed=3)[9:] if text.strip())]
    names = []
    for number, text in enumerate(texts):
        row = reader.encode(text)
        names.append(save_example(row, entry, tmp_path / str(number)))
        ((_, value),) = reader.read(str(tmp_path / names[-1]))
        assert reader.encode(value).tolist() == row.tolist()
    assert names[0] == "0.txt"
    assert reader.text(reader.encode("Good FILM ж")) == "Good FILM �"


@pytest.mark.parametrize(("special", "size"), [([7, 1, 3, 5], 9), ([0, 1, None, None], 5), ([2, 3, 0, 0], 4)])
def test_the_network_counts_the_same_way(special: list[int | None], size: int) -> None:
    assert own_ids(special, size) == own_numbers(special, size)


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("nowhere", {}, "nowhere is no folder, and as a name on the hub it has no revision"),
        ("a/b", {"revision": "main"}, "set data.feature.tokenizer.revision to the 40 digits of a commit"),
        (".", {}, "no tokeniser can be read from ."),
        (None, {"max_length": 2}, "max_length 2 leaves no room for a text"),
        (".", {"tokenizer": "bert"}, "'bert' is no tokeniser"),
    ],
)
def test_mistakes(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str | None,
    arguments: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        fitted(folder if source is None else Path(source), **arguments)
    assert message in str(caught.value)


def test_a_tokeniser_without_padding() -> None:
    with pytest.raises(ConfigError, match="the tokeniser has no padding"):
        own_ids([None, 1, 2, 3], 9)
