"""Cut the validated config into ``build/<stage>.yaml``, one file with all that enters the stage."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from stagewise.config.compose import compose
from stagewise.config.keys import code_and_libraries
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSettings
from stagewise.config.schema.data import IngestSettings, PreprocessData, PreprocessSettings
from stagewise.config.schema.evaluate import EvaluateSettings
from stagewise.config.schema.package import PackageSettings
from stagewise.config.schema.project import Project
from stagewise.config.schema.train import TrainSettings

STAGES = ("ingest", "preprocess", "train", "evaluate", "compress", "package")
"""The stages that have a resolved file, in the order they run."""

HEADER = "# All that enters this stage. Written by the configure stage: edit params.yaml or conf/ instead.\n"


def configure(root: Path, overrides: Sequence[str] = ()) -> dict[str, Path]:
    """Compose the config of the project at ``root`` and write ``build/<stage>.yaml`` for every stage.

    ``dvc repro``, ``dvc exp run -S`` and a stage started by hand all come through here, so that the same
    choice gives byte-identical files. Files that would not change are not touched.

    Raises:
        ConfigError: see ``compose``.
    """
    texts = resolved_files(root, overrides)
    (root / "build").mkdir(exist_ok=True)
    return {stage: _write(root / "build" / f"{stage}.yaml", text) for stage, text in texts.items()}


def resolved_files(root: Path, overrides: Sequence[str] = ()) -> dict[str, str]:
    """Return what ``configure`` would write into each ``build/<stage>.yaml``, by stage, and write nothing.

    Raises:
        ConfigError: see ``compose``.
    """
    return {stage: _text(root, stage, settings) for stage, settings in stage_settings(compose(root, overrides)).items()}


def stage_settings(project: Project) -> dict[str, BaseModel]:
    """Return what each stage gets of the config, and no more."""
    data = project.data
    network: dict[str, Any] = {
        "seed": project.seed,
        "threads": project.threads,
        "model": project.model,
        "inference": project.task.inference,
    }
    training: dict[str, Any] = {
        "augment": project.augment,
        "module": project.task.module,
        "optimizer": project.optimizer,
        "scheduler": project.scheduler,
        "trainer": project.trainer,
    }
    return {
        "ingest": IngestSettings(name=data.name, source=data.source, mirror=data.mirror),
        "preprocess": PreprocessSettings(
            seed=project.seed,
            threads=project.threads,
            data=PreprocessData(**{name: getattr(data, name) for name in PreprocessData.model_fields}),
            augment=project.augment,
        ),
        "train": TrainSettings(**network, **training),
        "evaluate": EvaluateSettings(
            **network,
            name=project.name,
            evaluation=project.task.evaluation,
            evaluate=project.evaluate,
            cross_validation=_cross_validation(project, training),
        ),
        "compress": CompressSettings(**network, compress=project.compress),
        "package": PackageSettings(name=project.name, version=project.version, package=project.package),
    }


def _cross_validation(project: Project, training: dict[str, Any]) -> Target | None:
    """Give evaluate the training sections only where it trains, so that otherwise they are not in its key."""
    folds = project.evaluate.folds
    if not folds:
        return None
    sections = {name: section.model_dump(mode="json", by_alias=True) for name, section in training.items()}
    return Target.model_validate({"_target_": "stagewise.evaluation.folds.CrossValidation", "folds": folds, **sections})


def _text(root: Path, stage: str, settings: BaseModel) -> str:
    config = settings.model_dump(mode="json", by_alias=True)
    entry: dict[str, Any] = {"config": config, **code_and_libraries(stage, config, root)}
    # DVC leaves every value named `size` or `nfiles`, at any depth, out of what its run-cache looks up, and would
    # restore the outputs of another image size; a digest of the whole has no such name.
    entry["key"] = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
    return HEADER + yaml.safe_dump(entry, sort_keys=True, allow_unicode=True, width=120)


def _write(path: Path, text: str) -> Path:
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    return path
