"""Signatures of a release: a statement of in-toto in a DSSE envelope, and an OpenSSF model signature where it can be.

Neither is the same twice, so they lie beside the record of the release, outside of what DVC tracks.
"""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from stagewise.errors import PackageError
from stagewise.packaging.integrity import MANIFEST
from stagewise.packaging.trust.releases import FILE, MODEL_SIGNATURE, STATEMENT, Release
from stagewise.report.plain_text import clean
from stagewise.signing.envelope import key_id, load_private_key, load_public_key, open_envelope, seal, signed_by
from stagewise.signing.strict_json import parse_strictly, read_bounded

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/release/v0.1"
_BYTES = 8 * 1024**2


def make_statement(release: Release, content: bytes) -> dict[str, Any]:
    """The statement about a release.

    Args:
        content: release.json.
    """
    package = {"name": f"{release.package.path}/{MANIFEST}", "digest": {"sha256": release.package.manifest}}
    record = {"name": FILE, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}
    commit = {"name": release.name, "digest": {"gitCommit": release.revision}}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [package, record, commit],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"purl": f"pkg:generic/{release.name}@{release.version}"},
    }


def sign(release: Release, content: bytes, package: Path, out: Path, key: Path) -> list[Path]:
    """Write the signatures of a release that lies in ``out``, and return their files.

    Args:
        content: release.json.
        package: the folder of the package, verified.
        key: private key in PEM (Ed25519 or P-256).

    Raises:
        SignatureError: the key cannot be used.
        PackageError: the library that makes the OpenSSF signature refuses.
    """
    signer = load_private_key(key)
    body = json.dumps(make_statement(release, content), sort_keys=True, separators=(",", ":")).encode()
    statement = out / STATEMENT
    statement.write_text(json.dumps(seal(body, signer), indent=2) + "\n", encoding="utf-8", newline="\n")
    (out / MODEL_SIGNATURE).unlink(missing_ok=True)  # it would be another key's
    if not isinstance(signer, ec.EllipticCurvePrivateKey) or not can_sign_models():
        return [statement]
    from model_signing import signing

    try:
        signing.Config().use_elliptic_key_signer(private_key=key).sign(package, out / MODEL_SIGNATURE)
    except Exception as error:  # it has no base class of its errors
        raise PackageError("model-signing cannot sign the package", where=str(package), why=str(error)) from error
    return [statement, out / MODEL_SIGNATURE]


def check_signature(release: Release, content: bytes, folder: Path, key: Path | None) -> str:
    """Return the id of the key that signed the statement in ``folder``, which is about this very record.

    Raises:
        PackageError, SignatureError: there is no such signature, or no key to check it with.
    """
    path = folder / STATEMENT
    envelope = open_envelope(
        _mapping(parse_strictly(read_bounded(path, _BYTES, follow=False), str(path)), path), str(path)
    )
    if key is None:
        named = ", ".join(clean(signature.keyid[:64]) or "(none)" for signature in envelope.signatures)
        raise PackageError(
            "it is signed, and no key is given to check it with", why=f"it names {named}", fix="--key PUBLIC.pem"
        )
    public = load_public_key(key)
    if not signed_by(envelope, public):
        raise PackageError(f"no signature of the key {key_id(public)} holds", where=str(path))
    if parse_strictly(envelope.payload, str(path)) != make_statement(release, content):
        raise PackageError(f"what is signed is not this {FILE}", where=str(path))
    return key_id(public)


def check_model_signature(package: Path, folder: Path, key: Path) -> str | None:
    """Check the OpenSSF signature in ``folder``, and return what is to be said of it; None where there is none.

    Raises:
        PackageError: it does not hold.
    """
    path = folder / MODEL_SIGNATURE
    if not path.exists():
        return None
    if not can_sign_models():
        return f"{MODEL_SIGNATURE} not looked at: pip install 'stagewise[signing]'"
    if not isinstance(load_public_key(key), ec.EllipticCurvePublicKey):
        raise PackageError(f"{MODEL_SIGNATURE} is not of a key of this kind", where=str(path))
    from model_signing import verifying

    try:
        verifying.Config().use_elliptic_key_verifier(public_key=key).verify(package, path)
    except Exception as error:  # it has no base class of its errors
        why = clean(str(error) or type(error).__name__)[:200]
        raise PackageError(f"{MODEL_SIGNATURE} does not hold", where=str(path), why=why) from error
    return f"{MODEL_SIGNATURE} too"


def can_sign_models() -> bool:
    """Whether model-signing is installed, with the library that it needs and does not name."""
    return find_spec("model_signing") is not None and find_spec("OpenSSL") is not None


def _mapping(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise PackageError("this is no signed statement", where=str(path), why="it is no JSON object")
    return content
