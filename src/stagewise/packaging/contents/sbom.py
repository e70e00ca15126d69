"""sbom.cdx.json: the model, its data and its libraries as a CycloneDX 1.6 bill of materials."""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from stagewise.config.digests import file_sha256
from stagewise.config.schema.package import PackageSettings
from stagewise.packaging.contents.evidence import Evidence, Figure

FILE = "sbom.cdx.json"

_SERIALS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:stagewise:sbom")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(.*)")


def sbom(
    settings: PackageSettings, schema: Mapping[str, Any], evidence: Evidence, requirements: Iterable[str], model: Path
) -> dict[str, Any]:
    """The bill of materials, which names no time; its serial number follows from the rest.

    Args:
        schema: schema.json of the package.
        evidence: the figures, the data, and the libraries that took part in making the model.
        requirements: what a prediction needs, as pip reads it.
        model: the graph.
    """
    subject = Component(
        name=settings.name,
        version=settings.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        description=settings.package.description or None,
        licenses=[LicenseFactory().make_from_string(settings.package.license)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file_sha256(model))],
    )
    data = _data(evidence.ingest)
    libraries = _libraries(evidence, requirements)
    bom = Bom(components=[data, *libraries.values()], serial_number=uuid.UUID(int=0))
    bom.metadata.component = subject
    bom.register_dependency(subject, [data, *(lib for lib in libraries.values() if lib.scope is _NEEDED)])
    content = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    del content["metadata"]["timestamp"]
    # The library does not know model cards yet.
    content["metadata"]["component"]["modelCard"] = _model_card(settings, schema, evidence)
    text = json.dumps({**content, "serialNumber": ""}, sort_keys=True)
    return {**content, "serialNumber": f"urn:uuid:{uuid.uuid5(_SERIALS, text)}"}


_NEEDED = ComponentScope.REQUIRED


def _data(ingest: dict[str, Any]) -> Component:
    """The dataset; a component inside it for every raw file."""
    return Component(
        name=ingest["name"],
        type=ComponentType.DATA,
        bom_ref="data",
        description=" ".join(ingest["citation"].split()) or None,
        licenses=[LicenseFactory().make_from_string(ingest["license"])] if ingest["license"] else [],
        components=[_raw_file(file) for file in ingest["files"]],
    )


def _raw_file(file: Mapping[str, Any]) -> Component:
    digest = file.get("sha256")
    return Component(
        name=file["name"],
        type=ComponentType.FILE,
        bom_ref=f"data/raw/{file['name']}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(url)) for url in file.get("urls", [])
        ],
    )


def _libraries(evidence: Evidence, requirements: Iterable[str]) -> dict[str, Component]:
    """What a prediction needs, with the version that the stages had where one imports it; then what only they need."""
    known = {_normal(name): (name, *entry) for name, entry in evidence.libraries().items()}
    found: dict[str, Component] = {}
    for requirement in requirements:
        name, limit = _split(requirement)
        _, version, stages = known.pop(_normal(name), (name, None, []))
        found[name] = _library(name, version, _NEEDED, {"requires": limit, "stages": ", ".join(stages)})
    for name, version, stages in known.values():
        found[name] = _library(name, version, ComponentScope.EXCLUDED, {"stages": ", ".join(stages)})
    return found


def _library(name: str, version: str | None, scope: ComponentScope, said: Mapping[str, str]) -> Component:
    kind, what = ("generic", ComponentType.PLATFORM) if name == "python" else ("pypi", ComponentType.LIBRARY)
    return Component(
        name=name,
        version=version,
        type=what,
        bom_ref=f"library/{name}",
        scope=scope,
        purl=PackageURL(kind, name=_normal(name), version=version),
        properties=[Property(name=f"stagewise:{key}", value=value) for key, value in said.items() if value],
    )


def _model_card(settings: PackageSettings, schema: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    """The figures with their intervals, those of each part as a slice, and what the authors say."""
    figures = [_metric(figure) for figure in evidence.own_figures()]
    figures += [_metric(figure, name) for name, part in evidence.parts.items() for figure in part]
    said = {"useCases": settings.package.intended_use, "technicalLimitations": settings.package.limitations}
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": f"{schema['target']['kind']} from {schema['inputs'][0]['kind']}",
            "datasets": [{"ref": "data"}],
            "inputs": [{"format": entry["kind"]} for entry in schema["inputs"]],
            "outputs": [{"format": f"{entry['dtype']} {entry['name']}"} for entry in schema["outputs"]],
        },
        "quantitativeAnalysis": {"performanceMetrics": figures},
    }
    considerations = {key: [text] for key, text in said.items() if text}
    return {**card, "considerations": considerations} if considerations else card


def _metric(figure: Figure, part: str | None = None) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": figure.name, "value": f"{figure.value:.6g}"}
    if part is not None:
        metric["slice"] = part
    if figure.low is not None and figure.high is not None:
        metric["confidenceInterval"] = {"lowerBound": f"{figure.low:.6g}", "upperBound": f"{figure.high:.6g}"}
    return metric


def _split(requirement: str) -> tuple[str, str]:
    match = _REQUIREMENT.fullmatch(requirement)
    return (match[1], match[2]) if match else (requirement, "")


def _normal(name: str) -> str:
    """A name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
