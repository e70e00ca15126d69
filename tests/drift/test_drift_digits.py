"""Real shifts of real images: each is told within one window, and held-out rows give none."""

import threading
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from watched import digits, make_digits, model_of, send, watched

from stagewise.drift.options import DriftOptions

WINDOW = 200
OPTIONS = DriftOptions(window=WINDOW)

SHIFTS = {
    "blurred": lambda images: ndimage.gaussian_filter(images.astype(float), (0, 1, 1, 0)).round().astype(np.uint8),
    "inverted": lambda images: 255 - images,
    "rotated by a quarter": lambda images: np.rot90(images, axes=(1, 2)),
    "rotated by thirty degrees": lambda images: ndimage.rotate(images, 30, (1, 2), reshape=False, order=1),
    "darker": lambda images: images // 2,
    "noisy": lambda images: (images | (np.random.default_rng(1).random(images.shape) < 0.1) * 255).astype(np.uint8),
    "moved": lambda images: np.roll(images, 1, axis=2),
    "only some digits": lambda images: images[np.resize(np.flatnonzero(digits()[2].targets < 3), WINDOW)],
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_digits(tmp_path_factory.mktemp("digits") / "package")


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_is_told_within_one_window(package, name):
    images = np.ascontiguousarray(SHIFTS[name](digits()[2].inputs))[:WINDOW]

    async def talk(client):
        await send(client, images)
        return await model_of(client)

    traffic = watched([package], talk, OPTIONS)["traffic"]
    assert (traffic["rows"], traffic["windows"], traffic["alarms"]) == (WINDOW, 1, 1)
    assert traffic["last"]["alarm"] is True
    assert traffic["last"]["drifted"]


def test_held_out_rows_give_no_alarm(package):
    held_out = digits()[2]

    async def talk(client):
        await send(client, held_out.inputs[: 2 * WINDOW])
        return await model_of(client)

    traffic = watched([package], talk, OPTIONS)["traffic"]
    assert (traffic["windows"], traffic["alarms"]) == (2, 0)
    assert traffic["last"]["drifted"] == []


def test_metrics_tell_of_the_alarm(package):
    async def talk(client):
        await send(client, digits()[2].inputs[:WINDOW])
        await model_of(client)
        before = (await client.get("/metrics")).body.decode()
        await send(client, 255 - digits()[2].inputs[:WINDOW])
        await model_of(client)
        return before, (await client.get("/metrics")).body.decode()

    before, after = watched([package], talk, OPTIONS)
    who = 'model="digits",part="traffic",role="primary",version="1.0.0"'
    assert f"stagewise_drift_windows_total{{{who}}} 1.0" in before
    assert f"stagewise_drift_alarms_total{{{who}}} 0.0" in before
    assert f"stagewise_drift_windows_total{{{who}}} 2.0" in after
    assert f"stagewise_drift_alarms_total{{{who}}} 1.0" in after
    assert f"stagewise_drift_alarm{{{who}}} 1.0" in after
    assert after.count("stagewise_drift_psi{") == after.count("stagewise_drift_p{") <= 34


def test_labels_tell_accuracy_and_its_fall(package):
    held_out = digits()[2]

    async def label(client, wrong):
        images, labels = held_out.inputs[:WINDOW], (held_out.targets[:WINDOW] + wrong) % 10
        for request_id, begin in zip(await send(client, images), range(0, WINDOW, 100), strict=True):
            sent = {"id": request_id, "labels": [str(digit) for digit in labels[begin : begin + 100]]}
            answer = await client.post("/v1/feedback", sent)
            assert (answer.status, answer.json()) == (200, {"taken": 100})
        return (await model_of(client))["outcomes"], (await client.get("/metrics")).body.decode()

    async def talk(client):
        return await label(client, 0), await label(client, (np.arange(WINDOW) % 5 == 0))

    (right, metrics), (wrong, later) = watched([package], talk, OPTIONS)
    assert (right["windows"], right["alarms"]) == (1, 0)
    assert (wrong["windows"], wrong["alarms"]) == (2, 1)
    assert "outcome.correct" in wrong["last"]["drifted"]
    who = '{model="digits",role="primary",version="1.0.0"}'
    accuracies = [
        float(next(line for line in text.splitlines() if line.startswith(f"stagewise_drift_accuracy{who}")).split()[-1])
        for text in (metrics, later)
    ]
    assert accuracies[0] > 0.9
    assert accuracies[1] < 0.85
    assert 'stagewise_feedback_total{outcome="taken"} 400.0' in later


def test_requests_do_not_wait_for_what_is_behind(package):
    """Rows that come while threads are far behind are dropped and counted; memory stays bounded."""

    async def talk(client):
        gate = threading.Event()
        for _ in range(2):
            client.service.readers.submit(gate.wait)
        await send(client, np.resize(digits()[2].inputs, (256 * 6, 8, 8, 1)), 256)
        gate.set()
        return (await client.get("/v1/drift")).json()

    found = watched([package], talk, OPTIONS)
    assert found["dropped_rows"] == 512
    assert found["models"][0]["traffic"]["rows"] == 1024
