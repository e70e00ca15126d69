"""Live logs, each imported only when chosen."""

import importlib.util
import os
import shutil
from pathlib import Path

from pytorch_lightning.loggers import Logger

from stagewise.errors import ConfigError


def build_loggers(names: list[str], folder: Path, step: int) -> list[Logger]:
    """Loggers that write under ``folder``/<name>.

    Args:
        names: of the loggers.
        folder: of the live logs.
        step: the optimiser step from which a run goes on, 0 at its start. What TensorBoard had seen after it is
            hidden; the CSV logger, which begins its file anew, gets a folder ``from-step-<step>`` of its own.

    Raises:
        ConfigError: MLflow is chosen and not installed.
    """
    return [_FACTORIES[name](folder / name, step) for name in dict.fromkeys(names)]


def clear_logs(names: list[str], folder: Path) -> None:
    """Remove CSV and TensorBoard logs of an earlier run, which would mix with this one's; MLflow keeps runs apart."""
    for name in {"csv", "tensorboard"}.intersection(names):
        shutil.rmtree(folder / name, ignore_errors=True)


def _csv(folder: Path, step: int) -> Logger:
    from pytorch_lightning.loggers import CSVLogger

    version = f"from-step-{step}" if step else ""
    if step:
        # That of a run that went on from here before and was killed too.
        shutil.rmtree(folder / version, ignore_errors=True)
    return CSVLogger(folder.parent, name=folder.name, version=version)


def _tensorboard(folder: Path, step: int) -> Logger:
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(folder.parent, name=folder.name, version="", purge_step=step or None)


def _mlflow(folder: Path, _: int) -> Logger:
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError(
            "the mlflow logger needs MLflow, which is not installed",
            where="trainer.loggers",
            fix='pip install "stagewise[mlflow]", or take mlflow out of trainer.loggers',
        )
    # MLflow's other local store, a database, needs more than mlflow-skinny. MLFLOW_TRACKING_URI names a server instead.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from pytorch_lightning.loggers import MLFlowLogger

    return MLFlowLogger("stagewise", save_dir=str(folder))


_FACTORIES = {"csv": _csv, "tensorboard": _tensorboard, "mlflow": _mlflow}
