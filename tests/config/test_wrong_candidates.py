"""What is said about wrong candidates: steps, lists of them, and the networks that are distilled into."""

from pathlib import Path

import pytest

from stagewise.config.compose import compose
from stagewise.errors import ConfigError

INT8 = "{_target_: stagewise.compression.candidates.int8_static.Int8Static}"
PRUNE = "stagewise.compression.networks.prune.Prune"
DISTILL = "stagewise.compression.networks.distill.Distill"
CNN = "stagewise.models.cnn.CNN"


def candidate(steps: str) -> str:
    """The section with fp32 and a candidate ``x`` of the given steps, in YAML."""
    return f"compress={{use: fp32, candidates: {{x: {steps}}}}}"


RIGHT = [
    f"{{_target_: {PRUNE}, ratio: 0.5}}",
    f"[{{_target_: {PRUNE}, ratio: 0.5, epochs: 3, lr: 0.001, distill: {{temperature: 4.0}}}}, {INT8}]",
    f"[{{_target_: {DISTILL}, model: {{_target_: {CNN}, channels: [8]}}}}, {{_target_: {PRUNE}, ratio: 0.5}}, {INT8}]",
    "[{_target_: stagewise.compression.networks.low_rank.LowRank, energy: 0.9}]",
    "[{_target_: stagewise.compression.networks.sparse.Sparsify, ratio: 0.9, distill: null}]",
    f"[{{_target_: stagewise.compression.networks.quantization_aware.QuantizationAware, epochs: 1}}, {INT8}]",
]

WRONG = [
    # names and roles
    ("{_target_: os.system}", "compress.candidates.x._target_: 'os.system' may not be named by a config ("),
    ("[{_target_: os.system}]", "compress.candidates.x.0._target_: 'os.system' may not be named by a config ("),
    ("[{_target_: os.system}]", "; name a candidate of stagewise.compression.candidates.* or stagewise.compression.networks.*, or add"),
    (f"[{INT8}, {{_target_: {CNN}}}]", f"compress.candidates.x.1._target_: {CNN} is no candidate: those lie below stagewise.compression.candidates or stagewise.compression.networks"),
    ("[{_target_: stagewise.compression.networks.prune.Prun, ratio: 0.5}]", "compress.candidates.x.0._target_: 'stagewise.compression.networks.prune.Prun' does not exist"),
    ("[]", "compress.candidates.x: "),
    ("3", "compress.candidates.x: "),
    # arguments
    (f"{{_target_: {PRUNE}}}", f"compress.candidates.x.ratio: {PRUNE} requires it, but it is nowhere set"),
    (f"[{{_target_: {PRUNE}, ratio: 0.5, epoch: 3}}]", f"compress.candidates.x.0.epoch: {PRUNE} has no argument of this name ("),
    (f"[{{_target_: {PRUNE}, ratio: 0.5, epoch: 3}}]", "; did you mean epochs"),
    (f"[{{_target_: {PRUNE}, ratio: 1.0}}]", "compress.candidates.x.0.ratio: should be less than 1, not 1.0"),
    (f"[{{_target_: {PRUNE}, ratio: 0.5, lr: 0}}]", "compress.candidates.x.0.lr: should be greater than 0, not 0"),
    (f"[{{_target_: {PRUNE}, ratio: 0.5, distill: {{heat: 3}}}}]", "compress.candidates.x.0.distill.heat: should be 'temperature' or 'alpha'"),
    (f"[{{_target_: {PRUNE}, ratio: 0.5, distill: {{alpha: x}}}}]", 'compress.candidates.x.0.distill.alpha: should be a valid number, not "x"'),
    # the network that is distilled into
    (f"{{_target_: {DISTILL}}}", f"compress.candidates.x.model: {DISTILL} requires it, but it is nowhere set"),
    (f"[{{_target_: {DISTILL}, model: small}}]", 'compress.candidates.x.0.model: should be an object, not "small"'),
    (f"{{_target_: {DISTILL}, model: {{_target_: os.system}}}}", "compress.candidates.x.model._target_: 'os.system' may not be named by a config"),
    (f"[{{_target_: {DISTILL}, model: {{_target_: os.system}}}}]", "; name a network of stagewise.models.*"),
    (f"[{{_target_: {DISTILL}, model: {{_target_: {PRUNE}}}}}]", f"compress.candidates.x.0.model._target_: {PRUNE} is no network: it does not take input_shape, outputs"),
    (f"[{{_target_: {DISTILL}, model: {{_target_: {CNN}, chanels: [8]}}}}]", f"compress.candidates.x.0.model.chanels: {CNN} has no argument of this name ("),
    (f"{{_target_: {DISTILL}, model: {{_target_: {CNN}, hidden: 0}}}}", "compress.candidates.x.model.hidden: should be greater than 0, not 0"),
    (f"[{{_target_: {DISTILL}, model: {{_target_: {CNN}, outputs: 3}}}}]", "compress.candidates.x.0.model.outputs: is given to a network by the pipeline, not by a config"),
    (f"[{{_target_: {DISTILL}, model: {{_target_: stagewise.models.text_bag.TextBag}}}}]", "compress.candidates.x.0.model._target_: stagewise.models.text_bag.TextBag takes tokens inputs, but data.feature gives image"),
    # the order of steps
    (f"[{INT8}, {{_target_: {PRUNE}, ratio: 0.5}}]", "compress.candidates.x.1: Prune changes the network, but Int8Static before it has made a graph of it; put it first"),
]  # fmt: skip


@pytest.mark.parametrize("steps", RIGHT)
def test_right_candidates_are_taken(project: Path, steps: str) -> None:
    made = compose(project, [candidate(steps)]).compress.candidates["x"]
    assert isinstance(made, list) == steps.startswith("[")


@pytest.mark.parametrize(("steps", "message"), WRONG, ids=[f"{steps}: {message[:30]}" for steps, message in WRONG])
def test_a_wrong_candidate_is_named_with_its_cause(project: Path, steps: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(project, [candidate(steps)])
    assert message in str(caught.value)


def test_a_mistake_in_a_list_is_named_with_its_line(project: Path) -> None:
    file = project / "conf/compress/fp32.yaml"
    lines = ["  small:", f"  - _target_: {DISTILL}", "    model:", f"      _target_: {CNN}", "      hiden: 3"]
    text = file.read_text().replace("opset:", "\n".join([*lines, "opset:"]), 1)
    file.write_text(text)
    line = text.splitlines().index("      hiden: 3") + 1
    with pytest.raises(ConfigError) as caught:
        compose(project, ["compress=fp32"])
    wanted = f"compress.candidates.small.0.model.hiden: {CNN} has no argument of this name (conf/compress/fp32.yaml:{line}); did you mean hidden"
    assert wanted in str(caught.value)
