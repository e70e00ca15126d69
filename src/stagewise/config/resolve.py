"""Cut the validated config into ``build/<stage>.yaml``, one file with all that enters the stage."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from stagewise.config.checks.features import feature_parts
from stagewise.config.checks.sources import class_constant
from stagewise.config.compose import compose
from stagewise.config.keys import code_and_libraries, module_files
from stagewise.config.named_files import named_files
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection, CompressSettings, TrainingSections
from stagewise.config.schema.data import IngestSettings, PreprocessData, PreprocessSettings
from stagewise.config.schema.evaluate import EvaluateSettings
from stagewise.config.schema.package import PackageSettings
from stagewise.config.schema.project import Project
from stagewise.config.schema.train import TrainSettings

STAGES = ("ingest", "preprocess", "train", "evaluate", "compress", "package")
"""The stages that have a resolved file, in the order they run."""

PREDICTOR = ("stagewise.packaging.predictor", "stagewise.packaging.integrity")
"""What runs a package, shipped as predict.py and integrity.py."""

NETWORK_STEPS = "stagewise.compression.networks."
"""Where the steps of candidates lie that change the network."""

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
    settings = stage_settings(compose(root, overrides), root)
    return {stage: _text(root, stage, section) for stage, section in settings.items()}


def stage_settings(project: Project, root: Path) -> dict[str, BaseModel]:
    """Return what each stage gets of the config, and no more."""
    data = project.data
    parts = feature_parts(data.feature.target, root)
    network: dict[str, Any] = {
        "seed": project.seed,
        "threads": project.threads,
        "rows": Target.model_validate({"_target_": parts["rows"]}),
        "inputs": Target.model_validate({"_target_": parts["inputs"]}),
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
            display=Target.model_validate({"_target_": parts["display"]}),
            evaluation=project.task.evaluation,
            evaluate=project.evaluate,
            beside=_beside(project),
            cross_validation=_cross_validation(project, training),
        ),
        "compress": CompressSettings(
            **network,
            quality=project.task.quality,
            compress=project.compress,
            training=TrainingSections(**training) if _trains(project.compress) else None,
        ),
        "package": _package(project, parts["runtime"], root),
    }


def _package(project: Project, reader: str, root: Path) -> PackageSettings:
    """What a package ships is copied as it is, so its bytes enter the key, comments included."""
    answers = class_constant(project.task.inference.target, "runtime", root)
    runtime = {"inputs": reader, "answers": str(answers)}
    files = [file for name in (*PREDICTOR, *runtime.values()) for file in module_files(name, root)[-1:]]
    shipped = {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return PackageSettings(
        name=project.name, version=project.version, package=project.package, runtime=runtime, shipped=shipped
    )


def _trains(compress: CompressSection) -> bool:
    """Whether a candidate has a step that trains the network again."""
    steps = [step for made in compress.candidates.values() for step in (made if isinstance(made, list) else [made])]
    return any(step.target.startswith(NETWORK_STEPS) for step in steps)


def _beside(project: Project) -> Target | None:
    """What stands beside a model of tables enters evaluate only where it is asked for."""
    asked = project.evaluate.subgroups or project.evaluate.baseline
    return Target.model_validate({"_target_": "stagewise.evaluation.beside.LookBeside"}) if asked else None


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
    if files := named_files(stage, config, root):
        entry["files"] = files
    # DVC leaves every value named `size` or `nfiles`, at any depth, out of what its run-cache looks up, and would
    # restore the outputs of another image size; a digest of the whole has no such name.
    entry["key"] = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
    return HEADER + yaml.safe_dump(entry, sort_keys=True, allow_unicode=True, width=120)


def _write(path: Path, text: str) -> Path:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path
