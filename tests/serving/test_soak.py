"""Half an hour at seven tenths of what the service can do: no error, and no memory that grows. Drift is watched, and
every twentieth request logged, within files of bounded size.

STAGEWISE_SOAK_SECONDS says how long (1800). Reports figures on standard output: `pytest -m long -s`.
"""

import os
import re
import threading
import time

import pytest
from talking import Live, live, read_answer, request

SECONDS = float(os.environ.get("STAGEWISE_SOAK_SECONDS", 1800))
CLIENTS = 4
LOAD = 0.7
GROWTH = 1.1
LOG_BYTES = 2**20
OTHERS = [
    request("POST", "/v1/predict", b'{"input": [[120, 121], [119, 120]]}', "application/json"),
    request("POST", "/v1/models/prices/predict", b'{"input": {"rooms": 3, "colour": "new"}}', "application/json"),
    request("POST", "/v1/models/texts/predict", b'{"input": "a good film"}', "application/json"),
]
REFUSED = request("POST", "/v1/predict", b'{"input": [[NaN]]}', "application/json")


def memory(service: Live) -> float:
    return float(re.search(r"\nprocess_resident_memory_bytes (\S+)", service.get("/metrics").body.decode())[1])


def ask(service: Live, asked: list[bytes], seconds: float, pause: float, statuses: dict[int, int]) -> None:
    """Ask in turn, a bad request among fifty, with a pause after each answer."""
    until, count = time.monotonic() + seconds, 0
    with service.connect() as connection:
        while time.monotonic() < until:
            connection.sendall(REFUSED if count % 50 == 49 else asked[count % len(asked)])
            status = read_answer(connection).status
            statuses[status] = statuses.get(status, 0) + 1
            count += 1
            time.sleep(pause)


def load(service: Live, asked: list[bytes], seconds: float, pause: float) -> dict[int, int]:
    """How many answers of each status all clients together got."""
    found: list[dict[int, int]] = [{} for _ in range(CLIENTS)]
    threads = [threading.Thread(target=ask, args=(service, asked, seconds, pause, one)) for one in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {status: sum(one.get(status, 0) for one in found) for status in {key for one in found for key in one}}


@pytest.mark.long
def test_memory_stays_and_nothing_fails(packages, tmp_path):
    from watched import digits, make_digits  # not above: scikit-learn takes seconds of every collection

    rows = [request("POST", "/v1/predict", row.tobytes(), "application/octet-stream") for row in digits()[2].inputs]
    asked = [one for number, row in enumerate(rows) for one in (row, OTHERS[number % len(OTHERS)])]
    log = tmp_path / "requests.jsonl"
    options = ("--log", log, "--log-share", 0.05, "--log-bytes", LOG_BYTES, "--log-files", 3)
    served = (make_digits(tmp_path / "digits"), packages["table"], packages["text"])
    with live(*served, *options) as service:
        warm = max(2.0, SECONDS / 60)
        most = sum(load(service, asked, warm, 0.0).values()) / warm
        pause = CLIENTS / most * (1 / LOAD - 1)
        load(service, asked, warm, pause)
        before = memory(service)
        statuses = load(service, asked, SECONDS, pause)
        after = memory(service)
        drift = service.get("/v1/drift").json()
        code, errors = service.stop()
    total = sum(statuses.values())
    print(f"\n{total:,} answers in {SECONDS:g} s ({total / SECONDS:,.0f}/s of {most:,.0f}/s); {statuses}")
    print(f"memory {before / 2**20:.1f} -> {after / 2**20:.1f} MiB")
    assert statuses.keys() == {200, 400}
    assert statuses[400] <= total // 50 + CLIENTS
    assert after < before * GROWTH
    print(f"{drift['models'][0]['traffic']['windows']} windows, {drift['dropped_rows']:,} rows not measured")
    assert code == 0
    assert not re.search("ERROR|Traceback", errors), errors
    assert (
        drift["models"][0]["traffic"]["windows"] >= SECONDS * 100 / 500
    )  # 200 rows a second, of which some are no digits
    sizes = [file.stat().st_size for file in tmp_path.glob("requests.jsonl*")]
    assert 0 < len(sizes) <= 3
    assert max(sizes) <= LOG_BYTES
