"""``stagewise verify dist/<name>-<version>``: whether a package is whole, works, is signed, and comes from here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagewise.config.git import find_commit, git
from stagewise.errors import PackageError, StagewiseError
from stagewise.packaging.integrity import verify as verify_files
from stagewise.packaging.predictor import Predictor, PredictorError
from stagewise.packaging.trust.recorded import (
    LOCK,
    directory_md5,
    file_digest_at,
    is_repository,
    recorded_md5,
    stage_keys_at,
)
from stagewise.packaging.trust.release import manifest_digest
from stagewise.packaging.trust.releases import FILE, STATEMENT, Release, folder_of, read_release, to_json
from stagewise.packaging.trust.signing import check_model_signature, check_signature
from stagewise.packaging.trust.unpack import unpacked
from stagewise.report.plain_text import clean

OK, FAILED, NONE = "OK", "FAILED", "-"


@dataclass(frozen=True)
class Check:
    """One line of the result; NONE where there is nothing to check, which is no failure."""

    name: str
    state: str
    said: str

    def __str__(self) -> str:
        return f"{self.state:<7} {self.name:<11} {self.said}"


def is_package(path: Path) -> bool:
    """Whether ``stagewise verify`` takes it for a package, and not for a statement."""
    return path.is_dir() or path.suffix.lower() == ".zip"


def verify_package(path: Path, root: Path, key: Path | None = None, record: Path | None = None) -> list[Check]:
    """Every check of a package; what depends on one that failed is not tried.

    Args:
        path: its folder, or its .zip.
        root: the project that it should come from.
        key: public key in PEM, of which there must then be a signature.
        record: the folder of its release; releases/<name>-<version> of the project if not given.
    """
    checks: list[Check] = []
    try:
        with _opened(path) as folder:
            checks += _checks(folder, root, key, record)
    except PredictorError as error:
        checks.append(Check("digests", FAILED, str(error)))
    return checks


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
    else:
        with unpacked(path) as folder:
            yield folder


def _checks(folder: Path, root: Path, key: Path | None, record: Path | None) -> Iterator[Check]:
    manifest = verify_files(folder, strict=True)
    yield Check("digests", OK, f"{len(manifest['files'])} files, as its manifest lists them")
    yield _check("self-test", lambda: (OK, f"{Predictor.load(folder).self_test()} examples, as recorded"))
    place = record or folder_of(root, manifest["name"], manifest["version"])
    try:
        release = read_release(place)
        if release is None and record:
            raise PackageError(f"there is no {FILE}", where=str(record))
    except PackageError as error:
        yield Check("release", FAILED, _line(error))
        return
    if release:
        yield _check("release", lambda: _release(release, folder, manifest, place))
    yield _check("signature", lambda: _signature(release, folder, place, key))
    yield _check("provenance", lambda: _provenance(release, folder, manifest, root))


def _check(name: str, body: Callable[[], tuple[str, str]]) -> Check:
    try:
        return Check(name, *body())
    except StagewiseError as error:
        return Check(name, FAILED, _line(error))
    except PredictorError as error:
        return Check(name, FAILED, str(error))


def _release(release: Release, folder: Path, manifest: dict[str, Any], place: Path) -> tuple[str, str]:
    if (release.name, release.version) != (manifest["name"], manifest["version"]):
        raise PackageError(f"{FILE} is about {release.name} {release.version}", where=str(place))
    if release.package.manifest != manifest_digest(folder):
        raise PackageError(f"{release.name} {release.version} was released with other content", where=str(place))
    return OK, f"{release.name} {release.version}, as {place.name}/{FILE} has it"


def _signature(release: Release | None, folder: Path, place: Path, key: Path | None) -> tuple[str, str]:
    if release is None or not (place / STATEMENT).exists():
        if key:
            raise PackageError(f"there is no signature: no {STATEMENT} in {place}")
        return NONE, "unsigned: anyone may have made this package"
    signer = check_signature(release, to_json(release), place, key)
    also = check_model_signature(folder, place, key) if key else None
    return OK, f"by the key {signer}" + (f"; {also}" if also else "")


def _provenance(release: Release | None, folder: Path, manifest: dict[str, Any], root: Path) -> tuple[str, str]:
    if not is_repository(root):
        return NONE, "not looked at: this is no git repository; run it in the project that the package comes from"
    commit = find_commit(root, release.revision if release else "HEAD")
    path = release.package.path if release else f"dist/{manifest['name']}-{manifest['version']}"
    md5 = directory_md5(folder, manifest)
    if (recorded := recorded_md5(root, commit, path)) != md5:
        why = f"it has {md5}, not {recorded}" if recorded else f"it has no output {path}"
        raise PackageError(f"{LOCK} of the commit {commit[:12]} records another package", why=why)
    keys = {str(stage): str(key) for stage, key in manifest.get("stage_keys", {}).items()}
    if keys != stage_keys_at(root, commit, keys):
        raise PackageError(f"the stages of the commit {commit[:12]} are not those that the manifest names")
    if release:
        _check_record(release, commit, root)
    return OK, f"{LOCK} of {'the commit' if release else 'HEAD'} {commit[:12]} records it"


def _check_record(release: Release, commit: str, root: Path) -> None:
    for name, digest in ((LOCK, release.dvc_lock), ("params.yaml", release.params)):
        if file_digest_at(root, commit, name) != digest:
            raise PackageError(f"{name} of the commit {commit[:12]} is not the one that {FILE} names")
    tagged = git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{release.tag}^{{commit}}")
    if tagged and tagged.strip() != commit:
        raise PackageError(f"the tag {release.tag} is another commit's: {tagged.strip()[:12]}")


def _line(error: StagewiseError) -> str:
    """An error as one line."""
    parts = [error.what, *(f"{part}" for part in (error.why, error.where) if part), *error.details]
    told = "; ".join(clean(part) for part in parts)
    return f"{told}; next: {error.fix}" if error.fix else told
