"""Assembling Lightning's Trainer from the config."""

import logging
import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, RichProgressBar

from stagewise.config.schema.train import TrainerSection
from stagewise.errors import ConfigError
from stagewise.training.callbacks import FiniteLoss, History, WeightAverage
from stagewise.training.checkpoints import CheckpointFiles
from stagewise.training.keep import KeptEpoch
from stagewise.training.resume import Saver


def build_trainer(
    section: TrainerSection, batches: int, validates: bool, history: Path, weights: Path, saver: Saver | None
) -> pl.Trainer:
    """The Trainer of a run, without loggers.

    Args:
        section: the config.
        batches: training batches per epoch.
        validates: whether there are validation rows.
        history: file that gets a row per epoch.
        weights: file that holds the weights of the kept epoch (``section.keep``) when the run is over.
        saver: saves the run, or None.

    Raises:
        ConfigError: this machine, or Lightning, cannot do what the config asks.
    """
    _quiet()
    try:
        trainer = pl.Trainer(
            max_epochs=section.max_epochs,
            accelerator=section.accelerator,
            devices=section.devices,
            num_nodes=section.num_nodes,
            strategy=section.strategy,
            precision=section.precision,
            deterministic=section.deterministic,
            benchmark=False,
            gradient_clip_val=section.gradient_clip,
            accumulate_grad_batches=section.accumulate,
            callbacks=[*_callbacks(section, history, weights), *([saver] if saver else [])],
            plugins=[CheckpointFiles()] if saver else [],
            logger=False,
            log_every_n_steps=min(50, batches),
            limit_val_batches=1.0 if validates else 0,
            num_sanity_val_steps=0,
            # Statistics over all devices; torch has this for GPUs only.
            sync_batchnorm=torch.cuda.is_available() and section.accelerator in ("auto", "gpu"),
            use_distributed_sampler=False,
            enable_progress_bar=_shows_progress(section),
            enable_model_summary=False,
            default_root_dir=weights.parent,
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(
            "the trainer cannot run with this config on this machine",
            where="trainer",
            why=str(error),
            fix="change trainer.accelerator, devices, strategy or precision (trainer=default runs anywhere)",
        ) from error
    environment = trainer._accelerator_connector.cluster_environment
    if isinstance(environment, SLURMEnvironment):
        # Lightning would save in the middle of a step; SIGTERM is answered after one.
        environment.auto_requeue = False
    return trainer


def is_resumable(section: TrainerSection) -> bool:
    """Whether a run can be saved: one whose processes each hold the whole network."""
    return section.accelerator != "tpu" and section.strategy in _RESUMABLE


_RESUMABLE = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
"""Strategies of processes that are started anew and each hold all weights."""


def _callbacks(section: TrainerSection, history: Path, weights: Path) -> list[Callback]:
    callbacks: list[Callback] = [FiniteLoss()]
    if section.ema_decay is not None:
        callbacks.append(WeightAverage(section.ema_decay))
    if section.early_stopping is not None:
        callbacks.append(
            EarlyStopping(
                section.monitor,
                mode=section.mode,
                patience=section.early_stopping.patience,
                min_delta=section.early_stopping.min_delta,
                check_on_train_epoch_end=True,
            )
        )
    if _shows_progress(section):
        callbacks.append(RichProgressBar(refresh_rate=20, leave=True))
    keeper = KeptEpoch(weights, section.monitor if section.keep == "best" else None, section.mode)
    return [*callbacks, keeper, History(history)]


def _shows_progress(section: TrainerSection) -> bool:
    return section.progress and sys.stdout.isatty()


def _quiet() -> None:
    """Keep Lightning's news about the machine and its tips out of the log; warnings take another way."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
