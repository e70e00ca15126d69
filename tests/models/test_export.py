"""Every network becomes an ONNX graph with a dynamic batch that gives the same logits."""

import io
import warnings

import onnxruntime
import pytest
import torch

from stagewise.models.cnn import CNN
from stagewise.models.mlp import MLP
from stagewise.models.resnet import ResNet
from stagewise.models.rnn import RNN
from stagewise.models.vit import ViT

NETWORKS = {
    "mlp": lambda: MLP((1, 8, 8), 10),
    "cnn": lambda: CNN((3, 8, 12), 10, batch_norm=True),
    "resnet": lambda: ResNet((3, 9, 8), 10, depth=8, width=4),
    "vit mean": lambda: ViT((3, 8, 12), 10, depth=1),
    "vit cls": lambda: ViT((1, 8, 8), 10, depth=1, pool="cls"),
    "rnn lstm": lambda: RNN((3, 8, 12), 10, hidden=16, layers=2),
    "rnn gru": lambda: RNN((1, 8, 8), 10, hidden=16, cell="gru", bidirectional=False),
}
SHAPES = {"cnn": (3, 8, 12), "resnet": (3, 9, 8), "vit mean": (3, 8, 12), "rnn lstm": (3, 8, 12)}


@torch.no_grad()
def export(network, shape):
    """Return the ONNX bytes of a network; torch.export's notes to its own authors are left out."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec", category=FutureWarning)
        warnings.filterwarnings("ignore", message="_check_is_size will be removed", category=FutureWarning)
        warnings.filterwarnings("ignore", message="The tensor attributes? self.recurrent._flat_weights")
        batch = {0: torch.export.Dim("batch")}
        program = torch.onnx.export(
            network, (torch.rand(2, *shape),), dynamo=True, dynamic_shapes=(batch,), verbose=False
        )
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", NETWORKS)
def test_export_agrees_at_any_batch_size(name):
    network, shape = NETWORKS[name]().eval(), SHAPES.get(name, (1, 8, 8))
    session = onnxruntime.InferenceSession(export(network, shape), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    for size in (1, 5):
        x = torch.randn(size, *shape)
        (logits,) = session.run(None, {source.name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), network(x).detach(), rtol=1e-4, atol=1e-5)
