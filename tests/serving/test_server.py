"""The process: what it loads, what signals do, and how it is told what to do."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from small_packages import make_shades
from talking import PATIENCE, live, read_answer, request

from stagewise.serving.__main__ import main

ASK = request("POST", "/v1/predict", b'{"input": [[120]]}', "application/json")
FRAMEWORKS = (
    "torch",
    "lightning",
    "pytorch_lightning",
    "dvc",
    "hydra",
    "omegaconf",
    "onnx",
    "sklearn",
    "pandas",
    "matplotlib",
)


def test_no_framework_for_training_is_loaded(packages):
    paths = [str(path) for path in packages.values()]
    code = (
        "import sys\nfrom pathlib import Path\nfrom stagewise.serving.app import create_app\n"
        "from stagewise.serving.options import Options\nimport stagewise.serving.server\n"
        "from stagewise.serving.service import Service\n"
        f"create_app(Service([Path(path) for path in {paths}], Options()))\n"
        f"print([name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_what_was_accepted_is_finished_when_it_is_told_to_stop(packages):
    """Twenty requests wait for the run that a request fills whose body ends after the signal."""
    wait = ("--batch-rows", 21, "--batch-wait-ms", 600_000, "--max-queue-seconds", 600, "--max-request-seconds", 600)
    with live(packages["image"], *wait) as service, ExitStack() as stack:
        connections = [stack.enter_context(service.connect()) for _ in range(21)]
        for connection in connections[:-1]:
            connection.sendall(ASK)
        connections[-1].sendall(ASK[:-5])
        while b"stagewise_requests_in_progress 22.0" not in service.get("/metrics").body:
            assert service.process.poll() is None
        service.signal(signal.SIGTERM)
        while service.process.poll() is None and is_open(service):
            time.sleep(0.01)
        connections[-1].sendall(ASK[-5:])
        assert [read_answer(connection).labels() for connection in connections] == [["grey"]] * 21
        _, errors = service.process.communicate(timeout=PATIENCE)
        assert (service.process.returncode, errors) == (0, "")


def is_open(service) -> bool:
    try:
        service.connect().close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_stop_can_be_announced(packages):
    """With --drain-seconds it is not ready any more, and still answers."""
    with live(packages["image"], "--drain-seconds", 600) as service:
        assert service.get("/readyz").status == 200
        service.signal(signal.SIGTERM)
        while service.get("/readyz").status != 503:
            pass
        assert service.send(ASK).labels() == ["grey"]
        service.signal(signal.SIGTERM)
        assert service.process.wait(timeout=PATIENCE) == 0


def test_an_open_connection_does_not_keep_it_alive(packages):
    with live(packages["image"]) as service, service.connect() as connection:
        connection.sendall(ASK)
        assert read_answer(connection).status == 200
        assert service.stop() == (0, "")


def test_sighup_reads_the_packages_again_and_drops_nothing(packages, tmp_path):
    current = tmp_path / "current"
    current.symlink_to(packages["image"])
    new = make_shades(tmp_path / "new", version="2.0.0")
    found: list[str] = []
    with live(current) as service:
        stop = threading.Event()

        def ask() -> None:
            with service.connect() as connection:
                while not stop.is_set():
                    connection.sendall(ASK)
                    answer = read_answer(connection)
                    found.append(answer.json()["version"] if answer.status == 200 else answer.body.decode())

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        current.unlink()
        current.symlink_to(new)
        service.signal(signal.SIGHUP)
        until = time.monotonic() + PATIENCE
        while "2.0.0" not in found[-1:] and time.monotonic() < until:
            time.sleep(0.01)
        stop.set()
        for asker in askers:
            asker.join()
        code, errors = service.stop()
    assert set(found) == {"1.0.0", "2.0.0"}
    assert code == 0
    assert "shades: primary 1.0.0 -> 2.0.0" in errors


def test_too_many_connections_are_refused(packages):
    with live(packages["image"], "--max-connections", 3) as service, ExitStack() as stack:
        held = [stack.enter_context(service.connect()) for _ in range(3)]
        for connection in held:  # an answer shows that it was accepted
            connection.sendall(ASK)
            assert read_answer(connection).status == 200
        with service.connect() as one_more:
            assert read_answer(one_more).json()["type"] == "urn:stagewise:problem:overload"
        for connection in held:
            connection.close()
        while True:
            try:
                assert service.send(ASK).labels() == ["grey"]
                break
            except KeyError:
                continue


def test_who_reads_nothing_is_not_waited_for(packages):
    """Answers that nobody takes pile up in no queue of the service: reading stops, and others are answered."""
    with live(packages["image"]) as service:
        with service.connect() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            sent, ask = 0, request("GET", "/v1/model")
            try:
                while sent < 20_000_000:
                    sent += deaf.send(ask * 100)
            except BlockingIOError:
                pass
            assert sent < 20_000_000
            assert service.send(ASK).labels() == ["grey"]
        assert service.stop()[0] == 0


def test_it_listens_to_this_machine_only(packages):
    with live(packages["image"]) as service:
        rows = [line.split() for line in Path(f"/proc/{service.process.pid}/net/tcp").read_text().splitlines()[1:]]
        listening = {row[1] for row in rows if row[3] == "0A"}
        assert f"0100007F:{service.port:04X}" in listening
        assert f"00000000:{service.port:04X}" not in listening


def test_it_warns_where_everybody_is_let_in(packages):
    with live(packages["image"], "--host", "0.0.0.0") as service:
        assert "everybody who reaches 0.0.0.0 may use the service" in service.stop()[1]
    key = {"STAGEWISE_API_KEY": "k" * 20}
    with live(packages["image"], "--host", "0.0.0.0", environment=key) as service:
        assert service.get("/v1/model").status == 401
        assert service.stop() == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "stagewise serve: a package cannot be served\n  where: missing\n  why:   "),
        (["PACKAGE", "--api-key-file", "missing"], "stagewise serve: the file of keys cannot be read\n  where: missing"),
        (["PACKAGE", "--batch-queue", "8"], "a request may hold 256 inputs, and only 8 fit into the queue"),
        (["PACKAGE", "PACKAGE"], "two packages are named 'shades'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message(packages, capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([argument.replace("PACKAGE", str(packages["image"])) for argument in arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PACKAGE"),
        (["x", "--port", "70000"], "must be at most 65535"),
        (["x", "--port", "-1"], "must be at least 0"),
        (["x", "--max-body-bytes", "0"], "must be above 0"),
        (["x", "--max-request-seconds", "nan"], "must be above 0"),
        (["x", "--batch-wait-ms", "-1"], "must be at least 0"),
        (["x", "--canary", "y=2"], "'2' is no share above 0 and at most 1"),
        (["x", "--canary", "y=half"], "'half' is no share"),
        (["x", "--api-key", "secret"], "ambiguous option|unrecognized arguments|cannot be read"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_is_told(capsys, arguments, message):
    import re

    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_port_that_is_taken_is_told(packages):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "stagewise.serving", packages["image"], "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=os.environ,
        )
    assert done.returncode == 2
    assert f"the service could not start\n  where: 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
