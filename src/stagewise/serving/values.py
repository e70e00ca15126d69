"""From what a request holds to what the reader of a package takes, by kind of input.

Readers take paths too, where that is for a command line: text of a request reaches none of them as text, but where it
is a text that is asked about.
"""

import base64
import binascii
import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from stagewise.serving.options import Limits
from stagewise.serving.problems import Problem

_WHITE = b" \t\r\n"


class Sized(NamedTuple):
    """What a reader takes, and how much there is for it to do: pixels, samples, characters or cells."""

    value: Any
    size: int


class Values(Protocol):
    """One kind of input."""

    @property
    def media(self) -> tuple[str, ...]:
        """Content types of a body or file that is one input; ``image/*`` for all that begin so."""

    @property
    def forms(self) -> bool:
        """Whether a form may hold its files."""

    def from_json(self, value: Any, plain: bool) -> Sized:
        """What the reader takes for a value of JSON.

        Args:
            value: as it was parsed.
            plain: the text holds neither ``true`` nor ``false``, which spares a search for them.

        Raises:
            ValueError: it is not what io.schema.json calls a request.
            Problem: it is larger than allowed.
        """

    def from_file(self, data: bytes) -> Sized:
        """What the reader takes for a file's content.

        Raises:
            Problem: it is larger than allowed, by its header.
        """


class Images:
    """Image files, in base64 where they are JSON, and pixels."""

    media: tuple[str, ...] = ("image/*",)
    forms: bool = True

    def __init__(self, _: Mapping[str, Any], limits: Limits) -> None:
        self._pixels = limits.pixels

    def from_json(self, value: Any, plain: bool) -> Sized:
        """Bytes of an image file, or an array of pixels."""
        if isinstance(value, str):
            return self.from_file(_base64(value))
        pixels = _numbers(
            value, "an image is base64 of a file, or pixels as [row][column] or [row][column][channel]", plain
        )
        if pixels.ndim not in (2, 3):
            raise ValueError(f"pixels are [row][column] or [row][column][channel], not {pixels.ndim} deep")
        size = self._check(pixels.shape[1], pixels.shape[0])
        if pixels.dtype.kind == "f" and np.array_equal(pixels, np.rint(pixels)) and np.abs(pixels).max() <= 255:
            pixels = pixels.astype(np.int64)  # 1.0 is an integer of JSON Schema
        if pixels.dtype.kind not in "iu":
            raise ValueError("pixels are whole numbers from 0 to 255")
        return Sized(pixels, size)

    def from_file(self, data: bytes) -> Sized:
        """The file as it is; its header is read, nothing is decoded."""
        from PIL import Image

        from stagewise.runtime.image import FORMATS

        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                size = image.size
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise Problem("too-large", f"the image has more than {self._pixels:,} pixels") from error
        except Exception:  # whatever is wrong with it, the reader tells it
            return Sized(data, 0)
        return Sized(data, self._check(*size))

    def _check(self, width: int, height: int) -> int:
        if width * height > self._pixels:
            raise Problem("too-large", f"{width} x {height} pixels are more than {self._pixels:,}")
        return width * height


class Texts:
    """Texts."""

    media: tuple[str, ...] = ("text/plain",)
    forms: bool = False

    def __init__(self, _: Mapping[str, Any], limits: Limits) -> None:
        pass

    def from_json(self, value: Any, plain: bool) -> Sized:  # noqa: ARG002
        """The text."""
        text = value.get("text") if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise ValueError('a text is a string, or {"text": ...}')
        return Sized(text, len(text))

    def from_file(self, data: bytes) -> Sized:
        """UTF-8; the reader checks it."""
        return Sized(data, len(data))


class Rows:
    """Rows of a table."""

    media: tuple[str, ...] = ()
    forms: bool = False

    def __init__(self, schema: Mapping[str, Any], _: Limits) -> None:
        self._types = {name: _types_of(column) for name, column in schema["properties"].items()}

    def from_json(self, value: Any, plain: bool) -> Sized:  # noqa: ARG002
        """The row; the reader checks the names."""
        if not isinstance(value, dict):
            raise ValueError("a row is an object with a member per column")
        for name, cell in value.items():
            types = self._types.get(name)
            if types is not None and type(cell) not in types:
                raise ValueError(f"column {name!r}: a {_NAMES.get(type(cell), 'value')} cannot be there")
        return Sized(value, len(value))

    def from_file(self, data: bytes) -> Sized:  # noqa: ARG002
        """A table has no files here."""
        raise Problem("media-type", "rows are sent as JSON")


class Sounds:
    """Sound files, in base64 where they are JSON, and samples with their rate."""

    media: tuple[str, ...] = ("audio/*",)
    forms: bool = True

    def __init__(self, _: Mapping[str, Any], limits: Limits) -> None:
        self._samples = limits.samples

    def from_json(self, value: Any, plain: bool) -> Sized:
        """Bytes of a sound file, or samples and rate."""
        if isinstance(value, str):
            return self.from_file(_base64(value))
        if not isinstance(value, dict) or value.keys() != {"samples", "rate"}:
            raise ValueError('a recording is base64 of a WAV or FLAC file, or {"samples": [...], "rate": ...}')
        rate = value["rate"]
        if isinstance(rate, float) and rate.is_integer():
            rate = int(rate)
        if type(rate) is not int or rate < 1:
            raise ValueError("rate is a whole number of samples per second")
        samples = _numbers(value["samples"], "samples are numbers from -1 to 1", plain)
        if samples.ndim != 1 or samples.dtype.kind not in "iuf":
            raise ValueError("samples are a list of numbers from -1 to 1")
        if samples.size > self._samples:
            raise Problem("too-large", f"{samples.size:,} samples are more than {self._samples:,}")
        return Sized((samples.astype(np.float64), rate), samples.size)

    def from_file(self, data: bytes) -> Sized:
        """The file as it is; its header is read, nothing is decoded."""
        import soundfile

        try:
            with soundfile.SoundFile(io.BytesIO(data)) as sound:
                samples = sound.frames * sound.channels
        except Exception:  # whatever is wrong with it, the reader tells it
            return Sized(data, 0)
        if samples > self._samples:
            raise Problem("too-large", f"{samples:,} samples are more than {self._samples:,}")
        return Sized(data, samples)


class Windows:
    """The last rows of a series, column by column, or as CSV."""

    media: tuple[str, ...] = ("text/csv",)
    forms: bool = True

    def __init__(self, schema: Mapping[str, Any], _: Limits) -> None:
        self._required = set(schema["required"])
        self._times = set(schema["properties"]) - self._required

    def from_json(self, value: Any, plain: bool) -> Sized:  # noqa: ARG002
        """Column by column."""
        if not isinstance(value, dict) or not self._required <= value.keys():
            raise ValueError(f"a series is an object with the columns {', '.join(sorted(self._required))}")
        for name, cells in value.items():
            if not isinstance(cells, list) or not cells:
                raise ValueError(f"column {name!r} is a list of values")
            types = {str} if name in self._times else {int, float, str, type(None)}
            if not types.issuperset(map(type, cells)):
                raise ValueError(
                    f"column {name!r} holds something that is no {'time' if len(types) == 1 else 'number'}"
                )
        return Sized(value, sum(map(len, value.values())))

    def from_file(self, data: bytes) -> Sized:
        """CSV; the reader checks it."""
        return Sized(data, len(data))


KINDS: dict[str, Callable[[Any, Limits], Values]] = {
    "stagewise.runtime.image": Images,
    "stagewise.runtime.text": Texts,
    "stagewise.runtime.table": Rows,
    "stagewise.runtime.sound": Sounds,
    "stagewise.runtime.series": Windows,
}
"""By the module that reads the inputs of a package."""

_JSON: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}
_NAMES = {type(None): "null", str: "text", int: "number", float: "number", bool: "true or false", list: "list"}


def _types_of(column: Mapping[str, Any]) -> frozenset[type] | None:
    """Python's types of the values that a column's schema allows; None where it allows any."""
    names = column.get("type")
    if names is None:
        return None
    return frozenset(kind for name in ([names] if isinstance(names, str) else names) for kind in _JSON[name])


def _base64(text: str) -> bytes:
    """The bytes that a text stands for; white space between its characters is passed over."""
    try:
        data = text.encode("ascii")
        if any(sign in data for sign in _WHITE):
            data = data.translate(None, _WHITE)
        return base64.b64decode(data, validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("it is not base64") from error


def _numbers(value: Any, wanted: str, plain: bool) -> np.ndarray[Any, Any]:
    """A nested list as an array; true and false are no numbers."""
    if not isinstance(value, list):
        raise ValueError(wanted)
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{wanted}; the lists are of different lengths") from error
    if not array.size or array.dtype.kind not in "iuf" or (not plain and _has_bool(value)):
        raise ValueError(wanted)
    return array


def _has_bool(value: list[Any]) -> bool:
    """numpy takes true for 1 where it stands among numbers."""
    inner = value[0]
    if isinstance(inner, list):
        return any(map(_has_bool, value))
    return bool in set(map(type, value))
