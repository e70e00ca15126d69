import numpy as np
import onnx
import pytest
import torch
from torch import nn

from stagewise.compression.checks.parity import check_parity
from stagewise.compression.export import export_graph
from stagewise.compression.graph import save_graph
from stagewise.config.schema.compress import Parity
from stagewise.errors import CompressionError
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.inputs.image import ImageInputs


def check(cnn, inference, path, evidence, **changes):
    return check_parity(
        Parity(samples=40, **changes),
        inference,
        path,
        cnn.rows("validation"),
        seed=1,
        threads=1,
        evidence=evidence,
    )


def tamper(path, out, change):
    """Change the bias of the last layer in a graph."""
    model = onnx.load(path)
    last = [node for node in model.graph.node if node.op_type == "Gemm"][-1]
    (bias,) = [weight for weight in model.graph.initializer if weight.name == last.input[2]]
    bias.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(bias).copy()), bias.name))
    save_graph(model, out)
    return out


def test_a_true_export_passes(cnn, exported, tmp_path):
    report = check(cnn, *exported, tmp_path / "evidence")
    assert (report.rows, report.hostile) == (40, 10)
    assert report.compared == 40 + 2 * 10 + 8 + 3  # hostile rows alone and together; rows alone, and three together
    assert report.label_agreement == 1
    assert report.largest_difference < 1e-5
    assert report.not_finite == report.left_out == []
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda bias: bias + np.eye(10, dtype=np.float32)[3] * 0.05, id="a little"),
        pytest.param(lambda bias: bias[::-1].copy(), id="classes reversed"),
        pytest.param(lambda bias: bias * np.float32("nan"), id="not a number"),
        pytest.param(lambda bias: bias + np.eye(10, dtype=np.float32)[0] * 100, id="always the same class"),
    ],
)
def test_a_graph_with_other_weights_fails(cnn, exported, tmp_path, change):
    inference, path = exported
    with pytest.raises(CompressionError, match="does not answer as the network does") as caught:
        check(cnn, inference, tamper(path, tmp_path / "tampered.onnx", change), tmp_path / "evidence")
    assert caught.value.where == str(tmp_path / "evidence" / "worst.npz")
    assert 1 <= len(caught.value.details) <= 5

    with np.load(caught.value.where) as worst:
        assert caught.value.details[0].startswith(f"{worst['id']}: answer ")
        images = torch.from_numpy(worst["input"][None])
        with torch.inference_mode():
            np.testing.assert_allclose(inference(images)[1][0].numpy(), worst["expected_1"], rtol=1e-5)
        assert not np.allclose(worst["expected_1"], worst["got_1"], rtol=1e-3, atol=1e-4)


def test_tolerances_come_from_the_config(cnn, exported, tmp_path):
    inference, path = exported
    slightly = tamper(path, tmp_path / "slightly.onnx", lambda bias: bias + np.eye(10, dtype=np.float32)[3] * 1e-3)
    with pytest.raises(CompressionError):
        check(cnn, inference, slightly, tmp_path, atol=1e-6, rtol=1e-6)
    assert check(cnn, inference, slightly, tmp_path, atol=1e-2).label_agreement == 1


def test_labels_count_even_where_probabilities_are_tolerated(cnn, exported, tmp_path):
    inference, path = exported
    reversed_ = tamper(path, tmp_path / "reversed.onnx", lambda bias: bias + np.eye(10, dtype=np.float32)[3] * 50)
    with pytest.raises(CompressionError, match=r"of the labels agree \(needed: 100\.00%\)"):
        check(cnn, inference, reversed_, tmp_path, atol=2)
    assert check(cnn, inference, reversed_, tmp_path, atol=2, agreement=0.01).label_agreement < 1


class OtherWhenExported(nn.Module):
    """Behaves differently in the exporter, as some library layers do by mistake."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        logits = self.head(x.flatten(1))
        return logits * 2 if torch.compiler.is_exporting() else logits


def test_a_network_that_is_exported_as_something_else_fails(cnn, tmp_path):
    torch.manual_seed(0)
    inference = Classifier(OtherWhenExported(), ImageInputs(cnn.schema), cnn.schema)
    export_graph(inference, cnn.schema, tmp_path / "model.onnx", opset=20)
    with pytest.raises(CompressionError, match="does not answer as the network does"):
        check(cnn, inference, tmp_path / "model.onnx", tmp_path)


class OnlyInBatches(nn.Module):
    """Normalises over the batch even when it is not trained: one image alone gets another answer."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        return self.head(x - x.mean(dim=0, keepdim=True))


def test_images_alone_are_compared_too(cnn, tmp_path):
    torch.manual_seed(0)
    inference = Classifier(OnlyInBatches(), ImageInputs(cnn.schema), cnn.schema)
    export_graph(inference, cnn.schema, tmp_path / "model.onnx", opset=20)
    with pytest.raises(CompressionError, match=r"\(alone\)"):
        check(cnn, inference, tmp_path / "model.onnx", tmp_path)
