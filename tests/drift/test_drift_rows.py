"""Rows of other texts, of changed tables, of another split: what is told of them, and what is not."""

import json

import numpy as np
import pytest
from serving.small_packages import MAKERS, WORDS
from watched import Stored, add_reference, digits, make_digits, model_of, run, send, watched

from stagewise.drift.columns import Column, Columns, outcomes, said
from stagewise.drift.monitor import Monitor
from stagewise.drift.options import DriftOptions
from stagewise.drift.page import _bin_names
from stagewise.drift.reference import FILE, check_reference, describe
from stagewise.drift.shift import judge
from stagewise.packaging.predictor import Predictor

WINDOW = 100
FILMS = ["the", "plot", "is", "thin", "but", "its", "heart", "beats", "with", "charm"]


class Ragged(Stored):
    """Rows of any length, padded to the longest that are taken together, as processed texts are."""

    def take(self, indices):
        return self.inputs[indices][:, : self.lengths[indices].max()]


def _monitor(package, window=WINDOW):
    columns = Columns(json.loads((package / "schema.json").read_text()))
    return Monitor(columns, check_reference(json.loads((package / FILE).read_text()), columns), window, 0.001)


def _verdict(package, rows):
    """Of one window of all rows, each measured alone, as a service does with texts of any length."""
    monitor, graph = _monitor(package, len(rows)), run(package)
    outputs = [np.concatenate(output) for output in zip(*(graph(row[None]) for row in rows), strict=True)]
    (verdict,) = monitor.traffic.add(monitor.columns.table(rows, outputs))
    return verdict


def _names(verdict):
    return {shift.name for shift in verdict.drifted}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A package of texts, and two hundred that its reference has not seen."""
    package = MAKERS["text"](tmp_path_factory.mktemp("texts") / "texts")
    many, reader = np.random.default_rng(11), Predictor.load(package).reader
    rows = [reader.encode(" ".join(many.choice(WORDS, many.integers(1, 7)))) for _ in range(400)]
    lengths, padded = np.array([len(row) for row in rows[:200]]), np.zeros((200, 8), np.int32)
    for number, length in enumerate(lengths):
        padded[number, :length] = rows[number]
    return add_reference(package, Ragged(padded, np.zeros(200, np.int64), lengths)), reader, rows[200:]


def test_texts_alike_are_quiet(texts):
    package, _, rows = texts
    assert not _verdict(package, rows[:WINDOW]).alarm


def test_texts_of_another_kind_are_told(texts):
    package, reader, _ = texts
    many = np.random.default_rng(12)
    films = [reader.encode(" ".join(many.permutation(FILMS)[:6])) for _ in range(WINDOW)]
    assert {"input.length", "input.unknown"} <= _names(_verdict(package, films))


def test_the_order_of_words_is_not_watched(texts):
    """A limit: a network that does not mind it gives the same answers, and none of the columns holds it."""
    package, _, rows = texts
    there, back = _verdict(package, rows[:WINDOW]), _verdict(package, [row[::-1] for row in rows[:WINDOW]])
    assert [shift.p for shift in there.shifts] == [shift.p for shift in back.shifts]


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    many = np.random.default_rng(13)

    def rows(count):
        return np.stack([many.normal(5, 2, count), many.integers(1, 4, count)], 1).astype(np.float32)

    first = rows(400)
    package = MAKERS["table"](tmp_path_factory.mktemp("tables") / "prices")
    return add_reference(package, Stored(first, first.mean(1))), rows(WINDOW)


def test_a_table_alike_is_quiet(prices):
    package, table = prices
    assert not _verdict(package, list(table)).alarm


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda table: table * np.array([1000, 1], np.float32), {"input.rooms", "answer.value"}),
        (lambda table: np.where([True, False], table + 3, table).astype(np.float32), {"input.rooms", "answer.value"}),
        (lambda table: np.where([True, False], np.nan, table).astype(np.float32), {"input.rooms", "answer.value"}),
        (lambda table: np.where([False, True], 3, table).astype(np.float32), {"input.colour"}),
        (lambda table: table[table[:, 1] != 2], {"input.colour"}),
    ],
    ids=["scaled", "moved", "no number", "no category", "one group left out"],
)
def test_a_changed_column_is_told_by_its_name(prices, change, told):
    package, table = prices
    found = _names(_verdict(package, list(change(table))))
    assert told <= found <= told | {"answer.value"}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return make_digits(tmp_path_factory.mktemp("digits") / "package")


def _measure(package, rows, window=WINDOW):
    monitor, outputs = _monitor(package, window), run(package)(rows.inputs)
    return monitor, monitor.columns.table(list(rows.inputs), outputs), outcomes(said("class", outputs), rows.targets)


@pytest.mark.parametrize("split", [0, 2], ids=["rows it was trained on", "rows it has not seen"])
def test_another_split_is_quiet(package, split):
    monitor, table, told = _measure(package, digits()[split])
    assert not [name for verdict in monitor.traffic.add(table) for name in _names(verdict)]
    assert not [name for verdict in monitor.outcomes.add(told) for name in _names(verdict)]
    assert monitor.traffic.windows == len(table) // WINDOW > 3


def test_names_that_change_their_meaning_are_told_by_labels_alone(package):
    rows = digits()[2]
    swapped = np.where(rows.targets == 3, 8, np.where(rows.targets == 8, 3, rows.targets))
    monitor, table, told = _measure(package, Stored(rows.inputs, swapped), 2 * WINDOW)
    assert not any(verdict.alarm for verdict in monitor.traffic.add(table))
    assert all("outcome.correct" in _names(verdict) for verdict in monitor.outcomes.add(told))


def test_overconfidence_is_on_every_surface(package):
    """A network that is as sure of inverted digits, and wrong."""
    rows = digits()[2]

    async def talk(client):
        for request_id, begin in zip(await send(client, 255 - rows.inputs[:WINDOW], 50), (0, 50), strict=True):
            labels = [str(digit) for digit in rows.targets[begin : begin + 50]]
            await client.post("/v1/feedback", {"id": request_id, "labels": labels})
        return await model_of(client), (await client.get("/metrics")).body.decode()

    model, metrics = watched([package], talk, DriftOptions(window=WINDOW))
    means = {
        column["name"]: column["mean"] for part in ("traffic", "outcomes") for column in model[part]["last"]["columns"]
    }
    line = next(line for line in metrics.splitlines() if line.startswith("stagewise_drift_overconfidence{"))
    assert float(line.split()[-1]) == pytest.approx(means["outcome.overconfidence"])
    accuracy = next(line for line in metrics.splitlines() if line.startswith("stagewise_drift_accuracy{"))
    expected = means["answer.confidence"] - float(accuracy.split()[-1])
    assert means["outcome.overconfidence"] == pytest.approx(expected, abs=1e-3)
    assert expected > 0.3
    assert means["answer.class"] is None


def test_what_falls_below_a_value_that_most_rows_had_is_large():
    """The index of a column with one bin for all of it would be nothing, whatever comes."""
    entry = describe(Column("input.brightest"), np.ones(200, np.float32))
    assert judge([entry], 200, np.ones((100, 1), np.float32), 0.001).shifts[0].psi < 0.01
    for value in (0.9, 1.1):
        assert judge([entry], 200, np.full((100, 1), value, np.float32), 0.001).shifts[0].psi > 5
    assert _bin_names(entry["bins"]) == ["below 1", "up to 1", "above 1", "missing"]


def test_what_happens_in_the_tail_of_zeros_is_seen():
    values = np.where(np.arange(1000) % 12, 0, np.arange(1000)).astype(np.float32)
    entry = describe(Column("input.gain"), values)
    assert judge([entry], 1000, values[:, None], 0.001).shifts[0].psi < 0.001
    assert judge([entry], 1000, values[:, None] / 1000, 0.001).shifts[0].psi > 0.1


def test_a_mean_is_of_what_is_there():
    entry = describe(Column("input.x"), np.arange(100, dtype=np.float32))
    for values, mean in (([1.0, 2.0, np.nan], 1.5), ([np.nan] * 3, None)):
        assert judge([entry], 100, np.array(values, np.float32)[:, None], 0.001).shifts[0].mean == mean
