"""The module and the inference of a regression: scales, losses, training."""

import io
import warnings
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from small_tables import number_column, number_target, table_schema
from torch import nn
from torch.nn import functional

from stagewise.config.schema.base import Target
from stagewise.models.tabular_mlp import TabularMLP
from stagewise.tasks.inputs.table import TableInputs
from stagewise.tasks.regression.inference import Regressor
from stagewise.tasks.regression.loss import regression_loss
from stagewise.tasks.regression.module import RegressionModule

PRICES = np.array([100_000.0, 150_000.0, 400_000.0])


class Ramp(nn.Module):
    """The first number of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * self.weight


def schema_of(transform: str = "none", prices: Any = PRICES) -> Any:
    column = number_column("age", [-1.0, 1.0])  # mean 0, standard deviation 1
    return table_schema([column], number_target(prices, transform), rows=4, validation=2)


def regressor(transform: str = "none", prices: Any = PRICES, network: nn.Module | None = None) -> Regressor:
    schema = schema_of(transform, prices)
    return Regressor(network or Ramp(), TableInputs(schema), schema)


def module(inference: Regressor, **config: Any) -> RegressionModule:
    return RegressionModule(
        inference=inference,
        augmentation=None,
        optimizer=Target.model_validate({"_target_": "torch.optim.AdamW", "lr": 0.01, "weight_decay": 0.0}),
        scheduler=Target.model_validate({"_target_": "stagewise.training.schedules.constant"}),
        seed=0,
        steps_per_epoch=3,
        max_epochs=2,
        schema=inference.schema,
        **config,
    )


def test_answers_are_in_the_unit_of_the_target():
    (value,) = regressor()(torch.tensor([[0.0], [1.0], [-2.0]]))
    mean, std = PRICES.mean(), PRICES.std()
    assert (value.dtype, value.shape) == (torch.float32, (3,))
    np.testing.assert_allclose(value.detach().numpy(), [mean, mean + std, mean - 2 * std], rtol=1e-6)


def test_a_logarithm_is_undone():
    (value,) = regressor("log1p")(torch.tensor([[0.0], [1.0]]))
    logs = np.log1p(PRICES)
    np.testing.assert_allclose(value.detach().numpy(), np.expm1([logs.mean(), logs.mean() + logs.std()]), rtol=1e-5)


def test_a_strange_row_gives_no_infinite_and_no_negative_amount():
    network = Ramp()
    network.weight.data.fill_(1000.0)
    (value,) = regressor("log1p", network=network)(torch.tensor([[10.0], [-10.0]]))
    assert 400_000 < value[0] < 1e9
    assert value[1] == 0


def test_prepared_targets_are_undone_by_the_answer():
    for transform in ("none", "log1p"):
        inference = regressor(transform)
        y = module(inference).prepare_targets(torch.from_numpy(PRICES))
        assert y.dtype == torch.float32
        assert y.mean().item() == pytest.approx(0, abs=1e-6)
        assert y.std(correction=0).item() == pytest.approx(1, abs=1e-6)
        (value,) = inference(y[:, None])
        np.testing.assert_allclose(value.detach().numpy(), PRICES, rtol=1e-5)


def test_targets_far_from_zero_keep_their_digits():
    prices = 1e9 + np.array([0.0, 1.0, 2.0])
    y = module(regressor(prices=prices)).prepare_targets(torch.from_numpy(prices))
    np.testing.assert_allclose(y.numpy(), [-(1.5**0.5), 0, 1.5**0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "delta", "expected"),
    [("mse", 1.0, (1 + 9 + 0) / 3), ("mae", 1.0, (1 + 3 + 0) / 3), ("huber", 2.0, (0.5 + 2 * (3 - 1) + 0) / 3)],
)
def test_losses_by_hand(kind, delta, expected):
    output, y = torch.tensor([1.0, 5.0, 2.0]), torch.tensor([0.0, 2.0, 2.0])
    assert regression_loss(output, y, kind, delta).item() == pytest.approx(expected)
    found = module(regressor(), criterion=kind, delta=delta).loss(output[:, None], y)
    assert found.item() == pytest.approx(expected)


def test_unknown_loss_is_told():
    with pytest.raises(ValueError, match="mse, mae or huber, not 'rmse'"):
        regression_loss(torch.zeros(1), torch.zeros(1), "rmse", 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mse, mae or huber, not 'rmse'"):
        module(regressor(), criterion="rmse")


def test_measures_are_those_that_metrics_name():
    task = module(regressor(), criterion="huber")
    output, y = torch.tensor([[1.0], [5.0]]), torch.tensor([0.0, 2.0])
    found = task.measures(output, y)
    assert {name: value.item() for name, value in found.items()} == {"mae": 2.0, "mse": 5.0}
    assert {f"{split}_{name}" for split in ("train", "val") for name in ("loss", *found)} == set(task.metrics)
    assert set(task.metrics.values()) == {"min"}


def test_a_step_trains_on_the_standardised_target(houses):
    values, prices, columns = houses
    schema = table_schema(columns, number_target(prices), rows=len(values))
    inputs = TableInputs(schema)
    network = TabularMLP(inputs.network_shape, 1, hidden=[32], dropout=0.0)
    inference = Regressor(network, inputs, schema)
    task = module(inference)
    optimizer = task.configure_optimizers()["optimizer"]
    batch = {"x": torch.from_numpy(values), "y": torch.from_numpy(prices), "index": torch.arange(len(values))}
    task.on_train_epoch_start()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = task.training_step(batch, 0)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[0] == pytest.approx(1.0, abs=0.3)
    assert losses[-1] < 0.3
    (value,) = inference.eval()(batch["x"])
    error = functional.mse_loss(value.double(), batch["y"]).item() / prices.var()
    assert error == pytest.approx(losses[-1], abs=0.03)
    assert task.loss_sum().item() == pytest.approx(len(values) * sum(losses), rel=1e-5)


@torch.no_grad()
def test_exported_graph_agrees_on_hostile_rows(houses):
    values, prices, columns = houses
    schema = table_schema(columns, number_target(prices, "log1p"), rows=len(values))
    inputs = TableInputs(schema)
    inference = Regressor(TabularMLP(inputs.network_shape, 1, hidden=[8]), inputs, schema).eval()
    example, axes = inputs.example()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
        warnings.filterwarnings("ignore", message="_check_is_size will be removed", category=FutureWarning)
        shapes = ({axis: torch.export.Dim(name) for axis, name in axes.items()},)
        torch.onnx.export(inference, (example,), dynamo=True, dynamic_shapes=shapes, verbose=False).save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    hostile = np.stack(list(inputs.hostile(np.random.default_rng(0)).values()))
    for batch in (hostile, values[:1], values):
        (found,) = session.run(None, {session.get_inputs()[0].name: batch})
        np.testing.assert_allclose(found, inference(torch.from_numpy(batch))[0].numpy(), rtol=1e-4)
