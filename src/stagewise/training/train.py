"""The training run: from data/processed/ to models/trained/, or of any network that is at hand."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch.utils import deterministic

from stagewise.config.schema.train import TrainerSection, TrainSettings
from stagewise.config.targets import build
from stagewise.data.augment.pipeline import Augmentation
from stagewise.data.schema import FILE as SCHEMA
from stagewise.data.schema import DataSchema, read_schema
from stagewise.errors import ConfigError, TrainingError
from stagewise.tasks.build import WEIGHTS, build_inference, set_threads
from stagewise.tasks.inference import Inference
from stagewise.tasks.module import TaskModule, Teacher
from stagewise.training.callbacks import read_history
from stagewise.training.checkpoints import CheckpointFolder, identity, refuse_unpickling
from stagewise.training.datamodule import ArrowDataModule
from stagewise.training.keep import kept_epoch
from stagewise.training.loggers import build_loggers, clear_logs
from stagewise.training.resume import Saver
from stagewise.training.start import prepare_network
from stagewise.training.trainer import build_trainer, is_resumable

log = logging.getLogger(__name__)

HISTORY = "history.csv"
"""Name of the file with a row per epoch."""


def train(settings: TrainSettings, processed: Path, out: Path, work: Path, key: str | None = None) -> dict[str, float]:
    """Train the network and write ``out``/model.safetensors and ``out``/history.csv.

    Equal settings and data give equal bytes, whether the run was killed and started again or not. In a distributed
    run every process calls this, and the first one writes.

    Args:
        settings: all that the stage gets.
        processed: data/processed.
        out: an empty folder.
        work: folder for live logs (kept) and checkpoints (removed at the end).
        key: names all that enters the run beside its data; a killed run of this key, with these data, goes on from
            its last checkpoint. None makes no checkpoints.

    Returns:
        The row of history.csv of the epoch that was kept.

    Raises:
        ConfigError: the settings contradict each other, the data, or this machine.
        TrainingError: the loss is not finite, given weights do not fit, memory does not suffice, the environment
            would have torch unpickle.
        Stopped: the run was asked to stop (SIGTERM, Ctrl-C), and is saved.
    """
    _begin(settings)
    schema = read_schema(processed)
    inference = build_inference(settings, schema)
    prepare_network(inference.get_submodule("network"), settings.trainer.init_from, settings.trainer.freeze)
    return fit(settings, inference, processed, out, work, key)


def fit(
    settings: TrainSettings,
    inference: Inference,
    processed: Path,
    out: Path,
    work: Path,
    key: str | None = None,
    *,
    teacher: Teacher | None = None,
) -> dict[str, float]:
    """Train the network of ``inference`` from the weights that it has, as ``train`` does, which see.

    Args:
        settings: its network and weights are not looked at: ``model``, ``init_from`` and ``freeze``.
        inference: is trained in place; what it ends with are the weights of the last epoch, on any device. Those of
            the kept epoch are in ``out``.
        processed, out, work, key: see ``train``; the key must say what the network and its weights are.
        teacher: changes the loss.

    Returns:
        The row of history.csv of the epoch that was kept.

    Raises:
        ConfigError, TrainingError, Stopped: see ``train``.
    """
    _begin(settings)
    schema = read_schema(processed)
    section = settings.trainer
    data = ArrowDataModule(
        processed,
        schema,
        settings.rows,
        section.batch_size,
        section.eval_batch_size,
        section.workers,
        settings.seed,
    )
    with _torch_flags():
        batches = max(data.rows["train"] // section.batch_size, 1)
        validates = data.rows.get("validation", 0) > 0
        saver = _saver(section) if key is not None else None
        trainer = build_trainer(section, batches, validates, out / HISTORY, out / WEIGHTS, saver)
        module = _build_module(settings, schema, inference, len(data.train_batches(trainer.world_size)))
        module.teacher = teacher
        _check_metrics(settings, module, validates)
        folder = CheckpointFolder(work / "checkpoints" / _identity(key or "", processed, trainer))
        checkpoint = saver.open(folder, trainer.is_global_zero) if saver else None
        _start_logs(trainer, list(section.loggers), work / "logs", folder.step(checkpoint) if checkpoint else 0)
        _fit(trainer, module, data, checkpoint, saver)

    _await_processes(trainer)
    if not trainer.is_global_zero:
        return dict(module.epoch_metrics)
    if saver:
        folder.remove()
    return _kept_row(section, out)


def _begin(settings: TrainSettings) -> None:
    """Refuse what would fail later; fix the number of threads and the seeds, on which results depend."""
    refuse_unpickling()
    _check_clipping(settings)
    set_threads(settings.threads)
    # Otherwise Lightning's launcher of further processes would choose a number of threads.
    os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    pl.seed_everything(settings.seed, verbose=False)


def _kept_row(section: TrainerSection, out: Path) -> dict[str, float]:
    rows = read_history(out / HISTORY)
    if section.keep == "last":
        return rows[-1]
    return rows[kept_epoch([row[section.monitor] for row in rows], section.mode)]


def _saver(section: TrainerSection) -> Saver | None:
    if is_resumable(section):
        return Saver(section.checkpoint_seconds)
    log.warning("no checkpoints with trainer.strategy=%s: a killed run starts from the beginning", section.strategy)
    return None


def _identity(key: str, processed: Path, trainer: pl.Trainer) -> str:
    """Of the run: its key, its data (the schema holds the digests of the split files), and what computes it.

    Sums of another device or of another number of processes round differently.
    """
    place = f"{trainer.world_size} {trainer.strategy.root_device.type}"
    return identity(key, (processed / SCHEMA).read_bytes(), place)


def _start_logs(trainer: pl.Trainer, names: list[str], folder: Path, step: int) -> None:
    if trainer.is_global_zero and not step:
        clear_logs(names, folder)
    trainer.loggers = build_loggers(names, folder, step)


def _build_module(settings: TrainSettings, schema: DataSchema, inference: Inference, batches: int) -> TaskModule:
    transforms = settings.augment.transforms
    module: TaskModule = build(
        settings.module,
        inference=inference,
        augmentation=Augmentation(transforms, settings.seed) if transforms else None,
        optimizer=settings.optimizer,
        scheduler=settings.scheduler,
        seed=settings.seed,
        steps_per_epoch=-(-batches // settings.trainer.accumulate),
        max_epochs=settings.trainer.max_epochs,
        schema=schema,
        channels_last=settings.trainer.channels_last,
    )
    return module


def _check_metrics(settings: TrainSettings, module: TaskModule, validates: bool) -> None:
    section = settings.trainer
    monitors = {"scheduler.monitor": settings.scheduler.arguments.get("monitor")}
    if section.keep == "best" or section.early_stopping is not None:
        monitors["trainer.monitor"] = section.monitor
    for where, name in monitors.items():
        if name is not None and name not in module.metrics:
            raise ConfigError(
                f"there is no metric {name!r}", where=where, fix=f"choose one of {', '.join(module.metrics)}"
            )
        if name is not None and name.startswith("val_") and not validates:
            raise ConfigError(
                f"{name} cannot be measured",
                where=where,
                why="there are no validation rows",
                fix="set data.split.validation above 0, or monitor train_loss (trainer.mode=min)",
            )
    if "trainer.monitor" in monitors:
        _check_mode(section.monitor, section.mode, module.metrics[section.monitor])


def _check_mode(monitor: str, mode: str, better: str) -> None:
    if mode != better:
        raise ConfigError(
            f"trainer.mode={mode} would keep the worst epoch by {monitor}",
            where="trainer.mode",
            fix=f"write {better}",
        )


def _check_clipping(settings: TrainSettings) -> None:
    section, fused = settings.trainer, settings.optimizer.arguments.get("fused")
    if section.precision == "16-mixed" and section.gradient_clip is not None and fused:
        raise ConfigError(
            "the gradient cannot be clipped",
            where="trainer.gradient_clip",
            why="with precision 16-mixed a fused optimiser scales the gradient itself, after clipping",
            fix="write optimizer.fused=false or trainer.precision=bf16-mixed",
        )


def _fit(
    trainer: pl.Trainer, module: TaskModule, data: ArrowDataModule, checkpoint: Path | None, saver: Saver | None
) -> None:
    with warnings.catch_warnings():
        # Whole batches out of a memory map: more loader processes would cost time, not save it.
        warnings.filterwarnings("ignore", message="The '.*_dataloader' does not have many workers")
        # Frozen layers are, on purpose.
        warnings.filterwarnings("ignore", message=r"Found \d+ module\(s\) in eval mode")
        # The sampler begins at the right batch.
        warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch")
        # Lightning's own use of torch.
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                # Ctrl-C before training began, which Lightning makes an exit without a word.
                raise KeyboardInterrupt from None
            raise
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                "the device has not enough memory",
                where="trainer.batch_size",
                why=str(error).splitlines()[0],
                fix="halve trainer.batch_size and double trainer.accumulate, or set trainer.precision=bf16-mixed",
            ) from error
        except RuntimeError as error:
            if saver and saver.signals.number:
                # The signal reached the loader processes too.
                raise saver.signals.stopped(saver.signals.number) from None
            if "deterministic" not in str(error):
                raise
            raise TrainingError(
                "an operation of the network does not repeat bit for bit on this device",
                where="trainer.deterministic",
                why=str(error).split(". ")[0],
                fix="choose another layer, or set trainer.deterministic=false",
            ) from error


def _await_processes(trainer: pl.Trainer) -> None:
    """Wait for the processes that Lightning's launcher started: none outlives the run."""
    for process in getattr(trainer.strategy.launcher, "procs", []):
        if hasattr(process, "wait"):
            process.wait()


@contextmanager
def _torch_flags() -> Iterator[None]:
    """Give back torch's global switches as they were."""
    enabled = torch.are_deterministic_algorithms_enabled()
    fill = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # A debugging aid of deterministic mode that writes every new tensor twice; no result depends on it.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled)
        deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
