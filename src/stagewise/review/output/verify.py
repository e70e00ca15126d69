"""``stagewise verify FILE``: whether a statement is signed by a key, and says what the review.json beside it says."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stagewise.errors import ReviewError
from stagewise.report.plain_text import clean
from stagewise.review.output import JSON
from stagewise.review.output.statement import PREDICATE_TYPE, STATEMENT_TYPE, make_statement
from stagewise.review.record import Review
from stagewise.signing.envelope import Envelope, key_id, load_public_key, open_envelope, signed_by
from stagewise.signing.strict_json import parse_strictly, read_bounded

_STATEMENT_BYTES, _REVIEW_BYTES = 8 * 1024**2, 64 * 1024**2
_TAKE = "take statement and review.json from whoever made them again"


@dataclass(frozen=True)
class Verified:
    """What holds of a statement that was verified.

    Attributes:
        keyid: of the key whose signature was checked; None where the statement is unsigned, so that anyone may have
            written it.
        unchecked: signatures of other keys, of which nothing is known.
        review: the review it is about, with the stated digest.
        result: PASSED, WARNED or FAILED.
    """

    keyid: str | None
    unchecked: int
    review: Review
    result: str

    def __str__(self) -> str:
        revision = self.review.revision
        others = f", {self.unchecked} more not checked" if self.unchecked else ""
        lines = [
            f"{self.result}  {clean(self.review.project)} {clean(revision.commit)}: {self.review.verdict.value}",
            f"signed by key {self.keyid}{others}" if self.keyid else "UNSIGNED: anyone may have written this",
            f"{JSON} is the one it is about, and says the same",
        ]
        return "\n".join(lines)


def verify_statement(path: Path, key: Path | None = None, review: Path | None = None) -> Verified:
    """Check a statement that ``stagewise review --attest`` wrote.

    Args:
        path: an envelope, or a bare statement.
        key: public key in PEM. Needed for an envelope; a bare statement is refused when it is given.
        review: the review.json; the one beside ``path`` if not given.

    Raises:
        ReviewError, SignatureError: anything does not hold.
    """
    where = str(path)
    content = parse_strictly(read_bounded(path, _STATEMENT_BYTES), where)
    if not isinstance(content, dict):
        raise ReviewError("this is no statement", where=where, why="it is no JSON object", fix=_TAKE)
    keyid, unchecked = None, 0
    if "_type" not in content:
        envelope = open_envelope(content, where)
        keyid = _checked_signature(envelope, key, where)
        unchecked = len(envelope.signatures) - 1
        content = parse_strictly(envelope.payload, where)
    elif key:
        raise ReviewError(
            "the statement is not signed",
            where=where,
            why="a key was given to check a signature",
            fix="leave --key out to check the digests only",
        )
    predicate = _predicate(content, where)
    found = _stated_review(predicate, review or path.parent / JSON, where, follow=review is not None)
    _compare(content, found[0], found[1], where)
    return Verified(keyid, unchecked, found[0], predicate["result"])


def _checked_signature(envelope: Envelope, key: Path | None, where: str) -> str:
    """Return the keyid of the key, one of whose signatures holds."""
    hints = ", ".join(clean(signature.keyid[:64]) or "(none)" for signature in envelope.signatures)
    if key is None:
        raise ReviewError(
            "the statement is signed, and no key is given to check it with",
            where=where,
            why=f"it names these keys: {hints}",
            fix=f"stagewise verify {_last_part(where)} --key PUBLIC.pem",
        )
    public = load_public_key(key)
    if not signed_by(envelope, public):
        raise ReviewError(
            "no signature of this key holds",
            where=where,
            why=f"the key is {key_id(public)}; the statement names {hints}",
            fix="take the file again, or the public key of whoever signed it",
        )
    return key_id(public)


def _last_part(where: str) -> str:
    """A path as a word of a command: its last part."""
    return clean(Path(where).name)


def _predicate(content: Any, where: str) -> dict[str, Any]:
    """Return the predicate of a statement of ours; unknown fields are ignored, as in-toto asks."""
    if not isinstance(content, dict) or content.get("_type") != STATEMENT_TYPE:
        raise ReviewError(
            "this is no in-toto statement", where=where, why=f"its _type is not {STATEMENT_TYPE}", fix=_TAKE
        )
    if content.get("predicateType") != PREDICATE_TYPE:
        raise ReviewError(
            "the statement is about something else than a review",
            where=where,
            why=f"its predicateType is not {PREDICATE_TYPE}",
            fix=_TAKE,
        )
    predicate = content.get("predicate")
    if not isinstance(predicate, dict) or predicate.get("result") not in ("PASSED", "WARNED", "FAILED"):
        raise ReviewError("the statement states no result", where=where, fix=_TAKE)
    return predicate


def _stated_review(predicate: dict[str, Any], path: Path, where: str, *, follow: bool) -> tuple[Review, bytes]:
    """Read the review; no name that the statement gives is ever opened."""
    listed = predicate.get("configuration")
    entries = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    digests = [item.get("digest") for item in entries if item.get("name") == JSON]
    stated = digests[0].get("sha256") if len(digests) == 1 and isinstance(digests[0], dict) else None
    if not isinstance(stated, str):
        raise ReviewError(f"the statement names no digest of one {JSON}", where=where, fix=_TAKE)
    content = read_bounded(path, _REVIEW_BYTES, follow=follow)
    actual = hashlib.sha256(content).hexdigest()
    if actual != stated:
        raise ReviewError(
            f"{JSON} is not the one that the statement is about",
            where=str(path),
            why=f"its SHA-256 is {actual}, not {clean(stated[:64])}",
            fix=_TAKE,
        )
    try:
        return Review.model_validate(parse_strictly(content, str(path))), content
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise ReviewError(
            "this is no review",
            where=str(path),
            why=clean(why[:200]),
            fix="verify with the version of stagewise that wrote it",
        ) from error


def _compare(content: dict[str, Any], review: Review, text: bytes, where: str) -> None:
    """Check that everything the statement says follows from the review."""
    expected = make_statement(review, text)
    predicate = content["predicate"]
    stated = {"subject": content.get("subject"), **{name: predicate.get(name) for name in expected["predicate"]}}
    for name, value in {"subject": expected["subject"], **expected["predicate"]}.items():
        if stated[name] != value:
            raise ReviewError(
                "the statement says something else than the review",
                where=where,
                why=f"{name} does not follow from {JSON}",
                fix=_TAKE,
            )
