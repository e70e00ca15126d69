"""Statements: what they say, what signs them, and every way in which one does not verify."""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sample_reviews import differing, empty, failed, review, stage
from signing_keys import KINDS, write_pair

from stagewise.errors import ReviewError, SignatureError
from stagewise.review.output.statement import make_statement, result_of, write_statement
from stagewise.review.output.verify import verify_statement
from stagewise.review.output.write import to_json
from stagewise.review.record import Finding
from stagewise.review.verdict import Verdict
from stagewise.signing.envelope import key_id, load_private_key, seal, signed_text

SHA256 = "sha256"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "made"
    place.mkdir()
    (place / "review.json").write_text(to_json(review()))
    return place


@pytest.fixture(params=KINDS)
def pair(tmp_path, request):
    return write_pair(tmp_path, request.param)


def finding(severity: str, stage_name: str | None = None) -> Finding:
    return Finding.model_validate(
        {"code": "c", "severity": severity, "stage": stage_name, "what": "w", "where": None, "fix": None}
    )


def test_the_text_that_is_signed_is_that_of_the_protocols_test_vector():
    assert (
        signed_text("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_signed_statement_verifies(folder, pair):
    private, public = pair
    file = write_statement(review(), folder, private)
    found = verify_statement(file, public)
    der = serialization.load_pem_public_key(public.read_bytes()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert found.keyid == hashlib.sha256(der).hexdigest() == json.loads(file.read_text())["signatures"][0]["keyid"]
    assert found.review == review()
    assert str(found).startswith("PASSED  my-model d20ace7968ba43c0219f62d71334c1095bab1602: IDENTICAL\nsigned by key ")


def test_an_unsigned_statement_says_so(folder):
    found = verify_statement(write_statement(review(), folder, None))
    assert found.keyid is None
    assert "UNSIGNED" in str(found)


def test_url_safe_base64_is_read_too(folder, pair):
    private, public = pair
    file = write_statement(review(), folder, private)
    content = json.loads(file.read_text())
    for item in content["signatures"]:
        item["sig"] = item["sig"].replace("+", "-").replace("/", "_")
    file.write_text(json.dumps(content))
    assert verify_statement(file, public).keyid


def test_a_second_signature_of_another_key_is_reported_as_unchecked(folder, tmp_path):
    (private, public), (other, _) = (write_pair(tmp_path, "ed25519", name) for name in ("one", "two"))
    statement = json.dumps(make_statement(review(), (folder / "review.json").read_bytes())).encode()
    both = seal(statement, load_private_key(other))
    both["signatures"] += seal(statement, load_private_key(private))["signatures"]
    file = folder / "review.intoto.json"
    file.write_text(json.dumps(both))
    found = verify_statement(file, public)
    assert found.unchecked == 1
    assert "1 more not checked" in str(found)


def test_the_statement_names_commit_outputs_thresholds_and_stages(folder):
    content = (folder / "review.json").read_bytes()
    statement = make_statement(review(), content)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    first, *outputs = statement["subject"]
    assert first["digest"] == {"gitCommit": review().revision.commit}
    made = [output for item in review().stages for output in item.outputs]
    assert [item["name"] for item in outputs] == [output.path for output in made]
    assert all(set(item["digest"]) == {"stagewiseContent"} for item in outputs)
    named, thresholds = statement["predicate"]["configuration"]
    assert named["digest"][SHA256] == hashlib.sha256(content).hexdigest()
    assert json.loads(base64.b64decode(thresholds["content"])) == review().thresholds.model_dump()
    assert statement["predicate"]["passedTests"] == [item.name for item in review().stages]


@pytest.mark.parametrize(
    ("made", "result", "lists"),
    [
        (review(), "PASSED", (6, 0, 0)),
        (review([stage("train", Verdict.STATISTICAL)]), "PASSED", (1, 0, 0)),
        (review(findings=[finding("note", "train")]), "PASSED", (6, 0, 0)),
        (review(findings=[finding("warning", "train")]), "WARNED", (5, 1, 0)),
        (review(findings=[finding("warning")]), "WARNED", (6, 0, 0)),
        (review(findings=[finding("error", "train")]), "FAILED", (5, 0, 1)),
        (review([stage("ingest"), stage("train", Verdict.INCONCLUSIVE)]), "FAILED", (1, 0, 1)),
        (differing(), "FAILED", (2, 1, 3)),
        (failed(), "FAILED", (2, 0, 4)),
        (empty(), "FAILED", (0, 0, 0)),
    ],
    ids=[
        "identical",
        "equivalent",
        "note",
        "warning",
        "warning-of-all",
        "error",
        "inconclusive",
        "differs",
        "failed",
        "nothing",
    ],
)
def test_result_and_lists_follow_from_the_verdicts(made, result, lists):
    predicate = make_statement(made, b"")["predicate"]
    assert predicate["result"] == result_of(made) == result
    assert tuple(len(predicate[name]) for name in ("passedTests", "warnedTests", "failedTests")) == lists


class Case:
    """A signed statement beside its review.json, for one change to be made."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.folder, self.private, self.public = folder, *write_pair(keys, "ed25519")
        self.key: Path | None = self.public
        self.file = write_statement(review(), folder, self.private)
        self.json = folder / "review.json"

    def envelope(self, **changes: Any) -> None:
        content = json.loads(self.file.read_text()) | changes
        self.file.write_text(json.dumps({name: value for name, value in content.items() if value is not ...}))

    def statement(self, change: Any) -> None:
        """Sign a statement that was changed: whoever holds the key may write nonsense, too."""
        statement = make_statement(review(), self.json.read_bytes())
        changed = change(statement) or statement
        body = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
        self.file.write_text(json.dumps(seal(body, load_private_key(self.private))))

    def flip(self, name: str) -> None:
        content = json.loads(self.file.read_text())
        holder = content if name == "payload" else content["signatures"][0]
        raw = bytearray(base64.b64decode(holder[name]))
        raw[len(raw) // 2] ^= 1
        holder[name] = base64.b64encode(bytes(raw)).decode()
        self.file.write_text(json.dumps(content))

    def review_is(self, text: str) -> None:
        """Another review.json, with a statement that names its digest."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.statement(lambda it: it["predicate"]["configuration"][0]["digest"].update(sha256=digest))
        self.json.write_text(text)

    def move_review(self) -> None:
        (self.folder.parent / "elsewhere.json").write_bytes(self.json.read_bytes())
        self.json.unlink()


def named(name: str) -> Any:
    return lambda it: it["predicate"]["configuration"][0].update(name=name)


def change(*path: Any, value: Any = ...) -> Any:
    """Set, or drop, what lies at a path of keys."""

    def made(statement: dict[str, Any]) -> None:
        place: Any = statement
        for step in path[:-1]:
            place = place[step]
        if value is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return made


def link_review(case: Case) -> None:
    case.move_review()
    case.json.symlink_to("../elsewhere.json")


def other_key(case: Case) -> None:
    case.key = write_pair(case.folder, "p256", "other")[1]


def swapped_hint(case: Case) -> None:
    """A signature of another key that claims to be of ours."""
    ours = key_id(load_private_key(case.private).public_key())
    other = load_private_key(write_pair(case.folder, "ed25519", "other")[0])
    body = json.dumps(make_statement(review(), case.json.read_bytes())).encode()
    sealed = seal(body, other)
    sealed["signatures"][0]["keyid"] = ours
    case.file.write_text(json.dumps(sealed))


def both_wrong(case: Case) -> None:
    case.flip("sig")
    content = json.loads(case.file.read_text())
    case.envelope(signatures=content["signatures"] * 2)


def unsigned_with_key(case: Case) -> None:
    case.file = write_statement(review(), case.folder, None)


def no_key(case: Case) -> None:
    case.key = None


def private_as_public(case: Case) -> None:
    case.key = case.private


def key_file(text: str) -> Any:
    def made(case: Case) -> None:
        case.public.write_text(text)

    return made


def without_file(case: Case) -> None:
    case.file.unlink()


def folder_as_file(case: Case) -> None:
    case.file = case.folder


def pipe_as_review(case: Case) -> None:
    case.json.unlink()
    os.mkfifo(case.json)


RAW = {
    "empty": ("", "no JSON"),
    "truncated": ('{"payloadType": "application/vnd', "no JSON"),
    "not-utf8": (b"\xff\xfe{}", "no JSON"),
    "byte-order-mark": (b"\xef\xbb\xbf{}", "no JSON"),
    "list": ("[]", "no JSON object"),
    "null": ("null", "no JSON object"),
    "number": ("1" * 5000, "no JSON"),
    "nan": ('{"payloadType": NaN}', "NaN is no number of JSON"),
    "infinity": ('{"payloadType": -Infinity}', "-Infinity is no number"),
    "twice": ('{"payloadType": "a", "payloadType": "b"}', "there twice: 'payloadType'"),
    "deep": ("[" * 200_000, "nested too deeply"),
    "deep-object": ('{"a":' * 200_000, "nested too deeply"),
    "huge": (" " * (8 * 1024**2) + "{}", "more than 8,388,608 bytes"),
    "empty-object": ("{}", "something else than a statement"),
    "pickle": (b"\x80\x04\x95\x00", "no JSON"),
}
ENVELOPES = {
    "no-payload-type": ({"payloadType": ...}, "payloadType is 'None'"),
    "other-payload-type": ({"payloadType": "application/json"}, "payloadType is 'application/json'"),
    "payload-type-list": ({"payloadType": ["application/vnd.in-toto+json"]}, "something else than a statement"),
    "no-payload": ({"payload": ...}, "payload of the envelope is no base64"),
    "payload-number": ({"payload": 7}, "payload of the envelope is no base64"),
    "payload-not-base64": ({"payload": "a b!"}, "payload of the envelope is no base64"),
    "payload-not-ascii": ({"payload": "é" * 4}, "payload of the envelope is no base64"),
    "no-signatures": ({"signatures": ...}, "the envelope is not signed"),
    "empty-signatures": ({"signatures": []}, "the envelope is not signed"),
    "signatures-object": ({"signatures": {}}, "the envelope is not signed"),
    "many-signatures": ({"signatures": [{"sig": "AA=="}] * 17}, "the envelope is not signed"),
    "signature-text": ({"signatures": ["AA=="]}, "not the form of one"),
    "keyid-number": ({"signatures": [{"keyid": 1, "sig": "AA=="}]}, "not the form of one"),
    "no-sig": ({"signatures": [{"keyid": "a"}]}, "sig of the envelope is no base64"),
    "empty-sig": ({"signatures": [{"keyid": "a", "sig": ""}]}, "no signature of this key holds"),
    "bad-sig": ({"signatures": [{"keyid": "a", "sig": "AAAA*"}]}, "sig of the envelope is no base64"),
}
STATEMENTS = {
    "payload-not-json": (lambda _: b"hello", "no JSON"),
    "payload-list": (lambda _: b"[]", "no in-toto statement"),
    "payload-twice": (lambda _: b'{"_type": 1, "_type": 2}', "there twice"),
    "old-type": (change("_type", value="https://in-toto.io/Statement/v0.1"), "no in-toto statement"),
    "other-predicate": (change("predicateType", value="https://slsa.dev/provenance/v1"), "something else than a review"),
    "predicate-list": (change("predicate", value=[]), "states no result"),
    "no-result": (change("predicate", "result"), "states no result"),
    "result-list": (change("predicate", "result", value=["PASSED"]), "states no result"),
    "odd-result": (change("predicate", "result", value="passed"), "states no result"),
    "better-result": (change("predicate", "result", value="WARNED"), "result does not follow"),
    "no-subject": (change("subject"), "subject does not follow"),
    "empty-subject": (change("subject", value=[]), "subject does not follow"),
    "other-commit": (change("subject", 0, "digest", value={"gitCommit": "0" * 40}), "subject does not follow"),
    "other-output": (change("subject", 1, "digest", value={"sha256": "0" * 64}), "subject does not follow"),
    "stage-dropped": (change("predicate", "passedTests", value=["ingest"]), "passedTests does not follow"),
    "failure-hidden": (change("predicate", "failedTests"), "failedTests does not follow"),
    "other-thresholds": (change("predicate", "configuration", 1, "digest", value={"sha256": "0" * 64}), "configuration does not follow"),
    "no-configuration": (change("predicate", "configuration"), "names no digest"),
    "configuration-text": (change("predicate", "configuration", value="review.json"), "names no digest"),
    "no-digest": (change("predicate", "configuration", 0, "digest"), "names no digest"),
    "digest-text": (change("predicate", "configuration", 0, "digest", value="abc"), "names no digest"),
    "only-md5": (change("predicate", "configuration", 0, "digest", value={"md5": "0" * 32}), "names no digest"),
    "two-reviews": (lambda it: it["predicate"]["configuration"].append(it["predicate"]["configuration"][0]), "names no digest"),
    "name-up": (named("../review.json"), "names no digest"),
    "name-absolute": (named("/etc/passwd"), "names no digest"),
    "name-nul": (named("review.json\0"), "names no digest"),
    "other-digest": (change("predicate", "configuration", 0, "digest", value={"sha256": "0" * 64}), "is not the one"),
}  # fmt: skip
CASES = {
    "payload-flipped": (lambda case: case.flip("payload"), "no signature of this key holds"),
    "signature-flipped": (lambda case: case.flip("sig"), "no signature of this key holds"),
    "both-signatures-wrong": (both_wrong, "no signature of this key holds"),
    "other-key": (other_key, "no signature of this key holds"),
    "keyid-claims-ours": (swapped_hint, "no signature of this key holds"),
    "no-key": (no_key, "no key is given to check it with"),
    "unsigned-with-key": (unsigned_with_key, "the statement is not signed"),
    "private-as-public": (private_as_public, "a private key is not needed"),
    "key-is-text": (key_file("hello"), "no public key in PEM"),
    "key-is-huge": (key_file("a" * 70_000), "more than 65,536 bytes"),
    "review-changed": (lambda case: case.json.write_text(to_json(differing())), "is not the one"),
    "review-one-space-more": (lambda case: case.json.write_text(case.json.read_text() + " "), "is not the one"),
    "review-missing": (lambda case: case.json.unlink(), "cannot be read"),
    "review-elsewhere": (lambda case: case.move_review(), "cannot be read"),
    "review-link": (link_review, "symbolic link"),
    "review-pipe": (pipe_as_review, "no regular file"),
    "review-not-json": (lambda case: case.review_is("hello"), "no JSON"),
    "review-no-review": (lambda case: case.review_is('{"format": 1}'), "this is no review"),
    "review-other-format": (lambda case: case.review_is(to_json(review()).replace('"format": 1', '"format": 2')), "this is no review"),
    "review-other-verdict": (lambda case: case.review_is(to_json(differing())), "does not follow"),
    "missing": (without_file, "cannot be read"),
    "folder": (folder_as_file, "Is a directory"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*RAW, *ENVELOPES, *STATEMENTS, *CASES])
def test_what_does_not_hold_is_refused(folder, tmp_path, name):
    case = Case(folder, tmp_path)
    if name in RAW:
        content, fragment = RAW[name]
        case.file.write_bytes(content.encode() if isinstance(content, str) else content)
    elif name in ENVELOPES:
        changes, fragment = ENVELOPES[name]
        case.envelope(**changes)
    elif name in STATEMENTS:
        edit, fragment = STATEMENTS[name]
        case.statement(edit)
    else:
        act, fragment = CASES[name]
        act(case)
    with pytest.raises((ReviewError, SignatureError)) as raised:
        verify_statement(case.file, case.key)
    assert fragment in str(raised.value)
    assert raised.value.where
    assert raised.value.fix
    assert len(str(raised.value)) < 1000


def test_the_statement_of_the_cases_verifies_unchanged(folder, tmp_path):
    case = Case(folder, tmp_path)
    case.statement(lambda _: None)
    assert verify_statement(case.file, case.key).result == "PASSED"
    case.statement(lambda it: it | {"more": 1})  # in-toto: unknown fields are ignored
    assert verify_statement(case.file, case.key).result == "PASSED"


def test_a_review_named_by_the_user_may_lie_anywhere(folder, tmp_path):
    case = Case(folder, tmp_path)
    case.move_review()
    link = tmp_path / "link.json"
    link.symlink_to("elsewhere.json")
    assert verify_statement(case.file, case.key, link).result == "PASSED"


def test_a_signed_file_without_a_key_names_the_key_it_wants(folder, tmp_path):
    case = Case(folder, tmp_path)
    with pytest.raises(ReviewError, match=key_id(load_private_key(case.private).public_key())) as raised:
        verify_statement(case.file)
    assert raised.value.fix == "stagewise verify review.intoto.json --key PUBLIC.pem"


def encrypted(path: Path) -> None:
    key = load_private_key(path)
    scheme = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, scheme))


def of_another_curve(path: Path) -> None:
    key, none = ec.generate_private_key(ec.SECP384R1()), serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none))


@pytest.mark.parametrize(
    ("act", "fragment"),
    [
        (encrypted, "the private key is encrypted"),
        (of_another_curve, "keys of this kind are not used"),
        (lambda path: path.write_text("hello"), "no private key in PEM"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
    ids=["encrypted", "other-curve", "text", "missing"],
)
def test_a_key_that_cannot_sign_is_refused_before_anything_is_written(folder, tmp_path, act, fragment):
    private, _ = write_pair(tmp_path, "ed25519")
    act(private)
    with pytest.raises(SignatureError, match=fragment) as raised:
        write_statement(review(), folder, private)
    assert raised.value.fix
    assert not (folder / "review.intoto.json").exists()
