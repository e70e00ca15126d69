"""Keys, rates, hosts, and what is held at one moment."""

import asyncio

import pytest
from talking import local
from test_predict import GREY

from stagewise.serving.limits import Buckets
from stagewise.serving.models import NotFiniteError
from stagewise.serving.options import Batching, Limits, Options, ServeError, read_keys
from stagewise.serving.problems import Problem

KEY, OTHER = "k" * 20, "o" * 20
INPUT = {"input": GREY}


def bearer(key: str) -> dict[str, str]:
    return {"content-type": "application/json", "authorization": f"Bearer {key}"}


@pytest.fixture
def keys() -> Options:
    return Options(keys=read_keys(None, {"STAGEWISE_API_KEY": f"{KEY}\n{OTHER}"}))


@pytest.mark.parametrize(
    "header",
    [{}, {"authorization": "Bearer "}, {"authorization": f"Bearer {KEY}x"}, {"authorization": f"Basic {KEY}"},
     {"authorization": KEY}, {"x-api-key": KEY}, {"authorization": f"Bearer {KEY} "}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/predict", "/v1/model", "/metrics", "/openapi.json", "/nowhere"])
def test_without_a_key_nothing_is_told(packages, keys, header, path):
    async def talk(client):
        if path == "/v1/predict":
            return await client.post(path, INPUT, {"content-type": "application/json", **header})
        return await client.get(path, header)

    answer = local([packages["image"]], talk, keys)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="stagewise"'


def test_each_key_lets_in_and_health_needs_none(packages, keys):
    async def talk(client):
        asked = [await client.post("/v1/predict", INPUT, bearer(key)) for key in (KEY, OTHER)]
        asked += [await client.get("/healthz"), await client.get("/readyz")]
        return [answer.status for answer in asked]

    assert local([packages["image"]], talk, keys) == [200] * 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "holds none"),
        ("# only a comment\n", "holds none"),
        ("short\n", "fewer than 16"),
        ("key with blanks in it\n", "fewer than 16"),
        ("schlüssel-schlüssel\n", "fewer than 16"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used(tmp_path, content, message):
    if content is not None:
        (tmp_path / "keys").write_text(content, encoding="utf-8")
    with pytest.raises(ServeError, match=message):
        read_keys(tmp_path / "keys", {})


def test_a_file_of_keys_comes_before_the_environment(tmp_path):
    (tmp_path / "keys").write_text(f"# of the portal\n{KEY}\n\n")
    assert read_keys(tmp_path / "keys", {"STAGEWISE_API_KEY": OTHER}) == read_keys(None, {"STAGEWISE_API_KEY": KEY})
    assert read_keys(None, {}) == ()


def test_a_bucket_fills_with_time():
    buckets = Buckets(rate=2, burst=3)
    for _ in range(3):
        buckets.take("a", now=0)
    with pytest.raises(Problem) as caught:
        buckets.take("a", now=0.1)
    assert (caught.value.status, caught.value.kind) == (429, "rate")
    assert dict(caught.value.headers)[b"retry-after"] == b"1"
    buckets.take("b", now=0.1)
    buckets.take("a", now=0.6)
    with pytest.raises(Problem):
        buckets.take("a", now=0.7)


def test_buckets_of_many_clients_are_forgotten():
    buckets = Buckets(rate=1, burst=1)
    for number in range(20_000):
        buckets.take(str(number), now=0)
    assert len(buckets._clients) == 10_000


def test_the_rate_is_of_an_address_or_of_a_key(packages, keys):
    async def talk(client):
        found = []
        for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
            found.append((await client.post("/v1/predict", INPUT, bearer(KEY), address=address)).status)
        return found

    limits = Limits(rate=0.001, burst=1)
    assert local([packages["image"]], talk, Options(limits=limits)) == [200, 429, 200]
    assert local([packages["image"]], talk, Options(limits=limits, keys=keys.keys)) == [200, 429, 429]


@pytest.mark.parametrize(
    ("host", "options", "status"),
    [
        ("localhost:8000", Options(), 200),
        ("127.0.0.1", Options(), 200),
        ("[::1]:8000", Options(), 200),
        ("evil.example", Options(), 421),
        ("localhost.evil.example", Options(), 421),
        ("model.example", Options(hosts=("Model.example",)), 200),
        ("evil.example", Options(host="0.0.0.0"), 200),
    ],
)
def test_on_loopback_only_names_of_this_machine_are_answered(packages, host, options, status):
    async def talk(client):
        return (await client.get("/v1/model", {"host": host})).status

    assert local([packages["image"]], talk, options) == status


async def together(client, count: int, body=INPUT):
    answers = await asyncio.gather(*[client.post("/v1/predict", body) for _ in range(count)])
    return sorted(answer.status for answer in answers), [answer for answer in answers if answer.status != 200]


@pytest.mark.parametrize(
    ("options", "status", "kind"),
    [
        (Options(limits=Limits(requests=2)), 503, "overload"),
        (Options(limits=Limits(pending_bytes=300)), 503, "overload"),
        (Options(batching=Batching(queue=2)), 429, "queue-full"),
    ],
    ids=["requests", "bytes", "queue"],
)
def test_what_is_too_much_is_refused_at_once_and_the_rest_answered(packages, options, status, kind):
    async def talk(client):
        first = await together(client, 12)
        return first, await together(client, 1), (await client.get("/metrics")).body.decode()

    (statuses, refused), (after, _), metrics = local([packages["image"]], talk, options)
    assert set(statuses) == {200, status}
    assert refused[0].json()["type"] == f"urn:stagewise:problem:{kind}"
    assert int(refused[0].headers["retry-after"]) >= 1
    assert after == [200]
    assert f'stagewise_problems_total{{kind="{kind}"}} {len(refused)}.0' in metrics
    assert f'stagewise_requests_total{{route="/v1/predict",status="{status}"}} {len(refused)}.0' in metrics
    assert "stagewise_pending_bytes 0.0" in metrics


@pytest.mark.parametrize(
    ("error", "status", "kind"), [(ValueError("secret"), 500, "internal"), (NotFiniteError(), 422, "invalid")]
)
def test_a_model_that_fails_is_told_without_its_words(packages, error, status, kind):
    async def talk(client):
        def fail(_):
            raise error

        run, client.service.default.primary.batcher._run = client.service.default.primary.batcher._run, fail
        bad = await client.post("/v1/predict", INPUT)
        client.service.default.primary.batcher._run = run
        return bad, await client.post("/v1/predict", INPUT)

    bad, good = local([packages["image"]], talk)
    assert (bad.status, bad.json()["type"], good.status) == (status, f"urn:stagewise:problem:{kind}", 200)
    assert b"secret" not in bad.body


def test_a_mistake_of_the_service_is_a_problem_too(packages, monkeypatch, caplog):
    monkeypatch.setattr("stagewise.serving.models.Deployment.to_dict", lambda _: 1 / 0)

    async def talk(client):
        return await client.get("/v1/model")

    answer = local([packages["image"]], talk)
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert b"division" not in answer.body
    assert "ZeroDivisionError" in caplog.text


def test_a_service_that_stops_is_not_ready_but_lives(packages):
    async def talk(client):
        client.service.ready = False
        return [(await client.get(path)).status for path in ("/readyz", "/healthz")]

    assert local([packages["image"]], talk) == [503, 200]
