"""sbom.cdx.json and provenance.intoto.json: what they list is what the package was made from."""

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from bundles import KEYS, LIBRARIES, write_json

ADDRESS = "https://example.org/shades.zip"


@pytest.fixture(scope="module")
def sbom(packaged) -> dict[str, Any]:
    return json.loads((packaged / "sbom.cdx.json").read_text())


@pytest.fixture(scope="module")
def provenance(packaged) -> dict[str, Any]:
    return json.loads((packaged / "provenance.intoto.json").read_text())


@pytest.fixture(scope="module")
def components(sbom) -> dict[str, Any]:
    return {entry["bom-ref"]: entry for entry in sbom["components"]}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_head_of_the_bill(sbom):
    assert (sbom["bomFormat"], sbom["specVersion"], sbom["version"]) == ("CycloneDX", "1.6", 1)
    serial = uuid.UUID(sbom["serialNumber"].removeprefix("urn:uuid:"))
    assert serial.version == 5
    assert "timestamp" not in sbom["metadata"]


def test_the_model_is_the_subject_with_its_figures(sbom, packaged):
    model = sbom["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "shades", "1.2.3")
    assert model["hashes"] == [{"alg": "SHA-256", "content": sha256(packaged / "model.onnx")}]
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    card = model["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": "data"}]
    assert card["modelParameters"]["inputs"] == [{"format": "image"}]
    assert card["considerations"] == {"technicalLimitations": ["Not for diagnosis."]}
    metrics = card["quantitativeAnalysis"]["performanceMetrics"]
    interval = {"lowerBound": "0.871", "upperBound": "0.9956"}
    assert {"type": "accuracy", "value": "0.975", "confidenceInterval": interval} in metrics
    assert {"type": "f1_macro", "value": "0.9731"} in metrics
    recall = {"lowerBound": "0.76", "upperBound": "0.99"}
    assert {"type": "recall", "value": "0.95", "slice": "grey", "confidenceInterval": recall} in metrics


def test_the_data_with_digest_licence_and_address(components):
    data = components["data"]
    assert (data["type"], data["name"]) == ("data", "shades")
    assert data["licenses"] == [{"license": {"id": "CC0-1.0"}}]
    (file,) = data["components"]
    assert (file["type"], file["name"]) == ("file", "shades.zip")
    assert file["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]
    assert file["externalReferences"] == [{"type": "distribution", "url": ADDRESS}]


@pytest.mark.parametrize(
    ("name", "scope", "version", "purl"),
    [
        ("numpy", "required", "2.4.6", "pkg:pypi/numpy@2.4.6"),
        ("pillow", "required", "13.0.0", "pkg:pypi/pillow@13.0.0"),
        ("onnxruntime", "required", None, "pkg:pypi/onnxruntime"),
        ("torch", "excluded", "2.13.0+cpu", "pkg:pypi/torch@2.13.0%2Bcpu"),
        ("python", "excluded", "3.11", "pkg:generic/python@3.11"),
    ],
)
def test_the_libraries(components, name, scope, version, purl):
    entry = components[f"library/{name}"]
    assert (entry["scope"], entry.get("version"), entry["purl"]) == (scope, version, purl)


def test_the_stages_and_limits_of_a_library(components):
    said = {item["name"]: item["value"] for item in components["library/numpy"]["properties"]}
    assert said == {"stagewise:requires": ">=2.0", "stagewise:stages": "train"}
    (said,) = components["library/python"]["properties"]
    assert said == {"name": "stagewise:stages", "value": "ingest, train"}


def test_the_model_depends_on_what_a_prediction_needs(sbom):
    (edges,) = [entry["dependsOn"] for entry in sbom["dependencies"] if entry["ref"] == "model"]
    assert edges == ["data", "library/numpy", "library/onnxruntime", "library/pillow"]


def test_every_reference_in_the_bill_is_of_something_in_it(sbom, components):
    known = {"model", *components, *(file["bom-ref"] for file in components["data"]["components"])}
    used = {entry["ref"] for entry in sbom["dependencies"]}
    used |= {ref for entry in sbom["dependencies"] for ref in entry.get("dependsOn", [])}
    assert used <= known
    assert len(known) == 2 + len(components)


def test_another_content_has_another_serial_number(inputs, sbom, tmp_path):
    other = inputs.package(tmp_path / "package", license="MIT")
    assert json.loads((other / "sbom.cdx.json").read_text())["serialNumber"] != sbom["serialNumber"]


def test_the_bill_fits_the_schema_of_cyclonedx(packaged):
    pytest.importorskip("jsonschema")
    pytest.importorskip("referencing")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = (packaged / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize(
    ("license_", "expected"),
    [
        ("mit", [{"license": {"id": "MIT"}}]),
        ("MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("ask Ada (by post)", [{"license": {"name": "ask Ada (by post)"}}]),
    ],
)
def test_licences(inputs, tmp_path, license_, expected):
    folder = inputs.package(tmp_path / "package", license=license_)
    assert json.loads((folder / "sbom.cdx.json").read_text())["metadata"]["component"]["licenses"] == expected


def test_data_of_ones_own_without_licence_and_address(own_inputs, tmp_path):
    ingest = {
        "version": 1, "name": "own", "license": "", "citation": "",
        "files": [{"name": "pictures", "urls": [], "files": 3, "bytes": 9, "sha256": "e" * 64}],
    }  # fmt: skip
    write_json(ingest, own_inputs.raw / "ingest.json")
    folder = own_inputs.package(tmp_path / "package")
    (data, *_) = json.loads((folder / "sbom.cdx.json").read_text())["components"]
    assert "licenses" not in data
    assert "externalReferences" not in data["components"][0]
    dependencies = json.loads((folder / "provenance.intoto.json").read_text())["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    assert dependencies[0]["name"] == "data/raw/pictures"
    assert "uri" not in dependencies[0]
    assert "licence: not stated." in (folder / "README.md").read_text()


def test_the_statement_is_about_every_file(provenance, packaged):
    assert provenance["_type"] == "https://in-toto.io/Statement/v1"
    assert provenance["predicateType"] == "https://slsa.dev/provenance/v1"
    subjects = {entry["name"]: entry["digest"]["sha256"] for entry in provenance["subject"]}
    left_out = {"provenance.intoto.json", "manifest.json"}
    paths = {path.relative_to(packaged).as_posix(): path for path in packaged.rglob("*") if path.is_file()}
    assert subjects == {name: sha256(path) for name, path in paths.items() if name not in left_out}
    assert list(subjects) == sorted(subjects, key=lambda name: Path(name))


def test_the_statement_names_stages_data_and_libraries(provenance):
    definition = provenance["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"name": "shades", "version": "1.2.3"}
    assert definition["internalParameters"]["stageKeys"].items() >= KEYS.items()
    data, *libraries = definition["resolvedDependencies"]
    assert data == {
        "name": "data/raw/shades.zip",
        "uri": ADDRESS,
        "digest": {"sha256": "c" * 64},
        "annotations": {"dataset": "shades", "license": "CC0-1.0"},
    }
    named = {entry["name"]: entry for entry in libraries}
    assert set(named) == {name for versions in LIBRARIES.values() for name in versions}
    assert named["torch"]["uri"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    assert named["python"] == {
        "name": "python",
        "uri": "pkg:generic/python@3.11",
        "annotations": {"stages": ["ingest", "train"]},
    }
    assert set(provenance["predicate"]["runDetails"]) == {"builder"}


def test_nothing_names_a_time_or_a_machine(packaged, inputs):
    texts = [path.read_text() for path in packaged.rglob("*") if path.suffix in (".json", ".md", ".txt")]
    for word in (str(packaged.parent), str(inputs.raw.parent), str(Path.home()), "timestamp", "startedOn"):
        assert not any(word in text for text in texts), word
