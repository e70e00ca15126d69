"""The forecasting networks: shapes, learning, independence of windows, reference computations, export."""

import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from stagewise.models.dlinear import DLinear
from stagewise.models.patchtst import PatchTST
from stagewise.models.series import EPSILON, normalise_windows, series_shape
from stagewise.models.series_lstm import SeriesLSTM

NETWORKS = {
    "dlinear": (DLinear, {"kernel": 5}),
    "dlinear individual": (DLinear, {"kernel": 7, "individual": True}),
    "patchtst": (PatchTST, {"patch": 8, "stride": 4, "dim": 8, "depth": 1, "heads": 2, "hidden": 16, "dropout": 0.0}),
    "patchtst layer norm": (
        PatchTST,
        {"patch": 8, "stride": 8, "dim": 8, "depth": 1, "heads": 2, "dropout": 0.0, "norm": "layer"},
    ),
    "patchtst plain": (
        PatchTST,
        {"patch": 5, "stride": 3, "dim": 8, "depth": 1, "instance_norm": False, "dropout": 0.0},
    ),
    "lstm": (SeriesLSTM, {"hidden": 16}),
    "lstm patches": (SeriesLSTM, {"hidden": 16, "patch": 6, "layers": 2}),
}
SHAPES = {"one": (24, 1), "three": (24, 3), "calendar": (24, 3, 4)}


def make(name, shape, outputs=5):
    torch.manual_seed(0)
    network_class, arguments = NETWORKS[name]
    return network_class(shape, outputs, **arguments)


def windows(count, shape):
    torch.manual_seed(1)
    return torch.randn(count, shape[0], sum(shape[1:]))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_windows_to_forecasts(name, shape):
    forecast = make(name, shape).eval()(windows(4, shape))
    assert forecast.shape == (4, 5, shape[1]) and forecast.dtype == torch.float32
    assert torch.isfinite(forecast).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_learns_to_go_on_with_a_wave(name):
    time = torch.arange(200) / 24 * 2 * torch.pi
    series = torch.stack([torch.sin(time), torch.cos(time) + 1], 1)
    pieces = series.unfold(0, 29, 1).transpose(1, 2)
    x, y = pieces[:, :24], pieces[:, 24:]
    network = make(name, (24, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    first = (network(x) - y).square().mean().item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * first
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_window_is_forecast_from_itself_and_a_variable_from_its_own(name):
    network, x = make(name, (24, 3)).eval(), windows(4, (24, 3))
    whole = network(x)
    torch.testing.assert_close(network(x[1:2]), whole[1:2], rtol=1e-4, atol=1e-5)
    other = x.clone()
    other[:, :, 1] = torch.randn(4, 24)
    again = network(other)
    torch.testing.assert_close(again[..., [0, 2]], whole[..., [0, 2]], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(again[..., 1], whole[..., 1])


@pytest.mark.parametrize("name", NETWORKS)
def test_calendar_columns_are_read(name):
    network, x = make(name, (24, 2, 2)).eval(), windows(3, (24, 2, 2))
    other = x.clone()
    other[:, :, 2:] = torch.randn(3, 24, 2)
    assert not torch.allclose(network(x), network(other))


@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in ("dlinear", "dlinear individual", "patchtst plain")]
)
def test_a_window_on_another_scale_has_its_forecast_there(name):
    network, x = make(name, (24, 2)).eval(), 3 * windows(3, (24, 2))
    torch.testing.assert_close(network(100 * x + 7), 100 * network(x) + 7, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("name", NETWORKS)
def test_initialisation_and_training_are_functions_of_the_seed(name):
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for _ in range(2):
            network, x = make(name, (24, 2)), windows(8, (24, 2))
            network(x).square().mean().backward()
            results.append([parameter.grad.clone() for parameter in network.parameters()])
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    finally:
        torch.use_deterministic_algorithms(False)


def test_dlinear_is_two_linear_maps_of_average_and_rest():
    network, x = make("dlinear", (24, 2)), windows(1, (24, 2))
    series = x[0, :, 1].double().numpy()
    padded = np.concatenate([[series[0]] * 2, series, [series[-1]] * 2])
    average = np.array([padded[step : step + 5].mean() for step in range(24)])
    trend, rest = (
        [part.detach().double().numpy() for part in (m.weight[0], m.bias[0])] for m in (network.trend, network.rest)
    )
    expected = average @ trend[0] + trend[1] + (series - average) @ rest[0] + rest[1]
    np.testing.assert_allclose(network(x)[0, :, 1].detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_dlinear_individual_has_weights_for_each_variable():
    shared, own = make("dlinear", (24, 3)), make("dlinear individual", (24, 3))
    count = [sum(parameter.numel() for parameter in network.parameters()) for network in (shared, own)]
    assert count == [2 * (24 * 5 + 5), 3 * 2 * (24 * 5 + 5)]
    x = windows(2, (24, 3))
    alone = DLinear((24, 1), 5, kernel=7)
    state = {name: value[2:3] for name, value in own.state_dict().items()}
    alone.load_state_dict(state)
    torch.testing.assert_close(own(x)[..., 2:], alone(x[..., 2:]), rtol=1e-5, atol=1e-6)


def test_patchtst_has_the_size_of_the_paper():
    network = PatchTST((336, 7), 96)
    assert network.positions.shape == (42, 16)  # PatchTST/42
    assert network.head[2].in_features == 42 * 16


@pytest.mark.parametrize(("lookback", "patch", "stride"), [(24, 8, 4), (24, 7, 3), (16, 16, 8), (25, 8, 8)])
def test_the_last_value_lies_in_a_patch(lookback, patch, stride):
    network = PatchTST(
        (lookback, 1), 3, patch=patch, stride=stride, dim=8, heads=2, depth=1, instance_norm=False
    ).eval()
    x = torch.zeros(1, lookback, 1)
    other = x.clone()
    other[0, -1] = 1.0
    assert not torch.allclose(network(x), network(other))


def test_windows_are_normalised_by_themselves():
    x = 5 + 3 * windows(4, (24, 2))
    scaled, mean, std = normalise_windows(x)
    torch.testing.assert_close(scaled * std + mean, x)
    torch.testing.assert_close(scaled.mean(1), torch.zeros(4, 2), atol=1e-6, rtol=0)
    expected = np.sqrt(x.double().numpy().var(1) + EPSILON)
    np.testing.assert_allclose(std[:, 0].numpy(), expected, rtol=1e-5)
    flat, _, _ = normalise_windows(torch.full((1, 24, 1), 3.0))
    assert torch.equal(flat, torch.zeros(1, 24, 1))


@pytest.mark.parametrize(
    ("network_class", "arguments", "reason"),
    [
        (DLinear, {"kernel": 4}, "kernel must be odd"),
        (DLinear, {"kernel": 25}, "at most the lookback of 24"),
        (PatchTST, {"patch": 30}, "a patch of 30 steps is longer"),
        (PatchTST, {"patch": 8, "stride": 9}, "a stride of 9 leaves out steps"),
        (PatchTST, {"dim": 10, "heads": 4}, "must be a multiple of heads"),
        (PatchTST, {"norm": "group"}, "norm must be batch or layer"),
        (PatchTST, {"dropout": 1.5}, "dropout"),
        (SeriesLSTM, {"patch": 5}, "not a multiple of the patch of 5"),
        (SeriesLSTM, {"hidden": 0}, "hidden must be a whole number"),
        (SeriesLSTM, {"dropout": -0.5}, "dropout"),
    ],
)
def test_an_impossible_argument_is_told(network_class, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        network_class((24, 2), 5, **arguments)


@pytest.mark.parametrize("network_class", [DLinear, PatchTST, SeriesLSTM])
def test_outputs_and_shape_are_checked(network_class):
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1"):
        network_class((48, 2), 0)
    with pytest.raises(ValueError, match=r"a series has the shape \(lookback, variables"):
        network_class((3, 28, 28, 1), 5)
    assert network_class.takes == "series"


def test_shapes_are_named():
    assert series_shape((24, 3)) == (24, 3, 0) and series_shape((24, 3, 4)).calendar == 4
    with pytest.raises(ValueError, match="must not be negative"):
        series_shape((24, 3, -1))


@torch.no_grad()
def export(network, shape):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
        warnings.filterwarnings("ignore", message="_check_is_size will be removed", category=FutureWarning)
        warnings.filterwarnings("ignore", message="The tensor attributes? self.recurrent._flat_weights")
        batch = {0: torch.export.Dim("batch")}
        program = torch.onnx.export(network, (windows(2, shape),), dynamo=True, dynamic_shapes=(batch,), verbose=False)
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["dlinear individual", "patchtst", "lstm patches"])
def test_export_agrees_at_any_batch_size(name):
    shape = SHAPES["calendar"]
    network = make(name, shape).eval()
    session = onnxruntime.InferenceSession(export(network, shape), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    for size in (1, 5):
        x = windows(size, shape)
        (forecast,) = session.run(None, {source.name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(forecast), network(x).detach(), rtol=1e-4, atol=1e-5)
