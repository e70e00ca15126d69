"""Canary, shadow, and packages that take over while requests are answered."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
from small_packages import make_shades, make_table
from talking import local
from test_predict import GREY

from stagewise.serving.options import Batching, Limits, Options, ServeError, Share
from stagewise.serving.service import Service

INVERTED = (255.0, 127.0, 0.0)


@pytest.fixture(scope="module")
def shades(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shades")
    return {
        "old": make_shades(root / "old"),
        "new": make_shades(root / "new", version="2.0.0"),
        "inverted": make_shades(root / "inverted", version="3.0.0", levels=INVERTED),
        "other": make_shades(root / "other", name="other"),
        "prices": make_table(root / "prices", name="shades"),
    }


@pytest.fixture
def link(shades, tmp_path) -> Path:
    path = tmp_path / "current"
    path.symlink_to(shades["old"])
    return path


def point(link: Path, target: Path) -> None:
    """Move a link as a deployment does: at no moment it is not there."""
    other = link.with_name("other-link")
    other.symlink_to(target)
    other.replace(link)


async def versions_of(client, count: int = 1) -> set[str]:
    answers = [await client.post("/v1/predict", {"input": GREY}) for _ in range(count)]
    return {answer.json()["version"] for answer in answers}


def test_another_package_takes_over(shades, link):
    async def talk(client):
        before = await versions_of(client)
        point(link, shades["new"])
        unread = await versions_of(client)
        await client.service.reload()
        model = (await client.get("/v1/model")).json()
        return before, unread, await versions_of(client), model, (await client.get("/metrics")).body.decode()

    before, unread, after, model, metrics = local([link], talk)
    assert (before, unread, after) == ({"1.0.0"}, {"1.0.0"}, {"2.0.0"})
    assert model["last_swap"].startswith("primary 1.0.0 -> 2.0.0 at ")
    assert 'stagewise_swaps_total{model="shades",outcome="done"} 1.0' in metrics
    assert 'stagewise_model_loaded{model="shades",role="primary",version="1.0.0"} 0.0' in metrics
    assert 'stagewise_model_loaded{model="shades",role="primary",version="2.0.0"} 1.0' in metrics


def test_what_is_the_same_is_left_alone(link):
    async def talk(client):
        old = client.service.default.primary
        await client.service.reload()
        return client.service.default.primary is old, client.service.default.swapped

    assert local([link], talk) == (True, "")


def broken(shades, folder: Path) -> Path:
    shutil.copytree(shades["new"], folder)
    (folder / "model.onnx").write_bytes(b"boo")
    return folder


def failing(shades, folder: Path) -> Path:
    """A package that is whole, but does not compute what it recorded."""
    from stagewise.packaging.manifest import write_manifest

    shutil.copytree(shades["new"], folder)
    shutil.copy(shades["inverted"] / "model.onnx", folder)
    (folder / "manifest.json").unlink()
    write_manifest(folder, "shades", "2.0.0", {})
    return folder


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (broken, "model.onnx was changed"),
        (failing, "self-test failed"),
        (lambda shades, _: shades["other"], "the package is 'other' now"),
        (lambda shades, _: shades["prices"], "takes other inputs"),
        (lambda _, folder: folder, "is not a package"),
    ],
    ids=["damaged", "self-test", "other-name", "other-inputs", "nothing"],
)
def test_a_bad_one_is_refused_and_the_old_one_goes_on(shades, link, tmp_path, make, why):
    async def talk(client):
        point(link, make(shades, tmp_path / "bad"))
        await client.service.reload()
        model = (await client.get("/v1/model")).json()
        return await versions_of(client), model["last_swap"], (await client.get("/metrics")).body.decode()

    versions, told, metrics = local([link], talk)
    assert versions == {"1.0.0"}
    assert told.startswith("refused: ")
    assert why in told
    assert 'stagewise_swaps_total{model="shades",outcome="refused"} 1.0' in metrics


def test_no_request_is_dropped_while_packages_take_over(shades, link):
    async def talk(client):
        found: list[str] = []
        stop = asyncio.Event()

        async def ask():
            while not stop.is_set():
                answer = await client.post("/v1/predict", {"input": GREY})
                found.append(answer.json()["version"] if answer.status == 200 else answer.body.decode())

        askers = [asyncio.create_task(ask()) for _ in range(8)]
        for name in ("new", "old", "new", "old", "new"):
            point(link, shades[name])
            await client.service.reload()
            count = len(found)
            while len(found) < count + 16:
                await asyncio.sleep(0)
        stop.set()
        await asyncio.gather(*askers)
        return found

    found = local([link], talk, Options(batching=Batching(rows=4)))
    assert set(found) == {"1.0.0", "2.0.0"}
    assert found[-1] == "2.0.0"


def test_a_canary_answers_its_share(shades):
    async def talk(client):
        versions = [(await versions_of(client)).pop() for _ in range(200)]
        model = (await client.get("/v1/model")).json()
        return versions, model

    versions, model = local([shades["old"]], talk, Options(canaries=(Share(shades["new"], 0.5),)))
    assert 50 < versions.count("2.0.0") < 150  # a chance of less than 1e-12 to be outside
    told = {version["role"]: version["answers"] for version in model["versions"]}
    assert told == {"primary": versions.count("1.0.0"), "canary": versions.count("2.0.0")}


@pytest.mark.parametrize(("name", "outcome"), [("new", "same"), ("inverted", "other")])
def test_a_shadow_is_asked_and_compared_and_never_answers(shades, name, outcome):
    async def talk(client):
        versions = await versions_of(client, 1)
        white = await client.post("/v1/predict", {"inputs": [[[255]], [[255]]]})
        while client.service.background:
            await asyncio.sleep(0.001)
        model = (await client.get("/v1/model")).json()
        return versions, white.labels(), model["versions"][1], (await client.get("/metrics")).body.decode()

    options = Options(shadows=(Share(shades[name], 1.0),))
    versions, labels, shadow, metrics = local([shades["old"]], talk, options)
    assert (versions, labels) == ({"1.0.0"}, ["white", "white"])
    same = {"same": 3, "other": 0} if outcome == "same" else {"same": 1, "other": 2}
    assert {key: shadow["compared"][key] for key in same} == same
    assert shadow["compared"]["agreement"] == pytest.approx(same["same"] / 3)
    assert shadow["role"] == "shadow"
    labels = f'model="shades",outcome="{outcome}",role="shadow"'
    assert f"stagewise_shadow_total{{{labels}" in metrics


def test_a_shadow_that_fails_hurts_nobody(shades):
    async def talk(client):
        def fail(_):
            raise ValueError("no")

        client.service.default.shadow.batcher._run = fail
        versions = await versions_of(client, 3)
        while client.service.background:
            await asyncio.sleep(0.001)
        return versions, (await client.get("/v1/model")).json()["versions"][1]

    versions, shadow = local([shades["old"]], talk, Options(shadows=(Share(shades["new"], 1.0),)))
    assert versions == {"1.0.0"}
    assert (shadow["compared"]["failed"], shadow["failures"]) == (3, 3)


def test_a_shadow_that_is_behind_is_left_out(shades):
    async def talk(client):
        held = client.service.default.shadow.batcher
        gate = threading.Event()
        run, held._run = held._run, lambda rows: (gate.wait(), run(rows))[1]
        versions = await versions_of(client, 5)
        gate.set()
        while client.service.background:
            await asyncio.sleep(0.001)
        return versions, (await client.get("/v1/model")).json()["versions"][1]["compared"]

    options = Options(shadows=(Share(shades["new"], 1.0),), limits=Limits(requests=3))
    versions, compared = local([shades["old"]], talk, options)
    assert versions == {"1.0.0"}
    assert (compared["same"], compared["dropped"]) == (3, 2)


def test_a_shadow_is_not_ended_while_it_is_asked(shades, tmp_path):
    beside = tmp_path / "beside"
    beside.symlink_to(shades["new"])

    async def talk(client):
        await versions_of(client, 3)
        point(beside, shades["inverted"])
        await asyncio.gather(client.service.reload(), versions_of(client, 20))
        while client.service.background:
            await asyncio.sleep(0.001)
        return client.service.default.shadow.version

    assert local([shades["old"]], talk, Options(shadows=(Share(beside, 1.0),))) == "3.0.0"


def test_a_shadow_that_takes_part_of_the_traffic(shades):
    async def talk(client):
        await versions_of(client, 200)
        while client.service.background:
            await asyncio.sleep(0.001)
        return (await client.get("/v1/model")).json()["versions"][1]["answers"]

    assert 50 < local([shades["old"]], talk, Options(shadows=(Share(shades["new"], 0.5),))) < 150


@pytest.mark.parametrize(
    ("packages", "more", "message"),
    [
        (["old", "new"], {}, "two packages are named 'shades'"),
        (["old"], {"canaries": "prices"}, "takes other inputs or gives other answers"),
        (["old", "other"], {"shadows": "missing"}, "cannot be served"),
    ],
    ids=["one-name", "other-inputs", "missing"],
)
def test_what_cannot_be_served_together_is_told(shades, tmp_path, packages, more, message):
    known = {**shades, "missing": tmp_path / "missing"}
    options = Options(**{kind: (Share(known[name], 0.5),) for kind, name in more.items()})
    with pytest.raises(ServeError, match=message):
        Service([shades[name] for name in packages], options)
