"""Training a tokeniser on counted words, so that equal texts give equal bytes on any number of threads.

The trainers of the tokenizers library visit words in the order of a hash table that differs from process to process.
BPE does not depend on it; their WordPiece numbers its pieces by it, and their Unigram rounds by it. Here WordPiece is
trained as BPE over marked characters, Unigram by ``unigram``, and a vocabulary of whole words by counting.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any, Literal

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from stagewise.data.text.unigram import train_unigram
from stagewise.runtime.text import SPECIAL

Algorithm = Literal["bpe", "wordpiece", "unigram", "word"]
Words = dict[str, int]
"""Words and how often each occurs."""

_UNKNOWN = "[UNK]"
_PREFIX = "##"
_ENDING = r"(?<=\w)['’]"  # of it's, don't and the like: a word of its own, shared by all that have it
_NO_HAN = r"[\w&&[^\p{Han}]]+"  # Chinese has no blanks between words: its characters are taken for words
_WORDS = rf"\p{{Han}}|{_NO_HAN}|{_ENDING}{_NO_HAN}"
_PIECES = rf"▁?\w+|{_ENDING}\w+|▁?[^\w\s▁]+|▁"
_SPLITS: dict[str, str] = {
    "word": rf"{_WORDS}|([^\w\s])\1*",
    # Signs stand alone, so that no first piece begins with the prefix of the others.
    "wordpiece": rf"{_WORDS}|[^\w\s]",
    "bpe": _PIECES,
    "unigram": _PIECES,
}
"""What is a word (Onigmo syntax). Letters and signs are never one word: no text can spell a special token."""


def count_words(texts: Iterable[str], algorithm: Algorithm) -> Counter[str]:
    """Count the words of cleaned texts, as the tokeniser for ``algorithm`` cuts them.

    Memory grows with the number of different words.
    """
    cutter = _cutter(algorithm)
    words: Counter[str] = Counter()
    for text in texts:
        words.update(word for word, _ in cutter.pre_tokenize_str(text))
    return words


def train(words: Words, algorithm: Algorithm, size: int, minimum: int) -> Tokenizer:
    """Return a tokeniser whose ids are 0 to at most ``size`` - 1, the first four those of ``SPECIAL``.

    What occurs fewer than ``minimum`` times gets no id of its own, characters too: so the unknown token occurs while
    training as it will later. Equal arguments give a tokeniser of equal JSON.

    Args:
        words: of the training texts.
        size: most ids.
        minimum: least occurrences of a word, a character, and a pair that is merged.
    """
    build = {"bpe": _bpe, "wordpiece": _wordpiece, "unigram": _unigram, "word": _word}[algorithm]
    tokenizer = Tokenizer(build(words, size, minimum))
    tokenizer.pre_tokenizer = _cutter(algorithm)
    if algorithm == "wordpiece":
        tokenizer.decoder = decoders.WordPiece(_PREFIX, cleanup=False)
    elif algorithm != "word":
        tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _cutter(algorithm: Algorithm) -> Any:
    pattern = Regex(_SPLITS[algorithm])
    if algorithm in ("word", "wordpiece"):
        return pre_tokenizers.Split(pattern, "removed", invert=True)
    marked = pre_tokenizers.Metaspace(split=False)  # blanks become part of the words: ▁
    return pre_tokenizers.Sequence([marked, pre_tokenizers.Split(pattern, "isolated")])


def _word(words: Words, size: int, minimum: int) -> Any:
    ids = [*SPECIAL, *_frequent(words, minimum, size - len(SPECIAL))]
    return models.WordLevel({word: number for number, word in enumerate(ids)}, unk_token=_UNKNOWN)


def _bpe(words: Words, size: int, minimum: int) -> Any:
    known = _characters(words, minimum, size - len(SPECIAL))
    trained = _merge(_runs(words, known), size, minimum)
    merges = [(left, right) for left, right in trained["merges"]]
    return models.BPE(trained["vocab"], merges, unk_token=_UNKNOWN, fuse_unk=True)


def _unigram(words: Words, size: int, minimum: int) -> Any:
    known = _characters(words, minimum, size - len(SPECIAL))
    pieces = train_unigram(_runs(words, known), size - len(SPECIAL), minimum)
    return models.Unigram([*((name, 0.0) for name in SPECIAL), *pieces], unk_id=SPECIAL.index(_UNKNOWN))


def _wordpiece(words: Words, size: int, minimum: int) -> Any:
    """A word with an unknown character is unknown as a whole, and teaches nothing."""
    known = _characters(words, minimum, (size - len(SPECIAL)) // 2)  # each may begin a word, or go on in it
    first = {sign: _stand_in(2 * place) for place, sign in enumerate(sorted(known))}
    later = {sign: _stand_in(2 * place + 1) for place, sign in enumerate(sorted(known))}
    coded = {
        first[word[0]] + "".join(later[sign] for sign in word[1:]): count
        for word, count in words.items()
        if known.issuperset(word)
    }
    spelt = {code: sign for sign, code in first.items()} | {code: sign for sign, code in later.items()}
    starts = set(first.values())
    ids = {}
    for piece, number in _merge(coded, size, minimum)["vocab"].items():
        text = piece if piece in SPECIAL else "".join(spelt[code] for code in piece)
        ids[text if piece in SPECIAL or piece[0] in starts else _PREFIX + text] = number
    return models.WordPiece(ids, unk_token=_UNKNOWN)


def _merge(words: Words, size: int, minimum: int) -> dict[str, Any]:
    """Byte-pair encoding (Sennrich et al., 2016) of whole words: the ``vocab`` and ``merges`` of the library's JSON."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=minimum, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(chain.from_iterable(repeat(word, words[word]) for word in sorted(words)), trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model


def _runs(words: Words, known: set[str]) -> Counter[str]:
    """The words, cut at unknown characters, which are left out."""
    runs: Counter[str] = Counter()
    for word, count in words.items():
        for run in _cut(word, known):
            runs[run] += count
    return runs


def _cut(word: str, known: set[str]) -> Iterator[str]:
    if known.issuperset(word):
        yield word
    else:
        yield from filter(None, "".join(sign if sign in known else " " for sign in word).split(" "))


def _characters(words: Words, minimum: int, most: int) -> set[str]:
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for sign in word:
            counts[sign] += count
    return set(_frequent(counts, minimum, most))


def _frequent(counts: Words, minimum: int, most: int) -> list[str]:
    """What occurs often enough, most frequent first, then in the order of code points."""
    kept = [name for name, count in counts.items() if count >= minimum]
    return sorted(kept, key=lambda name: (-counts[name], name))[:most]


def _stand_in(number: int) -> str:
    """A character for every number, none of ASCII and no surrogate."""
    code = 0x1000 + number
    return chr(code if code < 0xD800 else code + 0x800)
