"""Whether the files of a package are those that its manifest lists, and none can lead out of it.

Shipped beside predict.py, so it imports the standard library only. Nothing here unpickles, follows a link, or runs what
it reads.
"""

import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

MANIFEST = "manifest.json"
FORMAT = 2
"""Version of the manifest's layout."""
MODEL = "model.onnx"
SCHEMA = "schema.json"
EXAMPLES = "examples"
EXPECTED = "expected.json"
CODE = ("answers.py", "inputs.py", "integrity.py", "predict.py")
"""All the code that a package holds."""
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Of the operators that onnxruntime itself brings."""

_JSON_BYTES = 64 * 1024**2
_MANIFEST_BYTES = 4 * 1024**2
_ENTRIES = 10_000
_DEPTH = 8
_NAME_LENGTH = 200
_PART = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+-]{0,98}[A-Za-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUNS = (".pyc", ".pyo", ".pyd", ".pth", ".so", ".dll", ".dylib", ".pkl", ".pickle", ".pt", ".ckpt", ".joblib")
_CACHE = "__pycache__"

_GRAPH_BYTES = 2 * 1024**3
_FIELDS = 5_000_000
_NESTING = 60
_VARINT, _FIXED64, _MESSAGE, _FIXED32 = 0, 1, 2, 5
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "operators", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "operators", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
    "operators": {},
}
"""Which fields of a message of onnx.proto hold further messages that are looked into."""
_DOMAIN = {"node": 7, "function": 10, "operators": 1}
_TENSOR_OUTSIDE = (13, 14)
"""external_data and data_location."""


class PredictorError(Exception):
    """The package is damaged, or an input cannot be used; the message is for the user."""


def verify(folder: Path, *, strict: bool = False) -> dict[str, Any]:
    """Compare every file of a package with its manifest, and return the manifest.

    Args:
        folder: the package; itself it may be a link, nothing in it may.
        strict: also refuse what others leave behind and this never opens: hidden files and folders, and the bytecode
            caches of the package's own code. (Python reads that of predict.py when it is imported by its name.)

    Raises:
        PredictorError: the folder is no package, or a file is missing, changed, foreign, or no plain file.
    """
    if not (folder / MANIFEST).exists():
        raise PredictorError(f"{folder} is not a package: it has no {MANIFEST}")
    manifest = parse(read_plain(folder / MANIFEST, _MANIFEST_BYTES), folder / MANIFEST)
    problems = list(_manifest_problems(manifest))
    if not problems:
        files = manifest["files"]
        problems = [*_file_problems(folder, files), *_foreign(folder, files, strict)]
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise PredictorError(f"the package {folder} is damaged: {'; '.join(problems[:5])}{more}. Copy it again")
    return dict(manifest)


def read_listed(folder: Path, manifest: dict[str, Any], name: str) -> bytes:
    """The content of a file, which is what a verified manifest says at this very moment.

    Raises:
        PredictorError: it is not listed, or was changed.
    """
    entry = manifest["files"].get(name)
    if entry is None:
        raise PredictorError(f"the package {folder} is damaged: its manifest does not list {told(name)}")
    content = read_plain(folder / name, entry["bytes"])
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise PredictorError(f"the package {folder} is damaged: {name} was changed. Copy it again")
    return content


def read_plain(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most ``limit`` bytes, which is no link.

    Raises:
        PredictorError: it is something else, or cannot be read.
    """
    try:
        with os.fdopen(_open(path), "rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise PredictorError(f"{path} cannot be read ({_reason(error)})") from error
    if len(content) > limit:
        raise PredictorError(f"{path} has more than {limit:,} bytes")
    return content


def parse(content: bytes, where: object) -> Any:
    """The value of a JSON text: every key once, only finite numbers, and text that can be written again.

    Raises:
        PredictorError: it is not such a text.
    """
    try:
        if len(content) > _JSON_BYTES:
            raise ValueError(f"it has more than {_JSON_BYTES:,} bytes")
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair cannot be printed
    except RecursionError as error:
        raise PredictorError(f"{where} cannot be read as JSON (it is nested too deeply)") from error
    except ValueError as error:
        raise PredictorError(f"{where} cannot be read as JSON ({told(str(error), 160)})") from error
    return value


def check_graph(content: bytes, where: object) -> None:
    """Read the form of an ONNX file without any library, before onnxruntime sees it.

    Raises:
        PredictorError: it is no ONNX file, names a file that holds its weights, or an operator that onnxruntime does
            not bring itself.
    """
    try:
        if len(content) > _GRAPH_BYTES:
            raise ValueError("it is larger than an ONNX file can be")
        _scan(memoryview(content))
    except IndexError as error:
        raise PredictorError(f"{where} is no ONNX file that can be trusted (it is cut short)") from error
    except ValueError as error:
        raise PredictorError(f"{where} is no ONNX file that can be trusted ({error})") from error


def told(text: object, length: int = 80) -> str:
    """Anything as part of a message: one line, of characters that a terminal shows, not too long."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    line = " ".join(line.encode("utf-8", "backslashreplace").decode("utf-8").split())
    return line if len(line) <= length else line[: length - 3] + "..."


def name_problem(name: str) -> str | None:
    """What keeps a name from being that of a file of a package, on any system; None where nothing does."""
    if name.startswith(("/", "\\")) or ":" in name or "\\" in name or ".." in name.split("/"):
        return "lies outside the package"
    parts = name.split("/")
    plain = all(_PART.fullmatch(part) and not _DEVICE.fullmatch(part) for part in parts)
    if not plain or len(parts) > _DEPTH or len(name) > _NAME_LENGTH or name == MANIFEST:
        return "is no plain name of a file"
    lower = name.lower()
    if _CACHE in parts or lower.endswith(_RUNS) or (lower.endswith(".py") and name not in CODE):
        return "is code or a pickle that no package holds"
    return None


def _manifest_problems(manifest: Any) -> Iterator[str]:
    """What is wrong with the manifest itself; no file is opened before nothing is."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        yield f"{MANIFEST} is not a manifest that this predictor reads (it has no mapping of files)"
        return
    if type(layout := manifest.get("format")) is not int or layout != FORMAT:
        yield f"its manifest has format {told(layout)}, and this predictor reads {FORMAT}"
    for key in ("name", "version"):
        if not isinstance(manifest.get(key), str) or not _LABEL.fullmatch(manifest[key]):
            yield f"its manifest has no {key} that can be used"
    for name in (*CODE, MODEL, SCHEMA, f"{EXAMPLES}/{EXPECTED}"):
        if name not in manifest["files"]:
            yield f"its manifest does not list {name}"
    if len(manifest["files"]) > _ENTRIES:
        yield f"its manifest lists more than {_ENTRIES:,} files"
        return
    yield from _entry_problems(manifest["files"])


def _entry_problems(files: dict[str, Any]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, entry in files.items():
        if problem := name_problem(name):
            yield f"{told(name) or 'an empty name'} {problem}"
        elif (other := seen.setdefault(name.lower(), name)) != name:
            yield f"{told(name)} and {told(other)} are one file on some systems"
        elif not _is_entry(entry):
            yield f"{MANIFEST} is not a manifest that this predictor reads (what it says of {told(name)})"


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.keys() != {"bytes", "sha256"}:
        return False
    size, digest = entry["bytes"], entry["sha256"]
    if type(size) is not int or not isinstance(digest, str):
        return False
    return size >= 0 and _DIGEST.fullmatch(digest) is not None


def _file_problems(folder: Path, files: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in files.items():
        places = [folder.joinpath(*name.split("/")[: depth + 1]) for depth in range(name.count("/") + 1)]
        if link := next((place for place in places if place.is_symlink()), None):
            yield f"{link.relative_to(folder).as_posix()} is a symbolic link"
        elif not places[-1].is_file():
            yield f"{name} is missing, or no plain file"
        elif not _is_unchanged(places[-1], entry):
            yield f"{name} was changed"


def _is_unchanged(path: Path, entry: dict[str, Any]) -> bool:
    try:
        with os.fdopen(_open(path), "rb") as file:
            if os.fstat(file.fileno()).st_size != entry["bytes"]:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == str(entry["sha256"])
    except (OSError, ValueError):
        return False


def _foreign(folder: Path, files: dict[str, Any], strict: bool) -> Iterator[str]:
    """What lies in the folder, and is neither listed nor left behind by a bystander."""
    folders = {name[:place] for name in files for place, letter in enumerate(name) if letter == "/"}
    for count, (name, entry) in enumerate(_walk(folder, "", folders)):
        if count > _ENTRIES:
            yield f"it holds more than {_ENTRIES:,} files"
            return
        if entry.is_symlink():
            if name not in files:  # else it is told already
                yield f"{told(name)} is a symbolic link"
        elif not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
            yield f"{told(name)} is no plain file"
        elif (strict or not _left_behind(name)) and name not in (MANIFEST, *folders) and name not in files:
            yield f"{told(name)} is not listed in the manifest"


def _left_behind(name: str) -> bool:
    """Hidden files of a desktop or a download, and the bytecode of the package's own code, which is never loaded."""
    first, _, rest = name.partition("/")
    if first == _CACHE:
        return not rest or (rest.endswith(".pyc") and f"{rest.split('.')[0]}.py" in CODE)
    return name.rpartition("/")[2].startswith(".")


def _walk(folder: Path, prefix: str, folders: set[str]) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Every entry by its name; no link is followed, and no folder entered that neither is the package's nor a cache."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        yield name, entry
        if entry.is_dir(follow_symlinks=False) and (name in folders or name == _CACHE):
            yield from _walk(folder / entry.name, f"{name}/", folders)


def _scan(content: memoryview) -> None:
    """Visit every message of a graph, those of subgraphs and functions too."""
    left, fields = [("model", content, 0)], 0
    while left:
        kind, message, depth = left.pop()
        if depth > _NESTING:
            raise ValueError("it is nested too deeply")
        for number, wire, value in _fields(message):
            fields += 1
            if fields > _FIELDS:
                raise ValueError(f"it has more than {_FIELDS:,} parts")
            _check_field(kind, number, wire, value)
            if wire == _MESSAGE and (inner := _INSIDE[kind].get(number)):
                if inner == "sparse":
                    raise ValueError("it has sparse weights, which no package holds")
                left.append((inner, value, depth + 1))
    if not fields:
        raise ValueError("it is empty")


def _check_field(kind: str, number: int, wire: int, value: Any) -> None:
    if kind == "tensor" and number in _TENSOR_OUTSIDE and (wire != _VARINT or value):
        raise ValueError("it keeps weights in another file: external data")
    if wire == _MESSAGE and number == _DOMAIN.get(kind):
        domain = bytes(value[:200]).decode("utf-8", "replace")
        if domain not in DOMAINS:
            raise ValueError(f"it needs operators of {told(domain)!r}, which onnxruntime does not bring")
    if kind == "node" and number == 4 and wire == _MESSAGE and bytes(value[:20]) == b"EPContext":
        raise ValueError("it keeps a compiled graph in another file: EPContext")


def _fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type and value of the fields of a protocol buffer; the value is a number only for a varint."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        wire = tag & 7
        value: Any = None
        if wire == _VARINT:
            value, place = _varint(message, place)
        elif wire == _MESSAGE:
            length, place = _varint(message, place)
            value, place = message[place : place + length], place + length
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("it is no protocol buffer")
        if place > end:
            raise ValueError("it is cut short")
        yield tag >> 3, wire, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("it is no protocol buffer")


def _open(path: Path) -> int:
    """A descriptor of a regular file; neither a link nor a pipe is waited for."""
    flags = ("O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_BINARY")
    number = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ValueError("it is no plain file")
    return number


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
    return str(error)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no number that can be held")
    return value
