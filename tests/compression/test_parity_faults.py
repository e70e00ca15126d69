"""Planted faults: each is refused, with the worst example saved."""

from pathlib import Path

import numpy as np
import planted
import pytest
import torch
from torch import nn
from torch.nn import functional

from stagewise.compression.checks.answers import Answer
from stagewise.compression.checks.parity import check_chosen, check_export, check_parity, network_runner
from stagewise.compression.export import export_graph
from stagewise.config.schema.compress import Parity
from stagewise.errors import CompressionError
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.inputs.image import ImageInputs


def refused(cnn, inference, graph, evidence):
    with pytest.raises(CompressionError) as caught:
        check_parity(Parity(samples=40), inference, graph, cnn.rows("validation"), seed=1, threads=1, evidence=evidence)
    return caught.value


def refused_chosen(cnn, exported, graph, evidence, agreement=1.0, **changes):
    inference, fp32 = exported
    with pytest.raises(CompressionError) as caught:
        check_chosen(
            Parity(samples=40, **changes), fp32, graph, cnn.rows("validation"), inference,
            agreement=agreement, seed=1, threads=1, evidence=evidence,
        )  # fmt: skip
    return caught.value


OTHER = "the ONNX graph does not answer as the network does"


@pytest.mark.parametrize(
    ("fault", "message", "first"),
    [
        (planted.wrong_normalisation, OTHER, ""),
        (planted.transposed_input, OTHER, ""),
        (planted.label_off_by_one, OTHER, ""),
        (planted.fails_at_three, "the ONNX graph cannot run a batch of 3", ""),
        (planted.no_number_for_uniform, OTHER, "all "),
        (planted.doubled_for_uniform, OTHER, "all "),
    ],
)
def test_a_graph_with_a_fault_is_refused(cnn, exported, tmp_path, fault, message, first):
    inference, path = exported
    graph = planted.plant(path, tmp_path / "fault.onnx", fault)
    error = refused(cnn, inference, graph, tmp_path / "evidence")
    assert error.what == message
    assert error.where == str(tmp_path / "evidence" / "worst.npz")
    with np.load(error.where) as worst:
        assert str(worst["id"]).startswith(first)
        assert worst["input"].shape[-3:] == (8, 8, 1) and worst["input"].dtype == np.uint8
    assert all(detail.startswith(first) for detail in error.details)


class Larger(nn.Module):
    """Interpolates to twice the size first."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(256, 10)

    def forward(self, x):
        return self.head(functional.interpolate(x, size=(16, 16), mode="bilinear").flatten(1)) * 5


def test_another_way_to_resize_is_refused(cnn, tmp_path):
    torch.manual_seed(0)
    inference = Classifier(Larger(), ImageInputs(cnn.schema), cnn.schema).eval()
    export_graph(inference, cnn.schema, tmp_path / "model.onnx", opset=20)
    places = {"seed": 1, "threads": 1, "evidence": tmp_path}
    rows = cnn.rows("validation")
    assert check_parity(Parity(samples=40), inference, tmp_path / "model.onnx", rows, **places).label_agreement == 1
    graph = planted.plant(tmp_path / "model.onnx", tmp_path / "nearest.onnx", planted.nearest_resize)
    assert refused(cnn, inference, graph, tmp_path).what == OTHER


def test_hostile_rows_alone_show_a_fault_that_no_real_row_shows(cnn, exported, tmp_path):
    inference, path = exported
    graph = planted.plant(path, tmp_path / "fault.onnx", planted.doubled_for_uniform)
    names = {detail.split(":")[0] for detail in refused(cnn, inference, graph, tmp_path).details}
    assert names <= {f"all {grey} ({how})" for grey in (0, 128, 255) for how in ("alone", "together")}


@pytest.mark.parametrize(
    ("fault", "message", "why"),
    [
        (planted.label_off_by_one, "the chosen candidate gives answers that are none", "a label outside 0 to 9"),
        (planted.no_number_for_uniform, "the chosen candidate gives answers that are none", "3 of 61 answers hold"),
        (planted.fails_at_three, "the chosen candidate cannot run a batch of 3", "Gather"),
    ],
)
def test_a_chosen_candidate_with_a_fault_is_refused(cnn, exported, tmp_path, fault, message, why):
    graph = planted.plant(exported[1], tmp_path / "fault.onnx", fault)
    error = refused_chosen(cnn, exported, graph, tmp_path / "evidence")
    assert error.what == message
    assert why in error.why
    assert Path(error.where) == tmp_path / "evidence" / "worst-chosen.npz" and Path(error.where).exists()


def test_a_chosen_candidate_of_another_opinion_is_refused(cnn, exported, tmp_path):
    graph = planted.plant(exported[1], tmp_path / "fault.onnx", planted.transposed_input)
    error = refused_chosen(cnn, exported, graph, tmp_path, agreement=0.9499)
    assert error.what == "the chosen candidate gives other answers than fp32"
    assert error.why == "94.99% of the validation rows get the same answer (needed: 95.00%)"
    assert "became" in error.details[0]
    with np.load(error.where) as worst:
        assert worst["expected_0"] != worst["got_0"]
    assert "needed: 60.00%" in refused_chosen(cnn, exported, graph, tmp_path, 0.5, chosen_agreement=0.6).why


def test_a_chosen_candidate_may_give_other_numbers(cnn, exported, tmp_path):
    inference, fp32 = exported
    graph = planted.plant(fp32, tmp_path / "other.onnx", planted.wrong_normalisation)
    places = {"seed": 1, "threads": 1, "evidence": tmp_path / "evidence"}
    report = check_chosen(Parity(), fp32, graph, cnn.rows("validation"), inference, agreement=0.95, **places)
    assert report.largest_difference > 0.01
    assert (report.rows, report.hostile) == (256, 10)
    assert not (tmp_path / "evidence").exists()


def test_outputs_of_another_form_are_told(cnn, exported, tmp_path):
    inference, _ = exported
    network = network_runner(inference)
    wide = lambda batch: (network(batch)[0], np.hstack([network(batch)[1]] * 2))  # noqa: E731
    with pytest.raises(CompressionError, match="the export mine gives outputs of another form") as caught:
        check_export(Parity(samples=9), inference, wide, cnn.rows("validation"), name="mine", seed=1, evidence=tmp_path)
    assert "float32[10], got int64[], float32[20]" in caught.value.details[0]
    assert caught.value.where == str(tmp_path / "worst-mine.npz")


class Picky(Classifier):
    """Refuses black images, as networks refuse rows longer than they know."""

    def forward(self, raw):
        if len(raw) == 1 and raw.max() == 0:
            raise ValueError("too dark")
        return super().forward(raw)


def test_what_the_network_refuses_is_left_out_and_told(cnn, exported, tmp_path):
    inference, graph = exported
    picky = Picky(inference.network, inference.inputs, cnn.schema)
    rows = cnn.rows("validation")
    report = check_parity(Parity(samples=9), picky, graph, rows, seed=1, threads=1, evidence=tmp_path)
    assert (report.left_out, report.hostile) == (["all 0"], 9)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("expected", "got", "excess", "loses"),
    [
        ([1.0, NAN], [1.0, NAN], 0, False),
        ([1.0, NAN], [1.0, INF], 0, False),  # neither is a number
        ([1.0, NAN], [1.0, 2.0], INF, False),
        ([1.0, -INF], [1.0, 2.0], INF, False),
        ([1.0, 2.0], [1.0, NAN], INF, True),
        ([1.0, 2.0], [INF, 2.0], INF, True),
        ([0.0, 0.0], [0.0, 5e-5], 0.5, False),
        ([1e6, NAN], [1e6 + 2000, NAN], 2, False),
        ([], [], 0, False),
    ],
)
def test_what_is_no_number_must_be_none_in_both(expected, got, excess, loses):
    answer = Answer("row", np.zeros(1), (np.array(expected),), (np.array(got),))
    assert answer.excess(Parity(rtol=1e-3, atol=1e-4)) == pytest.approx(excess, rel=1e-3)
    assert answer.loses_numbers() == loses
    assert np.isfinite(answer.difference())
    assert answer.describe().startswith("row: ")


def test_the_label_of_no_number_is_none():
    scores, other = np.array([NAN, 1.0]), np.array([NAN, NAN])
    assert Answer("row", np.zeros(1), (np.array(0), scores), (np.array(1), other)).same()
    assert not Answer("row", np.zeros(1), (np.array(0), np.ones(2)), (np.array(1), np.ones(2))).same()
