"""What must be refused, each with the right status, and the service answers after all of it."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from talking import Live, live, read_answer, request
from test_predict import GREY, form, png, text, wav

LIMITS = (
    "--max-body-bytes", 200_000, "--max-pixels", 1_000_000, "--max-samples", 50_000, "--max-inputs", 8, "--max-headers", 30,
    "--max-header-bytes", 4000, "--max-header-seconds", 0.6, "--max-request-seconds", 0.6,
)  # fmt: skip
BINARY = "application/octet-stream"
PREDICT = "/v1/predict"


@pytest.fixture(scope="module")
def service(packages) -> Iterator[Live]:
    with live(*packages.values(), *LIMITS) as running:
        yield running
        code, errors = running.stop()
        assert (code, errors) == (0, "")


def bomb(width: int, height: int) -> bytes:
    """A valid PNG of a few kilobytes whose pixels would fill the memory."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


def silence(count: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(count, np.int16), 8000, format="FLAC")
    return file.getvalue()


def deep(depth: int) -> bytes:
    return b'{"input": ' + b"[" * depth + b"]" * depth + b"}"


def post(body: bytes | str, content_type: str = "application/json", path: str = PREDICT, *headers: str) -> bytes:
    return request("POST", path, body.encode() if isinstance(body, str) else body, content_type, *headers)


def model(name: str, body: bytes | str, content_type: str = "application/json") -> bytes:
    return post(body, content_type, f"/v1/models/{name}/predict")


def headed(*headers: str, path: str = PREDICT, body: bytes = b"") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1") + body


FORM = form(png(0))[0]
BAD: list[tuple[str, bytes, int]] = [
    # JSON
    ("empty-json", post(""), 400),
    ("truncated-object", post('{"input": [[1, 2'), 400),
    ("truncated-string", post('{"input": "iVBO'), 400),
    ("trailing-text", post('{"input": [[1]]} x'), 400),
    ("two-values", post('{"input": [[1]]}{"input": [[1]]}'), 400),
    ("single-quotes", post("{'input': [[1]]}"), 400),
    ("trailing-comma", post('{"input": [[1],]}'), 400),
    ("comment", post('{"input": [[1]] /* x */}'), 400),
    ("nan", post('{"input": [[NaN]]}'), 400),
    ("infinity", post('{"input": [[Infinity]]}'), 400),
    ("minus-infinity", post('{"input": [[-Infinity]]}'), 400),
    ("not-utf8", post(b'{"input": "\xff\xfe"}'), 400),
    ("utf16", post('{"input": [[1]]}'.encode("utf-16")), 400),
    ("byte-order-mark", post(b"\xef\xbb\xbf" + b'{"input": [[1]]}'), 400),
    ("nul", post(b'{"input": "\x00"}'), 400),
    ("deep-nesting", post(deep(50_000)), 400),
    ("nesting-1000", post(deep(1000)), 422),
    ("nesting-60", post(deep(60)), 422),
    ("twice-the-same-key", post('{"input": [[1]], "input": [[2]]}'), 400),
    ("twice-within-a-row", model("prices", '{"input": {"rooms": 1, "rooms": 2, "colour": "red"}}'), 400),
    ("twice-escaped", post('{"input": [[1]], "\\u0069nput": [[2]]}'), 400),
    ("hidden-twice", model("prices", '{"input": {"rooms": "\\":", "colour": "red", "colour": "red"}}'), 400),
    ("lone-surrogate", model("texts", '{"input": "\\ud800"}'), 400),
    ("null", post("null"), 422),
    ("number", post("3"), 422),
    ("list", post("[[1]]"), 422),
    ("no-input", post("{}"), 422),
    ("unknown-field", post('{"input": [[1]], "x": 1}'), 422),
    ("misspelt-field", post('{"imput": [[1]]}'), 422),
    ("both-fields", post('{"input": [[1]], "inputs": [[[1]]]}'), 422),
    ("inputs-no-list", post('{"inputs": 3}'), 422),
    ("no-inputs", post('{"inputs": []}'), 422),
    ("too-many-inputs", post('{"inputs": [' + ",".join(["[[1]]"] * 9) + "]}"), 422),
    # images
    ("image-null", post('{"input": null}'), 422),
    ("image-object", post('{"input": {"path": "/etc/passwd"}}'), 422),
    ("image-path", post('{"input": "/etc/passwd"}'), 422),
    ("image-url", post('{"input": "http://127.0.0.1/x.png"}'), 422),
    ("image-file-url", post('{"input": "file:///etc/passwd"}'), 422),
    ("image-data-url", post('{"input": "data:image/png;base64,iVBORw0KGgo="}'), 422),
    ("bad-base64", post('{"input": "%%%"}'), 422),
    ("base64-padding", post('{"input": "abcde"}'), 422),
    ("base64-of-no-image", post(f'{{"input": "{text(b"hello")}"}}'), 422),
    ("base64-empty", post('{"input": ""}'), 422),
    ("base64-cut", post(f'{{"input": "{text(png(0)[:40])}"}}'), 422),
    ("pixels-too-big", post('{"input": [[256]]}'), 422),
    ("pixels-negative", post('{"input": [[-1]]}'), 422),
    ("pixels-half", post('{"input": [[0.5]]}'), 422),
    ("pixels-huge", post('{"input": [[1e308]]}'), 422),
    ("pixels-beyond-int64", post('{"input": [[99999999999999999999999]]}'), 422),
    ("pixels-text", post('{"input": [["1"]]}'), 422),
    ("pixels-bool", post('{"input": [[1, true]]}'), 422),
    ("pixels-null", post('{"input": [[null]]}'), 422),
    ("pixels-ragged", post('{"input": [[1, 2], [3]]}'), 422),
    ("pixels-flat", post('{"input": [1, 2, 3]}'), 422),
    ("pixels-4-deep", post('{"input": [[[[1]]]]}'), 422),
    ("pixels-5-channels", post('{"input": [[[1, 2, 3, 4, 5]]]}'), 422),
    ("pixels-empty", post('{"input": []}'), 422),
    ("pixels-empty-rows", post('{"input": [[], []]}'), 422),
    ("second-input-bad", post(f'{{"inputs": [{GREY}, 7]}}'), 422),
    ("bomb", post(bomb(60_000, 60_000), "image/png"), 413),
    ("bomb-over-pillows-limit", post(bomb(2**31 - 1, 2**31 - 1), "image/png"), 413),
    ("bomb-base64", post(f'{{"input": "{text(bomb(30_000, 30_000))}"}}'), 413),
    ("bomb-form", post(form(bomb(30_000, 30_000))[0], "multipart/form-data; boundary=mark"), 413),
    ("png-too-little-data", post(bomb(900, 900), "image/png"), 422),
    ("wrong-magic", post(b"GIF89a" + png(0)[6:], "image/gif"), 422),
    ("pdf-as-png", post(b"%PDF-1.7\n", "image/png"), 422),
    ("svg", post(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), 422),
    ("png-header-only", post(png(0)[:33], "image/png"), 422),
    ("empty-png", post(b"", "image/png"), 400),
    # forms
    ("form-without-boundary", post(FORM, "multipart/form-data"), 400),
    ("form-other-boundary", post(FORM, "multipart/form-data; boundary=other"), 400),
    ("form-long-boundary", post(FORM, f"multipart/form-data; boundary={'b' * 71}"), 400),
    ("form-cut", post(FORM[:-20], "multipart/form-data; boundary=mark"), 400),
    ("form-empty", post(b"--mark--\r\n", "multipart/form-data; boundary=mark"), 400),
    ("form-other-name", post(form(png(0), name="file")[0], "multipart/form-data; boundary=mark"), 422),
    ("form-path-as-name", post(form(png(0), name="../input")[0], "multipart/form-data; boundary=mark"), 422),
    ("form-for-texts", post(FORM, "multipart/form-data; boundary=mark", "/v1/models/texts/predict"), 415),
    ("form-too-many", post(form(*[png(0)] * 9)[0], "multipart/form-data; boundary=mark"), 422),
    ("form-part-header", post(FORM.replace(b'"x"', b'"' + b"x" * 5000 + b'"'), "multipart/form-data; boundary=mark"), 400),
    # rows
    ("rows-empty", post(b"", BINARY), 400),
    ("rows-short", post(bytes(23), BINARY), 422),
    ("rows-one-byte-more", post(bytes(25), BINARY), 422),
    ("rows-too-many", post(bytes(24 * 9), BINARY), 422),
    ("rows-nan", model("prices", np.array([np.nan, np.inf], "<f4").tobytes(), BINARY), 422),
    ("rows-no-code", model("prices", np.array([1, 9], "<f4").tobytes(), BINARY), 422),
    ("rows-token-outside", model("texts", np.array([99], "<i4").tobytes(), BINARY), 422),
    ("rows-too-many-tokens", model("texts", np.zeros(9, "<i4").tobytes(), BINARY), 422),
    ("rows-series-nan", model("waves", np.full((3, 2), np.nan, "<f4").tobytes(), BINARY), 422),
    # texts
    ("text-empty", model("texts", '{"input": ""}'), 422),
    ("text-blank", model("texts", '{"input": "  \\n"}'), 422),
    ("text-number", model("texts", '{"input": 3}'), 422),
    ("text-null", model("texts", '{"input": {"text": null}}'), 422),
    ("text-tokens", model("texts", '{"input": {"tokens": [4]}}'), 422),
    ("text-list", model("texts", '{"input": ["good"]}'), 422),
    ("text-not-utf8", model("texts", b"\xff\xff", "text/plain"), 422),
    # rows of a table
    ("row-text", model("prices", '{"input": "rooms.json"}'), 422),
    ("row-list", model("prices", '{"input": [1, "red"]}'), 422),
    ("row-without-column", model("prices", '{"input": {"rooms": 1}}'), 422),
    ("row-unknown-column", model("prices", '{"input": {"rooms": 1, "colour": "red", "size": 1}}'), 422),
    ("row-no-number", model("prices", '{"input": {"rooms": "many", "colour": "red"}}'), 422),
    ("row-bool-as-number", model("prices", '{"input": {"rooms": true, "colour": "red"}}'), 422),
    ("row-huge", model("prices", '{"input": {"rooms": 1e39, "colour": "red"}}'), 422),
    ("row-huge-integer", model("prices", f'{{"input": {{"rooms": {"9" * 400}, "colour": "red"}}}}'), 400),
    ("row-nested", model("prices", '{"input": {"rooms": [1], "colour": "red"}}'), 422),
    ("row-nested-category", model("prices", '{"input": {"rooms": 1, "colour": {"a": 1}}}'), 422),
    ("row-as-csv", model("prices", b"rooms,colour\n1,red\n", "text/csv"), 415),
    # recordings
    ("sound-path", model("sounds", '{"input": "/etc/hostname"}'), 422),
    ("sound-no-rate", model("sounds", '{"input": {"samples": [0, 1]}}'), 422),
    ("sound-more", model("sounds", '{"input": {"samples": [0, 1], "rate": 8000, "x": 1}}'), 422),
    ("sound-rate-0", model("sounds", '{"input": {"samples": [0, 1], "rate": 0}}'), 422),
    ("sound-rate-true", model("sounds", '{"input": {"samples": [0, 1], "rate": true}}'), 422),
    ("sound-rate-huge", model("sounds", '{"input": {"samples": [0, 1], "rate": 1e300}}'), 422),
    ("sound-rate-half", model("sounds", '{"input": {"samples": [0, 1], "rate": 8000.5}}'), 422),
    ("sound-loud", model("sounds", '{"input": {"samples": [1e300], "rate": 8000}}'), 422),
    ("sound-2d", model("sounds", '{"input": {"samples": [[0], [1]], "rate": 8000}}'), 422),
    ("sound-empty", model("sounds", '{"input": {"samples": [], "rate": 8000}}'), 422),
    ("sound-no-wav", model("sounds", b"RIFFxxxxWAVE", "audio/wav"), 422),
    ("sound-cut", model("sounds", wav(0)[:100], "audio/wav"), 422),
    ("sound-bomb", model("sounds", silence(200_000), "audio/flac"), 413),
    ("sound-bomb-json", model("sounds", f'{{"input": "{text(silence(200_000))}"}}'), 413),
    # series
    ("series-text", model("waves", '{"input": "waves.csv"}'), 422),
    ("series-column-missing", model("waves", '{"input": {"a": [1, 2, 3]}}'), 422),
    ("series-lengths", model("waves", '{"input": {"a": [1, 2, 3], "b": [1, 2]}}'), 422),
    ("series-short", model("waves", '{"input": {"a": [1], "b": [1]}}'), 422),
    ("series-scalar", model("waves", '{"input": {"a": 1, "b": 2}}'), 422),
    ("series-string-column", model("waves", '{"input": {"a": "123", "b": "123"}}'), 422),
    ("series-null", model("waves", '{"input": {"a": [1, 2, null], "b": [1, 2, 3]}}'), 422),
    ("series-bool", model("waves", '{"input": {"a": [1, 2, true], "b": [1, 2, 3]}}'), 422),
    ("series-times", model("waves", '{"input": {"a": [1,2,3], "b": [1,2,3], "time": ["x", "y", "z"]}}'), 422),
    ("series-times-apart", model("waves", '{"input": {"a": [1,2,3], "b": [1,2,3], "time": ["0001", "2000", "9999"]}}'), 422),
    ("series-csv", model("waves", b"a;b\n1;2;3\n", "text/csv"), 422),
    ("series-csv-nul", model("waves", b"a,b\n\x00,1\n", "text/csv"), 422),
    # content type, coding and length
    ("no-content-type", post('{"input": [[1]]}', ""), 415),
    ("form-urlencoded", post("input=1", "application/x-www-form-urlencoded"), 415),
    ("xml", post("<input/>", "application/xml"), 415),
    ("text-for-images", post("hello", "text/plain"), 415),
    ("pickle", post(b"\x80\x04.", "application/x-pickle"), 415),
    ("json-latin1", post('{"input": [[1]]}', "application/json; charset=latin-1"), 415),
    ("gzip", post(b"\x1f\x8b", "application/json", PREDICT, "Content-Encoding: gzip"), 415),
    ("two-content-types", post("{}", "application/json", PREDICT, "Content-Type: image/png"), 400),
    ("odd-content-type", post("{}", ";;;"), 415),
    ("too-long", post(bytes(200_001), BINARY), 413),
    ("length-too-long", headed("Content-Type: image/png", "Content-Length: 99999999999999"), 413),
    ("length-negative", headed("Content-Type: image/png", "Content-Length: -1"), 400),
    ("length-text", headed("Content-Type: image/png", "Content-Length: abc"), 400),
    ("length-twice", headed("Content-Type: image/png", "Content-Length: 1", "Content-Length: 2", body=b"x"), 400),
    ("length-and-chunks", headed("Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ("bad-chunk", headed("Content-Type: image/png", "Transfer-Encoding: chunked", body=b"zz\r\nabc\r\n"), 400),
    ("chunks-too-long", headed(
        f"Content-Type: {BINARY}", "Transfer-Encoding: chunked", body=(b"10000\r\n" + bytes(65536) + b"\r\n") * 4 + b"0\r\n\r\n"
    ), 413),
    # addresses
    ("nowhere", request("GET", "/nowhere"), 404),
    ("root", request("POST", "/", b"{}"), 405),
    ("docs", request("GET", "/docs"), 404),
    ("admin", request("POST", "/v1/admin/swap"), 404),
    ("unknown-model", model("other", '{"input": [[1]]}'), 404),
    ("dots", request("GET", "/v1/models/../../etc/passwd"), 404),
    ("coded-dots", request("GET", "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 404),
    ("coded-slash", post("{}", "application/json", "/v1/models/..%2fshades/predict"), 404),
    ("nul-in-name", post("{}", "application/json", "/v1/models/shades%00/predict"), 404),
    ("empty-name", post("{}", "application/json", "/v1/models//predict"), 404),
    ("slash-behind", post("{}", "application/json", "/v1/predict/"), 404),
    ("capitals", post("{}", "application/json", "/V1/PREDICT"), 404),
    ("not-utf8-address", request("GET", "/v1/models/%ff%fe"), 404),
    ("get-predict", request("GET", PREDICT), 405),
    ("put-predict", request("PUT", PREDICT), 405),
    ("delete-model", request("DELETE", "/v1/model"), 405),
    ("post-metrics", request("POST", "/metrics"), 405),
    ("options", request("OPTIONS", PREDICT), 405),
    ("trace", request("TRACE", PREDICT), 405),
    ("unknown-method", request("BREW", PREDICT), 400),
    ("query-unknown", post('{"input": [[1]]}', path=f"{PREDICT}?tpo=1"), 422),
    ("query-top-0", post('{"input": [[1]]}', path=f"{PREDICT}?top=0"), 422),
    ("query-top-huge", post('{"input": [[1]]}', path=f"{PREDICT}?top={'9' * 500}"), 422),
    ("query-top-text", post('{"input": [[1]]}', path=f"{PREDICT}?top=abc"), 422),
    ("query-twice", post('{"input": [[1]]}', path=f"{PREDICT}?top=1&top=2"), 422),
    ("query-path", post('{"input": [[1]]}', path=f"{PREDICT}?path=/etc/passwd"), 422),
    ("foreign-host", request("GET", "/v1/model").replace(b"Host: localhost", b"Host: evil.example"), 421),
    ("host-with-port", request("GET", "/v1/model").replace(b"Host: localhost", b"Host: evil.example:8000"), 421),
    # HTTP
    ("no-http", b"hello there\r\n\r\n", 400),
    ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), 400),
    ("http-9", b"GET /v1/model HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    ("blank-in-header-name", headed("Bad Header: 1"), 400),
    ("nul-in-header", headed("X-A: a\x00b"), 400),
    ("header-without-colon", headed("nothing"), 400),
    ("too-many-headers", headed(*[f"X-{number}: 1" for number in range(40)]), 431),
    ("long-header", headed(f"X-Long: {'a' * 5000}"), 431),
    ("long-address", request("GET", "/" + "a" * 5000), 431),
    ("endless-header", b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 300_000, 431),
]  # fmt: skip


def test_there_are_enough_of_them_and_none_is_there_twice():
    names = [name for name, _, _ in BAD]
    assert len(set(names)) == len(names) >= 150


@pytest.mark.parametrize(
    ("content", "status"), [(content, status) for _, content, status in BAD], ids=[name for name, _, _ in BAD]
)
def test_it_is_refused_and_the_service_goes_on(service, content, status):
    answer = service.send(content)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:stagewise:problem:")
    assert problem["title"]
    assert "Traceback" not in answer.body.decode()
    assert service.post(PREDICT, b'{"input": [[120]]}').labels() == ["grey"]


@pytest.mark.parametrize(
    ("beginning", "status"),
    [
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 408),
        (b"P", 408),
        (headed("Content-Type: image/png", "Content-Length: 1000", body=b"half of it"), 408),
        (headed("Content-Type: image/png", "Transfer-Encoding: chunked", body=b"5\r\nhel"), 408),
    ],
    ids=["headers", "first-letter", "body", "chunks"],
)
def test_who_stops_in_the_middle_is_told_and_hung_up_on(service, beginning, status):
    with service.connect() as connection:
        connection.sendall(beginning)
        answer = read_answer(connection)
        assert (answer.status, answer.json()["type"]) == (status, "urn:stagewise:problem:timeout")
        assert connection.recv(100) == b""
    assert service.post(PREDICT, b'{"input": [[120]]}').labels() == ["grey"]


def test_who_drips_is_hung_up_on_all_the_same(service):
    """A byte now and then starts no clock anew."""
    with service.connect() as connection:
        connection.settimeout(0.1)
        answer = b""
        for letter in b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 200:
            try:
                connection.sendall(bytes([letter]))
                if answer := connection.recv(1000):
                    break
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("beginning", [b"", b"\r\n\r\n"], ids=["silent", "blank-lines"])
def test_who_says_nothing_is_hung_up_on_without_a_word(service, beginning):
    with service.connect() as connection:
        connection.sendall(beginning)
        assert connection.recv(100) == b""


def test_who_goes_away_in_the_middle_hurts_nobody(service):
    for end in (20, 80, 120):
        with service.connect() as connection:
            connection.sendall(post(png(0), "image/png")[:end])
    assert service.post(PREDICT, b'{"input": [[120]]}').labels() == ["grey"]


def test_a_bad_request_behind_a_good_one_does_not_spoil_it(service):
    with service.connect() as connection:
        connection.sendall(post(f'{{"input": {GREY}}}') + b"no http at all\r\n\r\n")
        assert read_answer(connection).labels() == ["grey"]


def test_requests_in_a_row_are_answered_in_a_row(service):
    with service.connect() as connection:
        connection.sendall(b"".join(post(png(shade), "image/png") for shade in (0, 120, 250)))
        assert [read_answer(connection).labels()[0] for _ in range(3)] == ["black", "grey", "white"]


def test_the_accepted_types_are_named(service):
    answer = service.post(PREDICT, b"x", "text/plain")
    assert answer.headers["accept"] == "application/json, application/octet-stream, multipart/form-data, image/*"


def test_methods_are_named(service):
    assert service.get(PREDICT).headers["allow"] == "POST"


def test_what_is_wrong_is_pointed_at(service):
    answer = service.post(PREDICT, f'{{"inputs": [{GREY}, 7]}}'.encode())
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/inputs/1"
    assert "pixels" in error["detail"]
