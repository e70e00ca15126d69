"""The log is bounded, holds what was chosen, and gives the same verdicts again."""

import argparse
import json
import stat
import threading

import numpy as np
import pytest
from pages import Page
from watched import digits, make_digits, model_of, send, watched

from stagewise.drift.columns import Said
from stagewise.drift.log import RequestLog, drop_inputs, hash_ids, read_log
from stagewise.drift.options import (
    DriftError,
    DriftOptions,
    add_drift_arguments,
    add_drift_command_arguments,
    read_drift_options,
)
from stagewise.drift.report import run_drift
from stagewise.drift.window import Window
from stagewise.serving.drift.feedback import Kept

WINDOW = 150


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return make_digits(tmp_path_factory.mktemp("digits") / "digits-1.0.0")


def _lines(path):
    return [line for _, line in read_log(path)]


def _drift(*arguments):
    parser = argparse.ArgumentParser()
    add_drift_command_arguments(parser)
    return run_drift(parser.parse_args([str(argument) for argument in arguments]))


async def _send_and_label(client):
    rows = digits()[2]
    for images in (rows.inputs[:WINDOW], 255 - rows.inputs[:WINDOW]):
        for number, request_id in enumerate(await send(client, images, 50)):
            labels = [str(digit) for digit in rows.targets[number * 50 : number * 50 + 50]]
            await client.post("/v1/feedback", {"id": request_id, "labels": labels})
    return await model_of(client)


def test_a_log_gives_the_verdicts_of_the_service_again(package, tmp_path, capsys):
    log, page = tmp_path / "requests.jsonl", tmp_path / "drift.html"
    told = watched([package], _send_and_label, DriftOptions(window=WINDOW, log=log, log_share=1.0))
    assert _drift(log, "--package", package, "--out", page, "--window", WINDOW) == 1
    printed = capsys.readouterr().out
    assert "traffic: 1 of 2 windows of 150 rows drifted: input." in printed
    assert "outcomes: 1 of 2 windows" in printed
    assert (told["traffic"]["alarms"], told["outcomes"]["alarms"]) == (1, 1)
    text = page.read_text()
    shown = Page(text)
    assert "What it sees has changed" in "".join(shown.texts)
    assert shown.tags.count("svg") > 8
    assert "script" not in shown.tags
    addresses = [value for _, name, value in shown.attributes if name in ("src", "href", "action")]
    assert addresses == []
    assert "://" not in text


def test_a_log_without_drift_ends_with_0(package, tmp_path, capsys):
    log, page = tmp_path / "requests.jsonl", tmp_path / "drift.html"

    async def talk(client):
        await send(client, digits()[2].inputs[:WINDOW])

    watched([package], talk, DriftOptions(log=log, log_share=1.0))
    assert _drift(log, "--package", package, "--out", page, "--window", WINDOW) == 0
    assert "0 of 1 windows" in capsys.readouterr().out
    assert "What it sees is what it was made for" in page.read_text()
    assert _drift(log, "--package", package, "--out", page) == 0  # a window of 500 is not full
    assert "Too few rows to tell" in page.read_text()


def test_nothing_is_written_by_default(package, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    watched([package], _send_and_label, DriftOptions(window=WINDOW))
    assert list(tmp_path.iterdir()) == []


def test_no_pixel_is_written(package, tmp_path):
    log = tmp_path / "requests.jsonl"
    watched([package], _send_and_label, DriftOptions(log=log, log_share=1.0))
    lines = _lines(log)
    rows = [row for line in lines for row in line.get("rows", ())]
    assert len(rows) == 2 * WINDOW
    assert all(len(row) == 28 for row in rows)
    assert {key for line in lines for key in line} == {"time", "id", "model", "version", "role", "rows", "outcomes"}
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_share_of_the_requests_is_written(package, tmp_path):
    log = tmp_path / "requests.jsonl"

    async def talk(client):
        await send(client, digits()[2].inputs[:400], 1)

    watched([package], talk, DriftOptions(log=log, log_share=0.25))
    assert 50 < len(_lines(log)) < 160  # 100 are expected; beyond six standard deviations


def test_redactions_of_the_command_line(package, tmp_path, capsys):
    log = tmp_path / "requests.jsonl"
    options = DriftOptions(log=log, log_share=1.0, log_redact=("drop-inputs", "hash-ids"))
    ids = watched([package], lambda client: send(client, digits()[2].inputs[:100], 50), options)
    lines = _lines(log)
    assert all(name.startswith("answer.") for line in lines for name in line["rows"][0])
    assert {"answer.class", "answer.confidence"} <= lines[0]["rows"][0].keys()
    assert not {line["id"] for line in lines} & set(ids)
    assert len({line["id"] for line in lines}) == 2
    assert _drift(log, "--package", package, "--out", tmp_path / "drift.html") == 0
    assert "2 lines (without what is compared" in capsys.readouterr().out


def test_a_redaction_of_ones_own(package, tmp_path):
    log = tmp_path / "requests.jsonl"
    seen = []

    def redact(line):
        seen.append(line["id"])
        return None if len(seen) == 1 else {"only": line["model"]}

    ids = watched(
        [package], lambda client: send(client, digits()[2].inputs[:100], 50), DriftOptions(log=log, log_share=1.0),
        redact=redact,
    )  # fmt: skip
    assert seen == ids
    assert _lines(log) == [{"only": "digits"}]


def test_a_redaction_that_fails_writes_nothing_and_stops_nobody(package, tmp_path):
    log = tmp_path / "requests.jsonl"

    def redact(line):
        raise RuntimeError(line["id"])

    async def talk(client):
        await send(client, digits()[2].inputs[:100], 50)
        return await model_of(client), (await client.get("/metrics")).body.decode()

    model, metrics = watched([package], talk, DriftOptions(log=log, log_share=1.0), redact=redact)
    assert model["traffic"]["rows"] == 100
    assert "stagewise_hook_errors_total 2.0" in metrics
    assert log.read_text() == ""


def test_files_are_put_aside_and_their_number_is_bounded(tmp_path):
    path = tmp_path / "log"
    log = RequestLog(path, 4096, 3)
    for number in range(1000):
        log.write({"id": str(number), "text": "x" * 50})
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(file.stat().st_size <= 4096 for file in tmp_path.iterdir())
    numbers = [int(line["id"]) for line in _lines(path)]
    assert numbers == list(range(numbers[0], 1000))
    assert len(numbers) > 80


def test_one_file_begins_anew(tmp_path):
    log = RequestLog(tmp_path / "log", 4096, 1)
    for number in range(100):
        log.write({"id": str(number), "text": "x" * 50})
    log.close()
    assert [file.name for file in tmp_path.iterdir()] == ["log"]
    assert _lines(tmp_path / "log")[-1]["id"] == "99"


def test_lines_of_many_threads_are_whole(tmp_path):
    log = RequestLog(tmp_path / "log", 20_000, 50)
    threads = [
        threading.Thread(target=lambda: [log.write({"id": "é" * 50}) for _ in range(200)]) for _ in range(4)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert _lines(tmp_path / "log") == [{"id": "é" * 50}] * 800


def test_damaged_lines_and_those_of_others_are_counted(package, tmp_path, capsys):
    log = tmp_path / "requests.jsonl"
    who = {"time": "2026-01-01T00:00:00Z", "id": "1", "model": "digits", "version": "1.0.0", "role": "primary"}
    lines = [
        "{", "[1]", "[" * 100_000, json.dumps({**who, "version": "2.0.0", "rows": []}),
        json.dumps({**who, "role": "shadow", "rows": []}), json.dumps({**who, "rows": 3}),
        json.dumps({**who, "rows": [{"answer.class": "no"}]}), json.dumps({**who, "outcomes": [{"outcome.correct": 1}]}),
    ]  # fmt: skip
    log.write_text("\n".join(lines) + "\n")
    assert _drift(log, "--package", package, "--out", tmp_path / "drift.html") == 0
    printed = capsys.readouterr().out
    assert "5 lines (damaged)" in printed
    assert "1 lines (of another package)" in printed
    assert "1 lines (of a shadow)" in printed
    assert "1 lines (without" in printed


def test_mistakes_are_told(package, tmp_path):
    with pytest.raises(DriftError, match="cannot be read"):
        _drift(tmp_path / "none", "--package", package, "--out", tmp_path / "x.html")
    with pytest.raises(DriftError, match="cannot be told by this package"):
        _drift(tmp_path / "none", "--package", tmp_path, "--out", tmp_path / "x.html")
    with pytest.raises(DriftError, match="at least 1"):
        _drift(tmp_path / "none", "--package", package, "--window", 0)
    with pytest.raises(DriftError, match="cannot be written"):
        RequestLog(tmp_path / "no" / "log", 100, 1)


def test_redactions_alone():
    line = {"id": "7", "rows": [{"input.x": 1, "answer.class": "a"}]}
    assert drop_inputs(line) == {"id": "7", "rows": [{"answer.class": "a"}]}
    assert drop_inputs({"id": "7", "outcomes": []}) == {"id": "7", "outcomes": []}
    one, other = hash_ids(), hash_ids()
    assert one(line)["id"] == one(line)["id"] != other(line)["id"]


def test_windows_do_not_overlap_and_lose_no_row():
    window = Window(1, 10)
    rows = np.arange(37, dtype=np.float32)[:, None]
    full = [one for part in np.array_split(rows, 5) for one in window.add(part)]
    np.testing.assert_array_equal(np.concatenate(full), rows[:30])
    assert window.count == 7
    assert len(window.add(np.arange(103, dtype=np.float32)[:, None])) == 11


def test_answers_are_forgotten_when_there_are_too_many():
    kept = Kept(3)
    for number in range(5):
        kept.keep(str(number), None, Said([0.0], None))
    assert [kept.find(str(number)) is None for number in range(5)] == [True, True, False, False, False]
    assert kept.take("4") is not None
    assert kept.take("4") is None
    kept.keep("large", None, Said([0.0] * 47, None))
    assert (len(kept), kept.find("2")) == (2, None)


def test_options_of_the_command_line(capsys):
    parser = argparse.ArgumentParser()
    add_drift_arguments(parser)
    assert read_drift_options(parser.parse_args([])) == DriftOptions()
    given = "--drift-window 50 --drift-alpha 0.01 --drift-rate 9 --log a --log-share 1 --log-redact drop-inputs --log-redact hash-ids"
    found = read_drift_options(parser.parse_args(given.split()))
    assert (found.window, found.alpha, found.rate, found.log_share) == (50, 0.01, 9.0, 1.0)
    assert found.log_redact == ("drop-inputs", "hash-ids")
    for wrong in (
        "--drift-window 1",
        "--drift-alpha 0",
        "--drift-rate 0",
        "--drift-rate nan",
        "--log-share nan",
        "--log-files 0",
        "--log-redact all",
    ):
        with pytest.raises(SystemExit):
            parser.parse_args(wrong.split())
    assert "must be" in capsys.readouterr().err
