"""Live logs, each imported only when chosen."""

import importlib.util
import os
import shutil
from pathlib import Path

from pytorch_lightning.loggers import Logger

from stagewise.errors import ConfigError


def build_loggers(names: list[str], folder: Path) -> list[Logger]:
    """Loggers that write under ``folder``/<name>.

    Raises:
        ConfigError: MLflow is chosen and not installed.
    """
    return [_FACTORIES[name](folder / name) for name in dict.fromkeys(names)]


def clear_logs(names: list[str], folder: Path) -> None:
    """Remove CSV and TensorBoard logs of an earlier run, which would mix with this one's; MLflow keeps runs apart."""
    for name in {"csv", "tensorboard"}.intersection(names):
        shutil.rmtree(folder / name, ignore_errors=True)


def _csv(folder: Path) -> Logger:
    from pytorch_lightning.loggers import CSVLogger

    return CSVLogger(folder.parent, name=folder.name, version="")


def _tensorboard(folder: Path) -> Logger:
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(folder.parent, name=folder.name, version="")


def _mlflow(folder: Path) -> Logger:
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
