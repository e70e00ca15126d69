"""A small project under git and DVC whose last stage makes the package of shades of grey."""

import json
import shutil
import subprocess
from pathlib import Path

import yaml
from bundles import CANDIDATES, KEYS, METRICS, STAGES
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hostile import list_again
from workspaces import call

DVC_YAML = """\
stages:
  package:
    cmd: mkdir -p dist && cp -r made dist/${name}-${version}
    params: [name, version]
    deps: [made]
    outs: ["dist/${name}-${version}"]
artifacts:
  ${name}:
    path: dist/${name}-${version}
    type: model
    desc: the package
    labels: [onnx]
"""
PARAMS = "# What this project trains.\nname: shades # of the package\nversion: 1.2.3   # of the package too\nseed: 0\n"
KINDS = {"ed25519": ed25519.Ed25519PrivateKey.generate, "p256": lambda: ec.generate_private_key(ec.SECP256R1())}


def make_project(root: Path, packaged: Path) -> Path:
    """A commit whose dvc.lock records the package."""
    root.mkdir()
    call(root, "git", "init", "--quiet")
    call(root, "dvc", "init", "--quiet")
    shutil.copytree(packaged, root / "made")
    (root / ".gitignore").write_text("/dist\n")
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text(DVC_YAML)
    keys = json.loads((packaged / "manifest.json").read_text())["stage_keys"]
    assert keys.keys() >= KEYS.keys() and keys.keys() <= STAGES.keys()
    (root / "build").mkdir()
    for stage, key in keys.items():
        (root / "build" / f"{stage}.yaml").write_text(yaml.safe_dump({"key": key}))
    record(root, METRICS, CANDIDATES)
    commit(root)
    return root


def record(root: Path, metrics: dict, candidates: dict) -> None:
    """What the stages of evaluation and compression leave in git."""
    for name, value in (("evaluation/metrics.json", metrics), ("compression/candidates.json", candidates)):
        (root / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "reports" / name).write_text(json.dumps(value))


def commit(root: Path) -> str:
    """Run the pipeline, commit all of it, and return the commit."""
    call(root, "dvc", "repro", "--quiet")
    call(root, "git", "add", "--all")
    call(root, "git", "commit", "--quiet", "--message", "work")
    return call(root, "git", "rev-parse", "HEAD").stdout.strip()


def next_version(root: Path, version: str, *changed: str) -> Path:
    """Give the package another version and, by the way, other files; run and commit; return its folder."""
    (root / "params.yaml").write_text((root / "params.yaml").read_text().replace(_version(root), version))
    manifest = json.loads((root / "made" / "manifest.json").read_text())
    (root / "made" / "manifest.json").write_text(json.dumps({**manifest, "version": version}))
    for name in changed:
        with (root / "made" / name).open("a") as file:
            file.write("\n")
    list_again(root / "made")
    commit(root)
    return root / "dist" / f"shades-{version}"


def _version(root: Path) -> str:
    return str(yaml.safe_load((root / "params.yaml").read_text())["version"])


def write_pair(folder: Path, kind: str, name: str = "release") -> tuple[Path, Path]:
    """A fresh key: its private and its public half in PEM."""
    key = KINDS[kind]()
    none = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    paths = folder / f"{name}.key", folder / f"{name}.pub"
    for path, content in zip(paths, (private, public), strict=True):
        path.write_bytes(content)
    return paths


def stagewise(root: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the real command in the project."""
    sources = str(Path(__file__).parents[2] / "src")
    return call(root, "python", "-m", "stagewise", *map(str, arguments), code=code, PYTHONPATH=sources)
