"""Requests per second of `stagewise serve`, beside a plain FastAPI app, LitServe and BentoML with the same model.

    python bench/serve.py dist/NAME-VERSION [--cache DIR] [--rounds 3] [--seconds 3] [--connections 1,16,64]

Every service answers one image per request with class and probability, from one process with one thread for the model:
JSON with the pixels as numbers, and (ours and FastAPI only) the pixels' own bytes. LitServe and BentoML batch as ours
does, 16 rows at most. All are started before the first request, and stopped (SIGSTOP) but for the
one whose turn it is; turns go round, so that all see the same load of the machine. wrk asks, with one thread. Between
the turns onnxruntime predicts rows one by one in this process: what a service reaches is told as a share of that.

Reported are medians over the rounds: requests per second, that share, p50 and p99 in ms, CPU milliseconds of the
service per request, and answers that were none. The machine's load is printed too: where it is much more than the
benchmark's own three threads, shares tell more than rates. LitServe and BentoML are run from virtual environments of
their own, which are made by hand below --cache and left out with a line where they are absent:

    python -m venv DIR/litserve && DIR/litserve/bin/pip install litserve onnxruntime
    python -m venv DIR/bentoml && DIR/bentoml/bin/pip install bentoml==1.4.39 onnxruntime

Needs wrk (apt install wrk). Linux only. No process is left, and nothing is written outside a temporary folder.
"""

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import NamedTuple

import numpy as np
import psutil

from stagewise.packaging.predictor import MODEL, Predictor

GOAL = 0.9
START_SECONDS = 90
BATCH = 16

COMMON = """
import os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
SHAPE, MODEL, NAME, PORT, BATCH = {shape!r}, {model!r}, {name!r}, {port!r}, {batch!r}
def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
def told(label, probabilities):
    return {{"label": int(label), "probability": float(probabilities[label])}}
"""

FASTAPI = """
import asyncio, uvicorn
from concurrent.futures import ThreadPoolExecutor
from fastapi import FastAPI, Request
from pydantic import BaseModel
app, model, pool = FastAPI(), session(), ThreadPoolExecutor(1)
class Body(BaseModel):
    input: list[list[int]] | list[list[list[int]]]
async def run(row):
    loop = asyncio.get_running_loop()
    label, probabilities = await loop.run_in_executor(pool, model.run, ["label", "probabilities"], {NAME: row})
    return told(label[0], probabilities[0])
@app.post("/json")
async def predict(body: Body):
    return await run(np.array(body.input, np.uint8).reshape(1, *SHAPE))
@app.post("/raw")
async def raw(request: Request):
    return await run(np.frombuffer(await request.body(), np.uint8).reshape(1, *SHAPE))
uvicorn.run(app, port=PORT, access_log=False, log_level="error")
"""

LITSERVE = """
import litserve as ls
class Api(ls.LitAPI):
    def setup(self, device): self.model = session()
    def decode_request(self, request): return np.array(request["input"], np.uint8).reshape(SHAPE)
    def batch(self, inputs): return np.stack(inputs)
    def predict(self, rows): return list(zip(*self.model.run(["label", "probabilities"], {NAME: rows})))
    def unbatch(self, output): return output
    def encode_response(self, output): return told(*output)
if __name__ == "__main__":
    api = Api(max_batch_size=BATCH, batch_timeout=0.001, api_path="/json")
    ls.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        port=PORT, host="127.0.0.1", log_level="error", generate_client_file=False
    )
"""

BENTOML = """
import bentoml
@bentoml.service(workers=1, traffic={"timeout": 60})
class Bench:
    def __init__(self): self.model = session()
    @bentoml.api(route="/json", batchable=True, max_batch_size=BATCH, max_latency_ms=60000)
    def predict(self, input: np.ndarray) -> np.ndarray:
        rows = np.asarray(input, np.uint8).reshape(-1, *SHAPE)
        return self.model.run(["probabilities"], {NAME: rows})[0]
"""


class Turn(NamedTuple):
    """One service asked for some seconds."""

    rate: float
    p50: float
    p99: float
    cpu: float
    bad: int


class Server(NamedTuple):
    """A service that runs, and the bodies that it takes: (address, content type, content)."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    bodies: dict[str, tuple[str, str, bytes]]


def main() -> int:
    options = _parse()
    if which("wrk") is None:
        print("wrk is not installed (apt install wrk)", file=sys.stderr)
        return 2
    predictor = Predictor.load(options.package)
    feature = predictor.schema["inputs"][0]
    if feature["kind"] != "image":
        print("the package must take images", file=sys.stderr)
        return 2
    row = np.random.default_rng(0).integers(0, 256, feature["shape"], np.uint8)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = []
        for name in options.only:
            if server := _start(stack, name, options, feature, row, folder):
                servers.append(server)
                _pause(server)
        turns, base = _measure(servers, options, predictor, row, folder)
    _print(servers, turns, base, options)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--cache", type=Path, help="folder of the environments litserve/ and bentoml/")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of one turn")
    parser.add_argument("--connections", type=lambda text: [int(part) for part in text.split(",")], default=[1, 16, 64])
    names = ["stagewise", "fastapi", "litserve", "bentoml"]
    parser.add_argument("--only", type=lambda text: text.split(","), default=names)
    return parser.parse_args()


def _start(stack: ExitStack, name: str, options: argparse.Namespace, feature: dict, row: np.ndarray, folder: Path):
    """A service that answers, or None with a line why there is none."""
    port = _free_port()
    command = _command(name, options, feature, folder, port)
    if command is None:
        print(f"{name}: left out, there is no environment for it (--cache)")
        return None
    environment = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", "LIT_DISABLE_TELEMETRY": "1", "HOME": str(folder)}
    log = (folder / f"{name}.log").open("wb")
    process = stack.enter_context(_ended(command, environment, folder, log))
    pixels = row[:, :, 0].tolist() if row.shape[2] == 1 else row.tolist()
    content = json.dumps({"input": [row.tolist()] if name == "bentoml" else pixels}).encode()
    addresses = ("/v1/predict", "/v1/predict") if name == "stagewise" else ("/json", "/raw")
    bodies = {"json": (addresses[0], "application/json", content)}
    if name in ("stagewise", "fastapi"):
        bodies["raw"] = (addresses[1], "application/octet-stream", row.tobytes())
    server = Server(name, process, port, bodies)
    if not _answers(server):
        print(f"{name}: left out, it did not start: {(folder / f'{name}.log').read_text()[-400:]}")
        return None
    return server


def _command(name: str, options: argparse.Namespace, feature: dict, folder: Path, port: int) -> list[str] | None:
    if name == "stagewise":
        arguments = [str(options.package.resolve()), "--port", str(port), "--batch-rows", str(BATCH)]
        return [sys.executable, "-m", "stagewise.serving", *arguments]
    python = (
        Path(sys.executable) if name == "fastapi" else options.cache and options.cache.resolve() / name / "bin/python"
    )
    if not python or not python.exists():
        return None
    code = {"fastapi": FASTAPI, "litserve": LITSERVE, "bentoml": BENTOML}[name]
    model = str((options.package / MODEL).resolve())
    head = COMMON.format(shape=tuple(feature["shape"]), model=model, name=feature["name"], port=port, batch=BATCH)
    (folder / f"{name}_app.py").write_text(head + code)
    if name == "bentoml":
        return [str(python), "-m", "bentoml", "serve", "bentoml_app:Bench", "--port", str(port), "--host", "127.0.0.1"]
    return [str(python), f"{name}_app.py"]


@contextmanager
def _ended(command: list[str], environment: dict[str, str], folder: Path, log):
    """A process in a group of its own, which is killed at the end, whatever it started."""
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        children = _family(process)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait()
        log.close()


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        return [root, *root.children(recursive=True)]
    return []


def _signal(server: Server, number: signal.Signals) -> None:
    for process in _family(server.process):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _pause(server: Server) -> None:
    _signal(server, signal.SIGSTOP)


def _answers(server: Server) -> bool:
    """Whether it answers each of its bodies within the time it has to start."""
    until = time.monotonic() + START_SECONDS
    for path, kind, content in server.bodies.values():
        while True:
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", content, {"Content-Type": kind})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()
                break
            except OSError:
                if time.monotonic() > until or server.process.poll() is not None:
                    return False
                time.sleep(0.2)
    return True


def _measure(servers: list[Server], options: argparse.Namespace, predictor: Predictor, row: np.ndarray, folder: Path):
    """Turns by (service, body, connections), and rows per second of onnxruntime beside each."""
    turns: dict[tuple[str, str, int], list[Turn]] = {}
    base: dict[tuple[str, str, int], list[float]] = {}
    for number in range(options.rounds):
        for connections in options.connections:
            for body in ("json", "raw"):
                asked = [server for server in servers if body in server.bodies]
                for server in asked[number % len(asked) :] + asked[: number % len(asked)] if asked else []:
                    before = _alone(predictor, row)
                    key = (server.name, body, connections)
                    turns.setdefault(key, []).append(_ask(server, body, connections, options.seconds, folder))
                    base.setdefault(key, []).append((before + _alone(predictor, row)) / 2)
        print(f"round {number + 1} of {options.rounds}; load {os.getloadavg()[0]:.1f}", flush=True)
    return turns, base


def _alone(predictor: Predictor, row: np.ndarray, seconds: float = 0.7) -> float:
    """Rows per second of onnxruntime in this process, one by one."""
    rows, count, began = row[None], 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        predictor.predict_array(rows)
        count += 1
    return count / (time.perf_counter() - began)


def _ask(server: Server, body: str, connections: int, seconds: int, folder: Path) -> Turn:
    path, kind, content = server.bodies[body]
    script = folder / "ask.lua"
    (folder / "body").write_bytes(content)
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "{kind}"\n'
        f'wrk.body = io.open("{folder / "body"}", "rb"):read("*a")\n'
    )
    _signal(server, signal.SIGCONT)
    address = f"http://127.0.0.1:{server.port}{path}"
    _wrk(script, connections, 1, address)
    before = _cpu(server)
    text = _wrk(script, connections, seconds, address)
    cpu = _cpu(server) - before
    _pause(server)
    count = max(1, int(re.search(r"(\d+) requests in", text)[1]))
    bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])
    p50, p99 = (_milliseconds(re.search(rf"^ +{share}% +(\S+)$", text, re.MULTILINE)[1]) for share in (50, 99))
    return Turn(rate, p50, p99, 1000 * cpu / count, bad)


def _wrk(script: Path, connections: int, seconds: int, address: str) -> str:
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "--latency",
        "-s",
        script,
        address,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60).stdout


def _cpu(server: Server) -> float:
    """Seconds that it and its children have computed."""
    total = 0.0
    for process in _family(server.process):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _print(servers: list[Server], turns: dict, base: dict, options: argparse.Namespace) -> None:
    print("\n| body | connections | service | requests/s | of onnxruntime | p50 ms | p99 ms | CPU ms | bad |")
    print("|---|---|---|---|---|---|---|---|---|")
    for body in ("json", "raw"):
        for connections in options.connections:
            for server in servers:
                key = (server.name, body, connections)
                if key in turns:
                    share = statistics.median(
                        turn.rate / alone for turn, alone in zip(turns[key], base[key], strict=True)
                    )
                    rate, p50, p99, cpu, bad = (statistics.median(column) for column in zip(*turns[key], strict=True))
                    print(
                        f"| {body} | {connections} | {server.name} | {rate:,.0f} | {share:.2f} | {p50:.1f} | {p99:.1f} "
                        f"| {cpu:.2f} | {bad:.0f} |"
                    )
    if goal := turns.get(("stagewise", "raw", 64)):
        shares = [turn.rate / alone for turn, alone in zip(goal, base["stagewise", "raw", 64], strict=True)]
        print(f"\nraw bytes at 64 connections, of onnxruntime: {statistics.median(shares):.2f} (goal: {GOAL})")


if __name__ == "__main__":
    sys.exit(main())
