"""Loaded packages: which answers what, and how one takes the place of another."""

import asyncio
import importlib
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.packaging import integrity
from stagewise.packaging.predictor import Predictor, PredictorError
from stagewise.serving.batching import Batcher, Outputs
from stagewise.serving.decode import Decoded, Decoder
from stagewise.serving.metrics import Metrics, VersionMetrics
from stagewise.serving.options import Options, ServeError
from stagewise.serving.problems import Problem
from stagewise.serving.values import KINDS

IO_SCHEMA, CARD = "io.schema.json", "README.md"


class NotFiniteError(ArithmeticError):
    """The model gives NaN or an infinity for one of the rows, which JSON cannot say."""


class Package:
    """A verified package whose own examples came out as recorded; nothing of it runs yet.

    Args:
        path: its folder, or a link to it.
        options: of the service.

    Raises:
        ServeError: it is damaged, fails its self-test, or is of a kind that is not served.
    """

    def __init__(self, path: Path, options: Options) -> None:
        folder = path.resolve()  # a link that is moved while this reads must not mix two packages
        try:
            self.predictor = Predictor.load(folder, threads=options.threads)
            self.predictor.self_test()
            manifest = integrity.verify(folder)
            self.io = integrity.parse(integrity.read_listed(folder, manifest, IO_SCHEMA), IO_SCHEMA)
            self.card = integrity.read_listed(folder, manifest, CARD).decode("utf-8")
        except (PredictorError, UnicodeDecodeError) as error:
            raise ServeError("a package cannot be served", where=str(path), why=str(error)) from error
        self.path, self.manifest = path, manifest
        self.name, self.version, self.schema = self.predictor.name, self.predictor.version, self.predictor.schema
        self.runtime: dict[str, str] = self.schema["runtime"]
        self.feature: dict[str, Any] = self.schema["inputs"][0]
        self.classes: list[str] = self.schema["target"].get("classes") or []
        if self.runtime["inputs"] not in KINDS:
            raise ServeError(f"{self.runtime['inputs']} is no kind of input that can be served", where=str(path))
        self.request: dict[str, Any] = self.io["$defs"]["request"]
        values = KINDS[self.runtime["inputs"]](self.request, options.limits)
        self.decoder = Decoder(values, self.feature, options.limits)
        self.answers = importlib.import_module(self.runtime["answers"]).Answers(self.schema["target"])
        self._is_plain = self.feature["dtype"] in ("uint8", "int16") and None not in self.feature["shape"]

    def fits(self, other: "Package") -> bool:
        """Whether clients of the one can be answered by the other: the same kinds, and the same members."""
        return self.runtime == other.runtime and self.request.get("required") == other.request.get("required")

    def encode(self, decoded: Decoded) -> list[NDArray[Any]]:
        """Rows of the graph.

        Raises:
            Problem: an input cannot be used.
        """
        if decoded.raw and self._is_plain:  # every value of these types is one that the graph takes
            return list(decoded.values)
        rows = []
        for number, value in enumerate(decoded.values):
            try:
                rows.append(self.predictor.reader.encode(value))
            except ValueError as error:
                raise Problem(
                    "invalid", "", errors=[(decoded.place.format(number), integrity.told(error, 300))]
                ) from error
        return rows

    def run(self, rows: list[NDArray[Any]]) -> Outputs:
        """The graph's outputs for rows.

        Raises:
            NotFiniteError: a number of them is not finite.
        """
        outputs = self.predictor.predict_array(self.predictor.reader.stack(rows))
        if not all(np.isfinite(output).all() for output in outputs if output.dtype.kind == "f"):
            raise NotFiniteError
        return outputs


class Model:
    """A package that runs. Made in the event loop.

    Args:
        package: what runs.
        role: ``primary``, ``canary`` or ``shadow``.
        options: of the service.
        metrics: of the service.
    """

    def __init__(self, package: Package, role: str, options: Options, metrics: Metrics) -> None:
        self.package, self.role, self.since = package, role, time.time()
        self.name, self.version = package.name, package.version
        self.metrics = VersionMetrics(metrics, package.name, package.version, role, package.classes)
        self.batcher = Batcher(package.run, options.batching, options.limits.queue_seconds, self.metrics.ran)
        self.metrics.come(lambda: self.batcher.pending)
        self._users = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> "Model":
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self) -> None:
        """Use it: it is not retired before it is released as often as it was taken."""
        self._users += 1
        self._idle.clear()

    def release(self) -> None:
        """It is used no longer."""
        self._users -= 1
        if not self._users:
            self._idle.set()

    async def retire(self) -> None:
        """Wait for everyone who uses it, then end its thread. Nobody new may come."""
        await self._idle.wait()
        await self.batcher.close()
        self.metrics.go()

    def decode(self, outputs: Outputs) -> Sequence[Any]:
        """Answers in words."""
        answers: Sequence[Any] = self.package.answers.decode(outputs)
        return answers

    def to_dict(self) -> dict[str, Any]:
        """For /v1/model."""
        return {
            "version": self.version,
            "role": self.role,
            "loaded": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.since)),
            "stage_keys": self.package.manifest.get("stage_keys", {}),
            **self.metrics.sums.to_dict(bool(self.package.classes)),
        }


class Deployment:
    """What answers under one name: a version, and perhaps others beside it."""

    def __init__(self, primary: Model) -> None:
        self.primary = primary
        self.canary: Model | None = None
        self.shadow: Model | None = None
        self.canary_share = self.shadow_share = 0.0
        self.swapped = ""
        """What became of the last attempt to read the packages again."""

    @property
    def models(self) -> list[Model]:
        """All versions."""
        return [model for model in (self.primary, self.canary, self.shadow) if model]

    def choose(self) -> Model:
        """The version that answers a request."""
        if self.canary and random.random() < self.canary_share:
            return self.canary
        return self.primary

    def choose_shadow(self) -> Model | None:
        """The version that is asked too, where one is."""
        if self.shadow and (self.shadow_share >= 1 or random.random() < self.shadow_share):
            return self.shadow
        return None

    def to_dict(self) -> dict[str, Any]:
        """For /v1/model."""
        package = self.primary.package
        return {
            "name": self.primary.name,
            "version": self.primary.version,
            "accepts": list(package.decoder.media),
            "classes": package.classes,
            "versions": [model.to_dict() for model in self.models],
            "canary_share": self.canary_share,
            "shadow_share": self.shadow_share,
            "last_swap": self.swapped,
            "schema": package.io,
            "row": {"dtype": package.feature["dtype"], "shape": package.feature["shape"]},
            "card": package.card,
        }
