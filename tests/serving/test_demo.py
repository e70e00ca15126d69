"""What the page is made of, and what it is told of a package."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from small_packages import make_table, make_texts
from talking import Client, local

from stagewise.serving.app import create_app
from stagewise.serving.demo.about import MOST_EXAMPLES, about
from stagewise.serving.demo.router import FILES, PAGE, PUBLIC, demo
from stagewise.serving.models import Package
from stagewise.serving.options import Limits, Options

FOLDER = files("stagewise.serving.demo") / "page"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}


def ask(package: Path, *paths: str) -> list:
    async def talk(client: Client) -> list:
        app = create_app(client.service, (demo,))
        return [await Client(app).get(path) for path in paths]

    return local([package], talk)


def test_every_file_is_served_with_a_strict_policy(packages):
    assert set(SOURCES) == {"index.html", *FILES}
    for answer in ask(packages["image"], *PUBLIC[1:]):
        policy = answer.headers["content-security-policy"]
        assert answer.status == 200 and answer.body
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy and "http" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].endswith("; charset=utf-8")


@pytest.mark.parametrize("path", ["/demo/", "/demo/about.py", "/demo/../about.py", "/demo/index.html", "/demo/models/"])
def test_nothing_else_is_there(packages, path):
    (answer,) = ask(packages["image"], path)
    assert answer.status == 404 and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_file_refers_to_another_place_or_holds_what_the_policy_forbids(name):
    source = SOURCES[name].replace("http://www.w3.org/2000/svg", "")  # the name of a language, not an address
    assert not re.search(
        r"https?:|//[a-z0-9-]+\.[a-z]|@import|innerHTML|insertAdjacent|eval\(|Storage|cookie\s*=", source
    )
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=\"", source)


def test_the_page_names_every_field_and_fits_a_phone():
    page = SOURCES["index.html"]
    assert '<html lang="en">' in page and 'name="viewport" content="width=device-width, initial-scale=1"' in page
    for identity in re.findall(r"<(?:input|select|textarea) id=\"([^\"]+)\"", page):
        assert f'<label for="{identity}">' in page
    assert page.count("aria-live") == 2 and "prefers-color-scheme: dark" in SOURCES["demo.css"]


@pytest.mark.parametrize("kind", ["image", "text", "table", "sound", "series"])
def test_the_page_is_told_the_form_and_the_examples(packages, kind):
    (answer,) = ask(packages[kind], f"{PAGE}/models/{Package(packages[kind], Options()).name}")
    found = answer.json()
    assert found["kind"] == kind and answer.headers["cache-control"] == "no-store"
    assert found["most"] == {"inputs": 256, "bytes": 16 * 1024**2}
    (example,) = found["examples"]
    assert example.keys() == {"name", "base64" if kind in ("image", "sound") else "text"}
    assert "tokenizer" not in found["feature"]  # may have megabytes


def test_an_unknown_model_is_told(packages):
    (answer,) = ask(packages["image"], f"{PAGE}/models/nobody")
    assert answer.status == 404


def test_an_example_that_was_changed_is_left_out(tmp_path):
    package = Package(make_texts(tmp_path / "texts"), Options())
    assert [example["text"] for example in about(package, Limits())["examples"]] == ["good\n"]
    (package.path / "examples/0.txt").write_text("bad\n")
    assert about(package, Limits())["examples"] == []


def test_examples_are_few(tmp_path):
    package = Package(make_table(tmp_path / "prices"), Options())
    listed = package.manifest["files"]
    one = listed["examples/0.json"]
    for number in range(1, 20):
        (package.path / f"examples/{number}.json").write_bytes((package.path / "examples/0.json").read_bytes())
        listed[f"examples/{number}.json"] = one
    assert len(about(package, Limits())["examples"]) == MOST_EXAMPLES


def test_the_page_is_no_part_of_the_interface(packages):
    described, root = ask(packages["image"], "/openapi.json", "/")
    assert "/v1/predict" in described.json()["paths"] and PAGE not in described.body.decode()
    assert root.status == 307 and root.headers["location"] == PAGE
