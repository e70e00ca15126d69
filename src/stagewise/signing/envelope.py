"""A signed text: the DSSE envelope (secure-systems-lab/dsse, protocol 1.0) with Ed25519 or ECDSA P-256 keys in PEM."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from stagewise.errors import SignatureError
from stagewise.signing.strict_json import read_bounded

PAYLOAD_TYPE = "application/vnd.in-toto+json"
Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
Public = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

_KEY_BYTES = 64 * 1024
_SIGNATURES = 16
_URL_SAFE = str.maketrans("-_", "+/")
_MAKE = "make one: openssl genpkey -algorithm ed25519 -out review.key"
_TAKE = "take the file from whoever made it again"


@dataclass(frozen=True)
class Signature:
    """One signature; its ``keyid`` is a hint that nobody vouches for."""

    keyid: str
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """A text and who signed it."""

    payload: bytes
    signatures: list[Signature]


def signed_text(kind: str, body: bytes) -> bytes:
    """The pre-authentication encoding: what is signed, so that no body can be taken for one of another kind."""
    head = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(head), head, len(body), body)


def seal(body: bytes, key: Private) -> dict[str, Any]:
    """The envelope as JSON has it, signed once."""
    text = signed_text(PAYLOAD_TYPE, body)
    value = key.sign(text) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(text, ec.ECDSA(hashes.SHA256()))
    signature = {"keyid": key_id(key.public_key()), "sig": base64.b64encode(value).decode("ascii")}
    return {"payloadType": PAYLOAD_TYPE, "payload": base64.b64encode(body).decode("ascii"), "signatures": [signature]}


def open_envelope(content: dict[str, Any], where: str) -> Envelope:
    """Read the form of an envelope; its signatures are not yet checked.

    Raises:
        SignatureError: a field is missing, of another type, or no base64; the payload is of another kind; nobody
            signed.
    """
    kind = content.get("payloadType")
    if kind != PAYLOAD_TYPE:
        raise SignatureError(
            "the envelope holds something else than a statement",
            where=where,
            why=f"its payloadType is {str(kind)[:80]!r}, not {PAYLOAD_TYPE}",
            fix=_TAKE,
        )
    listed = content.get("signatures")
    if not isinstance(listed, list) or not 0 < len(listed) <= _SIGNATURES:
        raise SignatureError(
            "the envelope is not signed",
            where=where,
            why=f"its signatures are no list of 1 to {_SIGNATURES}",
            fix=_TAKE,
        )
    signatures = [_signature(item, where) for item in listed]
    return Envelope(_decoded(content.get("payload"), "payload", where), signatures)


def signed_by(envelope: Envelope, key: Public) -> bool:
    """Whether any of the signatures is one of ``key`` over this payload; the hints are not trusted."""
    text = signed_text(PAYLOAD_TYPE, envelope.payload)
    return any(_is_signed(signature.value, text, key) for signature in envelope.signatures)


def key_id(key: Public) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo in DER, in hexadecimal."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def load_private_key(path: Path) -> Private:
    """Read the key that signs.

    Raises:
        SignatureError: the file holds no unencrypted private key in PEM, or one of a kind that is not used here.
    """
    content = read_bounded(path, _KEY_BYTES)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SignatureError(
            "the private key is encrypted", where=str(path), fix="decrypt it: openssl pkey -in KEY -out review.key"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError("this is no private key in PEM", where=str(path), fix=_MAKE) from error
    if isinstance(key, ed25519.Ed25519PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        return key
    raise SignatureError(
        "keys of this kind are not used", where=str(path), why="Ed25519 or ECDSA P-256 is needed", fix=_MAKE
    )


def load_public_key(path: Path) -> Public:
    """Read the key that verifies.

    Raises:
        SignatureError: the file holds no public key in PEM, or one of a kind that is not used here.
    """
    content = read_bounded(path, _KEY_BYTES)
    if b"PRIVATE KEY-----" in content:
        raise SignatureError(
            "a private key is not needed to verify, and should not be passed on",
            where=str(path),
            fix="write its public half: openssl pkey -in KEY -pubout -out review.pub",
        )
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(
            "this is no public key in PEM", where=str(path), fix="ask whoever signed for the public key"
        ) from error
    if isinstance(key, ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        return key
    raise SignatureError(
        "keys of this kind are not used",
        where=str(path),
        why="Ed25519 or ECDSA P-256 is needed",
        fix="ask whoever signed for the public key",
    )


def _signature(item: Any, where: str) -> Signature:
    if not isinstance(item, dict) or not isinstance(item.get("keyid", ""), str):
        raise SignatureError("a signature of the envelope has not the form of one", where=where, fix=_TAKE)
    return Signature(item.get("keyid", ""), _decoded(item.get("sig"), "sig", where))


def _decoded(text: Any, name: str, where: str) -> bytes:
    """Base64, in the standard or the URL-safe alphabet, as DSSE allows."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise SignatureError(f"{name} of the envelope is no base64", where=where, fix=_TAKE) from error


def _is_signed(value: bytes, text: bytes, key: Public) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(value, text)
        else:
            key.verify(value, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
