"""Addresses of drift, for ``stagewise.serving.app.create_app``."""

import math
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from starlette.responses import JSONResponse

from stagewise.drift.columns import outcomes
from stagewise.drift.options import DriftOptions, Redaction
from stagewise.serving.app import RouterMaker
from stagewise.serving.decode import JSON, parse
from stagewise.serving.drift.watch import Seen, Watch
from stagewise.serving.openapi import closed, get, problems, security
from stagewise.serving.problems import Problem
from stagewise.serving.service import Service

FEEDBACK, REPORT = "/v1/feedback", "/v1/drift"


def drift(options: DriftOptions, redact: Redaction | None = None) -> RouterMaker:
    """A maker of ``POST /v1/feedback`` and ``GET /v1/drift``, which watches the service it is given.

    Args:
        options: of drift and of the log.
        redact: what every line of the log goes through first; None from it keeps the line back.

    Raises:
        DriftError: (by the maker) the log cannot be written.
    """

    def make(service: Service) -> APIRouter:
        watch = Watch(service, options, redact)
        service.paths |= _paths(service)
        router = APIRouter()

        @router.post(FEEDBACK)
        async def feedback(request: Request) -> Response:
            length = request.headers.get("content-length", "").encode()
            held = await service.room.read(request.receive, length)
            try:
                return JSONResponse({"taken": _take(watch, held.body, request.headers.get("content-type", ""))})
            except Problem as problem:
                watch.labels["unknown" if problem.kind == "not-found" else "refused"] += 1
                raise
            finally:
                held.release()

        @router.get(REPORT)
        async def report() -> Response:
            await watch.settle()
            models = [_told(seen) for seen in watch.versions()]
            return JSONResponse({"models": models, "dropped_rows": watch.dropped, "feedback": watch.labels})

        return router

    return make


def _paths(service: Service) -> dict[str, Any]:
    """For the OpenAPI document."""
    one = {"type": "object", "required": ["id", "label"], "additionalProperties": False}
    label, request_id = {"type": ["string", "number"]}, {"type": "string"}
    many = {**one, "required": ["id", "labels"]}
    one["properties"] = {"id": request_id, "label": label}
    many["properties"] = {"id": request_id, "labels": {"type": "array", "items": label, "minItems": 1}}
    taken = closed("taken", {"type": "integer"})
    post = {
        "operationId": "feedback",
        "summary": "what was right, for an answer that was given",
        "requestBody": {"required": True, "content": {JSON: {"schema": {"oneOf": [one, many]}}}},
        "responses": {
            "200": {"description": "how many labels were taken", "content": {JSON: {"schema": taken}}},
            **problems((400, 401, 404, 408, 413, 415, 421, 422, 429, 431, 500, 503)),
        },
        **security(service),
    }
    return {FEEDBACK: {"post": post}, REPORT: get(service, "drift", "drift of every version", JSON)}


def _take(watch: Watch, body: bytes, content_type: str) -> int:
    """Join labels with what was said; how many.

    Raises:
        Problem: they cannot be used, or the request is not known any more.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem("media-type", "feedback is application/json", headers=[(b"accept", b"application/json")])
    content = parse(body)
    if not isinstance(content, dict) or content.keys() not in ({"id", "label"}, {"id", "labels"}):
        raise Problem("invalid", 'the body is {"id": ..., "label": ...} or {"id": ..., "labels": [...]}')
    request_id, many = content["id"], "labels" in content
    given = content["labels"] if many else [content["label"]]
    if not isinstance(request_id, str):
        raise Problem("invalid", errors=[("/id", "it is the id of an answer")])
    if not isinstance(given, list):
        raise Problem("invalid", errors=[("/labels", "it is a list with a label per input")])
    found = watch.kept.find(request_id)
    if found is None:
        raise Problem("not-found", "no answer of this id waits for a label: it is too old, had one, or never was")
    seen, answers = found
    if len(given) != len(answers.values):
        place = "/labels" if many else "/label"
        raise Problem("invalid", errors=[(place, f"the request had {len(answers.values)} inputs")])
    labels = _labels(seen, given, "/labels/{}" if many else "/label")
    watch.kept.take(request_id)  # only now: a client may correct what was refused
    table = outcomes(answers, labels)
    if seen.monitor and seen.monitor.outcomes:
        seen.monitor.outcomes.add(table)
    watch.log_outcomes(seen, request_id, table)
    watch.labels["taken"] += len(given)
    return len(given)


def _labels(seen: Seen, given: list[Any], place: str) -> NDArray[Any]:
    """Numbers of classes, or numbers."""
    classes = seen.package.classes
    if seen.kind == "class":
        wrong, why = [number for number, label in enumerate(given) if label not in classes], "it is no class"
    else:
        wrong, why = [number for number, label in enumerate(given) if not _is_number(label)], "it is no finite number"
    if wrong:
        raise Problem("invalid", errors=[(place.format(number), why) for number in wrong[:20]])
    return np.array([classes.index(label) if seen.kind == "class" else float(label) for label in given])


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False


def _told(seen: Seen) -> dict[str, Any]:
    model, version, role = seen.who
    found: dict[str, Any] = {"name": model, "version": version, "role": role}
    if seen.monitor is None:
        return {**found, "why_not": seen.why}
    return {**found, **{name: part.to_dict() for name, part in seen.monitor.parts.items()}}
