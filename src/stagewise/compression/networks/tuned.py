"""What the steps share that change a network and train it again: copying, training, restoring, refusals."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from stagewise.compression.networks.distillation import Distillation, check_distillation
from stagewise.compression.steps import Workshop
from stagewise.compression.tuning import Tuning, fine_tune
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import set_threads
from stagewise.tasks.inference import Inference
from stagewise.tasks.weights import load_weights


class TunedStep(ABC):
    """Base of the ``NetworkStep`` classes: a change that follows from the network alone, then training.

    Args:
        epochs: of the training; a share of those of training when None.
        lr: peak of its learning rate; a share of that of training when None.
        batch_size: that of training when None.
        distill: ``temperature`` and ``alpha`` with which the trained network of before all steps teaches the new one
            (see ``Distill``); None trains by the labels alone.

    Raises:
        ConfigError: a value is out of range.
    """

    epoch_share: ClassVar[float] = 0.25
    """Of the epochs of training, where ``epochs`` is None."""
    lr_share: ClassVar[float] = 0.1
    """Of the learning rate of training, where ``lr`` is None."""

    def __init__(
        self,
        *,
        epochs: Annotated[int, Gt(0)] | None = None,
        lr: Annotated[float, Gt(0)] | None = None,
        batch_size: Annotated[int, Gt(0)] | None = None,
        distill: dict[Literal["temperature", "alpha"], Annotated[float, Gt(0)]] | None = None,
    ) -> None:
        for name, value in {"epochs": epochs, "lr": lr, "batch_size": batch_size}.items():
            if value is not None and not value > 0:
                raise wrong(self, f"{name} is {value}", "choose a number above 0, or null for the default")
        if distill is not None:
            if unknown := sorted(set(distill) - {"temperature", "alpha"}):
                raise wrong(self, f"distill has {', '.join(unknown)}", "it takes temperature and alpha")
            check_distillation(distill.get("temperature", 1), distill.get("alpha", 1), type(self).__name__)
        self._tuning = Tuning(epochs, lr, batch_size, self.epoch_share, self.lr_share)
        self._distill = distill

    @abstractmethod
    def change(self, inference: Inference, workshop: Workshop) -> Inference:
        """The network in its new shape, not trained yet: a function of the arguments.

        Args:
            inference: a copy, which may be changed and returned.
            workshop: see there.
        """

    def held(self, inference: Inference) -> AbstractContextManager[None]:  # noqa: ARG002
        """Put into the network what must be there while it is trained; at the end only its effect is left."""
        return nullcontext()

    def run(self, inference: Inference, workshop: Workshop) -> Inference:
        """The changed network, trained; see ``NetworkStep``."""
        changed = self._changed(inference, workshop)
        with self.held(changed):
            fine_tune(changed, workshop, self._tuning, self._teacher(workshop))
        return changed.eval()

    def restore(self, inference: Inference, weights: Path, workshop: Workshop) -> Inference:
        """The changed network with its saved weights; see ``NetworkStep``."""
        changed = self._changed(inference, workshop)
        load_weights(changed.network, weights)
        return changed.eval()

    def _changed(self, inference: Inference, workshop: Workshop) -> Inference:
        set_threads(workshop.settings.threads)
        return self.change(deepcopy(inference), workshop)

    def _teacher(self, workshop: Workshop) -> Distillation | None:
        if self._distill is None:
            return None
        named = {str(name): value for name, value in self._distill.items()}
        return Distillation(workshop.teacher, classes=has_classes(workshop), **named)


def has_classes(workshop: Workshop) -> bool:
    """Whether the network's outputs are logits of classes."""
    return workshop.schema.splits["train"].class_counts is not None


def wrong(step: object, what: str, fix: str) -> ConfigError:
    """The error of a wrong argument of a step."""
    return ConfigError(f"{type(step).__name__}: {what}", where="compress.candidates", fix=fix)


def example_input(inference: Inference) -> Tensor:
    """What the network takes, of two rows."""
    with torch.no_grad():
        return inference.features(inference.decode(inference.source.example()[0]))


def layers_with_weights(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> dict[str, nn.Module]:
    """The layers of exactly these classes by name; subclasses may use their weights in other ways."""
    return {name: module for name, module in network.named_modules() if type(module) in kinds}


def last_layer(inference: Inference, layers: dict[str, nn.Module]) -> str | None:
    """Name of the layer that is run last, and so makes the answer."""
    called: list[str] = []
    handles = [layer.register_forward_hook(lambda *_, name=name: called.append(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            inference.network.eval()(example_input(inference))
    finally:
        for handle in handles:
            handle.remove()
    return called[-1] if called else None


@contextmanager
def refusing(inference: Inference, what: str, fix: str) -> Iterator[None]:
    """Tell whatever goes wrong within, and outputs of another shape after it, as one error that names the network.

    Args:
        inference: its network is changed within.
        what: cannot be done with the network: "pruned".
        fix: what to do instead.

    Raises:
        CompressionError: as said.
    """
    name = type(inference.network).__name__
    try:
        x = example_input(inference)
        before = _output(inference.network, x)
        yield
        after = _output(inference.network, x)
    except CompressionError:
        raise
    except Exception as error:  # the libraries, and the network itself, raise whatever they like
        raise cannot(name, what, f"{type(error).__name__}: {str(error).splitlines()[0][:200]}", fix) from error
    if before.shape != after.shape:
        raise cannot(name, what, f"its outputs would be of {list(after.shape)}, not {list(before.shape)}", fix)


def cannot(network: str, what: str, why: str, fix: str) -> CompressionError:
    """The error of a network that a step cannot change."""
    return CompressionError(f"{network} cannot be {what}", where="compress.candidates", why=why, fix=fix)


def _output(network: nn.Module, x: Tensor) -> Any:
    with torch.no_grad():
        return network.eval()(x)
