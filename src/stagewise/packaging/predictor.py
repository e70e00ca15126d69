"""Predict with this package.

    python predict.py INPUT [more ...] [--top K] [--json]

An input is what the package was made for: `python predict.py --help` says what. Needs only the libraries in
requirements.txt. From Python:

    from predict import Predictor
    predictor = Predictor.load("path/of/this/folder")
    (answer,) = predictor.predict(value)
    print(answer.line(), answer.to_dict())
"""

import sys

if __name__ == "__main__" and sys.path and not sys.flags.safe_path:
    # The folder of a script is where Python looks first: a file numpy.py put beside this one would run unverified.
    del sys.path[0]

import argparse
import importlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else loading it writes a device id and uses the network
import onnxruntime

_PROJECT = "stagewise."
_MODULES = "stagewise.runtime."


def _execute(content: bytes, path: Path) -> ModuleType:
    """A module of this source, and of no bytecode cache, which nobody verifies."""
    module = ModuleType(f"{path.stem} of {path.parent}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(content, path, "exec"), module.__dict__)
    return module


if TYPE_CHECKING or __name__.startswith(_PROJECT):
    from stagewise.packaging import integrity
else:
    _FILE = Path(__file__).with_name("integrity.py")
    integrity = _execute(_FILE.read_bytes(), _FILE)

PredictorError = integrity.PredictorError
verify = integrity.verify
MANIFEST, FORMAT, MODEL = integrity.MANIFEST, integrity.FORMAT, integrity.MODEL
SCHEMA, EXAMPLES, EXPECTED = integrity.SCHEMA, integrity.EXAMPLES, integrity.EXPECTED
RUNTIME = ("inputs", "answers")
"""Modules beside this file: one reads inputs, one words answers."""
USER_ERROR = 2
"""Exit code after a mistake of the user."""

_BATCH = 32
_FATAL_ONLY = 4
_TYPES = {"float32": "float", "float64": "double"}
"""What onnxruntime calls them."""


class Predictor:
    """A verified package, ready to predict. Make one with ``Predictor.load``."""

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int) -> None:
        self._folder, self._manifest = folder, manifest
        self.name: str = manifest["name"]
        self.version: str = manifest["version"]
        self.schema: dict[str, Any] = self._read_json(SCHEMA)
        """What goes in and what comes out: the content of schema.json."""
        try:
            (feature,) = self.schema["inputs"]
            inputs, answers = (_module(name, self.schema["runtime"][name], manifest) for name in RUNTIME)
            self.reader = inputs.Reader(feature)
            """Reads inputs, by this package's inputs.py."""
            self._answers = answers.Answers(self.schema["target"])
            self._input: str = feature["name"]
            self._outputs = [str(output["name"]) for output in self.schema["outputs"]]
            expected = _description(self.schema)
        except PredictorError:
            raise
        except Exception as error:  # whatever it holds, it ends here
            why = integrity.told(repr(error), 200)
            raise PredictorError(f"{folder / SCHEMA} is not a schema that this predictor reads ({why})") from error
        self._session = self._open_session(threads)
        self._check_model(expected)

    @classmethod
    def load(cls, folder: str | Path, *, threads: int = 1) -> Self:
        """Verify every file of a package against its manifest, and open its model.

        Args:
            folder: the package.
            threads: CPU threads of one prediction; 0 takes all cores.

        What the manifest lists is then trusted: whoever can write the files can write the manifest too. Only a
        signature tells who made both (``stagewise verify``).

        Raises:
            PredictorError: the folder is no package, or a file is missing, changed or foreign, or holds what it must
                not.
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
        tolerance, examples = self._expected()
        for name, numbers in examples.items():
            pairs = self.read(str(self._folder / EXAMPLES / name))
            if len(pairs) != 1:
                raise PredictorError(f"{EXAMPLES}/{name} holds {len(pairs)} inputs, and one is expected")
            outputs = self.predict_array(self.reader.stack([self.encode(pairs[0][1], name)]))
            found = np.concatenate([output.reshape(-1) for output in outputs if output.dtype.kind == "f"])
            if found.shape != numbers.shape:
                raise PredictorError(f"self-test failed: {EXAMPLES}/{EXPECTED} has {numbers.size} numbers for {name}")
            difference = float((np.abs(found - numbers) / np.maximum(1.0, np.abs(numbers))).max())
            if not difference <= tolerance:
                raise PredictorError(
                    f"self-test failed: a number of {EXAMPLES}/{name} is off by {difference:.4f} (allowed: "
                    f"{tolerance}); onnxruntime {onnxruntime.__version__} computes the model differently on this CPU"
                )
        return len(examples)

    def _expected(self) -> tuple[float, dict[str, NDArray[np.float64]]]:
        """The tolerance, and the numbers of every example, whose files are all listed in the manifest."""
        content = self._read_json(f"{EXAMPLES}/{EXPECTED}")
        try:
            tolerance, outputs = content["tolerance"], content["outputs"]
            if isinstance(tolerance, bool) or not 0 < tolerance <= 1 or not outputs:
                raise ValueError("it would hold for any answers")
            if foreign := [name for name in outputs if f"{EXAMPLES}/{name}" not in self._manifest["files"]]:
                raise ValueError(f"{integrity.told(foreign[0])} is no example of this package")
            numbers = {name: np.array(values, dtype=np.float64).reshape(-1) for name, values in outputs.items()}
            if not all(values.size and np.isfinite(values).all() for values in numbers.values()):
                raise ValueError("it lacks numbers")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = integrity.told(error, 160)
            raise PredictorError(f"{EXAMPLES}/{EXPECTED} is not what a self-test compares with ({why})") from error
        return float(tolerance), numbers

    def _read_json(self, name: str) -> Any:
        return integrity.parse(integrity.read_listed(self._folder, self._manifest, name), self._folder / name)

    def _answer_batch(self, batch: list[tuple[str, NDArray[Any]]]) -> Iterator[tuple[str, Any]]:
        outputs = self.predict_array(self.reader.stack([row for _, row in batch]))
        yield from zip((name for name, _ in batch), self._answers.decode(outputs), strict=True)

    def _open_session(self, threads: int) -> onnxruntime.InferenceSession:
        path = self._folder / MODEL
        content = integrity.read_listed(self._folder, self._manifest, MODEL)
        integrity.check_graph(content, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY  # an error is raised, and told once
        # Threads that spin between predictions keep a core busy for nothing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no public base class of its errors
            why = integrity.told(error, 300)
            raise PredictorError(f"{path} cannot be run by onnxruntime {onnxruntime.__version__}: {why}") from error

    def _check_model(self, expected: list[tuple[str, str, list[Any]]]) -> None:
        tensors = [*self._session.get_inputs(), *self._session.get_outputs()]
        found = [(tensor.name, tensor.type, list(tensor.shape)) for tensor in tensors]
        if found[1:] != expected[1:] or found[0][:2] != expected[0][:2] or not _fits(found[0][2], expected[0][2]):
            raise PredictorError(f"{self._folder / MODEL} is not the model that {SCHEMA} describes")


def _description(schema: dict[str, Any]) -> list[tuple[str, str, list[Any]]]:
    """Name, type and shape of the graph's input and outputs, by schema.json; the input's without the batch."""
    described = [*schema["inputs"], *schema["outputs"]]
    return [
        (item["name"], f"tensor({_TYPES.get(item['dtype'], item['dtype'])})", list(item["shape"])) for item in described
    ]


def _fits(found: list[Any], expected: list[int | None]) -> bool:
    """Whether a graph takes batches of that shape; a side of any length has a name or none."""
    sides = zip(found[1:], expected, strict=False)
    return len(found) == len(expected) + 1 and all(
        side == wanted if wanted else not isinstance(side, int) for side, wanted in sides
    )


def main(arguments: Sequence[str] | None = None, folder: Path | None = None, prog: str | None = None) -> int:
    """Predict the inputs named on the command line, and return the exit code.

    Prints a line per input, tab-separated: name, then the answer; or a JSON object. An input that cannot be used is
    reported on stderr; the others are still predicted, and the exit code is 2.

    Args:
        arguments: of the command line; ``sys.argv`` when None.
        folder: the package; that of this file when None.
        prog: what the command is called in its help.
    """
    folder = folder or Path(__file__).parent
    manifest, problem = None, None
    try:
        manifest = verify(folder)
    except PredictorError as error:
        problem = error
    options = _parse(arguments, _what(folder, manifest), prog)
    try:
        if manifest is None:
            raise problem or PredictorError(f"{folder} is not a package")
        predictor = Predictor(folder, manifest, options.threads)
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


def _parse(arguments: Sequence[str] | None, what: str, prog: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog, description="Print the model's answer for every input.")
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help=what)
    parser.add_argument("--top", type=_positive, default=1, metavar="K", help="of classes: print the K most likely")
    parser.add_argument("--json", action="store_true", help="print a JSON object per input")
    parser.add_argument("--threads", type=_count, default=1, help="CPU threads; 0 takes all cores (default: 1)")
    parser.add_argument("--self-test", action="store_true", help="first predict the package's own examples")
    options = parser.parse_args(arguments)
    if not options.inputs and not options.self_test:
        parser.error("name at least one input, or --self-test")
    return options


def _what(folder: Path, manifest: dict[str, Any] | None) -> str:
    """What the package takes, for the help text."""
    try:
        if manifest:
            schema = integrity.parse(integrity.read_listed(folder, manifest, SCHEMA), SCHEMA)
            return str(_module("inputs", schema["runtime"]["inputs"], manifest).WHAT)
    except (PredictorError, KeyError, TypeError, ImportError):
        pass  # loading the package tells it
    return "what the package was made for"


def _count(text: str, least: int = 0) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return value


def _positive(text: str) -> int:
    return _count(text, 1)


def _module(name: str, origin: Any, manifest: dict[str, Any]) -> ModuleType:
    """The module ``name``.py beside this file, where it is the one listed; inside the project the project's own.

    So no other package's code is ever run.

    Raises:
        PredictorError: inside the project, and the module is not one of the project's own.
    """
    if not __name__.startswith(_PROJECT):
        own = Path(__file__).parent
        return _execute(integrity.read_listed(own, manifest, f"{name}.py"), own / f"{name}.py")
    if not isinstance(origin, str) or not origin.startswith(_MODULES):
        raise PredictorError(
            f"{integrity.told(origin)} is no module of this project: run the package's own predict.py instead"
        )
    return importlib.import_module(origin)


if __name__ == "__main__":
    sys.exit(main())
