"""All models of one process: read, started, read again, stopped."""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from stagewise.packaging import integrity
from stagewise.packaging.predictor import PredictorError
from stagewise.serving.batching import Outputs
from stagewise.serving.limits import Buckets, Hosts, Keys, Room
from stagewise.serving.metrics import Metrics
from stagewise.serving.models import Deployment, Model, Package
from stagewise.serving.options import Options, ServeError, Share
from stagewise.serving.problems import Problem

LOG = logging.getLogger("stagewise.serving")
_READERS = 2


class Answered(NamedTuple):
    """One request that was answered, as observers see it."""

    request_id: str
    package: Package
    """That answered."""
    role: str
    rows: Sequence[NDArray[Any]]
    """As the graph took them."""
    outputs: Outputs
    """As the graph gave them, for these rows."""
    answers: Sequence[Any]
    """In words, by the package's own answers module."""
    seconds: float


Observer = Callable[[Answered], None]
"""Called in the event loop after the answer was made, so it must return at once; what it raises is logged."""


class Service:
    """The models that are served.

    Args:
        packages: folders of packages, or links to them; the first answers where no name is given.
        options: of the service.

    Raises:
        ServeError: a package cannot be served, or two have one name.
    """

    def __init__(self, packages: Sequence[Path], options: Options) -> None:
        self.options = options
        self.metrics = Metrics()
        self.room, self.hosts, self.keys = Room(options.limits), Hosts(options), Keys(options.keys)
        self.buckets = Buckets(options.limits.rate, options.limits.burst)
        self.observers: list[Observer] = []
        self.paths: dict[str, Any] = {}
        """Further addresses for the OpenAPI document, by the makers of routers."""
        self.ready = False
        self.deployments: dict[str, Deployment] = {}
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")
        """Decodes what is too large for the event loop."""
        self._packages = self._read(packages)
        self._ids, self._prefix = itertools.count(1), secrets.token_hex(6)
        self._swapping = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.metrics.busy.set_function(lambda: self.room.requests)
        self.metrics.held.set_function(lambda: self.room.bytes)
        self.metrics.ready.set_function(lambda: float(self.ready))

    @property
    def default(self) -> Deployment:
        """What answers where no name is given."""
        return next(iter(self.deployments.values()))

    def find(self, name: str) -> Deployment:
        """What answers under a name.

        Raises:
            Problem: nothing does.
        """
        found = self.deployments.get(name)
        if found is None:
            raise Problem("not-found", "there is no model of this name; /v1/models lists them")
        return found

    def next_id(self) -> str:
        """A name for a request, unlike that of any other."""
        return f"{self._prefix}-{next(self._ids):x}"

    async def start(self) -> None:
        """Start a thread per version; then the service is ready."""
        for primary, beside in self._packages:
            deployment = Deployment(Model(primary, "primary", self.options, self.metrics))
            for role, package, share in beside:
                self._attach(deployment, role, package, share)
            self.deployments[primary.name] = deployment
        self.ready = True

    async def stop(self) -> None:
        """Finish what was accepted, and end all threads."""
        self.ready = False
        while self._tasks:
            await asyncio.wait(self._tasks)
        for deployment in self.deployments.values():
            for model in deployment.models:
                await model.retire()
        self.readers.shutdown(wait=True)

    @property
    def background(self) -> int:
        """How much is done that no client waits for."""
        return len(self._tasks)

    def spawn(self, work: Any) -> None:
        """Run a coroutine that nobody waits for but ``stop``."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def observe(self, answered: Answered) -> None:
        """Tell every observer."""
        for observer in self.observers:
            try:
                observer(answered)
            except Exception:
                self.metrics.hooks.of().add()
                LOG.exception("an observer of answers failed")

    async def reload(self) -> None:
        """Read every package again where its folder holds another one now, and let it take over.

        What is damaged, fails its self-test, or cannot answer the same clients is refused, and the old one goes on.
        """
        async with self._swapping:
            for deployment in self.deployments.values():
                for model in deployment.models:
                    await self._swap(deployment, model)

    async def _swap(self, deployment: Deployment, old: Model) -> None:
        name = deployment.primary.name
        try:
            package = await asyncio.get_running_loop().run_in_executor(None, self._changed, old.package)
            if package is None:
                return
            if old.role == "primary" and package.name != name:
                raise ServeError(
                    f"the package is {package.name!r} now, and {name!r} is served", where=str(package.path)
                )
            _check_fits(package, deployment.primary.package)
        except ServeError as error:
            deployment.swapped = f"refused: {error.why or error.what}"
            self.metrics.swaps.of(name, "refused").add()
            LOG.error("%s %s goes on: %s", name, old.version, error)
            return
        new = Model(package, old.role, self.options, self.metrics)
        setattr(deployment, old.role, new)  # from here on nobody else comes to the old one
        deployment.swapped = (
            f"{old.role} {old.version} -> {new.version} at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"
        )
        self.metrics.swaps.of(name, "done").add()
        LOG.info("%s: %s", name, deployment.swapped)
        await old.retire()

    def _changed(self, old: Package) -> Package | None:
        """The package that lies there now; None where it is the same."""
        try:
            if integrity.verify(old.path.resolve()) == old.manifest:
                return None
        except PredictorError as error:
            raise ServeError("a package cannot be served", where=str(old.path), why=str(error)) from error
        return Package(old.path, self.options)

    def _read(self, paths: Sequence[Path]) -> list[tuple[Package, list[tuple[str, Package, float]]]]:
        found: dict[str, tuple[Package, list[tuple[str, Package, float]]]] = {}
        for path in paths:
            package = Package(path, self.options)
            if package.name in found:
                raise ServeError(
                    f"two packages are named {package.name!r}",
                    where=str(path),
                    fix="serve the second as --canary PACKAGE=SHARE or --shadow PACKAGE",
                )
            found[package.name] = (package, [])
        for role, shares in (("canary", self.options.canaries), ("shadow", self.options.shadows)):
            for share in shares:
                self._read_beside(found, role, share)
        return list(found.values())

    def _read_beside(self, found: dict[str, Any], role: str, share: Share) -> None:
        package = Package(share.path, self.options)
        name = package.name if package.name in found else next(iter(found))
        primary, beside = found[name]
        if package.name != name and len(found) > 1:
            raise ServeError(f"no served model is named {package.name!r}", where=str(share.path))
        if any(other == role for other, _, _ in beside):
            raise ServeError(f"{name!r} has a {role} already", where=str(share.path))
        _check_fits(package, primary)
        beside.append((role, package, share.share))

    def _attach(self, deployment: Deployment, role: str, package: Package, share: float) -> None:
        setattr(deployment, role, Model(package, role, self.options, self.metrics))
        setattr(deployment, f"{role}_share", share)


def _check_fits(package: Package, primary: Package) -> None:
    if not package.fits(primary):
        raise ServeError(
            f"{package.name} {package.version} takes other inputs or gives other answers than {primary.name} "
            f"{primary.version}, so its clients would fail",
            where=str(package.path),
            fix="start a service of its own for it",
        )
