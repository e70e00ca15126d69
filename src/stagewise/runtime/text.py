"""Texts to token ids: the same code in training and in the package.

This file is copied next to a package's predictor, so it imports only the standard library, numpy and tokenizers.
"""

import csv
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

REQUIREMENTS = ("tokenizers>=0.21",)
"""What is needed beside numpy and onnxruntime."""

WHAT = "texts, or files with texts: .txt (one), .csv, .tsv and .jsonl (many, under the name text); - reads lines"
"""The arguments of the command line."""

SPECIAL = ("[PAD]", "[UNK]", "[MASK]", "[CLS]")
"""Ids 0 to 3 in every vocabulary. No text is ever encoded to padding, mask or start, whatever it spells."""

_UNKNOWN = 1
_SHOWN = "�"
"""How an unknown token is written: a character that a vocabulary hardly ever has, so that it is unknown again."""
_DIGIT = re.compile(r"\d")
_JOINED = {"word": "", "wordpiece": "##"}
"""Algorithms whose tokens do not hold the blanks between words, and what the rest of a word begins with."""
_NAME = 60
_COLUMN = "text"


def _translations() -> dict[int, str | None]:
    """What becomes of characters that nobody sees: control characters and invisible marks.

    U+0080 to U+009F are read as Windows-1252, of which they are almost always left over (the HTML standard reads
    character references so). The joiners U+200C and U+200D stay: Persian and emoji are spelt with them.
    """
    table: dict[int, str | None] = {code: None for code in (*range(0x20), 0x7F) if not chr(code).isspace()}
    table |= {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
    table |= dict.fromkeys(range(55296, 57344), "�")
    invisible = (0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
    return table | dict.fromkeys(invisible)


_TABLE = _translations()


class TextError(ValueError):
    """Something that cannot be used as a text.

    Attributes:
        check: what is wrong with it: ``readable``, or ``missing`` where nothing is left to read.
    """

    def __init__(self, reason: str, check: str = "readable") -> None:
        super().__init__(reason)
        self.check = check


class Cleaning(TypedDict):
    """How texts are cleaned: the arguments of ``clean``."""

    normalization: Literal["NFC", "NFKC"]
    lower: bool
    strip_accents: bool
    fold_digits: bool


def clean(
    text: str, *, normalization: Literal["NFC", "NFKC"], lower: bool, strip_accents: bool, fold_digits: bool
) -> str:
    """Normalise a text; doing it again changes nothing.

    Control characters and invisible marks go, lone surrogates become U+FFFD, runs of white space one blank, and
    equal-looking spellings one (Unicode Standard Annex 15).

    Args:
        normalization: NFC keeps what looks different; NFKC also folds full-width letters, ligatures and the like.
        lower: whether capitals become small letters.
        strip_accents: whether combining marks go: é becomes e (and in many scripts, vowels are lost).
        fold_digits: whether every digit becomes 0, so that numbers count by their length alone.
    """
    try:
        text.encode()
    except UnicodeEncodeError:  # halves of characters, of which two may make one
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = unicodedata.normalize(normalization, text.translate(_TABLE))
    text = text.lower() if lower else text
    if strip_accents:
        text = "".join(sign for sign in unicodedata.normalize("NFD", text) if unicodedata.category(sign) != "Mn")
    text = _DIGIT.sub("0", text) if fold_digits else text
    # Small letters and letters without marks may be composed anew.
    return " ".join(unicodedata.normalize(normalization, text).split())


class Reader:
    """Reads and encodes texts as the entry of schema.json says.

    Args:
        feature: with ``algorithm``, ``tokenizer`` (JSON of the tokenizers library), ``max_length``, ``vocabulary``
            (number of ids), ``normalization``, ``lower``, ``strip_accents``, ``fold_digits``; and ``own_ids``, a
            pretrained tokeniser's own number for each id, which then wraps each row in its own start and end.
    """

    def __init__(self, feature: dict[str, Any]) -> None:
        self._tokenizer = Tokenizer.from_str(feature["tokenizer"])
        self._tokenizer.encode_special_tokens = True  # what a text spells stays text
        self._own: list[int] | None = feature.get("own_ids")
        # Where two of ours stand for one of its own, the first is meant.
        self._ours = {own: number for number, own in reversed(list(enumerate(self._own or ())))}
        added = self._tokenizer.get_added_tokens_decoder().values()
        self._special = {token.content for token in added if token.special}
        self._tail = self._count_tail()
        self._max_length: int = feature["max_length"]
        self._vocabulary: int = feature["vocabulary"]
        self._algorithm: str = feature["algorithm"]
        self._cleaning = Cleaning(
            normalization=feature["normalization"],
            lower=feature["lower"],
            strip_accents=feature["strip_accents"],
            fold_digits=feature["fold_digits"],
        )

    def read(self, item: str) -> Iterator[tuple[str, Any]]:
        """Yield (name, value) of a text, of each text in the file ``item``, or of each line of standard input (``-``).

        Raises:
            ValueError: a file is not what its name says; the message says where.
            OSError: a file cannot be read.
        """
        if item == "-":
            yield from _lines("-", sys.stdin.buffer)
            return
        path = Path(item)
        read_file = _FILES.get(path.suffix.lower())
        # A name without blanks that ends so is meant to be a file, even where there is none.
        if read_file is None or (any(sign.isspace() for sign in item) and not _is_file(path)):
            line = " ".join(item.split())
            yield (line if len(line) <= _NAME else line[: _NAME - 1] + "…"), item
        else:
            yield from read_file(path)

    def encode(self, value: Any) -> NDArray[np.int32]:
        """Ids ``[L]`` of a text (str, bytes in UTF-8, Path of a file, {"text": ...}), or of ids given as such.

        What is longer than ``max_length`` tokens is cut.

        Raises:
            TextError: (a ValueError) it is no text, or nothing is left of it.
        """
        if isinstance(value, dict):
            value = next((value[key] for key in (_COLUMN, "tokens") if key in value), None)
        if isinstance(value, (list, np.ndarray)):
            return self._check_ids(value)
        return self.row(self.tokenize(self.clean(_decode(value))))

    def stack(self, rows: list[NDArray[np.int32]]) -> NDArray[np.int32]:
        """Rows as one array ``[N, L]``, padded with zeros to the longest."""
        batch = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
        for place, row in enumerate(rows):
            batch[place, : len(row)] = row
        return batch

    def clean(self, text: str) -> str:
        """The text as it is tokenised.

        Raises:
            TextError: (a ValueError) nothing is left of it.
        """
        cleaned = clean(text, **self._cleaning)
        if not cleaned:
            raise TextError("the text is empty", "missing")
        return cleaned

    def tokenize(self, cleaned: str) -> list[int]:
        """All ids of a cleaned text, however many."""
        ids: list[int] = self._tokenizer.encode(cleaned, add_special_tokens=self._own is not None).ids
        return ids if self._own is None else [self._ours[number] for number in ids]

    def row(self, ids: list[int]) -> NDArray[np.int32]:
        """The ids that are stored: the first ``max_length``, or one fewer and the end where rows have an end."""
        cut = len(ids) - self._tail
        if len(ids) > self._max_length:
            ids = ids[: self._max_length - self._tail] + ids[cut:]
        return np.array(ids, np.int32)

    def tokens(self, row: Iterable[int]) -> list[str]:
        """The tokens of a row as the vocabulary spells them."""
        numbers = (int(number) for number in row)
        own = numbers if self._own is None else (self._own[number] for number in numbers)
        return [self._tokenizer.id_to_token(number) or SPECIAL[_UNKNOWN] for number in own]

    def text(self, row: NDArray[np.int32]) -> str:
        """A text of these ids, as near to the one that was encoded as they tell; unknown tokens are U+FFFD.

        Padding is passed over.
        """
        tokens = [
            _SHOWN if number == _UNKNOWN else token
            for number, token in zip(row, self.tokens(row), strict=True)
            if number and (number == _UNKNOWN or token not in self._special)
        ]
        decoder = self._tokenizer.decoder
        if self._algorithm in _JOINED or decoder is None:
            return _join(tokens, _JOINED.get(self._algorithm, ""))
        return str(decoder.decode(tokens))

    def _count_tail(self) -> int:
        """How many tokens a pretrained tokeniser puts behind every text."""
        mask = self._tokenizer.encode("a", add_special_tokens=self._own is not None).special_tokens_mask
        return next((place for place, special in enumerate(reversed(mask)) if not special), 0)

    def _check_ids(self, value: Any) -> NDArray[np.int32]:
        try:
            ids = np.asarray(value)
        except ValueError:  # lists of several lengths
            ids = np.empty(0)
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer) or not 0 < len(ids) <= self._max_length:
            raise TextError(f"token ids are 1 to {self._max_length} whole numbers")
        if ids.min() < 0 or ids.max() >= self._vocabulary:
            raise TextError(f"a token id lies outside of 0 to {self._vocabulary - 1}")
        return ids.astype(np.int32)


def save_example(row: NDArray[np.int32], feature: dict[str, Any], path: Path) -> str:
    """Write a row as a file that gives it again, padding at its end left out, and return the file's name.

    A .txt where the text of the row has just these tokens, else a .json with the ids.

    Args:
        path: of the file, without its ending.
    """
    reader = Reader(feature)
    row = np.trim_zeros(row, "b") if row.any() else row[:1]
    text = reader.text(row)
    content, ending = (text, ".txt") if _gives(reader, text, row) else (json.dumps({"tokens": row.tolist()}), ".json")
    file = path.with_name(path.name + ending)
    file.write_text(content + "\n", encoding="utf-8")
    return file.name


def _join(tokens: list[str], prefix: str) -> str:
    """Words with blanks between them, none before the rest of a word (which has the prefix) or its ending ('s)."""
    parts = []
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if prefix and token.startswith(prefix) and token != prefix:
            parts.append(token.removeprefix(prefix))
        elif token[0] in "'’" and (len(token) > 1 or (prefix and following.startswith(prefix))):
            parts.append(token)
        else:
            parts += [" ", token]
    return "".join(parts).strip()


def _gives(reader: Reader, text: str, row: NDArray[np.int32]) -> bool:
    try:
        return np.array_equal(reader.encode(text), row)
    except TextError:
        return False


def _decode(value: Any) -> str:
    data = value.read_bytes() if isinstance(value, Path) else value
    if isinstance(data, str):
        return data
    if not isinstance(data, bytes):
        raise TextError(f"a text is needed, not {'nothing' if data is None else type(data).__name__}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(f"it is not UTF-8 (byte {error.start})") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # too long for a name: a text
        return False


def _lines(name: str, lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{name}:{number}", line


def _from_txt(path: Path) -> Iterator[tuple[str, Any]]:
    yield str(path), path.read_bytes()


def _from_json(path: Path) -> Iterator[tuple[str, Any]]:
    yield str(path), _parse(path.read_bytes(), "")


def _from_jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        for name, line in _lines(str(path), file):
            yield name, _parse(line, f"line {name.rpartition(':')[2]}: ")


def _from_table(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            if _COLUMN not in (rows.fieldnames or ()):
                raise TextError(f"its first line names no column {_COLUMN}")
            for row in rows:
                yield f"{path}:{rows.line_num}", row[_COLUMN]
        except (csv.Error, UnicodeDecodeError) as error:
            raise TextError(str(error)) from error


def _parse(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TextError(f"{where}no JSON ({error})") from error


_FILES: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
    ".txt": _from_txt,
    ".csv": _from_table,
    ".tsv": _from_table,
    ".jsonl": _from_jsonl,
    ".json": _from_json,
}
