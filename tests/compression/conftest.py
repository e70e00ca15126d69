from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from parts import CLASS_QUALITY, IMAGE_NETWORK
from sklearn.datasets import load_digits
from torch.nn import functional

from stagewise.compression.export import export_graph
from stagewise.config.schema.compress import CompressSettings
from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Layout
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, read_schema, write_schema
from stagewise.data.storage import SplitReader, SplitWriter
from stagewise.tasks.build import build_inference, load_inference
from stagewise.tasks.inference import Inference
from stagewise.tasks.weights import save_weights

CONF = Path(__file__).parents[2] / "conf" / "compress"
BOUNDS = {"train": (0, 1200), "validation": (1200, 1500), "test": (1500, 1797)}


@dataclass(frozen=True)
class Trained:
    """Folders of a network that was trained on real digits."""

    processed: Path
    weights: Path
    model: dict
    seed: int = 3

    @property
    def schema(self) -> DataSchema:
        return read_schema(self.processed)

    def rows(self, split: str) -> SplitReader:
        return SplitReader(self.processed / f"{split}.arrow", (8, 8, 1))

    def settings(self, choice: str = "int8", **changes) -> CompressSettings:
        section = yaml.safe_load((CONF / f"{choice}.yaml").read_text())
        section["latency"] |= {"batch_sizes": [1, 4], "repeats": 3, "warmup": 1}
        section |= changes
        parts = {**IMAGE_NETWORK, "quality": CLASS_QUALITY}
        return CompressSettings.model_validate(
            {"seed": self.seed, "threads": 1, "model": self.model, **parts, "compress": section}
        )


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processed")
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    splits = {}
    for split, (begin, end) in BOUNDS.items():
        with SplitWriter(folder / f"{split}.arrow", Layout(np.dtype(np.uint8), (8, 8, 1)), 500) as writer:
            writer.write(images[begin:end], digits.target[begin:end], [f"digits#{row}" for row in range(begin, end)])
        counts = np.bincount(digits.target[begin:end], minlength=10).tolist()
        splits[split] = SplitInfo(file=f"{split}.arrow", rows=end - begin, sha256="0" * 64, class_counts=counts)
    unit = images[:1200] / 255
    feature = ImageEntry(shape=(8, 8, 1), resize="bilinear", mean=[float(unit.mean())], std=[float(unit.std())])
    target = ClassTarget(classes=[str(digit) for digit in range(10)])
    write_schema(DataSchema(name="digits", features=[feature], target=target, splits=splits), folder)
    return folder


@pytest.fixture(scope="session")
def train(processed: Path, tmp_path_factory: pytest.TempPathFactory):
    """Trains a network of the project for a moment."""

    def run(target: str, epochs: int = 6, rate: float = 5e-3, **arguments) -> Trained:
        folder = tmp_path_factory.mktemp("trained")
        trained = Trained(processed, folder, {"_target_": target, **arguments})
        torch.set_num_threads(1)
        inference = build_inference(trained.settings(), trained.schema).train()
        optimizer = torch.optim.AdamW(inference.parameters(), rate)
        rows = trained.rows("train")
        generator = np.random.default_rng(0)
        for _ in range(epochs):
            order = generator.permutation(len(rows))
            for indices in np.array_split(order, 19):
                logits = inference.answer(torch.from_numpy(rows.take(indices)))
                loss = functional.cross_entropy(logits, torch.from_numpy(rows.targets[indices]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        save_weights(inference.network.state_dict(), folder / "model.safetensors")
        return trained

    return run


@pytest.fixture(scope="session")
def cnn(train) -> Trained:
    return train("stagewise.models.cnn.CNN")


@pytest.fixture(scope="session")
def exported(cnn: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Inference, Path]:
    """The network and its graph."""
    inference = load_inference(cnn.settings(), cnn.schema, cnn.weights)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_graph(inference, cnn.schema, path, opset=20)
    return inference, path
