"""The page of packages in headless Chromium, by Playwright."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from talking import PATIENCE

from stagewise.serving.app import create_app
from stagewise.serving.demo.router import demo
from stagewise.serving.options import Options
from stagewise.serving.server import config
from stagewise.serving.service import Service

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)  # fmt: skip
DESKTOP = {"viewport": {"width": 1200, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@contextmanager
def served(packages: list[Path], options: Options | None = None) -> Iterator[str]:
    """A service with the page in a thread; its address."""
    options = options or Options(port=0)
    service = Service(packages, options)
    server = uvicorn.Server(config(create_app(service, (demo,)), options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        waiting = threading.Event()
        for _ in range(PATIENCE * 100):
            if server.started:
                break
            waiting.wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium of this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        try:
            yield found
        finally:
            found.close()


def chromium() -> str | None:
    """Where Chromium is, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def opened(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """The page, ready to be used; fails where it writes an error or asks anyone but the service."""
    told: list[str] = []
    with browser.new_context(**(context or DESKTOP)) as kept:
        page = kept.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url) if not _is_own(request.url, address) else None)
        page.goto(f"{address}/demo")
        page.locator("#main, #key-form").locator("visible=true").first.wait_for()
        yield page
        if foreign := [text for text in told if "status of 4" not in text]:
            raise AssertionError(foreign)


def _is_own(url: str, address: str) -> bool:
    return url.startswith((f"{address}/", "data:", f"blob:{address}/"))


def draw(page: Any, *strokes: list[tuple[float, float]]) -> None:
    """Draw with the mouse; points are shares of the paper's sides."""
    paper = page.locator(".paper")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()


def answer(page: Any) -> str:
    """What the page says, once it says something new that stays."""
    page.locator("#told .headline").wait_for()
    page.wait_for_load_state("networkidle")
    return page.locator("#told").inner_text()


THREE = [
    (0.27, 0.16),
    (0.5, 0.1),
    (0.72, 0.2),
    (0.7, 0.36),
    (0.46, 0.48),
    (0.7, 0.58),
    (0.75, 0.78),
    (0.5, 0.9),
    (0.27, 0.84),
]
