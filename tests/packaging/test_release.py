"""``stagewise release`` and ``stagewise version`` in a real git repository with a real DVC pipeline."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from bundles import CANDIDATES, METRICS, write_graph
from hostile import list_again
from released import commit, make_project, next_version, record, stagewise, write_pair
from workspaces import call

from stagewise.errors import PackageError, SignatureError
from stagewise.packaging.command import run_version
from stagewise.packaging.trust.release import release
from stagewise.packaging.trust.releases import folder_of, read_release, releases


@pytest.fixture(scope="module")
def made(packaged, tmp_path_factory) -> Path:
    return make_project(tmp_path_factory.mktemp("released") / "project", packaged)


@pytest.fixture
def root(made, tmp_path) -> Path:
    """A copy of the project, cache and all."""
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


def package_of(root: Path) -> Path:
    return root / "dist" / "shades-1.2.3"


def head(root: Path) -> str:
    return call(root, "git", "rev-parse", "HEAD").stdout.strip()


def test_it_binds_the_package_to_the_commit(root):
    done = release(root)
    assert [file.relative_to(root).as_posix() for file in done.files] == [
        "releases/shades-1.2.3/release.json",
        "releases/CHANGELOG.md",
    ]
    record = json.loads((root / "releases" / "shades-1.2.3" / "release.json").read_text())
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    assert record["revision"] == head(root)
    assert record["tag"] == "shades@v1.2.3"
    assert record["package"]["md5"] == lock["stages"]["package"]["outs"][0]["md5"]
    assert record["candidate"] == "int8_static"
    assert record["metrics"] == {"accuracy": 0.975, "f1_macro": 0.9731}
    assert not done.tagged
    assert call(root, "git", "tag").stdout == ""


def test_a_second_release_of_the_same_changes_nothing(root):
    first = release(root)
    content = [file.read_bytes() for file in first.files]
    commit(root)
    again = release(root)
    assert again.record == first.record
    assert [file.read_bytes() for file in again.files] == content


def test_the_command_says_what_it_wrote(root, tmp_path):
    private, _ = write_pair(tmp_path, "ed25519")
    done = stagewise(root, "release", "dist/shades-1.2.3", "--key", private, "--tag")
    assert done.stdout.splitlines() == [
        f"shades 1.2.3 is the package of commit {head(root)[:12]}",
        "  releases/shades-1.2.3/release.json",
        "  releases/shades-1.2.3/release.intoto.json",
        "  releases/CHANGELOG.md",
        "  tag shades@v1.2.3",
        "next: git add releases && git commit",
    ]
    assert done.stderr == ""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_dvc_delivers_the_package_by_its_tag(root, tmp_path):
    assert release(root, tag=True).tagged
    expected = contents(package_of(root))
    newer = contents(next_version(root, "1.2.4", "README.md"))
    release(root, tag=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    call(elsewhere, "dvc", "artifacts", "get", str(root), "shades", "--rev", "v1.2.3", "--out", "first")
    call(elsewhere, "dvc", "artifacts", "get", str(root), "shades", "--out", "newest")
    assert contents(elsewhere / "first") == expected
    assert contents(elsewhere / "newest") == newer
    assert "FAILED" not in stagewise(root, "verify", elsewhere / "first").stdout


class Case:
    """Why nothing is released."""

    @staticmethod
    def edited(root: Path) -> None:
        (root / "dvc.yaml").write_text((root / "dvc.yaml").read_text() + "# more\n")

    @staticmethod
    def added(root: Path) -> None:
        for number in range(9):
            (root / f"new {number}.py").touch()

    @staticmethod
    def damaged(root: Path) -> None:
        (package_of(root) / "model.onnx").write_bytes(b"boo")

    @staticmethod
    def another(root: Path) -> None:
        (package_of(root) / "README.md").write_text("other")
        list_again(package_of(root))

    @staticmethod
    def hidden(root: Path) -> None:
        (package_of(root) / ".hidden").touch()

    @staticmethod
    def other_stages(root: Path) -> None:
        (root / "build" / "train.yaml").write_text("key: " + "9" * 64)
        commit(root)

    @staticmethod
    def unreadable_lock(root: Path) -> None:
        (root / "dvc.lock").write_text("[")
        call(root, "git", "commit", "--quiet", "--all", "--message", "broken")

    @staticmethod
    def no_lock(root: Path) -> None:
        call(root, "git", "rm", "--quiet", "dvc.lock")
        call(root, "git", "commit", "--quiet", "--message", "no lock")

    @staticmethod
    def other_name(root: Path) -> None:
        (root / "params.yaml").write_text("name: x\nversion: 0.1.0\n")

    @staticmethod
    def tag_elsewhere(root: Path) -> None:
        call(root, "git", "tag", "shades@v1.2.3")
        call(root, "git", "commit", "--quiet", "--allow-empty", "--message", "more")


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (Case.edited, ["the working tree is not what the commit holds", "- M dvc.yaml"]),
        (Case.added, ["- ?? new 0.py", "- and 4 more"]),
        (Case.damaged, ["the package is damaged", "model.onnx was changed"]),
        (Case.hidden, ["the package is damaged", ".hidden is not listed"]),
        (Case.another, ["does not record this package", "dvc.lock has "]),
        (Case.other_stages, ["made with other stages"]),
        (Case.unreadable_lock, ["dvc.lock of the commit", "is damaged"]),
        (Case.no_lock, ["holds no dvc.lock"]),
        (Case.other_name, ["no package of this name and version", "stagewise repro"]),
        (Case.tag_elsewhere, ["the tag shades@v1.2.3 is another commit's"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_refuses(root, change, fragments):
    change(root)
    with pytest.raises(PackageError) as caught:
        release(root)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert caught.value.fix
    assert not (root / "releases").exists()


def test_a_key_that_cannot_sign_is_told_before_anything_is_written(root, tmp_path):
    (tmp_path / "x.key").write_text("hello")
    with pytest.raises(SignatureError, match="no private key"):
        release(root, key=tmp_path / "x.key")
    assert not (root / "releases").exists()


def test_a_package_elsewhere_is_not_of_this_project(root, packaged):
    with pytest.raises(PackageError, match="outside of the project"):
        release(root, packaged)


def test_a_version_is_released_once(root):
    release(root)
    (root / "made" / "README.md").write_text("other")
    list_again(root / "made")
    commit(root)
    with pytest.raises(PackageError, match=r"released already, with other content(.|\n)*version --bump"):
        release(root)


def test_a_damaged_record_is_told(root):
    release(root)
    path = root / "releases" / "shades-1.2.3" / "release.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(PackageError, match=r"record of a release is damaged(.|\n)*format"):
        release(root)


def other_model(root: Path) -> None:
    write_graph(root / "made" / "model.onnx")
    content = (root / "made" / "model.onnx").read_bytes()
    (root / "made" / "model.onnx").write_bytes(
        content + b"\x12\x01x"
    )  # the producer's name: another file, same answers


def other_classes(root: Path) -> None:
    path = root / "made" / "schema.json"
    path.write_text(path.read_text().replace('"grey"', '"gray"'))


def other_statistics(root: Path) -> None:
    path = root / "made" / "schema.json"
    path.write_text(path.read_text().replace("0.5", "0.25"))


def other_card(root: Path) -> None:
    (root / "made" / "README.md").write_text("other")


@pytest.mark.parametrize(
    ("change", "asked", "refused", "word"),
    [
        (other_card, "1.2.4", None, "patch"),
        (other_statistics, "1.3.0", "1.2.4", "minor"),
        (other_model, "1.3.0", "1.2.9", "minor"),
        (other_classes, "2.0.0", "1.9.0", "major"),
    ],
    ids=["card", "statistics", "model", "classes"],
)
def test_versions_follow_the_rule(root, capsys, change, asked, refused, word):
    release(root)
    change(root)
    list_again(root / "made")
    commit(root)
    capsys.readouterr()
    assert run_version(root, bump=True) == 0
    out = capsys.readouterr().out
    assert "last release: 1.2.3, commit" in out
    assert f"changed since ({word})" in out
    assert f"params.yaml has 1.2.3; the rule asks for {asked} or more" in out
    text = (root / "params.yaml").read_text()
    assert (
        text
        == f"# What this project trains.\nname: shades # of the package\nversion: {asked}   # of the package too\nseed: 0\n"
    )
    if refused:
        next_version(root, refused)
        with pytest.raises(PackageError, match=f"(?s){refused} is too low a version after 1.2.3.*asks for {asked}"):
            release(root)
    next_version(root, asked)
    assert run_version(root, bump=True) == 0
    assert f"params.yaml has {asked}, which will do" in capsys.readouterr().out
    assert release(root).record.version == asked
    assert [found.version for found in releases(root, "shades")] == [asked, "1.2.3"]


def test_version_before_any_release(root):
    done = stagewise(root, "version")
    assert done.stdout == "shades has no release yet; params.yaml has 1.2.3\n"


def test_the_changelog_tells_the_figures_apart(root):
    release(root)
    other_model(root)
    better = {**METRICS, "accuracy": 0.985, "f1_macro": 0.9731, "auroc": 0.99}
    record(root, better, {**CANDIDATES, "chosen": "fp32"})
    next_version(root, "1.3.0")
    release(root)
    size = read_release(folder_of(root, "shades", "1.2.3")).model_bytes
    text = (root / "releases" / "CHANGELOG.md").read_text()
    assert text.index("## shades 1.3.0") < text.index("## shades 1.2.3")
    assert "candidate fp32. Since 1.2.3: minor; changed: model.onnx" in text
    for line in (
        "| figure | 1.2.3 | 1.3.0 | change |",
        "| accuracy | 97.50% | 98.50% | +1.00 points |",
        "| F1 macro | 97.31% | 97.31% | 0 |",
        "| AUROC |  | 0.99 |  |",
        f"| bytes of the model | {size} | {size + 3:,} | +3 |",
        "| accuracy | 97.50% |",
    ):
        assert line in text.splitlines(), line
