"""One process: uvicorn around the application, and what signals do."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from stagewise.serving.app import RouterMaker, create_app
from stagewise.serving.demo.router import PAGE, demo
from stagewise.serving.options import Options, ServeError
from stagewise.serving.protocol import bounded
from stagewise.serving.service import LOG, Service


def serve(packages: Sequence[Path], options: Options, routers: tuple[RouterMaker, ...] = ()) -> None:
    """Serve packages until SIGTERM or Ctrl-C, then finish what was accepted.

    SIGHUP reads the packages again: what a folder or link holds now takes over, where it passes its self-test.

    Raises:
        ServeError: a package cannot be served, or the address is taken.
    """
    _log_to_stderr()
    # The event loop and the model's thread take turns: of Python's 5 ms, p99 would be made.
    sys.setswitchinterval(0.0005)
    if not options.is_local and not options.keys:
        LOG.warning("everybody who reaches %s may use the service: no key is set (docs/serving.md)", options.host)
    service = Service(packages, options)
    server = ServiceServer(config(create_app(service, (demo, *routers)), options), service)
    try:
        server.run()
    except SystemExit as error:  # uvicorn's way to say that it could not start
        raise ServeError(
            "the service could not start", where=f"{options.host}:{options.port}", fix="choose another --port"
        ) from error


def config(app: FastAPI, options: Options) -> uvicorn.Config:
    """What uvicorn is told."""
    return uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        http=bounded(options.limits),
        loop="auto",  # uvloop where it is installed
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.proxies),
        forwarded_allow_ips=list(options.proxies),
        timeout_keep_alive=max(1, round(options.limits.idle_seconds)),
        timeout_graceful_shutdown=max(1, round(options.stop_seconds)),
    )


class ServiceServer(uvicorn.Server):
    """uvicorn, with SIGHUP, and a time between the first SIGTERM and the end of listening."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: "list[object] | None" = None) -> None:  # type: ignore[override]
        """Listen, and say where."""
        await super().startup(sockets)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, lambda: self._service.spawn(self._service.reload()))
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        names = ", ".join(f"{name} {it.primary.version}" for name, it in self._service.deployments.items())
        print(f"serving {names} at http://{address}\na page to try it: http://{address}{PAGE}", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The first signal ends readiness, and after a while listening; a second one ends at once."""
        if not self._service.ready:
            self.should_exit = self.force_exit = True
            return
        self._service.ready = False
        drain = self._service.options.drain_seconds
        if drain:
            LOG.info("not ready any more; stopping in %g s", drain)
            asyncio.get_running_loop().call_soon_threadsafe(self._stop_later, drain)
        else:
            self.should_exit = True

    def _stop_later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, setattr, self, "should_exit", True)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    errors = logging.getLogger("uvicorn.error")
    errors.handlers[:] = [handler]
    errors.setLevel(logging.ERROR)
    errors.propagate = False
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # a bad form is told to whoever sent it
