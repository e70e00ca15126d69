"""``stagewise release``: bind a package to the commit whose dvc.lock records it."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagewise.config.git import find_commit, git, run_git
from stagewise.config.params import read_params
from stagewise.errors import PackageError
from stagewise.packaging.integrity import MANIFEST, MODEL
from stagewise.packaging.integrity import verify as verify_files
from stagewise.packaging.predictor import Predictor, PredictorError
from stagewise.packaging.trust import changelog
from stagewise.packaging.trust.recorded import LOCK, directory_md5, file_at, file_digest_at, recorded_md5, stage_keys_at
from stagewise.packaging.trust.releases import (
    FILE,
    FOLDER,
    Package,
    Release,
    folder_of,
    read_release,
    releases,
    to_json,
)
from stagewise.packaging.trust.signing import sign
from stagewise.packaging.trust.versions import Content, Level, Version, compare, content_of
from stagewise.signing.envelope import load_private_key

METRICS = "reports/evaluation/metrics.json"
CANDIDATES = "reports/compression/candidates.json"
_ARTIFACT = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9/_-]*[a-zA-Z0-9])?")
_SHOWN = 5


@dataclass(frozen=True)
class Released:
    """What ``release`` did.

    Attributes:
        record: the release.
        files: what it wrote.
        tagged: whether it made the tag.
    """

    record: Release
    files: list[Path]
    tagged: bool


@dataclass(frozen=True)
class Change:
    """What became of a package since its last release.

    Attributes:
        last: that release; None where there is none.
        level: of the version that the change raises.
        names: what is different, gravest first.
        asked: the least version that the rule allows.
    """

    last: Release | None
    level: Level
    names: list[str]
    asked: Version | None


def release(root: Path, package: Path | None = None, key: Path | None = None, tag: bool = False) -> Released:
    """Record that a package is what HEAD's dvc.lock says, and sign and tag that where asked for.

    A package that is released already, with the same content, keeps its record: it is signed or tagged anew.

    Args:
        root: the project.
        package: its folder; dist/<name>-<version> of params.yaml if not given.
        key: private key in PEM.
        tag: make the git tag by which DVC finds the package.

    Raises:
        PackageError: the tree is dirty, the package is damaged, the commit does not record it, its version is taken or
            too low, or the tag is another commit's.
        SignatureError: the key cannot be used.
    """
    if key:
        load_private_key(key)  # told before anything is written
    folder = package or default_package(root)
    predictor = check_package(folder)
    out = folder_of(root, predictor.name, predictor.version)
    record = _same_release(read_release(out), folder) or _new_record(root, folder, predictor)
    _check_tag(root, record, wanted=tag)
    content = to_json(record)
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_bytes(content)
    files = [out / FILE, *(sign(record, content, folder, out, key) if key else [])]
    page = root / FOLDER / changelog.FILE
    page.write_text(changelog.changelog(releases(root, record.name)), encoding="utf-8", newline="\n")
    if tagged := tag and git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{record.tag}") is None:
        run_git(root, "tag", "--annotate", "--message", f"{record.name} {record.version}", record.tag, record.revision)
    return Released(record, [*files, page], tagged)


def change_since_release(root: Path, name: str, content: Content) -> Change:
    """Compare a package with the last release of its name.

    Raises:
        PackageError: the record of a release is damaged.
    """
    last = next(iter(releases(root, name)), None)
    if last is None:
        return Change(None, Level.NONE, [], None)
    level, names = compare(last.content, content)
    return Change(last, level, names, Version(last.version).raised(level))


def default_package(root: Path) -> Path:
    """dist/<name>-<version>, as params.yaml has them.

    Raises:
        PackageError: there is no such folder.
        ConfigError: params.yaml cannot be read.
    """
    params = read_params(root)
    folder = root / "dist" / f"{params.get('name')}-{params.get('version')}"
    if not folder.is_dir():
        raise PackageError("there is no package of this name and version", where=str(folder), fix="stagewise repro")
    return folder


def check_package(folder: Path) -> Predictor:
    """The predictor of a package that holds nothing but what it lists, and predicts what it recorded.

    Raises:
        PackageError: it does not.
    """
    try:
        verify_files(folder, strict=True)
        predictor = Predictor.load(folder)
        predictor.self_test()
    except PredictorError as error:
        raise PackageError(
            "the package is damaged", where=str(folder), why=str(error), fix="stagewise repro"
        ) from error
    return predictor


def manifest_digest(folder: Path) -> str:
    """SHA-256 of a package's manifest.json."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def _same_release(record: Release | None, folder: Path) -> Release | None:
    if record and record.package.manifest != manifest_digest(folder):
        raise PackageError(
            f"{record.name} {record.version} is released already, with other content",
            where=f"{FOLDER}/{record.name}-{record.version}/{FILE}",
            why=f"it is the one of commit {record.revision[:12]}",
            fix="stagewise version --bump, then stagewise repro, commit, and release again",
        )
    return record


def _new_record(root: Path, folder: Path, predictor: Predictor) -> Release:
    commit = clean_commit(root)
    manifest = verify_files(folder, strict=True)
    path = _path_in(root, folder)
    md5 = _check_recorded(root, commit, path, directory_md5(folder, manifest))
    keys = {str(stage): str(key) for stage, key in manifest["stage_keys"].items()}
    if keys != stage_keys_at(root, commit, keys):
        raise PackageError("the package was made with other stages than the commit holds", where=path, fix="dvc repro")
    content = content_of(predictor.schema, manifest)
    _check_version(root, predictor, content)
    compression = _json(root, commit, CANDIDATES)
    return Release(
        name=predictor.name,
        version=predictor.version,
        revision=commit,
        tag=f"{predictor.name}@v{predictor.version}",
        package=Package(path=path, md5=md5, manifest=manifest_digest(folder)),
        dvc_lock=file_digest_at(root, commit, LOCK),
        params=file_digest_at(root, commit, "params.yaml"),
        stage_keys=keys,
        content=content,
        candidate=str(compression.get("chosen")),
        model_bytes=manifest["files"][MODEL]["bytes"],
        metrics=_figures(_json(root, commit, METRICS), predictor.schema),
    )


def clean_commit(root: Path) -> str:
    """HEAD, where the working tree is what it holds; records of releases are not looked at.

    Raises:
        PackageError: it is not.
    """
    commit = find_commit(root, "HEAD")
    asked = ("--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", ".", f":(exclude){FOLDER}")
    listed = git(root, "status", *asked)
    if listed is None:
        raise PackageError("git cannot tell whether the working tree is clean", where=str(root), fix="git status")
    changed = [f"{line[:2].strip()} {line[3:]}" for line in listed.split("\0") if line]
    if changed:
        more = [f"and {len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
        raise PackageError(
            "the working tree is not what the commit holds",
            where=str(root),
            details=[*changed[:_SHOWN], *more],
            why="a release names a commit from which anyone can make the package again",
            fix="commit, or put aside, what is listed",
        )
    return commit


def _check_recorded(root: Path, commit: str, path: str, md5: str) -> str:
    if (recorded := recorded_md5(root, commit, path)) != md5:
        why = f"it has {md5}, {LOCK} has {recorded}" if recorded else f"{LOCK} has no output {path}"
        raise PackageError(
            f"the commit {commit[:12]} does not record this package",
            where=path,
            why=why,
            fix="stagewise repro, commit dvc.lock, then release",
        )
    return md5


def _path_in(root: Path, folder: Path) -> str:
    try:
        return folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise PackageError(
            "the package lies outside of the project", where=str(folder), fix="cd to its project"
        ) from error


def _check_version(root: Path, predictor: Predictor, content: Content) -> None:
    change, version = change_since_release(root, predictor.name, content), Version(predictor.version)
    if change.last and not version.suffices(Version(change.last.version), change.level):
        raise PackageError(
            f"{version} is too low a version after {change.last.version}",
            why=f"{change.level.name.lower()} change of {', '.join(change.names[:_SHOWN]) or 'nothing'}; "
            f"the rule asks for {change.asked}",
            fix="stagewise version --bump, then stagewise repro, commit, and release again",
        )


def _check_tag(root: Path, record: Release, *, wanted: bool) -> None:
    if wanted and not _ARTIFACT.fullmatch(record.name):
        raise PackageError(
            f"DVC finds no tag of the name {record.name}",
            why="it takes letters, digits, - and _",
            fix="leave --tag out",
        )
    found = git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{record.tag}^{{commit}}")
    if found and found.strip() != record.revision:
        raise PackageError(
            f"the tag {record.tag} is another commit's",
            where=f"git tag {record.tag}",
            why=f"it is {found.strip()[:12]}, not {record.revision[:12]}",
            fix="stagewise version --bump, or delete the tag if it is a mistake",
        )


def _json(root: Path, commit: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(file_at(root, commit, name))
    except ValueError as error:
        raise PackageError(f"{name} of the commit {commit[:12]} is damaged", why=str(error), fix="dvc repro") from error
    return value if isinstance(value, dict) else {}


def _figures(metrics: dict[str, Any], schema: dict[str, Any]) -> dict[str, float]:
    """The figures of the whole: no intervals, and none of a single class."""
    own = {f"f1_{name}" for name in schema["target"].get("classes", ())}
    return {
        name: float(value)
        for name, value in metrics.items()
        if name != "rows" and name not in own and not name.endswith(("_low", "_high")) and not name.startswith("cv_")
    }
