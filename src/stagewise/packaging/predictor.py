"""Predict with this package.

    python predict.py INPUT [more ...] [--top K] [--json]

An input is what the package was made for: `python predict.py --help` says what. Needs only the libraries in
requirements.txt. From Python:

    from predict import Predictor
    predictor = Predictor.load("path/of/this/folder")
    (answer,) = predictor.predict(value)
    print(answer.line(), answer.to_dict())
"""

import argparse
import hashlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else loading it writes a device id and uses the network
import onnxruntime

MANIFEST = "manifest.json"
FORMAT = 2
"""Version of the manifest's layout."""
MODEL = "model.onnx"
SCHEMA = "schema.json"
EXAMPLES = "examples"
EXPECTED = "expected.json"
RUNTIME = ("inputs", "answers")
"""Modules beside this file: one reads inputs, one words answers."""
USER_ERROR = 2
"""Exit code after a mistake of the user."""

_PROJECT = "stagewise."
_MODULES = "stagewise.runtime."
_BATCH = 32
_ERRORS_ONLY = 3


class PredictorError(Exception):
    """The package is damaged, or an input cannot be used; the message is for the user."""


class Predictor:
    """A verified package, ready to predict. Make one with ``Predictor.load``."""

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int) -> None:
        self._folder = folder
        self.name: str = manifest["name"]
        self.version: str = manifest["version"]
        self.schema: dict[str, Any] = _read_json(folder / SCHEMA)
        """What goes in and what comes out: the content of schema.json."""
        try:
            (feature,) = self.schema["inputs"]
            inputs, answers = (_module(name, self.schema["runtime"][name]) for name in RUNTIME)
            self.reader = inputs.Reader(feature)
            """Reads inputs, by this package's inputs.py."""
            self._answers = answers.Answers(self.schema["target"])
            self._input: str = feature["name"]
            self._described = [(output["name"], output["shape"]) for output in self.schema["outputs"]]
            self._outputs = [name for name, _ in self._described]
        except (KeyError, TypeError, ValueError) as error:
            raise PredictorError(f"{folder / SCHEMA} is not a schema that this predictor reads ({error!r})") from error
        self._session = _open_session(folder / MODEL, threads)
        self._check_model()

    @classmethod
    def load(cls, folder: str | Path, *, threads: int = 1) -> Self:
        """Verify every file of a package against its manifest, and open its model.

        Args:
            folder: the package.
            threads: CPU threads of one prediction; 0 takes all cores.

        Raises:
            PredictorError: the folder is no package, or a file is missing, changed or foreign.
        """
        folder = Path(folder)
        return cls(folder, verify(folder), threads)

    def predict(self, values: Any) -> list[Any]:
        """Answers for one value or a list of them; memory is bounded by a small batch.

        Raises:
            PredictorError: a value cannot be used; the message says which and why.
        """
        items = values if isinstance(values, (list, tuple)) else [values]
        named = ((str(value) if isinstance(value, Path) else f"input {k}", value) for k, value in enumerate(items))
        return [answer for _, answer in self.answer(named)]

    def answer(self, values: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Yield (name, answer) for (name, value) pairs, batch by batch.

        Raises:
            PredictorError: a value cannot be used; the message says which and why.
        """
        batch: list[tuple[str, NDArray[Any]]] = []
        for name, value in values:
            batch.append((name, self.encode(value, name)))
            if len(batch) == _BATCH:
                yield from self._answer_batch(batch)
                batch = []
        if batch:
            yield from self._answer_batch(batch)

    def encode(self, value: Any, name: str = "input") -> NDArray[Any]:
        """The row of the graph's input for a value.

        Raises:
            PredictorError: it cannot be used; the message begins with ``name``.
        """
        try:
            row: NDArray[Any] = self.reader.encode(value)
            return row
        except FileNotFoundError as error:
            raise PredictorError(f"{name}: no such file") from error
        except OSError as error:
            raise PredictorError(f"{name}: cannot be read ({error.strerror or error})") from error
        except ValueError as error:
            raise PredictorError(f"{name}: {error}") from error

    def read(self, item: str) -> list[tuple[str, Any]]:
        """(name, value) pairs of an argument of the command line.

        Raises:
            PredictorError: it cannot be read.
        """
        try:
            return list(self.reader.read(item))
        except FileNotFoundError as error:
            raise PredictorError(f"{item}: no such file") from error
        except OSError as error:
            raise PredictorError(f"{item}: cannot be read ({error.strerror or error})") from error
        except ValueError as error:
            raise PredictorError(f"{item}: {error}") from error

    def predict_array(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """The graph's outputs for a batch of rows as the graph takes them (schema.json, ``inputs``).

        Raises:
            PredictorError: the array has another dtype or shape.
        """
        try:
            outputs: list[NDArray[Any]] = self._session.run(self._outputs, {self._input: rows})
        except Exception as error:  # onnxruntime has no public base class of its errors
            raise PredictorError(f"the model does not take {rows.dtype} of shape {rows.shape}: {error}") from error
        return outputs

    def self_test(self) -> int:
        """Predict the package's own examples and compare with the numbers that were recorded.

        Returns:
            How many examples were compared.

        Raises:
            PredictorError: a number is off by more than the recorded tolerance.
        """
        expected = _read_json(self._folder / EXAMPLES / EXPECTED)
        tolerance = expected["tolerance"]
        for name, numbers in expected["outputs"].items():
            ((_, value),) = self.read(str(self._folder / EXAMPLES / name))
            outputs = self.predict_array(self.reader.stack([self.encode(value, name)]))
            found = np.concatenate([output.reshape(-1) for output in outputs if output.dtype.kind == "f"])
            scale = np.maximum(1.0, np.abs(np.array(numbers)))
            difference = float((np.abs(found - numbers) / scale).max())
            if not difference <= tolerance:
                raise PredictorError(
                    f"self-test failed: a number of {EXAMPLES}/{name} is off by {difference:.4f} (allowed: "
                    f"{tolerance}); onnxruntime {onnxruntime.__version__} computes the model differently on this CPU"
                )
        return len(expected["outputs"])

    def _answer_batch(self, batch: list[tuple[str, NDArray[Any]]]) -> Iterator[tuple[str, Any]]:
        outputs = self.predict_array(self.reader.stack([row for _, row in batch]))
        yield from zip((name for name, _ in batch), self._answers.decode(outputs), strict=True)

    def _check_model(self) -> None:
        first, *others = self._session.get_inputs()
        outputs = [(output.name, output.shape) for output in self._session.get_outputs()]
        if others or first.name != self._input or outputs != self._described:
            raise PredictorError(f"{self._folder / MODEL} is not the model that {SCHEMA} describes")


def verify(folder: Path) -> dict[str, Any]:
    """Compare every file of a package with its manifest, and return the manifest.

    Hidden files and bytecode caches are not looked at.

    Raises:
        PredictorError: the folder is no package, or a file is missing, changed or foreign.
    """
    if not (folder / MANIFEST).is_file():
        raise PredictorError(f"{folder} is not a package: it has no {MANIFEST}")
    manifest = _read_json(folder / MANIFEST)
    try:
        problems = [*_manifest_problems(manifest), *_file_problems(folder, manifest["files"])]
    except (KeyError, TypeError, AttributeError) as error:
        raise PredictorError(f"{folder / MANIFEST} is not a manifest that this predictor reads ({error!r})") from error
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise PredictorError(f"the package {folder} is damaged: {'; '.join(problems[:5])}{more}. Copy it again")
    return dict(manifest)


def main(arguments: Sequence[str] | None = None, folder: Path | None = None) -> int:
    """Predict the inputs named on the command line, and return the exit code.

    Prints a line per input, tab-separated: name, then the answer; or a JSON object. An input that cannot be used is
    reported on stderr; the others are still predicted, and the exit code is 2.

    Args:
        arguments: of the command line; ``sys.argv`` when None.
        folder: the package; that of this file when None.
    """
    folder = folder or Path(__file__).parent
    options = _parse(arguments, folder)
    try:
        predictor = Predictor.load(folder, threads=options.threads)
        if options.self_test:
            print(f"{predictor.name} {predictor.version}: {predictor.self_test()} examples as recorded")
    except PredictorError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    results = [_print_answers(predictor, item, options) for item in options.inputs]
    for category in getattr(predictor.reader, "unseen", ()):
        print(f"note: not seen in training, taken as rare: {category}", file=sys.stderr)
    return 0 if all(results) else USER_ERROR


def _print_answers(predictor: Predictor, item: str, options: argparse.Namespace) -> bool:
    """Whether everything that ``item`` holds could be answered."""
    try:
        values = predictor.read(item)
    except PredictorError as error:
        print(error, file=sys.stderr)
        return False
    good = True
    for name, value in values:
        try:
            ((_, answer),) = predictor.answer([(name, value)])
        except PredictorError as error:
            print(error, file=sys.stderr)
            good = False
            continue
        if options.json:
            print(json.dumps({"input": name, **answer.to_dict(options.top)}, ensure_ascii=False))
        else:
            print(f"{name}\t{answer.line(options.top)}")
    return good


def _parse(arguments: Sequence[str] | None, folder: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print the model's answer for every input.")
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help=_what(folder))
    parser.add_argument("--top", type=_positive, default=1, metavar="K", help="of classes: print the K most likely")
    parser.add_argument("--json", action="store_true", help="print a JSON object per input")
    parser.add_argument("--threads", type=_count, default=1, help="CPU threads; 0 takes all cores (default: 1)")
    parser.add_argument("--self-test", action="store_true", help="first predict the package's own examples")
    options = parser.parse_args(arguments)
    if not options.inputs and not options.self_test:
        parser.error("name at least one input, or --self-test")
    return options


def _what(folder: Path) -> str:
    """What the package takes, for the help text; the package itself is verified later."""
    try:
        return str(_module("inputs", _read_json(folder / SCHEMA)["runtime"]["inputs"]).WHAT)
    except (PredictorError, KeyError, TypeError, ImportError):
        return "what the package was made for"


def _count(text: str, least: int = 0) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return value


def _positive(text: str) -> int:
    return _count(text, 1)


def _module(name: str, origin: str) -> ModuleType:
    """The module ``name``.py beside this file; inside the project itself the module ``origin`` that it is a copy of.

    Raises:
        PredictorError: inside the project, and the module is not one of the project's own.
    """
    if __name__.startswith(_PROJECT):
        if not origin.startswith(_MODULES):
            raise PredictorError(f"{origin} is no module of this project: run the package's own predict.py instead")
        return importlib.import_module(origin)
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"{name} of {path.parent}", path)
    if spec is None or spec.loader is None:
        raise PredictorError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # A bytecode cache would change the package.
    cached, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = cached
    return module


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PredictorError(f"{path} cannot be read as JSON ({error})") from error


def _manifest_problems(manifest: dict[str, Any]) -> Iterator[str]:
    if manifest["format"] != FORMAT:
        yield f"its manifest has format {manifest['format']}, and this predictor reads {FORMAT}"
    for key in ("name", "version"):
        if not isinstance(manifest[key], str):
            yield f"its manifest has no {key}"
    for name in (MODEL, SCHEMA, f"{EXAMPLES}/{EXPECTED}"):
        if name not in manifest["files"]:
            yield f"its manifest does not list {name}"


def _file_problems(folder: Path, files: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in files.items():
        path = folder / name
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            yield f"{name} lies outside the package"
        elif not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != entry["bytes"] or _sha256(path) != entry["sha256"]:
            yield f"{name} was changed"
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        name = "/".join(parts)
        ignored = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not ignored and name != MANIFEST and name not in files:
            yield f"{name} is not listed in the manifest"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between predictions keep a core busy for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no public base class of its errors
        raise PredictorError(f"{path} cannot be run by onnxruntime {onnxruntime.__version__}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
