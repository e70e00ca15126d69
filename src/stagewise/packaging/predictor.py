"""Predict with this package: images in, labels and probabilities out.

    python predict.py image.png [more.png ...] [--top K] [--json]

Needs only onnxruntime, numpy and Pillow (requirements.txt). From Python:

    from predict import Predictor
    predictor = Predictor.load("path/of/this/folder")
    prediction, = predictor.predict("image.png")
    print(prediction.label, prediction.probability)
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

if TYPE_CHECKING or __name__ == "stagewise.packaging.predictor":
    from stagewise.data.features import pixels
else:
    # In a package, pixels.py lies beside this file; a bytecode cache would change the package.
    cached, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    import pixels

    sys.dont_write_bytecode = cached

MANIFEST = "manifest.json"
FORMAT = 1
"""Version of the manifest's layout."""
MODEL = "model.onnx"
SCHEMA = "schema.json"
EXAMPLES = "examples"
EXPECTED = "expected.json"
USER_ERROR = 2
"""Exit code after a mistake of the user."""

Image = str | Path | bytes | NDArray[Any]
"""A path, the bytes of an image file, or pixels (H, W) or (H, W, C)."""

_BATCH = 32
_ERRORS_ONLY = 3


class PredictorError(Exception):
    """The package is damaged, or an image cannot be used; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image."""

    label: str
    probability: float
    """Of the label."""
    probabilities: dict[str, float]
    """Of every class, in the order of the classes."""

    def top(self, count: int) -> list[tuple[str, float]]:
        """The ``count`` most likely classes with their probabilities, most likely first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:count]


class Predictor:
    """A verified package, ready to predict. Make one with ``Predictor.load``."""

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int) -> None:
        self._folder = folder
        self.name: str = manifest["name"]
        self.version: str = manifest["version"]
        schema = _read_json(folder / SCHEMA)
        try:
            (image,) = schema["inputs"]
            self.classes: list[str] = schema["classes"]
            _, height, width, self._channels = image["shape"]
            self._size: tuple[int, int] = (height, width)
            self._resize: str = image["resize"]
            self._session = _open_session(folder / MODEL, threads)
            self._outputs = [output["name"] for output in schema["outputs"]]
            self._input: str = image["name"]
        except (KeyError, TypeError, ValueError) as error:
            raise PredictorError(f"{folder / SCHEMA} is not a schema that this predictor reads ({error!r})") from error
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

    def predict(self, images: Image | Sequence[Image]) -> list[Prediction]:
        """Predict one image or a list of them; memory is bounded by a small batch.

        Raises:
            PredictorError: an image cannot be read; the message says which and why.
        """
        items = [images] if isinstance(images, (str, Path, bytes, np.ndarray)) else list(images)
        predictions: list[Prediction] = []
        for begin in range(0, len(items), _BATCH):
            batch = np.stack([self._fit(item, begin + k) for k, item in enumerate(items[begin : begin + _BATCH])])
            predictions.extend(map(self._prediction, *self.predict_array(batch)))
        return predictions

    def predict_array(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Label numbers int64 ``[N]`` and probabilities float32 ``[N, K]`` of images uint8 ``[N, H, W, C]``.

        Raises:
            PredictorError: the array has another dtype or shape.
        """
        shape = (*self._size, self._channels)
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise PredictorError(f"images must be uint8 of shape {('N', *shape)}, not {images.dtype} of {images.shape}")
        labels, probabilities = self._session.run(self._outputs, {self._input: images})
        return labels, probabilities

    def self_test(self) -> int:
        """Predict the package's own examples and compare with the answers that were recorded.

        Returns:
            How many examples were compared.

        Raises:
            PredictorError: a probability is off by more than the recorded tolerance.
        """
        expected = _read_json(self._folder / EXAMPLES / EXPECTED)
        answers, tolerance = expected["probabilities"], expected["tolerance"]
        for name, probabilities in answers.items():
            (prediction,) = self.predict(self._folder / EXAMPLES / name)
            difference = float(np.abs(np.subtract(list(prediction.probabilities.values()), probabilities)).max())
            if not difference <= tolerance:
                raise PredictorError(
                    f"self-test failed: a probability of {EXAMPLES}/{name} is off by {difference:.4f} (allowed: "
                    f"{tolerance}); onnxruntime {onnxruntime.__version__} computes the model differently on this CPU"
                )
        return len(answers)

    def _check_model(self) -> None:
        image, *others = self._session.get_inputs()
        outputs = self._session.get_outputs()
        described = image.name == self._input and [output.name for output in outputs] == self._outputs
        if others or not described or outputs[-1].shape[-1] != len(self.classes):
            raise PredictorError(f"{self._folder / MODEL} is not the model that {SCHEMA} describes")

    def _fit(self, image: Image, position: int) -> NDArray[np.uint8]:
        name = str(image) if isinstance(image, (str, Path)) else f"image {position}"
        try:
            decoded = image if isinstance(image, np.ndarray) else pixels.decode(_content(image))
            return pixels.fit(decoded, self._size, self._channels, self._resize)
        except FileNotFoundError as error:
            raise PredictorError(f"{name}: no such file") from error
        except OSError as error:
            raise PredictorError(f"{name}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise PredictorError(f"{name}: {error}") from error

    def _prediction(self, label: int, probabilities: NDArray[np.float32]) -> Prediction:
        values = [float(value) for value in probabilities]
        return Prediction(self.classes[label], values[label], dict(zip(self.classes, values, strict=True)))


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
    """Predict the images named on the command line, and return the exit code.

    Prints a line per image, tab-separated: path, label, probability (and further classes with
    ``--top``), or a JSON object. An image that cannot be used is reported on stderr; the others are
    still predicted, and the exit code is 2.

    Args:
        arguments: of the command line; ``sys.argv`` when None.
        folder: the package; that of this file when None.
    """
    options = _parse(arguments)
    try:
        predictor = Predictor.load(folder or Path(__file__).parent, threads=options.threads)
        if options.self_test:
            print(f"{predictor.name} {predictor.version}: {predictor.self_test()} examples as recorded")
    except PredictorError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    describe = _as_json if options.json else _as_line
    code = 0
    for image in options.images:
        try:
            (prediction,) = predictor.predict(image)
            print(describe(image, prediction, options.top))
        except PredictorError as error:
            print(error, file=sys.stderr)
            code = USER_ERROR
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print the label and probability of images.")
    parser.add_argument("images", nargs="*", help="image files (PNG, JPEG, ...)")
    parser.add_argument("--top", type=_positive, default=1, metavar="K", help="print the K most likely classes")
    parser.add_argument("--json", action="store_true", help="print a JSON object per image")
    parser.add_argument("--threads", type=_count, default=1, help="CPU threads; 0 takes all cores (default: 1)")
    parser.add_argument("--self-test", action="store_true", help="first predict the package's own examples")
    options = parser.parse_args(arguments)
    if not options.images and not options.self_test:
        parser.error("name at least one image, or --self-test")
    return options


def _count(text: str, least: int = 0) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return value


def _positive(text: str) -> int:
    return _count(text, 1)


def _as_line(image: str, prediction: Prediction, top: int) -> str:
    parts = [f"{label}\t{probability:.4f}" for label, probability in prediction.top(top)]
    return "\t".join([image, *parts])


def _as_json(image: str, prediction: Prediction, top: int) -> str:
    best = {label: round(value, 6) for label, value in prediction.top(top)}
    answer = {"image": image, "label": prediction.label, "probability": round(prediction.probability, 6)}
    return json.dumps({**answer, "top": best}, ensure_ascii=False)


def _content(image: str | Path | bytes) -> bytes:
    """The bytes of an image, read here so that a missing file is told apart from a damaged one."""
    return image if isinstance(image, bytes) else Path(image).read_bytes()


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
