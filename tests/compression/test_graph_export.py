import numpy as np
import onnx
import pytest
import torch
from torch import nn

from stagewise.compression.export import export_graph
from stagewise.compression.session import GraphSession
from stagewise.errors import CompressionError
from stagewise.tasks.build import load_inference
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.inputs.image import ImageInputs


@pytest.fixture(scope="module")
def exported(cnn, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_graph(load_inference(cnn.settings(), cnn.schema, cnn.weights), cnn.schema, path, opset=20)
    return path


def test_the_graph_takes_raw_images_and_gives_label_and_probabilities(exported):
    graph = onnx.load(exported).graph

    def describe(value):
        kind = value.type.tensor_type
        return value.name, kind.elem_type, [item.dim_value or item.dim_param for item in kind.shape.dim]

    assert [describe(value) for value in graph.input] == [("image", onnx.TensorProto.UINT8, ["batch", 8, 8, 1])]
    assert [describe(value) for value in graph.output] == [
        ("label", onnx.TensorProto.INT64, ["batch"]),
        ("probabilities", onnx.TensorProto.FLOAT, ["batch", 10]),
    ]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_any_batch_size_gives_what_the_network_gives(cnn, exported, batch):
    inference = load_inference(cnn.settings(), cnn.schema, cnn.weights)
    images = cnn.rows("validation").take(np.arange(batch))
    with torch.inference_mode():
        label, probabilities = inference(torch.from_numpy(images))
    got = GraphSession(exported, 1)(images)
    np.testing.assert_array_equal(got[0], label.numpy())
    np.testing.assert_allclose(got[1], probabilities.numpy(), rtol=1e-4, atol=1e-6)


class Branches(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10] if x.sum() > 0 else x.flatten(1)[:, 10:20]


def test_a_network_that_cannot_be_exported_is_an_error_of_one_message(cnn, tmp_path, capfd):
    with pytest.raises(CompressionError, match="cannot be exported to ONNX") as caught:
        export_graph(
            Classifier(Branches(), ImageInputs(cnn.schema), cnn.schema), cnn.schema, tmp_path / "model.onnx", opset=20
        )
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 5
    assert not (tmp_path / "model.onnx").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("network", ["rnn.RNN", "vit.ViT", "resnet.ResNet", "mlp.MLP"])
def test_every_network_exports_without_a_word(train, tmp_path, capfd, network):
    trained = train(f"stagewise.models.{network}", epochs=0)
    inference = load_inference(trained.settings(), trained.schema, trained.weights)
    export_graph(inference, trained.schema, tmp_path / "model.onnx", opset=20)
    label, probabilities = GraphSession(tmp_path / "model.onnx", 1)(np.zeros((5, 8, 8, 1), np.uint8))
    assert label.shape == (5,)
    assert probabilities.shape == (5, 10)
    assert capfd.readouterr() == ("", "")
