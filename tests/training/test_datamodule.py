import pickle
from pathlib import Path

import numpy as np
import pytest
from parts import IMAGE_NETWORK

from stagewise.config.schema.base import Target
from stagewise.data.schema import read_schema
from stagewise.data.storage import SplitReader
from stagewise.errors import ConfigError, DataError
from stagewise.training.datamodule import ArrowDataModule, RowBatches

ROWS = Target.model_validate(IMAGE_NETWORK["rows"])


@pytest.fixture
def data(processed: Path) -> ArrowDataModule:
    return ArrowDataModule(processed, read_schema(processed), ROWS, 24, 8, workers=0, seed=0)


def test_batches_are_the_rows_that_were_asked_for(data: ArrowDataModule, processed: Path) -> None:
    reader = SplitReader(processed / "train.arrow", (8, 8, 1))
    batches = list(data.train_dataloader())
    assert [tuple(batch["x"].shape) for batch in batches] == [(24, 8, 8, 1)] * 4
    for batch in batches:
        index = batch["index"].numpy()
        assert np.array_equal(batch["x"].numpy(), reader.take(index))
        assert np.array_equal(batch["y"].numpy(), reader.targets[index])


def test_validation_rows_come_in_order(data: ArrowDataModule) -> None:
    index = np.concatenate([batch["index"].numpy() for batch in data.val_dataloader()])
    assert np.array_equal(index, np.arange(30))


def test_rows_can_be_sent_to_loader_processes(processed: Path) -> None:
    rows = pickle.loads(pickle.dumps(RowBatches(SplitReader(processed / "train.arrow", (8, 8, 1)))))
    assert rows[np.array([5, 3])]["y"].tolist() == [2, 0]


def test_uneven_share_names_the_key(data: ArrowDataModule) -> None:
    with pytest.raises(ConfigError, match=r"(?s)24 rows.*5 processes.*trainer\.batch_size.*multiple of 5"):
        data.train_batches(world_size=5)


def test_too_few_rows(processed: Path) -> None:
    data = ArrowDataModule(processed, read_schema(processed), ROWS, 960, 8, workers=0, seed=0)
    with pytest.raises(DataError, match="96 rows, fewer"):
        data.train_batches(world_size=120)


def test_empty_training_split(processed: Path) -> None:
    schema = read_schema(processed)
    empty = schema.splits["train"].model_copy(update={"rows": 0})
    schema = schema.model_copy(update={"splits": {**schema.splits, "train": empty}})
    with pytest.raises(DataError, match="training split is empty"):
        ArrowDataModule(processed, schema, ROWS, 24, 8, workers=0, seed=0)
