"""The application: routers around a service. What is added later is a router, an observer, or both."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from stagewise.serving.guard import Guard
from stagewise.serving.openapi import document
from stagewise.serving.predict import Predict
from stagewise.serving.problems import Problem, of_status
from stagewise.serving.service import Service

_NAMED = re.compile(r"/v1/models/([^/]+)/predict")

RouterMaker = Callable[[Service], APIRouter]


class Application(FastAPI):
    """FastAPI, but for the one address that is asked all the time: the way through its layers costs a third more."""

    predict: Guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            path = scope["path"]
            if path == "/v1/predict":
                scope["path_params"] = {}
                return await self.predict(scope, receive, send)
            if named := _NAMED.fullmatch(path):
                scope["path_params"] = {"name": named[1]}
                return await self.predict(scope, receive, send)
        return await super().__call__(scope, receive, send)


def create_app(service: Service, routers: tuple[RouterMaker, ...] = ()) -> Application:
    """The application of a service.

    Args:
        service: read, not started: it lives from the application's start to its stop.
        routers: makers of further addresses; each gets the service, whose ``observers`` it may add to.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    # The framework's own pages load scripts from elsewhere.
    app = Application(
        title="stagewise", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.state.service = service
    app.add_middleware(Guard, service=service)
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _told)
    predict = Predict(service)
    app.predict = Guard(predict, service)
    for path in ("/v1/predict", "/v1/models/{name}/predict"):
        app.router.routes.append(Route(path, predict, methods=["POST"]))  # tells the other methods that they are wrong
    for make in (_health, _about, _metrics, *routers):
        app.include_router(make(service))

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(document(service))

    return app


def _health(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> Response:
        if not service.ready:
            raise Problem("stopping", retry=5)
        return JSONResponse({"status": "ready"})

    return router


def _about(service: Service) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/models")
    async def models() -> Response:
        found = [
            {"name": name, "version": deployment.primary.version, "default": deployment is service.default}
            for name, deployment in service.deployments.items()
        ]
        return JSONResponse({"models": found})

    @router.get("/model")
    async def model() -> Response:
        return JSONResponse(service.default.to_dict())

    @router.get("/models/{name}")
    async def named(name: str) -> Response:
        return JSONResponse(service.find(name).to_dict())

    return router


def _metrics(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        content, content_type = service.metrics.render(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": content_type})

    return router


async def _told(_: Request, error: Any) -> Response:
    """Errors of the framework become those of the service, which the guard answers with."""
    if not isinstance(error, HTTPException):
        raise Problem("invalid") from error
    problem = of_status(error.status_code)
    headers = (error.headers or {}).items()
    problem.headers += [(name.lower().encode(), value.encode()) for name, value in headers]
    raise problem from error
