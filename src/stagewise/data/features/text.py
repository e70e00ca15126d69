"""Texts as rows of token ids."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.features.text_entry import TextEntry
from stagewise.data.layout import Block, Layout
from stagewise.data.schema import DataSchema
from stagewise.data.text.lengths import Lengths
from stagewise.data.text.sheet import MAX_CLASSES, Example, write_text_sheet
from stagewise.data.text.vocabulary import count_words, train
from stagewise.errors import ConfigError, DataError
from stagewise.runtime.text import SPECIAL, Cleaning, Reader, TextError, clean

if TYPE_CHECKING:  # else every run would depend on its libraries
    from stagewise.data.features.pretrained import PretrainedTokenizer

SHEET = "texts.png"
"""The picture for people, beside the checks."""

_UNKNOWN = SPECIAL.index("[UNK]")
_MANY_CUT, _MANY_UNKNOWN = 0.05, 0.1  # shares from which on a person is told
_EXAMPLES = 3
_SEVERAL = 4  # classes from which on fewer examples of each are shown


class TextFeature:
    """Cleans texts, trains a vocabulary on those of the training split, and stores each text as int32 token ids.

    Ids 0 to 3 are padding, unknown, masked and start in every vocabulary; no row holds any of them but unknown.

    Args:
        algorithm: ``word`` (whole words; others are unknown), or pieces of words: ``bpe`` (Sennrich et al., 2016),
            ``wordpiece`` (Schuster and Nakajima, 2012) or ``unigram`` (Kudo, 2018).
        vocabulary: most ids; there are fewer where too little occurs often enough.
        max_length: most tokens of a row; what is longer is cut at its end.
        minimum_frequency: what occurs less often in the training texts is unknown: words, pieces and characters.
        lower: whether capitals become small letters.
        normalization: NFC, or NFKC, which also folds full-width letters, ligatures and the like.
        strip_accents: whether combining marks go (é becomes e); not for scripts that write vowels so.
        fold_digits: whether every digit becomes 0: numbers then count by their length, and are seldom unknown.
        near_duplicates: share of their runs of 5 characters that two texts have in common from which on they must not
            lie in different splits (see ``data.near_duplicates``); null looks for equal texts only.
        tokenizer: a ``features.pretrained.PretrainedTokenizer``, for an encoder that was trained with it: nothing is
            trained then, and of all that is above, ``max_length``, ``normalization`` and ``near_duplicates`` count.

    Raises:
        ConfigError: an argument is none of these.
    """

    kind = "text"
    gives = "tokens"
    inputs = "stagewise.tasks.inputs.text.TextInputs"
    display = "stagewise.report.displays.text.TextDisplay"
    runtime = "stagewise.runtime.text"

    def __init__(
        self,
        algorithm: Literal["bpe", "wordpiece", "unigram", "word"] = "bpe",
        vocabulary: Annotated[int, Ge(8), Le(1_000_000)] = 8000,
        max_length: Annotated[int, Gt(0)] = 128,
        minimum_frequency: Annotated[int, Gt(0)] = 2,
        lower: bool = True,
        normalization: Literal["NFC", "NFKC"] = "NFC",
        strip_accents: bool = False,
        fold_digits: bool = False,
        near_duplicates: Annotated[float, Ge(0.5), Le(1)] | None = 0.8,
        tokenizer: "PretrainedTokenizer | None" = None,
    ) -> None:
        if tokenizer is not None and not hasattr(tokenizer, "read"):
            target = "{_target_: stagewise.data.features.pretrained.PretrainedTokenizer, source: ...}"
            raise ConfigError(f"{tokenizer!r} is no tokeniser", where="data.feature.tokenizer", fix=f"write {target}")
        _check(algorithm, vocabulary, max_length, minimum_frequency, normalization, near_duplicates)
        self._algorithm = algorithm
        self._size = vocabulary
        self._minimum = minimum_frequency
        self._tokenizer = tokenizer
        ours = tokenizer is None  # a pretrained tokeniser has its own way with capitals and accents
        self._cleaning = Cleaning(
            normalization=normalization,
            lower=lower and ours,
            strip_accents=strip_accents and ours,
            fold_digits=fold_digits and ours,
        )
        self._threshold = near_duplicates
        self._near: dict[str, Any] | None = None
        self._lengths = Lengths(max_length)
        self._examples: dict[float, list[str]] = {}
        self._entry: TextEntry | None = None
        self._reader: Reader | None = None

    @property
    def spooled(self) -> Layout:
        """The cleaned text in UTF-8, uint8 (bytes,)."""
        return Layout(np.dtype(np.uint8), None)

    @property
    def stored(self) -> Layout:
        """Token ids, int32 (tokens,)."""
        return Layout(np.dtype(np.int32), None)

    def check(self, value: Any) -> NDArray[np.uint8]:
        """Clean a text.

        Raises:
            ValueError: it is no text, or nothing is left of it.
        """
        if not isinstance(value, str):
            raise TextError(f"a text is needed, not {type(value).__name__}")
        cleaned = clean(value, **self._cleaning)
        if not cleaned:
            raise TextError("the text is empty", "missing")
        return np.frombuffer(cleaned.encode(), np.uint8)

    def near_groups(self, blocks: Iterable[Block]) -> NDArray[np.int64]:
        """Number of each spooled row's group of near-duplicates."""
        threshold = 1.0 if self._threshold is None else self._threshold
        texts = (text for block in blocks for text in _texts(block))
        if self._threshold is None:
            firsts: dict[str, int] = {}
            groups = np.array([firsts.setdefault(text, len(firsts)) for text in texts], np.int64)
        else:
            from stagewise.data.near_duplicates import near_groups  # takes half a second to import

            groups = near_groups(texts, threshold)
        sizes = np.unique(groups, return_counts=True)[1]
        several = sizes[sizes > 1]
        self._near = {"threshold": threshold, "groups": len(several), "rows": int(several.sum())}
        return groups

    def fit(self, rows: Iterable[tuple[Block, NDArray[Any]]]) -> None:
        """Train the vocabulary, or read the pretrained one.

        Raises:
            DataError: nothing occurs often enough.
            ConfigError: the pretrained one cannot be read, or ``max_length`` leaves no room for a text in its rows.
        """
        texts = self._noted(rows)
        self._entry = self._trained(texts) if self._tokenizer is None else self._pretrained(texts, self._tokenizer)
        self._reader = Reader(self._entry.model_dump())

    def _trained(self, texts: Iterable[str]) -> TextEntry:
        tokenizer = train(count_words(texts, self._algorithm), self._algorithm, self._size, self._minimum)
        vocabulary = tokenizer.get_vocab_size()
        if vocabulary <= len(SPECIAL):
            raise DataError(
                f"nothing in the training texts occurs {self._minimum} times",
                where="data.feature.minimum_frequency",
                fix="set data.feature.minimum_frequency=1, or bring more texts",
            )
        return self._describe(self._algorithm, vocabulary, tokenizer.to_str(), None)

    def _pretrained(self, texts: Iterable[str], tokenizer: "PretrainedTokenizer") -> TextEntry:
        for _ in texts:  # they are noted, and teach nothing
            pass
        content, own = tokenizer.read()
        entry = self._describe("pretrained", len(own), content, own)
        wrapped = len(Reader(entry.model_dump()).tokenize("a"))
        if self._lengths.most < wrapped:
            raise ConfigError(
                f"max_length {self._lengths.most} leaves no room for a text",
                where="data.feature.max_length",
                why=f"with its start and end, a text of one token has {wrapped}",
            )
        return entry

    def _describe(self, algorithm: Any, vocabulary: int, tokenizer: str, own: list[int] | None) -> TextEntry:
        return TextEntry(
            maximum=vocabulary - 1,
            algorithm=algorithm,
            vocabulary=vocabulary,
            max_length=self._lengths.most,
            **self._cleaning,
            tokenizer=tokenizer,
            own_ids=own,
        )

    def encode(self, block: Block) -> Block:
        """Token ids of each spooled row, cut to ``max_length``."""
        return [self._row(text) for text in _texts(block)]

    def describe(self) -> TextEntry:
        """The entry of schema.json, with the vocabulary in it."""
        return self._fitted()[0]

    def report(self) -> dict[str, Any]:
        """Vocabulary, lengths, cut and unknown shares over all rows that were encoded, and near-duplicates."""
        entry, lengths = self.describe(), self._lengths
        figures = {"algorithm": entry.algorithm, "vocabulary": entry.vocabulary, **lengths.report()}
        near = {} if self._near is None else {"near_duplicates": self._near}
        return {**figures, **near, "warnings": list(self._warnings())}

    def preview(
        self,
        settings: PreprocessSettings,  # noqa: ARG002
        schema: DataSchema,
        processed: Path,  # noqa: ARG002
        reports: Path,
    ) -> None:
        """Draw texts.png: some training texts with their tokens, and the lengths of all."""
        entry = self.describe()
        classes: list[str] | None = getattr(schema.target, "classes", None)
        most = _EXAMPLES if len(self._examples) < _SEVERAL else 1
        groups = [
            (f"{target:g}" if classes is None else classes[int(target)], [self._example(text) for text in texts[:most]])
            for target, texts in sorted(self._examples.items())
        ]
        how = [
            entry.algorithm,
            entry.normalization,
            *(name for name in ("lower", "strip_accents", "fold_digits") if getattr(entry, name)),
        ]
        what = f"{schema.splits['train'].rows:,} training rows   ·   {entry.vocabulary:,} tokens ({', '.join(how)})"
        write_text_sheet(f"{schema.name}: what the network reads", what, groups, self._lengths, reports / SHEET)

    def _fitted(self) -> tuple[TextEntry, Reader]:
        if self._entry is None or self._reader is None:
            raise RuntimeError("the vocabulary is not trained yet: call fit first")
        return self._entry, self._reader

    def _noted(self, rows: Iterable[tuple[Block, NDArray[Any]]]) -> Iterator[str]:
        """The texts, of which the first few of each class are remembered for the preview."""
        for block, targets in rows:
            for text, target in zip(_texts(block), targets.tolist(), strict=True):
                known = target in self._examples
                if known and len(self._examples[target]) < _EXAMPLES:
                    self._examples[target].append(text)
                elif not known and len(self._examples) < MAX_CLASSES:
                    self._examples[target] = [text]
                yield text

    def _row(self, text: str) -> NDArray[np.int32]:
        reader = self._fitted()[1]
        ids = reader.tokenize(text)
        self._lengths.add(len(ids), ids.count(_UNKNOWN))
        return reader.row(ids)

    def _example(self, text: str) -> Example:
        reader = self._fitted()[1]
        ids = reader.row(reader.tokenize(text)).tolist()
        return Example(text, reader.tokens(ids), [number == _UNKNOWN for number in ids])

    def _warnings(self) -> Iterator[str]:
        lengths = self._lengths
        if lengths.cut_share > _MANY_CUT:
            yield (
                f"{100 * lengths.cut_share:.1f} % of the texts are longer than {lengths.most} tokens and are cut: "
                f"data.feature.max_length={lengths.percentile(99)} keeps 99 % of them whole"
            )
        if lengths.unknown_share > _MANY_UNKNOWN:
            remedy = (
                "raise data.feature.vocabulary, lower data.feature.minimum_frequency, or set data.feature.algorithm=bpe"
                if self._tokenizer is None
                else "the encoder was trained on other texts"
            )
            yield f"{100 * lengths.unknown_share:.1f} % of all tokens are unknown: {remedy}"


def _texts(block: Block) -> Iterator[str]:
    for row in block:
        yield np.asarray(row, np.uint8).tobytes().decode()


def _check(
    algorithm: str, vocabulary: int, max_length: int, minimum: int, normalization: str, near: float | None
) -> None:
    where = "data.feature"
    algorithms = ("bpe", "wordpiece", "unigram", "word")
    if algorithm not in algorithms:
        raise ConfigError(f"no {algorithm!r}", where=f"{where}.algorithm", fix=f"one of {', '.join(algorithms)}")
    if normalization not in ("NFC", "NFKC"):
        raise ConfigError(f"no {normalization!r}", where=f"{where}.normalization", fix="NFC or NFKC")
    for name, value, least in (
        ("vocabulary", vocabulary, 2 * len(SPECIAL)),
        ("max_length", max_length, 1),
        ("minimum_frequency", minimum, 1),
    ):
        if type(value) is not int or value < least:
            raise ConfigError(f"{name} {value!r} is no whole number from {least}", where=f"{where}.{name}")
    if near is not None and not 0.5 <= near <= 1:
        raise ConfigError(
            f"{near} is no share between 0.5 and 1",
            where=f"{where}.near_duplicates",
            why="texts that share less than half are not nearly the same",
            fix="e.g. 0.8, or null to look for equal texts only",
        )
