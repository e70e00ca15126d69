"""The address that answers: lean, so it is plain ASGI and knows no framework."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.types import Receive, Scope, Send

from stagewise.serving.batching import Ran
from stagewise.serving.decode import BINARY, Decoded, top_of
from stagewise.serving.limits import Held
from stagewise.serving.models import Deployment, Model, NotFiniteError
from stagewise.serving.problems import Problem
from stagewise.serving.service import LOG, Answered, Service

_SMALL_BODY = 32 * 1024
_SMALL_INPUT = 100_000


class Predict:
    """``POST /v1/predict`` and ``POST /v1/models/{name}/predict``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; every error is raised as a Problem."""
        service = self._service
        name = scope["path_params"].get("name")
        deployment = service.default if name is None else service.find(name)
        top = top_of(scope["query_string"])
        content_type, length = _headers(scope)
        held = await service.room.read(receive, length)
        try:
            body = await self._answer(deployment, scope, content_type, held, top)
        finally:
            held.release()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, deployment: Deployment, scope: Scope, kind: str, held: Held, top: int) -> bytes:
        service, request_id, began = self._service, scope["stagewise.id"], time.perf_counter()
        with deployment.choose() as model:
            decoded, rows = await self._rows(model, kind, held.body)
            try:
                ran = model.batcher.run_alone(rows) if _is_alone(scope) else None
                if ran is None:
                    ran = await model.batcher.submit(rows)
                answers = model.decode(ran.outputs)
            except Problem:
                raise
            except NotFiniteError as error:
                model.metrics.failed(len(rows))
                raise Problem("invalid", "the model gives something that is no finite number for it") from error
            except Exception as error:
                model.metrics.failed(len(rows))
                LOG.exception("%s %s failed", model.name, model.version)
                raise Problem("internal", "the model cannot answer this input") from error
        model.metrics.answered(answers, ran.waited)
        if shadow := deployment.choose_shadow():
            self._ask_shadow(shadow, model, decoded, rows, ran)
        seconds = time.perf_counter() - began
        model.metrics.latency.add(seconds)
        if service.observers:
            service.observe(Answered(request_id, model.package, model.role, rows, ran.outputs, answers, seconds))
        return orjson.dumps(
            {
                "id": request_id,
                "model": deployment.primary.name,
                "version": model.version,
                "answers": [answer.to_dict(top) for answer in answers],
            }
        )

    async def _rows(self, model: Model, kind: str, body: bytes) -> tuple[Decoded, list[NDArray[Any]]]:
        """Small inputs are read here; large ones in a thread, so that they hold up nobody."""
        package = model.package
        if len(body) > _SMALL_BODY and kind != BINARY:
            decoded = await self._aside(package.decoder.decode, kind, body)
        else:
            decoded = package.decoder.decode(kind, body)
        if decoded.size > _SMALL_INPUT and not decoded.raw:
            return decoded, await self._aside(package.encode, decoded)
        return decoded, package.encode(decoded)

    async def _aside(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._service.readers, work, *arguments)

    def _ask_shadow(self, shadow: Model, model: Model, decoded: Decoded, rows: list[NDArray[Any]], ran: Ran) -> None:
        """Ask it in the background, unless it is behind."""
        if self._service.background >= self._service.options.limits.requests:
            shadow.metrics.compare("dropped", len(rows))
            return
        shadow.take()  # now: when its task begins another may have taken its place
        self._service.spawn(self._compare(shadow, model, decoded, rows, ran))

    async def _compare(self, shadow: Model, model: Model, decoded: Decoded, rows: list[NDArray[Any]], ran: Ran) -> None:
        """Compare the answers of both; a failure of the shadow is counted, and reaches nobody."""
        try:
            same = shadow.package.feature == model.package.feature
            own = rows if same else await self._aside(shadow.package.encode, decoded)
            found = await shadow.batcher.submit(own)
            shadow.metrics.answered(shadow.decode(found.outputs), found.waited)
            _count_same(shadow, ran.outputs, found.outputs)
        except Problem:
            shadow.metrics.compare("dropped", len(rows))
        except Exception:
            LOG.exception("the shadow %s %s failed", shadow.name, shadow.version)
            shadow.metrics.failed(len(rows))
            shadow.metrics.compare("failed", len(rows))
        finally:
            shadow.release()


def _count_same(shadow: Model, ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]]) -> None:
    """Same is the same class, or numbers that differ by less than a hundredth of their size."""
    if [output.shape for output in ours] != [output.shape for output in theirs]:
        shadow.metrics.compare("other", len(ours[0]))
        return
    for place in range(len(ours[0])):
        pairs = [(one[place], other[place]) for one, other in zip(ours, theirs, strict=True)]
        numbers = [pair for pair in pairs if pair[0].dtype.kind == "f"]
        difference = max((float(np.abs(one - other).max()) for one, other in numbers), default=0.0)
        if shadow.package.classes:
            same = all(np.array_equal(one, other) for one, other in pairs if one.dtype.kind in "iu")
        else:
            same = all(np.allclose(one, other, rtol=0.01, atol=1e-6) for one, other in numbers)
        shadow.metrics.compare("same" if same else "other")
        shadow.metrics.difference.add(difference)
        shadow.metrics.sums.difference += difference


def _is_alone(scope: Scope) -> bool:
    """Whether no other request is being answered; servers other than this project's do not say."""
    return len(scope.get("stagewise.requests", ())) == 1


def _headers(scope: Scope) -> tuple[str, bytes]:
    """Content-Type and Content-Length.

    Raises:
        Problem: the content is coded, or its type is named twice.
    """
    content_type, length = None, b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            if content_type is not None:
                raise Problem("malformed", "Content-Type is there twice")
            content_type = value
        elif name == b"content-length":
            length = value
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise Problem("media-type", "the body is sent as it is, without Content-Encoding")
    return (content_type or b"").decode("latin-1"), length
