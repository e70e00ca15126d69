"""The OpenAPI document; test_fuzz.py makes requests of it."""

import json

from talking import local

from stagewise.serving.options import Options, read_keys


def document_of(packages, options=None):
    async def talk(client):
        return (await client.get("/openapi.json", dict(HEADERS))).json()

    return local(packages, talk, options)


KEY = "k" * 20
HEADERS = {"authorization": f"Bearer {KEY}"}


def test_requests_and_answers_are_the_packages_own(packages):
    document = document_of(list(packages.values()))
    for name, kind in (
        ("shades", "image"),
        ("texts", "text"),
        ("prices", "table"),
        ("sounds", "sound"),
        ("waves", "series"),
    ):
        own = json.loads((packages[kind] / "io.schema.json").read_text())["$defs"]
        assert document["components"]["schemas"][f"{name}.request"] == own["request"]
        assert document["components"]["schemas"][f"{name}.answer"] == own["answer"]
        content = document["paths"][f"/v1/models/{name}/predict"]["post"]["requestBody"]["content"]
        assert content.keys() >= {"application/json", "application/octet-stream"}
    assert "securitySchemes" not in document["components"]


def test_every_reference_leads_somewhere(packages):
    document = document_of(list(packages.values()))
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names == set(document["components"]["schemas"])


def test_every_address_that_is_described_is_there(packages):
    async def talk(client):
        paths = (await client.get("/openapi.json")).json()["paths"]
        gets = [path for path, methods in paths.items() if "get" in methods]
        return [(path, (await client.get(path)).status) for path in gets]

    found = local([packages["image"]], talk)
    assert dict(found) == {path: 200 for path, _ in found}
    assert len(found) == 6


def test_keys_are_described_where_they_are_needed(packages):
    document = document_of([packages["image"]], Options(keys=read_keys(None, {"STAGEWISE_API_KEY": KEY})))
    assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
    assert document["paths"]["/v1/predict"]["post"]["security"] == [{"key": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
