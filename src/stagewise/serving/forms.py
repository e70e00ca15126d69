"""multipart/form-data that lies in memory already."""

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from stagewise.serving.problems import Problem

_HEADER_BYTES = 4096
_BOUNDARY = 70


@dataclass(slots=True)
class Part:
    """One part of a form."""

    name: str = ""
    content: bytearray = field(default_factory=bytearray)


class _Reader:
    """Gathers the parts; the methods are what the parser calls."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most = most
        self._field, self._value, self._bytes = bytearray(), bytearray(), 0

    def on_part_begin(self) -> None:
        if len(self.parts) == self._most:
            raise Problem("invalid", f"a form has at most {self._most:,} parts")
        self.parts.append(Part())
        self._bytes = 0

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]
        self._count(end - start)

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._count(end - start)

    def on_header_end(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            kind, options = parse_options_header(bytes(self._value))
            if kind == b"form-data":
                self.parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
        self._field, self._value = bytearray(), bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content += data[start:end]

    def on_end(self) -> None:
        self.ended = True

    def _count(self, count: int) -> None:
        self._bytes += count
        if self._bytes > _HEADER_BYTES:
            raise Problem("malformed", "the headers of a part are too large")


def read_form(content_type: str, body: bytes, most: int) -> list[Part]:
    """The parts of a form.

    Args:
        content_type: the header, which names the boundary.
        body: the whole form.
        most: number of parts.

    Raises:
        Problem: it is no form, cut short, or has more parts.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _BOUNDARY:
        raise Problem("malformed", "the content type of a form names its boundary, of 1 to 70 characters")
    reader = _Reader(most)
    names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "end")
    parser = MultipartParser(boundary, {f"on_{name}": getattr(reader, f"on_{name}") for name in names})  # type: ignore[arg-type]
    try:
        parser.write(body)
    except FormParserError as error:
        raise Problem("malformed", f"the form cannot be read: {str(error)[:160]}") from error
    if not reader.ended or not reader.parts:
        raise Problem("malformed", "the form is cut short, or has no part")
    return reader.parts
