"""Config of the train stage: network, task, optimiser, schedule, trainer."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from stagewise.config.schema.base import Section, Target
from stagewise.config.schema.data import AugmentSection

Precision = Literal["32-true", "16-mixed", "bf16-mixed", "bf16-true", "64-true"]


class EarlyStopping(Section):
    """Stop when the monitored metric no longer improves."""

    patience: PositiveInt = 5
    """Validation epochs without improvement before training stops."""
    min_delta: NonNegativeFloat = 0.0
    """Smallest change that counts as an improvement."""


class TrainerSection(Section):
    """The ``trainer`` group: how long, on what, and how exactly training runs."""

    max_epochs: PositiveInt
    batch_size: PositiveInt
    """Rows per batch over all devices together (the global batch)."""
    eval_batch_size: PositiveInt = 512
    workers: NonNegativeInt = 0
    """Loader processes; 0 reads the memory map in the training process, which is fastest for small inputs."""
    accelerator: Literal["auto", "cpu", "gpu", "mps", "tpu"] = "auto"
    devices: PositiveInt | Literal["auto"] | list[NonNegativeInt] = "auto"
    num_nodes: PositiveInt = 1
    strategy: str = "auto"
    """Any Lightning strategy name: auto, ddp, ddp_spawn, fsdp, ..."""
    precision: Precision = "32-true"
    deterministic: bool = True
    """Refuse operations that do not repeat bit for bit."""
    channels_last: bool = True
    """Memory layout of image tensors; faster for convolutions."""
    gradient_clip: PositiveFloat | None = None
    """Largest L2 norm of the gradient."""
    accumulate: PositiveInt = 1
    """Batches per optimiser step, which then sees accumulate * batch_size rows."""
    monitor: str
    """Metric of history.csv by which the best epoch is chosen."""
    mode: Literal["min", "max"]
    keep: Literal["best", "last"] = "best"
    """Which epoch's weights become the model."""
    early_stopping: EarlyStopping | None = None
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of the exponential moving average of the weights; null turns it off."""
    checkpoint_seconds: NonNegativeFloat = 10.0
    """Time between checkpoints, from which a killed run goes on; longer where writing one would take more than 5 %
    of the time, and 0 after every optimiser step. Changes no result."""
    loggers: list[Literal["csv", "tensorboard", "mlflow"]] = ["csv", "tensorboard"]
    """Live logs under .stagewise/logs/; history.csv is always written."""
    progress: bool = True
    """Show a progress bar (only on a terminal)."""
    init_from: str | None = None
    """Start from the weights in this .safetensors file; layers of another shape are refused."""
    freeze: list[str] = []
    """Name prefixes of parameters that are not trained."""


class TaskSection(Section):
    """The ``task`` group: the parts that differ between kinds of problem."""

    inference: Target
    """The ``nn.Module`` from raw input to answer: what is evaluated, exported and served."""
    module: Target
    """The Lightning module: loss and the metrics of training."""
    evaluation: Target
    """Metrics, plots and pictures of the test split."""
    quality: Target
    """What compression judges a smaller graph by."""


class NetworkSettings(Section):
    """What is needed to read the rows and to build the network again."""

    seed: int
    threads: PositiveInt
    rows: Target
    """Reads the split files; named by ``data.feature``."""
    inputs: Target
    """Stands between the rows and the network; named by ``data.feature``."""
    model: Target
    inference: Target


class TrainSettings(NetworkSettings):
    """All that the train stage gets."""

    module: Target
    augment: AugmentSection
    optimizer: Target
    scheduler: Target
    trainer: TrainerSection
