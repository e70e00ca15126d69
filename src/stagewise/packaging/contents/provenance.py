"""provenance.intoto.json: how a package was made, as an in-toto statement (v1) with a SLSA provenance (v1).

It names no time and no machine, so that who makes the package again gets the same bytes; ``stagewise release`` binds
them to a revision.
"""

from pathlib import Path
from typing import Any

from stagewise.config.digests import file_sha256
from stagewise.packaging.contents.evidence import Evidence

FILE = "provenance.intoto.json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:stagewise:pipeline:v1"
"""The stages of dvc.yaml; ``internalParameters.stageKeys`` has the digest of all that entered each."""
BUILDER = "urn:stagewise:stage:package"


def provenance(name: str, version: str, evidence: Evidence, package: Path) -> dict[str, Any]:
    """The statement about every file that lies below ``package``, which are all but itself and the manifest.

    Args:
        name: of the package.
        version: of the package.
        evidence: of it the stages' keys and libraries and the digests of the raw data are used.
        package: the folder.
    """
    paths = sorted(path for path in package.rglob("*") if path.is_file())
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": path.relative_to(package).as_posix(), "digest": {"sha256": file_sha256(path)}} for path in paths
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"name": name, "version": version},
                "internalParameters": {"stageKeys": evidence.stage_keys()},
                "resolvedDependencies": [*_data(evidence.ingest), *_libraries(evidence)],
            },
            "runDetails": {"builder": {"id": BUILDER}},
        },
    }


def _data(ingest: dict[str, Any]) -> list[dict[str, Any]]:
    """The raw files: those that were fetched have an address, those of a user have a name only."""
    found = []
    for file in ingest["files"]:
        entry: dict[str, Any] = {"name": f"data/raw/{file['name']}"}
        if file.get("urls"):
            entry["uri"] = file["urls"][0]
        if file.get("sha256"):
            entry["digest"] = {"sha256": file["sha256"]}
        found.append({**entry, "annotations": {"dataset": ingest["name"], "license": ingest["license"]}})
    return found


def _libraries(evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "uri": f"pkg:{'generic' if name == 'python' else 'pypi'}/{name.lower()}@{version.replace('+', '%2B')}",
            "annotations": {"stages": stages},
        }
        for name, (version, stages) in evidence.libraries().items()
    ]
