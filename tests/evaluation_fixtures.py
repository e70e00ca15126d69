from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from shades import write_processed

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.schema import DataSchema
from stagewise.report.displays.image import ImageDisplay
from stagewise.tasks.classification.evaluation import ClassificationEvaluation


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def shades(tmp_path: Path) -> tuple[Path, DataSchema]:
    """A processed folder of four shades of grey, one of them with a hostile name."""
    folder = tmp_path / "processed"
    names = ["night", "dusk", "<script>alert('x')</script>", "day \"&' <b>"]
    return folder, write_processed(folder, names, {"train": 120, "validation": 40, "test": 80})


@pytest.fixture
def evaluation_of() -> Callable[..., ClassificationEvaluation]:
    def make(schema: DataSchema, seed: int = 7, **settings) -> ClassificationEvaluation:
        return ClassificationEvaluation(
            schema=schema,
            settings=EvaluateSection.model_validate({"resamples": 100} | settings),
            seed=seed,
            display=ImageDisplay(schema),
        )

    return make
