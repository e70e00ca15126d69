"""From the body of a request to the values of its inputs."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import numpy as np
import orjson
from numpy.typing import NDArray

from stagewise.serving.forms import read_form
from stagewise.serving.options import Limits
from stagewise.serving.problems import Problem
from stagewise.serving.values import Sized, Values

JSON, BINARY, FORM = "application/json", "application/octet-stream", "multipart/form-data"
FIELD = "input"
"""Name of every part of a form."""
MAX_TOP = 1000

_KEY = re.compile(rb'"[ \t\r\n]*:')


class Decoded(NamedTuple):
    """The inputs of a request."""

    values: Sequence[Any]
    """As the reader takes them; rows of the graph where ``raw``."""
    place: str
    """Where each was in the request, for messages, with {} for its number: a JSON pointer, or a row."""
    size: int
    """How much a reader has to do: pixels, samples, characters or cells."""
    raw: bool = False


class Decoder:
    """Reads the requests of one package.

    Args:
        values: the kind of its inputs.
        feature: its entry in schema.json: ``dtype`` and ``shape`` of a row.
        limits: of a request.
    """

    def __init__(self, values: Values, feature: Mapping[str, Any], limits: Limits) -> None:
        self._values, self._limits = values, limits
        self._dtype = np.dtype(feature["dtype"]).newbyteorder("<")
        self._shape: tuple[int | None, ...] = tuple(feature["shape"])
        sides = [side for side in self._shape if side is not None]
        self._row_bytes = math.prod(sides) * self._dtype.itemsize
        self._rows_shape = tuple(-1 if side is None else side for side in (None, *self._shape))
        if None in self._shape:
            self._rows_shape = (1, *self._rows_shape[1:])
        self.media = (JSON, BINARY, *((FORM,) if values.forms else ()), *values.media)
        """Content types that are taken."""

    def decode(self, content_type: str, body: bytes) -> Decoded:
        """The inputs of a body.

        Raises:
            Problem: it cannot be read; the status says why.
        """
        kind, _, parameters = content_type.partition(";")
        kind = kind.strip().lower()
        if kind not in self.media and not self._is_file(kind):
            told = f"{kind[:80]!r} is" if kind else "no content type is"
            raise Problem("media-type", f"{told} not one of {', '.join(self.media)}", headers=self.accepted())
        if not body:
            raise Problem("malformed", "the body is empty")
        if kind == BINARY:
            return self._rows(body)
        if kind == JSON:
            _check_charset(parameters)
            return self._json(body)
        if kind == FORM:
            return self._form(content_type, body)
        return self._files([body], "the body")

    def accepted(self) -> list[tuple[bytes, bytes]]:
        """The header by which a refusal names the content types."""
        return [(b"accept", ", ".join(self.media).encode())]

    def _is_file(self, kind: str) -> bool:
        return any(kind == media or (media[-1] == "*" and kind.startswith(media[:-1])) for media in self._values.media)

    def _json(self, body: bytes) -> Decoded:
        content = parse(body)
        if not isinstance(content, dict) or content.keys() not in ({"input"}, {"inputs"}):
            raise Problem("invalid", 'the body is {"input": ...} or {"inputs": [...]}')
        if "input" in content:
            return self._from_json([content["input"]], "/input", body)
        inputs = content["inputs"]
        if not isinstance(inputs, list) or not inputs:
            raise Problem("invalid", "inputs is a list of at least one")
        self._check_count(len(inputs))
        return self._from_json(inputs, "/inputs/{}", body)

    def _from_json(self, inputs: list[Any], place: str, body: bytes) -> Decoded:
        plain = b"true" not in body and b"false" not in body
        values = []
        for number, value in enumerate(inputs):
            try:
                values.append(self._values.from_json(value, plain))
            except ValueError as error:
                raise Problem("invalid", errors=[(place.format(number), str(error))]) from error
        return _decoded(values, place)

    def _files(self, files: list[bytes], place: str) -> Decoded:
        return _decoded([self._values.from_file(data) for data in files], place)

    def _rows(self, body: bytes) -> Decoded:
        """Rows of the graph, one after the other; of rows of any length there is one."""
        if len(body) % self._row_bytes:
            raise Problem(
                "invalid",
                f"a row has {self._row_bytes:,} bytes, {self._dtype.name} {self._told()}; {len(body):,} came",
            )
        flat = np.frombuffer(body, self._dtype)
        if not flat.dtype.isnative:
            flat = flat.astype(flat.dtype.newbyteorder("="))
        rows: NDArray[Any] = flat.reshape(self._rows_shape)
        self._check_count(len(rows))
        return Decoded(list(rows), "row {}", flat.size, raw=True)

    def _told(self) -> str:
        return " x ".join("any" if side is None else str(side) for side in self._shape) or "alone"

    def _form(self, content_type: str, body: bytes) -> Decoded:
        parts = read_form(content_type, body, self._limits.inputs)
        if foreign := [part.name for part in parts if part.name != FIELD]:
            raise Problem("invalid", f"every part is a file named {FIELD!r}, and none {foreign[0][:80]!r}")
        files = [bytes(part.content) for part in parts]
        return self._files(files, "part {}")

    def _check_count(self, count: int) -> None:
        if count > self._limits.inputs:
            raise Problem("invalid", f"{count:,} inputs are more than {self._limits.inputs:,} of one request")


def _decoded(found: Sequence[Sized], place: str) -> Decoded:
    return Decoded([one.value for one in found], place, sum(one.size for one in found))


def parse(body: bytes) -> Any:
    """The value of a JSON text in which no object has a key twice.

    Raises:
        Problem: it is none.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem("malformed", f"it is no JSON: {error.msg[:160]}") from error
    # A colon behind a quote is a key, or part of a string: as many as keys means that none is there twice.
    colons = len(_KEY.findall(body))
    if not (isinstance(content, dict) and colons == len(content)) and colons != _keys(content):
        _refuse_twice(body)
    return content


def top_of(query: bytes) -> int:
    """How many of the most likely classes are asked for, by the query of the address (``top=3``).

    Raises:
        Problem: the query says something else.
    """
    if not query:
        return 1
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
        ((name, text),) = pairs
        if name == "top" and text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_TOP:
            return int(text)
    except ValueError:
        pass
    raise Problem("invalid", f"the query can be top=N only, with N from 1 to {MAX_TOP}")


def _keys(content: Any) -> int:
    """Keys of all objects; lists of plain values are passed over by their first item, as those of pixels are."""
    found, left = 0, [content]
    while left:
        value = left.pop()
        if type(value) is dict:
            found += len(value)
            left.extend(value.values())
        elif type(value) is list and value and type(value[0]) in (list, dict):
            left.extend(value)
    return found


def _refuse_twice(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_unique)
    except RecursionError as error:
        raise Problem("malformed", "it is nested too deeply") from error
    except ValueError as error:
        raise Problem("malformed", str(error)) from error


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"the key {name[:80]!r} is there twice")
        seen.add(name)


def _check_charset(parameters: str) -> None:
    found = re.search(r"charset\s*=\s*\"?([^\s\";]*)", parameters, re.IGNORECASE)
    if found and found[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Problem("media-type", "JSON is UTF-8")
