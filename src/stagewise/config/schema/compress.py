"""Config of the compress stage."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from stagewise.config.schema.base import Fraction, Section, Target
from stagewise.config.schema.data import AugmentSection
from stagewise.config.schema.train import NetworkSettings, TrainerSection

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Share = Annotated[float, Field(gt=0, le=1)]
Objective = Literal["bytes", "score", "latency", "throughput", "memory"]


class Parity(Section):
    """How closely the exported graph must follow the network, and the chosen candidate the exported graph."""

    samples: PositiveInt = 256
    """Validation rows compared."""
    rtol: PositiveFloat = 1e-3
    atol: PositiveFloat = 1e-4
    """Largest difference of a number is atol + rtol * |expected|."""
    agreement: Share = 1.0
    """Share of rows whose label must be the same, where the answer has one."""
    chosen_agreement: Share = 0.95
    """Share of rows whose answer must be that of fp32 in the chosen candidate, which may have been retrained."""


class Latency(Section):
    """How candidates are timed (into a file that no later stage reads)."""

    batch_sizes: list[PositiveInt] = [1, 64]
    repeats: PositiveInt = 50
    warmup: NonNegativeInt = 5
    threads: PositiveInt = 1


class Runtime(Section):
    """A runtime that the model must run on."""

    name: Literal["onnxruntime", "openvino", "standard"]
    """``standard`` stands for any that knows the operators of the ONNX standard and no others."""
    version: str | None = None
    """The oldest version that counts, such as "1.24"; it limits the opset."""


class CompressSection(Section):
    """The ``compress`` group: candidates, and the rule by which one is chosen."""

    candidates: dict[Name, Target | Annotated[list[Target], Field(min_length=1)]]
    """Name of each candidate and what makes it: one step, or a list of steps of which each takes what the one before
    gave. Steps that change the network (stagewise.compression.networks) come before those that change its graph
    (stagewise.compression.candidates). ``fp32``, the baseline, must be among them."""
    max_drop: Fraction = 0.005
    """Largest loss of the task's figure on the validation rows against fp32 (0.005 is half a point of accuracy)."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = 0.95
    """How sure it must be that the loss is no larger than ``max_drop`` (one-sided, over the rows, paired); null takes
    the measured loss as it is."""
    max_class_drop: Share | None = None
    """Largest loss of recall of any one class; for classifiers."""
    min_agreement: Share | None = None
    """Smallest share of validation rows with the answer that fp32 gives."""
    max_bytes: PositiveInt | None = None
    """Largest file."""
    max_latency_ms: PositiveFloat | None = None
    """Largest median time of a prediction, at the first of ``latency.batch_sizes``, on the machine that runs this."""
    max_memory_mb: PositiveFloat | None = None
    """Largest peak of memory that loading and running the graph adds, at the last of ``latency.batch_sizes``."""
    objective: Objective = "bytes"
    """What is best among those within the limits: the smallest file, the best figure, the shortest time of the first
    of ``latency.batch_sizes``, the most rows per second at the last, the least memory."""
    timings: str | None = None
    """A file of the project with the times and memory that limits and objective go by: a copy of
    reports/compression/latency.json. Null measures anew, so that a choice by time may be another next time."""
    if_none_fits: Literal["keep_fp32", "fail"] = "keep_fp32"
    """What happens when no candidate is within all limits."""
    calibration_samples: PositiveInt = 512
    """Training rows from which quantisation ranges are taken."""
    opset: Annotated[int, Field(ge=18, le=23)] = 20
    runtimes: list[Runtime] = [Runtime(name="onnxruntime", version="1.24")]
    """What the chosen model must run on; operators and opset are checked against each."""
    exports: dict[Name, Target] = {}
    """Further formats of the trained network, by name of its file or folder in models/compressed/exports/."""
    parity: Parity = Parity()
    latency: Latency = Latency()


class TrainingSections(Section):
    """What the train stage gets beside the network; for steps that train again."""

    module: Target
    augment: AugmentSection
    optimizer: Target
    scheduler: Target
    trainer: TrainerSection


class CompressSettings(NetworkSettings):
    """All that the compress stage gets."""

    quality: Target
    compress: CompressSection
    training: TrainingSections | None = None
    """Only where a candidate trains: otherwise these are not in the stage's key."""
