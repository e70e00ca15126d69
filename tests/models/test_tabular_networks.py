"""The networks for tables: shapes, learning, embeddings, export."""

import io
import math
import warnings
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
import yaml

from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.models.ft_transformer import FTTransformer, ReGLU
from stagewise.models.table_embeddings import Categories, Numbers
from stagewise.models.tabular_mlp import Residual, TabularMLP

CONF = Path(__file__).parents[2] / "conf" / "model"
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "mlp": (TabularMLP, {"hidden": [32], "numbers": "none", "dropout": 0.0}),
    "mlp linear": (TabularMLP, {"hidden": [32], "numbers": "linear", "dropout": 0.0}),
    "mlp periodic": (TabularMLP, {"hidden": [32, 32], "numbers": "periodic", "residual": True, "dropout": 0.0}),
    "ft": (FTTransformer, {"dim": 16, "depth": 2, "heads": 2, "dropout": 0.0, "attention_dropout": 0.0}),
    "ft periodic": (
        FTTransformer,
        {"dim": 16, "depth": 1, "heads": 2, "dropout": 0.0, "attention_dropout": 0.0, "numbers": "periodic"},
    ),
}
SHAPES = [(3,), (0, 4, 5), (2, 3, 7, 1)]


def table(shape, rows=6):
    numbers = torch.randn(rows, shape[0])
    codes = [torch.randint(0, count, (rows, 1)).float() for count in shape[1:]]
    return torch.cat([numbers, *codes], 1)


def make(name, shape, outputs=3, **more):
    network, arguments = NETWORKS[name]
    return network(shape, outputs, **(arguments | more))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_rows_to_answers_row_by_row(name, shape):
    network, x = make(name, shape).eval(), table(shape)
    answers = network(x)
    assert answers.shape == (6, 3)
    assert answers.dtype == torch.float32
    torch.testing.assert_close(network(x[2:3]), answers[2:3])


@pytest.mark.parametrize("name", NETWORKS)
def test_learns_a_batch(name):
    network = make(name, (2, 3, 7), 4)
    x, y = table((2, 3, 7), 24), torch.arange(24) % 4
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(80):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert abs(losses[0] - math.log(4)) < 0.8
    assert losses[-1] < 0.3 * losses[0]
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_repeats_bit_for_bit(name):
    def train():
        torch.manual_seed(3)
        network = make(name, (2, 3, 7), dropout=0.2)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
        x = table((2, 3, 7))
        for _ in range(3):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
        return network.state_dict()

    torch.use_deterministic_algorithms(True)
    try:
        one, two = train(), train()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_column_matters(name):
    network, x = make(name, (2, 3, 7)).eval(), table((2, 3, 7))
    for column, moved in enumerate([x[:, 0] + 1, x[:, 1] + 1, (x[:, 2] + 1) % 3, (x[:, 3] + 1) % 7]):
        changed = x.clone()
        changed[:, column] = moved
        assert (network(changed) - network(x)).abs().amax(1).min() > 1e-5


@pytest.mark.parametrize("network_class", [TabularMLP, FTTransformer])
def test_dropout_acts_in_training_only(network_class):
    network, x = network_class((2, 3), 3, dropout=0.5), table((2, 3))
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_periodic_numbers_are_those_of_the_paper():
    numbers = Numbers(2, 5, "periodic", frequencies=3, sigma=0.5).double()
    x = torch.randn(4, 2, dtype=torch.float64)
    found = numbers(x)
    for column in range(2):
        angles = 2 * math.pi * x[:, column, None] * numbers.frequencies[column]
        waves = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
        expected = torch.relu(waves @ numbers.weight[column] + numbers.bias[column])
        torch.testing.assert_close(found[:, column], expected)


def test_linear_numbers_are_a_line_each():
    numbers = Numbers(2, 3, "linear", frequencies=1, sigma=1, relu=False)
    x = torch.randn(4, 2)
    torch.testing.assert_close(numbers(x) + numbers(-x), 2 * numbers.bias.expand(4, -1, -1))
    slopes = (numbers(x + 1) - numbers(x)).detach()
    torch.testing.assert_close(slopes, numbers.weight[:, 0].detach().expand(4, -1, -1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.1, 2.0])
def test_frequencies_start_with_their_spread(sigma):
    frequencies = Numbers(40, 1, "periodic", frequencies=50, sigma=sigma).frequencies
    assert frequencies.std().item() == pytest.approx(sigma, rel=0.1)


def test_codes_of_different_columns_have_vectors_of_their_own():
    categories = Categories((3, 2, 4), width=5, bound=1.0)
    every = torch.cat([categories(torch.tensor([[a, b, c]])) for a in range(3) for b in range(2) for c in range(4)])
    columns = [every[:, column].unique(dim=0) for column in range(3)]
    assert [len(column) for column in columns] == [3, 2, 4]
    assert len(torch.cat(columns).unique(dim=0)) == 9


def test_gate_is_half_of_the_values():
    x = torch.tensor([[1.0, 2.0, -3.0, 4.0]])
    assert ReGLU()(x).tolist() == [[0.0, 8.0]]


def test_blocks_take_the_place_of_layers_that_keep_their_width():
    layers = TabularMLP((4,), 1, hidden=[8, 8, 8, 6, 6], residual=True).layers
    assert sum(isinstance(layer, Residual) for layer in layers) == 3
    assert not any(isinstance(layer, Residual) for layer in TabularMLP((4,), 1, hidden=[8, 8]).layers)


@pytest.mark.parametrize(
    ("build_network", "message"),
    [
        (lambda: TabularMLP((), 2), "a table has columns"),
        (lambda: TabularMLP((0,), 2), "a table has columns"),
        (lambda: TabularMLP((2, 0), 2), "codes of category column 1 must be"),
        (lambda: TabularMLP((2,), 0), "outputs must be"),
        (lambda: TabularMLP((2,), 1, hidden=[0]), r"hidden\[0\]"),
        (lambda: TabularMLP((2,), 1, numbers="spline"), "none, linear or periodic, not 'spline'"),
        (lambda: TabularMLP((2,), 1, sigma=0.0), "sigma must be positive"),
        (lambda: TabularMLP((2,), 1, frequencies=0), "frequencies must be"),
        (lambda: TabularMLP((2,), 1, activation="swish"), "activation 'swish' is unknown"),
        (lambda: TabularMLP((2,), 1, dropout=1.5), "dropout"),
        (lambda: FTTransformer((2, 3), 1, dim=30, heads=4), r"dim \(30\) must be a multiple of heads \(4\)"),
        (lambda: FTTransformer((2, 3), 1, mlp_ratio=0.001), "mlp_ratio"),
        (lambda: FTTransformer((2, 3), 1, attention_dropout=1.0), "attention_dropout"),
        (lambda: FTTransformer((2, 3), 1, depth=0), "depth must be"),
        (lambda: FTTransformer((2, 3), 1, numbers="none"), "not 'none'"),
    ],
)
def test_impossible_arguments_are_told(build_network, message):
    with pytest.raises(ValueError, match=message):
        build_network()


@torch.no_grad()
def export(network, x):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
        warnings.filterwarnings("ignore", message="_check_is_size will be removed", category=FutureWarning)
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(network, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False)
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["mlp periodic", "ft"])
def test_exported_graph_agrees_at_any_batch_size(name):
    network = make(name, (2, 3, 7)).eval()
    graph = export(network, table((2, 3, 7), 2))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for rows in (1, 5):
        x = table((2, 3, 7), rows)
        (answers,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(answers), network(x).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["tabular_mlp", "ft_transformer"])
def test_config_names_every_argument(name):
    target = Target.model_validate(yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")))
    network = build(target, input_shape=(2, 3, 7), outputs=4).eval()
    assert network(table((2, 3, 7))).shape == (6, 4)
    assert set(target.arguments) == set(type(network).__init__.__kwdefaults__)
