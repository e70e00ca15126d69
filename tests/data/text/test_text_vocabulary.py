"""Vocabularies: what gets an id, and that equal texts give equal bytes in any process."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from odd_texts import odd_texts, plain_texts
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from stagewise.data.text.vocabulary import count_words, train
from stagewise.runtime.text import SPECIAL, clean

ALGORITHMS: list[Any] = ["bpe", "wordpiece", "unigram", "word"]
CLEANING: dict[str, Any] = {"normalization": "NFC", "lower": True, "strip_accents": False, "fold_digits": False}
TEXTS = [text for text in (clean(text, **CLEANING) for text in [*plain_texts(300), *odd_texts(300)[9:]]) if text]
DIGESTS = """
import hashlib
from test_text_vocabulary import *
for algorithm in ALGORITHMS:
    trained = train(count_words(TEXTS, algorithm), algorithm, 500, 2)
    print(hashlib.sha256(trained.to_str().encode()).hexdigest())
"""


def fit(algorithm: Any, texts: list[str], size: int = 500, minimum: int = 1) -> Tokenizer:
    return train(count_words(texts, algorithm), algorithm, size, minimum)


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return list(tokenizer.encode(text, add_special_tokens=False).tokens)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [8, 40, 500, 5000])
def test_ids_are_whole_and_bounded(algorithm: Any, size: int) -> None:
    tokenizer = fit(algorithm, TEXTS, size, 2)
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert len(SPECIAL) < len(vocabulary) <= size
    assert [tokenizer.id_to_token(number) for number in range(4)] == list(SPECIAL)
    assert all(tokens(tokenizer, text) for text in TEXTS)


def test_other_processes_and_threads_train_the_same() -> None:
    here = [hashlib.sha256(fit(name, TEXTS, 500, 2).to_str().encode()).hexdigest() for name in ALGORITHMS]
    for seed, threads, parallel in (("1", "1", "false"), ("2", "4", "true")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "RAYON_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": parallel,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)]),
        }
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS], capture_output=True, text=True, check=False, env=environment
        )
        assert done.stdout.split() == here, done.stderr


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_order_of_texts_does_not_matter(algorithm: Any) -> None:
    assert fit(algorithm, TEXTS).to_str() == fit(algorithm, TEXTS[::-1]).to_str()


@pytest.mark.parametrize(
    ("algorithm", "text", "expected"),
    [
        ("word", "it's don’t!!! 'so' £1.50 日本 a_b ...", "it 's don ’t !!! ' so ' £ 1 . 50 日 本 a_b ..."),
        ("wordpiece", "it's ### ?! 日本x", "it 's # # # ? ! 日 本 x"),
        ("bpe", "it's 'so' ?! 日本x.", "▁it 's ▁' so ' ▁?! ▁日本x ."),
        ("unigram", "it's 'so' ?! 日本x.", "▁it 's ▁' so ' ▁?! ▁日本x ."),
    ],
)
def test_words(algorithm: Any, text: str, expected: str) -> None:
    words = count_words([text], algorithm)
    assert words == Counter(expected.split())
    # So many words that each is a token.
    assert tokens(fit(algorithm, [text] * 9, 2000), text) == expected.split()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_rare_is_unknown(algorithm: Any) -> None:
    tokenizer = fit(algorithm, ["good film"] * 5 + ["good ж film"], minimum=2)
    assert tokens(tokenizer, "good film") == tokens(fit(algorithm, ["good film"] * 5), "good film")
    number = tokenizer.encode("ж", add_special_tokens=False).ids[-1]
    assert number == 1 and all("ж" not in token for token in tokenizer.get_vocab())


def test_pieces_spell_words_that_never_occurred() -> None:
    for algorithm in ("bpe", "wordpiece", "unigram"):
        pieces = tokens(fit(algorithm, plain_texts(300)), "unplaying")
        assert "".join(piece.removeprefix("##").removeprefix("▁") for piece in pieces) == "unplaying"
        assert 1 < len(pieces) < 9


def test_a_word_of_no_known_character_is_one_unknown_token() -> None:
    for algorithm, expected in (("bpe", ["▁", "[UNK]"]), ("unigram", ["▁", "жжж"]), ("wordpiece", ["[UNK]"])):
        tokenizer = fit(algorithm, ["good film"] * 3)
        assert tokens(tokenizer, "жжж") == expected
        assert tokenizer.encode("жжж", add_special_tokens=False).ids[-1] == 1


def test_no_text_spells_a_special_token() -> None:
    texts = [f"{name} {name} x{name}" for name in SPECIAL] * 50
    for algorithm in ALGORITHMS:
        tokenizer = fit(algorithm, texts, 300)
        for text in (*texts[:4], *SPECIAL, "▁[PAD]", "##[PAD]"):
            assert not {0, 2, 3}.intersection(tokenizer.encode(text, add_special_tokens=False).ids)


def test_bpe_is_that_of_the_library() -> None:
    theirs = Tokenizer(models.BPE(unk_token="[UNK]"))
    theirs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=list(SPECIAL), show_progress=False)
    texts = [text.lower() for text in plain_texts(200)]
    marked = [" ".join(count_words([text], "bpe").elements()) for text in texts]
    theirs.train_from_iterator(marked, trainer)
    assert fit("bpe", texts, 300, 0).get_vocab() == theirs.get_vocab()


def merged(words: Counter[str], size: int, minimum: int) -> list[str]:
    """Pieces in the order in which byte-pair encoding finds them, counted anew for every merge."""
    signs = sorted({sign for word in words for sign in word})
    pieces = list(SPECIAL)
    for sign in signs:  # each as the beginning of a word, and as its rest, where it occurs so
        pieces += [sign] if any(word[0] == sign for word in words) else []
        pieces += [f"##{sign}"] if any(sign in word[1:] for word in words) else []
    split = {word: [word[0], *(f"##{sign}" for sign in word[1:])] for word in words}
    while len(pieces) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in split.items():
            for pair in pairwise(parts):
                pairs[pair] += words[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], *map(pieces.index, pair)), default=("", ""))
        if pairs[best] < max(1, minimum):
            break
        joined = best[0] + best[1].removeprefix("##")
        pieces.append(joined)
        for parts in split.values():
            place = 0
            while place < len(parts) - 1:
                if (parts[place], parts[place + 1]) == best:
                    parts[place : place + 2] = [joined]
                place += 1
    return pieces


@pytest.mark.parametrize(("size", "minimum"), [(120, 2), (4000, 5)])
def test_wordpiece_is_pair_encoding_of_marked_characters(size: int, minimum: int) -> None:
    words = count_words([text for text in plain_texts(150) if "nation" not in text], "wordpiece")
    vocabulary = train(words, "wordpiece", size, minimum).get_vocab()
    assert sorted(vocabulary, key=vocabulary.__getitem__) == merged(words, size, minimum)
