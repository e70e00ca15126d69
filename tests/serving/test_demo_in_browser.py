"""The page as a person uses it, in Chromium. Needs Playwright; STAGEWISE_PICTURES=1 writes the pictures of docs/ anew."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from demo_page import DESKTOP, PHONE, THREE, answer, browser, chromium, draw, opened, served
from PIL import Image

from stagewise.serving.options import Options

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not on the PATH")
ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "dist/my-model-0.1.0"
KEY = "a-key-of-a-test-with-enough-signs"
ROWS = [[(0.0, y), (1.0, y)] for y in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)]


@pytest.fixture(scope="module")
def chrome():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def address(packages):
    with served(list(packages.values())) as found:
        yield found


@pytest.fixture
def page(chrome, address):
    with opened(chrome, address) as found:
        yield found


def choose(page, name):
    page.locator("#models").select_option(name)
    page.locator("#model", has_text=name).wait_for()


def test_what_is_drawn_is_answered_while_it_is_drawn(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    page.locator("#pen").fill("20")
    draw(page, ROWS[3])
    assert answer(page).startswith("black") and len(asked) > 1
    draw(page, *ROWS)
    assert answer(page).startswith("white")
    shares = page.locator("#bars .value").all_inner_texts()
    assert len(shares) == 3 and float(shares[2].split()[0]) > 90
    assert page.locator("#bars .best .name").inner_text() == "white"
    assert "ms there and back · shades 1.0.0" in page.locator("#latency").inner_text()
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#told").inner_text() == "Nothing is asked yet."


def test_the_keyboard_draws(page):
    page.locator(".paper").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#told .headline").count() == 0
    page.keyboard.press(" ")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    assert answer(page)
    assert "The pen is down, 48 % from the left and 63 % from the top." in page.locator("#input").inner_text()
    page.keyboard.press("Delete")
    page.locator("#told .soft").wait_for()


def test_every_control_has_a_name_and_can_be_reached(page):
    for name in ("shades", "texts", "prices", "sounds", "waves"):
        choose(page, name)
        for control in page.locator("button:visible, select:visible, textarea:visible, input:visible, .paper").all():
            named = control.evaluate(
                "it => it.getAttribute('aria-label') || it.labels?.[0]?.textContent.trim() || it.textContent.trim()"
            )
            assert named, control.evaluate("it => it.outerHTML")
            assert control.evaluate("it => it.disabled || it.tabIndex >= 0")


def test_a_picture_is_sent_as_it_is_and_explained(page, tmp_path):
    pixels = np.zeros((6, 4), np.uint8)
    pixels[3:] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    page.locator("#input input[type=file]").set_input_files(tmp_path / "half.png")
    assert answer(page).startswith("grey")
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.locator("#explain").click()
    page.locator("#explanation .pictures canvas").nth(1).wait_for()
    assert sent.value.headers["content-type"] == "application/octet-stream"
    assert len(sent.value.post_data_buffer) % (6 * 4) == 0
    colours = page.evaluate(
        "() => [...document.querySelectorAll('#explanation canvas')].map(it => {"
        "  const data = it.getContext('2d').getImageData(0, 0, it.width, it.height).data;"
        "  let coloured = 0; for (let at = 0; at < data.length; at += 4) coloured += data[at + 3] && data[at] !== data[at + 2];"
        "  return coloured; })"
    )
    assert colours[0] == 0 and colours[1] > 0


def test_a_dropped_file_that_is_no_picture_is_told(page):
    page.evaluate(
        "() => { const data = new DataTransfer(); data.items.add(new File(['no picture'], 'x.png'));"
        "  document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true})); }"
    )
    page.locator("#problem", has_text="The input cannot be used: not an image").wait_for()
    page.locator("#examples button").first.click()
    assert answer(page).startswith("white")
    assert page.locator("#problem").inner_text() == ""


def test_a_finger_draws_on_a_phone_and_nothing_is_wider_than_it(chrome, address):
    with opened(chrome, address, **PHONE) as page:
        box = page.locator(".paper").bounding_box()
        finger = page.context.new_cdp_session(page)
        at = lambda share: [{"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}]  # noqa: E731
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at(0.2)})
        for share in (0.4, 0.6, 0.8):
            finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": at(share)})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert answer(page)
        for name in ("shades", "texts", "prices", "sounds", "waves"):
            choose(page, name)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            small = "[...document.querySelectorAll('button, select')].filter(it => it.offsetHeight && it.offsetHeight < 40).length"
            assert page.evaluate(small) == 0


def test_a_text_is_answered_while_it_is_typed_and_its_words_are_weighed(page):
    choose(page, "texts")
    assert answer(page).startswith("good")  # the example
    page.locator("#text").fill("film film")
    page.locator("#told", has_text="film").wait_for()
    page.locator("#text").fill("film film film film good")
    page.locator("#latency").wait_for()
    page.wait_for_load_state("networkidle")
    page.locator("#explain").click()
    page.locator("#explanation mark").nth(4).wait_for()
    # Its words are 6 and 4, and what is left out is 0 in the mean.
    titles = [mark.get_attribute("title") for mark in page.locator("#explanation mark").all()]
    assert titles == ["+53.7 pt"] * 4 + ["+36.7 pt"]
    assert page.locator("#why-told").inner_text() == "“film” counts most (+53.7 pt)."
    assert page.locator("#explanation .marked").inner_text() == "film film film film good"


def test_a_row_is_filled_in_from_the_example_and_its_fields_are_weighed(page):
    choose(page, "prices")
    assert answer(page) == "2.5 USD"
    assert page.get_by_label("rooms").input_value() == "3" and page.get_by_label("colour").input_value() == "green"
    assert page.get_by_label("colour").locator("option").all_inner_texts() == ["(not known)", "red", "green"]
    page.get_by_label("rooms").fill("7")
    page.locator("#told", has_text="4.5 USD").wait_for()
    page.locator("#explain").click()
    page.locator("#explanation li").nth(1).wait_for()
    assert page.locator("#explanation li").all_inner_texts() == ["rooms (not unknown)\n+3.5", "colour (not red)\n+0.5"]
    page.get_by_label("rooms").fill("")
    page.get_by_label("colour").select_option("")
    page.locator("#told", has_text="1.5 USD").wait_for()  # the code of what is not known is 3


def test_a_recording_is_made_and_heard(page):
    choose(page, "sounds")
    page.locator("#examples button").click()
    assert answer(page).startswith("loud")
    assert page.locator("audio").evaluate("it => it.src").startswith("blob:")
    page.locator("#explain").click()
    page.locator("#explanation .wave").wait_for()
    page.get_by_role("button", name="Record", exact=True).click()
    page.locator("#input", has_text="Recording …").wait_for()
    page.wait_for_timeout(700)
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.get_by_role("button", name="Stop", exact=True).click()
    assert sent.value.response().status == 200
    assert answer(page).startswith("quiet")


def test_a_series_is_pasted_and_continued(page):
    choose(page, "waves")
    assert answer(page) == "2 steps ahead"
    assert page.locator("#bars tbody tr").first.inner_text().split() == ["+1h", "2", "4"]
    assert page.locator("#bars svg polyline.ahead").count() == 2 and page.locator("#why").is_hidden()
    page.locator("#series").fill("a,b\n1,2\n")
    page.locator("#problem", has_text="The input cannot be used").wait_for()
    page.locator("#series").fill("b,a\n4,1\n4,1\n4,1\n")
    page.locator("#bars td", has_text="1").first.wait_for()
    assert page.locator("#bars tbody tr").first.inner_text().split() == ["+1h", "1", "4"]


def test_a_key_is_asked_for_and_kept_in_memory_only(chrome, packages):
    options = Options(port=0, keys=(hashlib.sha256(KEY.encode()).digest(),))
    with served([packages["image"]], options) as address, chrome.new_context(**DESKTOP) as context:
        page = context.new_page()
        page.goto(f"{address}/demo")
        page.get_by_label("API key").fill("a-key-that-nobody-was-ever-given")
        page.get_by_role("button", name="Use it").click()
        page.locator("#key-told", has_text="This key is not known here.").wait_for()
        page.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        page.locator(".paper").wait_for()
        draw(page, ROWS[3])
        assert answer(page)
        kept = "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href, document.documentElement.outerHTML])"
        assert KEY not in page.evaluate(kept) and context.cookies() == []
        assert page.locator("#key").input_value() == ""
        page.reload()
        page.locator("#key-form").wait_for()


@pytest.mark.skipif(not DIGITS.is_dir(), reason="the package of the quick start is not there")
@pytest.mark.parametrize("name, context", [("demo", DESKTOP), ("demo-phone", PHONE)], ids=["desktop", "phone"])
def test_a_digit_is_drawn_and_pictured(chrome, tmp_path, name, context):
    with served([DIGITS]) as address, opened(chrome, address, **context) as page:
        draw(page, THREE)
        assert answer(page).startswith("3")
        page.locator("#explain").click()
        page.locator("#explanation .pictures").wait_for()
        assert "counts most for this answer" in page.locator("#why-told").inner_text()
        page.locator("#model").hover()
        folder = ROOT / "docs" if os.environ.get("STAGEWISE_PICTURES") == "1" else tmp_path
        page.screenshot(path=tmp_path / "shot.png", full_page=True)
    with Image.open(tmp_path / "shot.png") as shot:
        shot.convert("RGB").save(folder / f"{name}.png", optimize=True)
    assert (folder / f"{name}.png").stat().st_size > 10_000
