"""``stagewise verify`` of a package: what it lets pass, and everything it must refuse."""

import json
import shutil
import stat
import zipfile
from pathlib import Path

import onnx
import pytest
from hostile import GRAPHS, NAMES, list_again
from released import commit, make_project, next_version, stagewise, write_pair
from workspaces import call

from stagewise.packaging.forms.archive import write_archive
from stagewise.packaging.trust.release import release
from stagewise.packaging.trust.signing import can_sign_models
from stagewise.packaging.trust.verify import FAILED, NONE, OK, verify_package

FILES = (
    *("README.md", "answers.py", "config.json", "examples/0.png", "examples/1.png", "examples/2.png"),
    *("examples/expected.json", "inputs.py", "integrity.py", "io.schema.json", "manifest.json", "model.onnx"),
    *("predict.py", "provenance.intoto.json", "reference.json", "requirements.txt", "sbom.cdx.json", "schema.json"),
)


@pytest.fixture(scope="module")
def made(packaged, tmp_path_factory) -> Path:
    return make_project(tmp_path_factory.mktemp("verified") / "project", packaged)


@pytest.fixture
def root(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


@pytest.fixture
def package(root) -> Path:
    return root / "dist" / "shades-1.2.3"


@pytest.fixture
def keys(tmp_path) -> tuple[Path, Path]:
    return write_pair(tmp_path, "ed25519")


def states(checks) -> dict[str, str]:
    return {check.name: check.state for check in checks}


def failures(checks) -> dict[str, str]:
    return {check.name: check.said for check in checks if check.state == FAILED}


def test_a_package_that_the_commit_records(root, package):
    checks = verify_package(package, root)
    assert states(checks) == {"digests": OK, "self-test": OK, "signature": NONE, "provenance": OK}


def test_a_release(root, package, keys):
    release(root, key=keys[0], tag=True)
    checks = verify_package(package, root, keys[1])
    assert states(checks) == {"digests": OK, "self-test": OK, "release": OK, "signature": OK, "provenance": OK}
    assert all("\n" not in str(check) for check in checks)


def test_the_command(root, package, keys):
    release(root, key=keys[0])
    done = stagewise(root, "verify", "dist/shades-1.2.3", "--key", keys[1])
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["OK", name] for name in ("digests", "self-test", "release", "signature", "provenance")
    ]
    (package / "x").touch()
    done = stagewise(root, "verify", "dist/shades-1.2.3", "--key", keys[1], code=2)
    assert done.stdout.startswith("FAILED  digests     the package dist/shades-1.2.3 is damaged: x is not listed")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dist/shades-1.2.3", "--review", "x"], "--review is for a statement"),
        (["params.yaml", "--release", "x"], "--release is for a package"),
        (["dist/shades-9.9.9"], "the file cannot be read"),
        (["params.yaml"], "this is no JSON that can be trusted"),
    ],
)
def test_mistakes_of_the_call(root, arguments, message):
    done = stagewise(root, "verify", *arguments, code=2)
    assert done.stderr.startswith(f"stagewise verify: {message}")
    assert done.stdout == ""


def test_the_table_of_files_is_all_of_them(packaged):
    assert sorted(FILES) == sorted(p.relative_to(packaged).as_posix() for p in packaged.rglob("*") if p.is_file())


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_of_any_file(root, package, keys, name, signed):
    if signed:
        release(root, key=keys[0])
    path = package / name
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    checks = verify_package(package, root, keys[1] if signed else None)
    assert failures(checks), checks
    if name != "manifest.json":
        assert f"{name} was changed" in failures(checks)["digests"]


@pytest.mark.parametrize("name", FILES)
def test_a_removed_file(root, package, name):
    (package / name).unlink()
    assert "digests" in failures(verify_package(package, root))


@pytest.mark.parametrize("name", ["x", "examples/x.png", ".hidden", "__pycache__/predict.cpython-311.pyc", "model.sig"])
def test_an_added_file(root, package, name):
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).touch()
    assert "is not listed in the manifest" in failures(verify_package(package, root))["digests"]


def rename_class(package: Path) -> None:
    for name in ("schema.json", "io.schema.json", "config.json", "README.md"):
        path = package / name
        path.chmod(0o644)
        path.write_text(path.read_text().replace("grey", "gray"))


def swap_model(package: Path) -> None:
    """Another valid model of the same form: white is black."""
    model = onnx.load(package / "model.onnx")
    model.graph.node[5].input[1] = "own"
    model.graph.initializer.append(onnx.helper.make_tensor("own", 1, [], [-31.0]))
    (package / "model.onnx").chmod(0o644)
    onnx.save(model, package / "model.onnx")


def other_code(package: Path) -> None:
    (package / "inputs.py").chmod(0o644)
    with (package / "inputs.py").open("a") as file:
        file.write("\n")


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("change", [rename_class, swap_model, other_code])
def test_a_consistent_change_is_another_package(root, package, keys, change, signed):
    if signed:
        release(root, key=keys[0])
    change(package)
    (package / "manifest.json").chmod(0o644)
    list_again(package)
    checks = verify_package(package, root, keys[1] if signed else None)
    assert states(checks)["digests"] == states(checks)["self-test"] == OK  # it is whole, and works
    found = failures(checks)
    assert found.keys() == ({"release", "provenance"} if signed else {"provenance"})
    assert "records another package" in found["provenance"]


def test_a_changed_record_is_not_what_was_signed(root, package, keys):
    release(root, key=keys[0])
    rename_class(package)
    (package / "manifest.json").chmod(0o644)
    list_again(package)
    commit_of = json.loads((root / "releases/shades-1.2.3/release.json").read_text())
    shutil.rmtree(root / "made")
    shutil.copytree(package, root / "made")
    shutil.move(root / "releases", root.parent / "kept")
    commit(root)
    forged = release(root).record
    (root / "releases/shades-1.2.3/release.intoto.json").write_bytes(
        (root.parent / "kept/shades-1.2.3/release.intoto.json").read_bytes()
    )
    assert forged.revision != commit_of["revision"]
    assert "what is signed is not this release.json" in failures(verify_package(package, root, keys[1]))["signature"]


def test_another_key(root, package, keys, tmp_path):
    release(root, key=keys[0])
    _, other = write_pair(tmp_path, "ed25519", "other")
    assert "no signature of the key" in failures(verify_package(package, root, other))["signature"]
    _, other = write_pair(tmp_path, "p256", "other")
    assert "no signature of the key" in failures(verify_package(package, root, other))["signature"]
    assert "private key is not needed" in failures(verify_package(package, root, keys[0]))["signature"]


def test_a_signature_wants_a_key_and_a_key_a_signature(root, package, keys):
    assert "there is no signature" in failures(verify_package(package, root, keys[1]))["signature"]
    release(root)
    assert "there is no signature" in failures(verify_package(package, root, keys[1]))["signature"]
    release(root, key=keys[0])
    assert "no key is given to check it with" in failures(verify_package(package, root))["signature"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"payloadType": 7}'])
def test_a_signature_that_is_none(root, package, keys, content):
    release(root, key=keys[0])
    (root / "releases/shades-1.2.3/release.intoto.json").write_bytes(content)
    assert set(failures(verify_package(package, root, keys[1]))) == {"signature"}


def test_a_record_that_names_another_commit(root, package):
    release(root)
    call(root, "git", "commit", "--quiet", "--allow-empty", "--message", "more")
    later = call(root, "git", "rev-parse", "HEAD").stdout.strip()
    path = root / "releases/shades-1.2.3/release.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "revision": later}))
    assert failures(verify_package(package, root)) == {}  # that one records it as well
    path.write_text(json.dumps({**record, "revision": "0" * 40}))
    assert "git knows no revision" in failures(verify_package(package, root))["provenance"]
    path.write_text(json.dumps({**record, "dvc_lock": "0" * 64}))
    assert "dvc.lock of the commit" in failures(verify_package(package, root))["provenance"]
    path.write_text(json.dumps({**record, "format": 2}))
    assert "record of a release is damaged" in failures(verify_package(package, root))["release"]
    path.write_text(json.dumps({**record, "name": "other"}))
    assert "is about other 1.2.3" in failures(verify_package(package, root))["release"]


def test_a_tag_that_was_moved(root, package):
    release(root, tag=True)
    call(root, "git", "commit", "--quiet", "--allow-empty", "--message", "more")
    call(root, "git", "tag", "--force", "shades@v1.2.3")
    assert "is another commit's" in failures(verify_package(package, root))["provenance"]


def test_an_older_release_verifies_against_its_own_commit(root, package, tmp_path):
    release(root)
    old = Path(shutil.copytree(package, tmp_path / "old" / "shades-1.2.3"))
    next_version(root, "1.2.4", "README.md")
    checks = verify_package(old, root)
    assert states(checks)["provenance"] == OK


def test_a_package_of_another_commit_without_a_release(root, package, tmp_path):
    old = Path(shutil.copytree(package, tmp_path / "old" / "shades-1.2.3"))
    next_version(root, "1.2.4", "README.md")
    assert "it has no output dist/shades-1.2.3" in failures(verify_package(old, root))["provenance"]


def test_stages_other_than_those_of_the_commit(root, package):
    (root / "build" / "train.yaml").write_text("key: " + "9" * 64)
    commit(root)
    assert "stages of the commit" in failures(verify_package(package, root))["provenance"]


def test_outside_of_any_repository(packaged, keys, root, package, tmp_path):
    release(root, key=keys[0])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert states(verify_package(packaged, empty))["provenance"] == NONE
    checks = verify_package(package, empty, keys[1], root / "releases" / "shades-1.2.3")
    assert states(checks) == {"digests": OK, "self-test": OK, "release": OK, "signature": OK, "provenance": NONE}
    assert "there is no release.json" in failures(verify_package(package, empty, keys[1], empty))["release"]


@pytest.mark.parametrize("name", ["weights outside", "weights of a subgraph outside", "a graph compiled elsewhere"])
def test_weights_outside(root, package, name):
    for file in ("model.onnx", "manifest.json"):
        (package / file).chmod(0o644)
    GRAPHS[name][0](package)
    assert GRAPHS[name][1] in failures(verify_package(package, root))["self-test"]


@pytest.mark.parametrize("name", ["parent", "absolute", "drive"])
def test_a_path_that_escapes(root, package, name):
    (package / "manifest.json").chmod(0o644)
    NAMES[name][0](package)
    assert "lies outside the package" in failures(verify_package(package, root))["digests"]


@pytest.fixture
def archive(package, tmp_path) -> Path:
    return write_archive(package, tmp_path)


def test_the_zip_of_a_package(root, archive, keys):
    release(root, key=keys[0])
    checks = verify_package(archive, root, keys[1])
    assert set(states(checks).values()) == {OK}
    assert stagewise(root, "verify", archive, "--key", keys[1]).stdout.count("OK") == 5


def entry(name: str, mode: int = stat.S_IFREG | 0o644, content: bytes = b"x"):
    def change(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, content)

    return change


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shades-1.2.3/bomb", bytes(200 * 1024**2))


def twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        entry("shades-1.2.3/README.md")(path)


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (entry("../outside"), "does not hold one folder"),
        (entry("shades-1.2.3/../../outside"), "lies outside the package"),
        (entry("/outside"), "does not hold one folder"),
        (entry("shades-1.2.3\\..\\outside"), "does not hold one folder"),
        (entry("shades-1.2.3/C:outside"), "lies outside the package"),
        (entry("shades-1.2.3/link", stat.S_IFLNK | 0o777, b"/etc/passwd"), "is no plain file"),
        (entry("shades-1.2.3/pipe", stat.S_IFIFO | 0o644), "is no plain file"),
        (entry("shades-1.2.3/.hidden"), "is no plain name"),
        (entry("shades-1.2.3/evil.pyc"), "is code or a pickle"),
        (entry("shades-1.2.3/README.MD"), "different names"),
        (entry("shades-1.2.3/x"), "x is not listed in the manifest"),
        (entry("other/x"), "does not hold one folder"),
        (twice, "different names"),
        (bomb, "more than 100 times its size"),
        (damaged, "cannot be unpacked"),
        (lambda path: path.write_bytes(b"PK"), "cannot be unpacked"),
        (lambda path: path.write_bytes(b""), "cannot be unpacked"),
        (lambda path: path.unlink(), "cannot be unpacked"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "holds 0 files"),
    ],
)
def test_a_hostile_zip(root, archive, tmp_path, change, fragment):
    change(archive)
    before = sorted(tmp_path.iterdir())
    checks = verify_package(archive, root)
    assert fragment in failures(checks)["digests"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not can_sign_models(), reason="model-signing is not installed")
class TestModelSignature:
    @pytest.fixture
    def keys(self, tmp_path) -> tuple[Path, Path]:
        return write_pair(tmp_path, "p256")

    def test_it_is_made_and_checked(self, root, package, keys):
        done = release(root, key=keys[0])
        assert root / "releases/shades-1.2.3/model.sig" in done.files
        checks = verify_package(package, root, keys[1])
        assert "; model.sig too" in next(check.said for check in checks if check.name == "signature")
        assert set(states(checks).values()) == {OK}

    def test_one_of_another_package_is_refused(self, root, keys):
        release(root, key=keys[0])
        kept = (root / "releases/shades-1.2.3/model.sig").read_bytes()
        next_version(root, "1.2.4", "README.md")
        release(root, key=keys[0])
        (root / "releases/shades-1.2.4/model.sig").write_bytes(kept)
        checks = verify_package(root / "dist" / "shades-1.2.4", root, keys[1])
        assert "model.sig does not hold" in failures(checks)["signature"]

    def test_an_ed25519_key_makes_none(self, root, tmp_path, keys):
        release(root, key=keys[0])
        done = release(root, key=write_pair(tmp_path, "ed25519", "other")[0])
        assert not (root / "releases/shades-1.2.3/model.sig").exists()
        assert len(done.files) == 3
