"""Every kind of input by every way in, and what comes back."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile
from PIL import Image
from talking import local

from stagewise.packaging.predictor import Predictor


def png(shade: int, size: tuple[int, int] = (9, 7)) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, shade).save(file, "PNG")
    return file.getvalue()


def wav(level: int, count: int = 100) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full(count, level, np.int16), 8000, subtype="PCM_16", format="WAV")
    return file.getvalue()


def form(*files: bytes, name: str = "input") -> tuple[bytes, dict[str, str]]:
    parts = [
        f'--mark\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'.encode() + file + b"\r\n"
        for file in files
    ]
    return b"".join(parts) + b"--mark--\r\n", {"content-type": "multipart/form-data; boundary=mark"}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


GREY = [[120] * 4] * 6
RGB = [[[120, 120, 120]] * 4] * 6
WAYS = [
    ("image", "/v1/predict", {"input": text(png(250))}, None, ["white"]),
    ("image", "/v1/predict", {"inputs": [text(png(250)), GREY, RGB, text(png(0))]}, None, ["white", "grey", "grey", "black"]),
    ("image", "/v1/predict", {"input": [[120.0] * 3]}, None, ["grey"]),
    ("image", "/v1/models/shades/predict", png(250), {"content-type": "image/png"}, ["white"]),
    ("image", "/v1/predict", *form(png(250), png(0)), ["white", "black"]),
    ("image", "/v1/predict", bytes([250] * 24 + [1] * 24), {"content-type": "application/octet-stream"}, ["white", "black"]),
    ("text", "/v1/predict", {"input": "good good"}, None, ["good"]),
    ("text", "/v1/predict", {"inputs": ["film", {"text": "good"}]}, None, ["film", "good"]),
    ("text", "/v1/predict", b"film film film", {"content-type": "text/plain; charset=utf-8"}, ["film"]),
    ("text", "/v1/predict", np.array([6, 6], "<i4").tobytes(), {"content-type": "application/octet-stream"}, ["film"]),
    ("sound", "/v1/predict", {"input": text(wav(20000))}, None, ["loud"]),
    ("sound", "/v1/predict", {"input": {"samples": [0.6] * 100, "rate": 8000}}, None, ["loud"]),
    ("sound", "/v1/predict", wav(0), {"content-type": "audio/wav"}, ["quiet"]),
    ("sound", "/v1/predict", *form(wav(0), wav(20000)), ["quiet", "loud"]),
    ("sound", "/v1/predict", np.full(100, 20000, "<i2").tobytes(), {"content-type": "application/octet-stream"}, ["loud"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "content", "headers", "labels"), WAYS, ids=range(len(WAYS)))
def test_classes(packages, kind, path, content, headers, labels):
    async def talk(client):
        return await client.post(path, content, headers)

    answer = local([packages[kind]], talk)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer.body
    assert answer.labels() == labels


NUMBERS = [
    ({"input": {"rooms": 3, "colour": "green"}}, None, [2.5]),
    ({"inputs": [{"rooms": "4", "colour": None}, {"rooms": 1, "colour": "blue", "id": 7}]}, None, [3.5, 0.5]),
    (np.array([[3, 2], [4, 2]], "<f4").tobytes(), {"content-type": "application/octet-stream"}, [2.5, 3.0]),
]


@pytest.mark.parametrize(("content", "headers", "values"), NUMBERS, ids=range(len(NUMBERS)))
def test_numbers(packages, content, headers, values):
    async def talk(client):
        return await client.post("/v1/predict", content, headers)

    answers = local([packages["table"]], talk).json()["answers"]
    assert answers == [{"value": value, "unit": "USD"} for value in values]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ({"input": {"a": [1, 2, 3], "b": [2, 4, 6]}}, None),
        (b"time,a,b\n2026-01-01,1,2\n2026-01-01 01:00,2,4\n2026-01-01 02:00,3,6\n", {"content-type": "text/csv"}),
        (np.array([[1, 2], [2, 4], [3, 6]], "<f4").tobytes(), {"content-type": "application/octet-stream"}),
    ],
    ids=["columns", "csv", "rows"],
)
def test_series(packages, content, headers):
    async def talk(client):
        return await client.post("/v1/predict", content, headers)

    (answer,) = local([packages["series"]], talk).json()["answers"]
    assert answer == {
        "steps": ["+1h", "+2h"], "forecast": {"a": [2.0, 2.0], "b": [4.0, 4.0]}, "units": {"a": "", "b": "°C"}
    }  # fmt: skip


def test_it_answers_what_the_package_answers(packages):
    image = png(99, (300, 200))

    async def talk(client):
        return await client.post("/v1/predict?top=3", {"input": text(image)})

    content = local([packages["image"]], talk).json()
    (expected,) = Predictor.load(packages["image"]).predict(image)
    assert content["answers"] == [expected.to_dict(3)]
    assert (content["model"], content["version"]) == ("shades", "1.0.0")


def test_large_inputs_are_read_in_a_thread_and_come_out_the_same(packages):
    pixels = np.full((300, 400), 250).tolist()

    async def talk(client):
        return await client.post("/v1/predict", {"inputs": [pixels, text(png(0, (900, 900)))]})

    assert local([packages["image"]], talk).labels() == ["white", "black"]


def test_several_models_answer_by_their_names(packages):
    async def talk(client):
        listed = (await client.get("/v1/models")).json()["models"]
        one = await client.post("/v1/models/texts/predict", {"input": "film"})
        return listed, one.labels(), (await client.post("/v1/predict", {"input": GREY})).labels()

    listed, texts, images = local([packages["image"], packages["text"]], talk)
    assert [(model["name"], model["default"]) for model in listed] == [("shades", True), ("texts", False)]
    assert (texts, images) == (["film"], ["grey"])


def test_the_model_tells_its_card_its_schema_and_its_versions(packages):
    async def talk(client):
        await client.post("/v1/predict", {"input": GREY})
        return (await client.get("/v1/model")).json(), (await client.get("/v1/models/shades")).json()

    model, named = local([packages["image"]], talk)
    assert model == named
    assert model["card"] == (packages["image"] / "README.md").read_text()
    assert model["schema"] == json.loads((packages["image"] / "io.schema.json").read_text())
    (version,) = model["versions"]
    assert (version["version"], version["role"], version["answers"]) == ("1.0.0", "primary", 1)
    assert 0 < version["mean_confidence"] <= 1


def test_every_answer_has_an_id_of_its_own(packages):
    async def talk(client):
        answers = [await client.post("/v1/predict", {"input": GREY}) for _ in range(3)]
        return [(answer.json()["id"], answer.headers["x-request-id"]) for answer in answers]

    ids = local([packages["image"]], talk)
    assert all(body == header for body, header in ids)
    assert len(set(ids)) == 3


def test_observers_see_rows_outputs_and_answers_and_cannot_hurt(packages):
    seen = []

    async def talk(client):
        client.service.observers += [seen.append, lambda _: 1 / 0]
        answer = await client.post("/v1/predict", {"inputs": [GREY, GREY]})
        return answer, (await client.get("/metrics")).body.decode()

    answer, metrics = local([packages["image"]], talk)
    (found,) = seen
    assert (found.request_id, found.package.name, found.role) == (answer.json()["id"], "shades", "primary")
    assert np.stack(found.rows).shape == (2, 6, 4, 1)
    assert [len(output) for output in found.outputs] == [2, 2]
    assert [one.label for one in found.answers] == answer.labels()
    assert "stagewise_hook_errors_total 1.0" in metrics
