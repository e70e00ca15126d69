"""Bodies that a service takes, and bodies that are nearly so."""

import base64
import io
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import soundfile
from PIL import Image

TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 40, b"null", b"true", b"[[[[", b"]", b"{}", b'"', b"\\ud800", b"\\u0000",
    b"\x00", b"\xff\xff\xff\xff", b"\xef\xbb\xbf", b"\r\n\r\n", b"--mark", b",", b";", b"=", b"A" * 300, b"\x7f\xff\xff\xff",
)  # fmt: skip
"""What parsers of JSON, CSV, forms and files stumble over."""


class Way(NamedTuple):
    """A content type and a body of it that is answered."""

    media: str
    body: bytes


def ways(kind: str) -> list[Way]:
    """Every way in that packages of this kind have, and every kind of file that readers decode."""
    return {"image": _images, "text": _texts, "table": _table, "sound": _sounds, "series": _series}[kind]()


def mutations(seeds: list[Way], count: int, seed: int) -> Iterator[Way]:
    """The bodies themselves, then ``count`` of them with one to four things changed; equal seeds give equal bodies."""
    yield from seeds
    chance = random.Random(seed)
    for _ in range(count):
        way = chance.choice(seeds)
        body = way.body
        for _ in range(chance.randint(1, 4)):
            body = _mutate(body, chance, seeds)
        yield Way(way.media, body)


def _mutate(body: bytes, chance: random.Random, seeds: list[Way]) -> bytes:
    begin = chance.randrange(len(body) + 1)
    end = min(len(body), begin + chance.choice((0, 1, 4, 30, 1000)))
    change = chance.randrange(6)
    if change == 0:
        return body[:begin]
    if change == 1:
        return body[:begin] + body[end:]
    if change == 2:
        return body[:end] + body[begin:]
    if change == 3:
        return body[:begin] + chance.choice(TOKENS) + body[end:]
    if change == 4:
        return body[:begin] + bytes([chance.randrange(256)]) + body[begin + 1 :]
    return body[:begin] + chance.choice(seeds).body[begin:]


def _images() -> list[Way]:
    files = []
    for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        file = io.BytesIO()
        Image.new("L", (9, 7), 120).save(file, form)
        files.append(Way(f"image/{form.lower()}", file.getvalue()))
    rows = Way("application/octet-stream", bytes(48))
    return [*files, rows, _form(files[0].body, files[1].body), _json(_text(files[0].body)), _json([[120] * 4] * 6)]


def _texts() -> list[Way]:
    rows = Way("application/octet-stream", np.array([4, 6], "<i4").tobytes())
    plain = Way("text/plain", "good film, Straße 🎬".encode())
    return [rows, plain, _json("good"), _json({"text": "bad film"}), _json("film", "good")]


def _table() -> list[Way]:
    rows = Way("application/octet-stream", np.array([[3, 2], [4, 2]], "<f4").tobytes())
    return [
        rows,
        _json({"rooms": 3, "colour": "green"}),
        _json({"rooms": "4", "colour": None}, {"rooms": 1.5, "colour": "red", "id": 7}),
    ]


def _sounds() -> list[Way]:
    files = []
    for form in ("WAV", "FLAC"):
        file = io.BytesIO()
        soundfile.write(file, np.full(100, 20000, np.int16), 8000, subtype="PCM_16", format=form)
        files.append(Way(f"audio/{form.lower()}", file.getvalue()))
    rows = Way("application/octet-stream", np.full(100, 20000, "<i2").tobytes())
    samples = _json({"samples": [0.5] * 8, "rate": 8000})
    return [*files, rows, samples, _form(files[0].body, files[1].body), _json(_text(files[0].body))]


def _series() -> list[Way]:
    table = b"time,a,b\n2026-01-01,1,2\n2026-01-01 01:00,2,4\n2026-01-01 02:00,3,6\n"
    rows = Way("application/octet-stream", np.array([[1, 2], [2, 4], [3, 6]], "<f4").tobytes())
    return [Way("text/csv", table), rows, _form(table), _json({"a": [1, 2, 3], "b": [2, 4, 6]})]


def _json(*inputs: Any) -> Way:
    content = {"input": inputs[0]} if len(inputs) == 1 else {"inputs": inputs}
    return Way("application/json", json.dumps(content).encode())


def _form(*files: bytes) -> Way:
    head = b'--mark\r\nContent-Disposition: form-data; name="input"; filename="x"\r\n\r\n'
    body = b"".join(head + file + b"\r\n" for file in files)
    return Way("multipart/form-data; boundary=mark", body + b"--mark--\r\n")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
