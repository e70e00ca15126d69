"""What a review found as an in-toto statement (Statement v1, test-result v0.1), signed where a key is given.

Its tests are the stages. The result is PASSED where every stage is reproduced and nothing is found, WARNED where there
are warnings, else FAILED: an inconclusive review has not shown what it was to show.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from stagewise.review.output import JSON, STATEMENT
from stagewise.review.record import Review, Stage
from stagewise.signing.envelope import load_private_key, seal

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"

CONTENT = "stagewiseContent"
"""Name of a digest of canonical content, as review.json writes it: tensors, cells and pixels, not the bytes of a file.

It is not called sha256, by which others would look for the file's bytes.
"""


def write_statement(review: Review, folder: Path, key: Path | None) -> Path:
    """Write the statement over the review.json in ``folder`` beside it.

    Args:
        key: private key in PEM; without one the bare statement is written, which anyone could have written.

    Raises:
        SignatureError: the key cannot be used.
    """
    signer = load_private_key(key) if key else None
    statement = make_statement(review, (folder / JSON).read_bytes())
    content = seal(_serialized(statement), signer) if signer else statement
    path = folder / STATEMENT
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return path


def make_statement(review: Review, content: bytes) -> dict[str, Any]:
    """The statement over a review whose review.json has that content."""
    tests: dict[str, list[str]] = {"PASSED": [], "WARNED": [], "FAILED": []}
    for stage in review.stages:
        tests[_stage_result(stage, review)].append(stage.name)
    return {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(review),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": result_of(review),
            "configuration": [_described(review, content), _thresholds(review)],
            "passedTests": tests["PASSED"],
            "warnedTests": tests["WARNED"],
            "failedTests": tests["FAILED"],
        },
    }


def result_of(review: Review) -> str:
    """PASSED, WARNED or FAILED."""
    found = {finding.severity for finding in review.findings}
    if not review.stages or not review.verdict.reproduced or "error" in found:
        return "FAILED"
    return "WARNED" if "warning" in found else "PASSED"


def _stage_result(stage: Stage, review: Review) -> str:
    found = {finding.severity for finding in review.findings if finding.stage == stage.name}
    if not stage.verdict.reproduced or "error" in found:
        return "FAILED"
    return "WARNED" if "warning" in found else "PASSED"


def _subjects(review: Review) -> list[dict[str, Any]]:
    """The commit, and every output as it was made again."""
    outputs = {
        output.path: output.reproduced for stage in review.stages for output in stage.outputs if output.reproduced
    }
    commit = {"name": review.project, "digest": {"gitCommit": review.revision.commit}}
    return [commit, *({"name": path, "digest": {CONTENT: digest}} for path, digest in outputs.items())]


def _described(review: Review, content: bytes) -> dict[str, Any]:
    digest = {"sha256": hashlib.sha256(content).hexdigest()}
    said = {"verdict": review.verdict.value, "exitCode": review.exit_code}
    return {"name": JSON, "mediaType": "application/json", "digest": digest, "annotations": said}


def _thresholds(review: Review) -> dict[str, Any]:
    content = _serialized(review.thresholds.model_dump(mode="json"))
    digest = {"sha256": hashlib.sha256(content).hexdigest()}
    encoded = base64.b64encode(content).decode("ascii")
    return {"name": "thresholds", "mediaType": "application/json", "digest": digest, "content": encoded}


def _serialized(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
