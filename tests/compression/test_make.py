"""Every step once, whoever asks for it; what is taken from the shelf is what would be made."""

import copy
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from stagewise.compression import make as module
from stagewise.compression.export import export_graph
from stagewise.compression.make import Maker, Step, build_steps
from stagewise.compression.shelf import Shelf
from stagewise.compression.steps import Workshop
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import load_inference
from stagewise.tasks.weights import load_weights

FLOAT = {"_target_": "stagewise.compression.candidates.float32.Float32"}
STATIC = {"_target_": "stagewise.compression.candidates.int8_static.Int8Static"}
HALF = {"_target_": "stagewise.compression.candidates.float16.Float16"}


@dataclass
class Scale:
    """A step that changes the network: all weights times a factor."""

    factor: float
    runs: list
    restores: list

    def run(self, inference, workshop):
        self.runs.append(workshop.key)
        changed = copy.deepcopy(inference)
        with torch.no_grad():
            for parameter in changed.network.parameters():
                parameter.mul_(self.factor)
        return changed

    def restore(self, inference, weights, workshop):
        self.restores.append(workshop.key)
        changed = copy.deepcopy(inference)
        load_weights(changed.network, weights)
        return changed


@dataclass
class Counted:
    """A step that changes the graph, counted."""

    does: object
    calls: int = 0

    def __call__(self, source, calibration, out):
        self.calls += 1
        self.does(source, calibration, out)
        return {"call": "told"}


def network_step(factor: float) -> Step:
    target = Target.model_validate({"_target_": "stagewise.compression.networks.scale.Scale", "factor": factor})
    return Step(target, Scale(factor, [], []))


def graph_step(target: dict) -> Step:
    parsed = Target.model_validate(target)
    return Step(parsed, Counted(module.build(parsed)))


@pytest.fixture
def maker(cnn, tmp_path):
    settings = cnn.settings()
    inference = load_inference(settings, cnn.schema, cnn.weights)
    exported = tmp_path / "exported.onnx"
    export_graph(inference, cnn.schema, exported, opset=20)

    def make(base="base", fingerprint=lambda _: "", **changes) -> Maker:
        workshop = Workshop(cnn.settings(**changes), cnn.schema, cnn.processed, tmp_path, base, inference)
        rows = [cnn.rows(split) for split in ("train", "validation")]
        return Maker(workshop, exported, *rows, Shelf(tmp_path / "shelf", fingerprint), tmp_path / "evidence")

    return make


def test_without_steps_there_is_the_exported_graph(maker, tmp_path):
    assert maker().graph(()) == tmp_path / "exported.onnx"
    assert maker().notes(()) == []


def test_candidates_that_begin_alike_share_what_they_share(maker):
    scale, half, static = network_step(1.1), graph_step(HALF), graph_step(STATIC)
    first = maker()
    one, two = first.graph((scale, static)), first.graph((scale, half))
    assert one.read_bytes() != two.read_bytes()
    assert (len(scale.does.runs), half.does.calls, static.does.calls) == (1, 1, 1)
    again = maker()
    assert [again.graph((scale, step)).read_bytes() for step in (static, half)] == [one.read_bytes(), two.read_bytes()]
    assert (len(scale.does.runs), scale.does.restores, half.does.calls, static.does.calls) == (1, [], 1, 1)
    assert again.notes((scale, static)) == [{"step": "Scale"}, {"step": "Int8Static", "call": "told"}]


def test_a_further_step_goes_on_from_the_weights_before_it(maker):
    scale, more = network_step(1.1), network_step(0.9)
    maker().graph((scale,))
    graph = maker().graph((scale, more)).read_bytes()
    assert (len(scale.does.runs), len(scale.does.restores), len(more.does.runs)) == (1, 1, 1)
    fresh = [network_step(1.1), network_step(0.9)]
    other = maker(base="another shelf key")
    assert other.graph(tuple(fresh)).read_bytes() == graph
    assert [len(step.does.restores) for step in fresh] == [0, 0]


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({}, 1),
        ({"base": "other data or weights"}, 2),
        ({"fingerprint": lambda _: "other code"}, 2),
        ({"calibration_samples": 100}, 2),
        ({"max_drop": 0.2, "objective": "score"}, 1),
    ],
    ids=["nothing", "what all follow from", "code", "calibration rows", "the rule of choice"],
)
def test_what_makes_a_candidate_anew(maker, change, made):
    step = graph_step(STATIC)
    maker().graph((step,))
    maker(**change).graph((step,))
    assert step.does.calls == made


def test_a_damaged_entry_is_made_again(maker):
    step = graph_step(STATIC)
    graph = maker().graph((step,))
    before = graph.read_bytes()
    graph.write_bytes(before[:-1])
    assert maker().graph((step,)).read_bytes() == before
    assert step.does.calls == 2


def section(made) -> CompressSection:
    return CompressSection.model_validate({"candidates": {"fp32": FLOAT, "small": made}})


def test_a_step_alone_and_a_list_of_one_are_the_same():
    one, other = (build_steps(section(made))["small"] for made in (STATIC, [STATIC]))
    assert [step.target for step in one] == [step.target for step in other]


def test_the_network_cannot_change_once_it_is_a_graph(monkeypatch):
    monkeypatch.setattr(module, "build", lambda target: Scale(1, [], []) if "Float16" in target.target else object())
    with pytest.raises(ConfigError, match=r"Float16 comes too late(.|\n)*compress\.candidates\.small(.|\n)*first"):
        build_steps(section([STATIC, HALF]))


def test_the_steps_of_a_candidate_are_built_before_any_work():
    with pytest.raises(ConfigError, match="there is no calibration 'other'"):
        build_steps(section([FLOAT, STATIC | {"calibration": "other"}]))


def test_the_evidence_of_a_changed_network_that_its_graph_does_not_follow_is_saved(maker, tmp_path, monkeypatch):
    real = module.export_graph

    def wrong(inference, *arguments, **options):
        other = Scale(1.5, [], []).run(inference, maker()._workshop)
        real(other, *arguments, **options)

    monkeypatch.setattr(module, "export_graph", wrong)
    with pytest.raises(CompressionError, match="does not answer as the network does"):
        maker().graph((network_step(1.1),))
    assert Path(tmp_path / "evidence" / "worst.npz").is_file()
