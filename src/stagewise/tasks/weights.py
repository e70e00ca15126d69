"""Reading and writing the weights of a network, as safetensors only: no pickle ever runs."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stagewise.errors import TrainingError


def save_weights(state: dict[str, Tensor], path: Path) -> None:
    """Write a state dict: on the CPU, contiguous, floats as float32, equal bytes for equal weights."""
    save_file({name: _canonical(tensor) for name, tensor in sorted(state.items())}, path)


def load_weights(network: nn.Module, path: Path) -> None:
    """Copy the weights in ``path`` into ``network``; names and shapes must be the same.

    Raises:
        TrainingError: the file is missing or damaged, or its tensors are not those of the network.
    """
    tensors = _read(path)
    problems = _mismatches(network.state_dict(), tensors)
    if problems:
        raise TrainingError(
            "the weights do not fit the network",
            where=str(path),
            why=f"{len(problems)} tensors differ in name or shape",
            details=_examples(problems),
            fix="choose the model (and the data: classes, image size) that the weights were trained with",
        )
    network.load_state_dict(tensors)


def _canonical(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32)
    # A copy: tied weights may not share storage in a safetensors file.
    return tensor.clone(memory_format=torch.contiguous_format)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise TrainingError("there is no weights file", where=str(path), fix="run the train stage, or correct the path")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise TrainingError(
            "the weights file cannot be read",
            where=str(path),
            why=f"not a whole .safetensors file ({error})",
            fix="copy it again, or convert other formats with safetensors.torch.save_file",
        ) from error


def _mismatches(expected: dict[str, Tensor], found: dict[str, Tensor]) -> list[str]:
    missing = [f"missing: {name} {list(expected[name].shape)}" for name in expected if name not in found]
    unexpected = [f"unexpected: {name} {list(found[name].shape)}" for name in sorted(found) if name not in expected]
    shapes = [
        f"shape: {name} is {list(found[name].shape)} in the file, {list(tensor.shape)} in the network"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return missing + unexpected + shapes


def _examples(problems: list[str], limit: int = 5) -> list[str]:
    rest = len(problems) - limit
    return problems[:limit] + ([f"and {rest} more"] if rest > 0 else [])
