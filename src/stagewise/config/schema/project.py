"""The whole config, as composed from params.yaml and conf/."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from stagewise.config.schema.base import Section, Target
from stagewise.config.schema.compress import CompressSection
from stagewise.config.schema.data import AugmentSection, DataSection
from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.config.schema.package import PackageSection
from stagewise.config.schema.review import ReviewSection
from stagewise.config.schema.train import TaskSection, TrainerSection


class Project(Section):
    """Everything a project may say, before it is cut into one file per stage."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$")]
    """Name of the package."""
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.-]+)?$")]
    """Semantic version of the package."""
    seed: NonNegativeInt
    """Every random draw of the pipeline follows from it."""
    threads: PositiveInt
    """CPU threads of torch; part of the result, since sums round differently with another number."""
    data: DataSection
    augment: AugmentSection
    model: Target
    task: TaskSection
    optimizer: Target
    scheduler: Target
    trainer: TrainerSection
    evaluate: EvaluateSection
    compress: CompressSection
    package: PackageSection
    review: ReviewSection = ReviewSection()
