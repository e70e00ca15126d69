"""Feedback over HTTP, packages without a reference, and versions that come and go."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from serving.small_packages import MAKERS, make_shades
from serving.talking import local
from watched import Stored, add_reference, digits, make_digits, model_of, send, watched

from stagewise.drift.options import DriftError, DriftOptions
from stagewise.packaging.manifest import write_manifest
from stagewise.serving.app import create_app
from stagewise.serving.drift.budget import Budget
from stagewise.serving.drift.router import drift
from stagewise.serving.options import Options
from stagewise.serving.service import Service

ONE = DriftOptions(window=20)
TABLE = {"rooms": 3, "colour": "green"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A table whose answers are numbers, and forecasts, each with a reference; images without one."""
    root, many = tmp_path_factory.mktemp("packages"), np.random.default_rng(4)
    table = np.stack([many.normal(5, 2, 200).round(), many.integers(1, 3, 200)], 1).astype(np.float32)
    series = many.normal(size=(200, 3, 2)).astype(np.float32)
    return {
        "table": add_reference(MAKERS["table"](root / "table"), Stored(table, table.mean(1))),
        "series": add_reference(MAKERS["series"](root / "series"), Stored(series, series)),
        "image": MAKERS["image"](root / "image"),
        "digits": make_digits(root / "digits"),
    }


async def _ask(client, count=1):
    inputs = {"inputs": [TABLE] * count} if count > 1 else {"input": TABLE}
    answer = await client.post("/v1/predict", inputs)
    assert answer.status == 200, answer.body
    return answer.json()["id"]


def test_a_label_finds_its_answer_once(packages):
    async def talk(client):
        request_id = await _ask(client)
        return [await client.post("/v1/feedback", {"id": request_id, "label": 2.5}) for _ in range(2)]

    first, second = watched([packages["table"]], talk, ONE)
    assert (first.status, first.json()) == (200, {"taken": 1})
    assert second.status == 404
    assert second.json()["type"] == "urn:stagewise:problem:not-found"


BAD = [
    ('{"id": "ID", "label": 1', 400, "malformed"),
    ('{"id": "ID", "label": 1, "label": 2}', 400, "malformed"),
    ("", 400, "malformed"),
    ("[]", 422, "invalid"),
    ('{"id": "ID"}', 422, "invalid"),
    ('{"id": "ID", "label": 1, "more": 2}', 422, "invalid"),
    ('{"id": 7, "label": 1}', 422, "invalid"),
    ('{"id": ["ID"], "label": 1}', 422, "invalid"),
    ('{"id": "ID", "labels": 1}', 422, "invalid"),
    ('{"id": "ID", "labels": []}', 422, "invalid"),
    ('{"id": "ID", "labels": [1, 2]}', 422, "invalid"),
    ('{"id": "ID", "label": "1"}', 422, "invalid"),
    ('{"id": "ID", "label": true}', 422, "invalid"),
    ('{"id": "ID", "label": null}', 422, "invalid"),
    ('{"id": "ID", "label": [1]}', 422, "invalid"),
    ('{"id": "ID", "label": 1e999}', 400, "malformed"),
    ('{"id": "../../etc/passwd", "label": 1}', 404, "not-found"),
]


@pytest.mark.parametrize(("body", "status", "kind"), BAD, ids=range(len(BAD)))
def test_feedback_that_cannot_be_used_is_refused_and_can_be_corrected(packages, body, status, kind):
    async def talk(client):
        request_id = await _ask(client)
        wrong = await client.post("/v1/feedback", body.replace("ID", request_id).encode())
        right = await client.post("/v1/feedback", {"id": request_id, "label": 1})
        return wrong, right, (await client.get("/v1/drift")).json()["feedback"]

    wrong, right, counts = watched([packages["table"]], talk, ONE)
    assert (wrong.status, wrong.json()["type"]) == (status, f"urn:stagewise:problem:{kind}")
    assert right.status == 200
    unknown = int(status == 404)
    assert counts == {"taken": 1, "unknown": unknown, "refused": 1 - unknown}


def test_a_class_that_is_none_is_told_with_its_place(packages):
    async def talk(client):
        (request_id,) = await send(client, digits()[2].inputs[:3])
        return await client.post("/v1/feedback", {"id": request_id, "labels": ["1", "ten", {}]})

    answer = watched([packages["digits"]], talk, ONE)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/labels/1", "/labels/2"]


def test_feedback_is_json_and_bounded(packages):
    async def talk(client):
        other = await client.post("/v1/feedback", b"{}", {"content-type": "text/plain"})
        large = await client.post("/v1/feedback", b" " * (Options().limits.body_bytes + 1))
        return other.status, large.status, (await client.get("/v1/feedback")).status, client.service.room.bytes

    assert watched([packages["table"]], talk, ONE) == (415, 413, 405, 0)


def test_of_a_forecast_no_labels_are_taken(packages):
    async def talk(client):
        answer = await client.post("/v1/predict", b"a,b\n1,2\n2,4\n3,6\n", {"content-type": "text/csv"})
        refused = await client.post("/v1/feedback", {"id": answer.json()["id"], "label": 1})
        return refused.status, await model_of(client)

    status, model = watched([packages["series"]], talk, ONE)
    assert status == 404
    assert model["traffic"]["rows"] == 1
    assert "outcomes" not in model


def test_errors_of_numbers_are_told(packages):
    async def talk(client):
        request_id = await _ask(client, 20)
        await client.post("/v1/feedback", {"id": request_id, "labels": [1000] * 20})
        return await model_of(client)

    outcomes = watched([packages["table"]], talk, ONE)["outcomes"]
    assert (outcomes["alarms"], outcomes["last"]["drifted"]) == (1, ["outcome.error"])


def test_a_package_without_a_reference_answers_and_says_why_drift_is_not_told(packages):
    async def talk(client):
        answer = await client.post("/v1/predict", {"input": [[0, 255], [255, 0]]})
        return answer.status, await model_of(client), (await client.get("/metrics")).body.decode()

    status, model, metrics = watched([packages["image"]], talk, ONE)
    assert status == 200
    assert "has no reference.json" in model["why_not"]
    assert "stagewise_hook_errors_total 0.0" in metrics


def test_no_more_rows_are_measured_than_was_said():
    """A large request is paid off by those after it; what is not spent is saved up for a second only."""
    budget, now = Budget(100), time.monotonic() + 5
    assert [budget.spend(rows, now) for rows in (60, 60, 1)] == [True, True, False]
    assert not budget.spend(1, now + 0.2)
    assert [budget.spend(1, now + 0.305) for _ in range(12)] == [True] * 10 + [False] * 2
    assert [budget.spend(rows, now + 99) for rows in (99, 1, 1)] == [True, True, False]


def test_rows_beyond_the_rate_are_answered_and_counted(packages):
    async def talk(client):
        for _ in range(5):
            await send(client, np.zeros((250, 2), np.float32), 250)
        return (await client.get("/v1/drift")).json()

    found = local([packages["table"]], talk, routers=(drift(DriftOptions(rate=250)),))
    measured = found["models"][0]["traffic"]["rows"]
    assert measured + found["dropped_rows"] == 1250
    assert 250 <= measured < 1250


def test_a_package_without_a_reference_can_be_logged(packages, tmp_path):
    log = tmp_path / "log"
    options = DriftOptions(log=log, log_share=1.0)
    watched([packages["image"]], lambda client: client.post("/v1/predict", {"input": [[0, 255]]}), options)
    (line,) = [json.loads(text) for text in log.read_text().splitlines()]
    assert line["rows"][0]["answer.class"] in ("black", "grey", "white")


def test_a_damaged_reference_is_told_and_the_package_answers(packages, tmp_path):
    package = shutil.copytree(packages["table"], tmp_path / "package")
    (package / "reference.json").write_text('{"version": 1, "rows": 5, "columns": [], "outcomes": []}')
    (package / "manifest.json").unlink()
    write_manifest(package, "prices", "1.0.0", {})

    async def talk(client):
        await _ask(client)
        return await model_of(client)

    assert "measures something else" in watched([package], talk, ONE)["why_not"]


def test_a_new_version_begins_anew(packages, tmp_path):
    """The old one is forgotten, and what comes later is compared with the reference of the new one."""
    (link := tmp_path / "current").symlink_to(packages["table"])
    other = shutil.copytree(packages["table"], tmp_path / "other")
    (other / "manifest.json").unlink()
    write_manifest(other, "prices", "2.0.0", {})

    async def talk(client):
        await _ask(client, 20)
        before = await model_of(client)
        link.unlink()
        link.symlink_to(other)
        await client.service.reload()
        await _ask(client, 3)
        return before, await model_of(client)

    before, after = watched([link], talk, ONE)
    assert (before["version"], before["traffic"]["rows"]) == ("1.0.0", 20)
    assert (after["version"], after["traffic"]["rows"]) == ("2.0.0", 3)


def test_several_models_are_watched_apart(packages):
    async def talk(client):
        await client.post("/v1/models/prices/predict", {"inputs": [TABLE] * 2})
        await client.post("/v1/models/digits/predict", {"input": np.zeros((8, 8)).astype(int).tolist()})
        return (await client.get("/v1/drift")).json()["models"]

    models = watched([packages["table"], packages["digits"]], talk, ONE)
    assert {model["name"]: model["traffic"]["rows"] for model in models} == {"prices": 2, "digits": 1}


def test_the_service_does_without_the_libraries_of_the_pages():
    code = "import stagewise.serving.drift.router, sys; print([name for name in sys.argv[1:] if name in sys.modules])"
    names = ["scipy", "torch", "sklearn", "jinja2", "matplotlib"]
    found = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_log_that_cannot_be_written_is_told_at_the_start(tmp_path):
    service = Service([make_shades(tmp_path / "package")], Options())
    with pytest.raises(DriftError, match="cannot be written"):
        create_app(service, routers=(drift(DriftOptions(log=tmp_path / "no" / "log")),))
