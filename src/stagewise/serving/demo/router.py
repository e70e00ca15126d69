"""The addresses of the page: fixed files that hold nothing of a model, and what the page has to know of one."""

from importlib.resources import files

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse, RedirectResponse

from stagewise.serving.demo.about import about
from stagewise.serving.service import Service

PAGE = "/demo"
FILES = {
    "demo.css": "text/css", "demo.js": "text/javascript", "ask.js": "text/javascript", "view.js": "text/javascript",
    "image.js": "text/javascript", "series.js": "text/javascript", "sound.js": "text/javascript",
    "table.js": "text/javascript", "text.js": "text/javascript",
}  # fmt: skip
"""Beside the page itself."""
PUBLIC = ("/", PAGE, *(f"{PAGE}/{name}" for name in FILES))
"""Addresses that may be read without a key: a browser asks for them before anyone could type one."""

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def demo(service: Service) -> APIRouter:
    """The page, which the root leads to, its files, and ``/demo/models/{name}``; for ``create_app``."""
    router, folder = APIRouter(include_in_schema=False), files(__package__) / "page"
    _add_file(router, PAGE, (folder / "index.html").read_bytes(), "text/html")
    for name, media in FILES.items():
        _add_file(router, f"{PAGE}/{name}", (folder / name).read_bytes(), media)

    @router.get("/")
    async def root() -> Response:
        """What a browser is given that was sent to the address that the service prints."""
        return RedirectResponse(PAGE)

    @router.get(f"{PAGE}/models/{{name}}")
    def model(name: str) -> Response:
        found = about(service.find(name).primary.package, service.options.limits)
        return JSONResponse(found, headers={"cache-control": "no-store"})

    return router


def _add_file(router: APIRouter, path: str, content: bytes, media: str) -> None:
    headers = {**_HEADERS, "content-type": f"{media}; charset=utf-8"}

    @router.get(path)
    async def file() -> Response:
        return Response(content, headers=headers)
