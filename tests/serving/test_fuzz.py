"""Requests made of the OpenAPI document, and of bodies that are nearly right: every answer is one that it describes.

The seeds are fixed: a run finds what the last one found.
"""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mutations import mutations, ways
from talking import Answer, live, local

KINDS = ["image", "text", "table", "sound", "series"]
KEY = "k" * 20


def schemathesis(port: int, examples: int, folder: Path, *more: str) -> str:
    """A run of every check but one; what it printed. Fails where it found something."""
    # That every string is base64 of an image, or a row in the graph's own bytes, no schema can say.
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}/openapi.json", "--no-color",
        "--exclude-checks", "positive_data_acceptance", "--max-examples", str(examples), "--seed", "1",
        "--generation-database", "none", *more,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_requests_made_of_the_document_find_nothing(packages, tmp_path):
    header = f"Authorization: Bearer {KEY}"
    with live(*packages.values(), environment={"STAGEWISE_API_KEY": KEY}) as service:
        told = schemathesis(service.port, 20, tmp_path, "--header", header)
        code, errors = service.stop()
    assert (code, errors) == (0, "")
    paths = local(list(packages.values()), document_of)["paths"]
    assert len(paths) >= 5 + 2 * len(KINDS)
    assert f"Tested: {told.partition('Selected: ')[2].partition('/')[0]}\n" in told


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_requests_made_of_the_document_find_nothing(packages, kind, tmp_path):
    with live(packages[kind]) as service:
        schemathesis(service.port, 500, tmp_path)
        code, errors = service.stop()
    assert (code, errors) == (0, "")


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_that_are_nearly_right_are_answered_or_refused(packages, kind):
    check_mutations(packages[kind], kind, 3_000)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_bodies_that_are_nearly_right_are_answered_or_refused(packages, kind):
    check_mutations(packages[kind], kind, 100_000)


def check_mutations(package: Path, kind: str, count: int) -> None:
    """Send mutations of every body that the kind takes: each is answered as the document says, and not every alike."""
    seeds = ways(kind)

    async def talk(client: Any) -> dict[int, int]:
        described = Described(await document_of(client))
        found: dict[int, int] = {}
        for number, way in enumerate(mutations(seeds, count, seed=1)):
            answer = await client.post("/v1/predict?top=2", way.body, {"content-type": way.media})
            faults = described.faults(answer)
            assert not faults, (number, way.media, way.body[:2000], answer.status, answer.body[:2000], faults)
            assert number >= len(seeds) or answer.status == 200, (way, answer.body)
            found[answer.status] = found.get(answer.status, 0) + 1
        return found

    found = local([package], talk)
    assert found[200] > len(seeds) and found[422] > count // 10 and found[400] > 0


async def document_of(client: Any) -> Any:
    """The service's own description."""
    return (await client.get("/openapi.json")).json()


class Described:
    """What openapi.json says about answers of /v1/predict."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._responses = document["paths"]["/v1/predict"]["post"]["responses"]
        self._validator = cache(self._make_validator)

    def faults(self, answer: Answer) -> list[str]:
        """In what an answer is not as described, or is a fault of the service."""
        status, media = str(answer.status), answer.headers.get("content-type")
        if answer.status >= 500 or status not in self._responses:
            return [f"a status of {status}"]
        if media not in self._responses[status]["content"]:
            return [f"a content type of {media}"]
        return [error.message for error in self._validator(status, media).iter_errors(answer.json())]

    def _make_validator(self, status: str, media: str) -> Draft202012Validator:
        place = f"#/paths/~1v1~1predict/post/responses/{status}/content/{media.replace('/', '~1')}/schema"
        return Draft202012Validator({**self._document, "$ref": place})
