"""A package as one .zip and as a wheel: the same content, the same bytes wherever they are made."""

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from stagewise.errors import PackageError
from stagewise.packaging.forms.archive import write_archive
from stagewise.packaging.forms.wheel import module_name, python_version, wheel_name, write_wheel
from stagewise.packaging.forms.zip_files import write_zip

INFO = "shades-1.2.3.dist-info"


@pytest.fixture(scope="module")
def archive(packaged, tmp_path_factory) -> Path:
    return write_archive(packaged, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def wheel(packaged, tmp_path_factory) -> Path:
    return write_wheel(packaged, tmp_path_factory.mktemp("files"))


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_archive_unpacks_to_the_package(archive, packaged, tmp_path):
    assert archive.name == "shades-1.2.3.zip"
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    assert content(tmp_path / "shades-1.2.3") == content(packaged)
    assert list(members(archive)) == sorted(members(archive))


def test_the_archive_bears_no_time_and_no_owner(archive):
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            assert (info.date_time, info.create_system) == ((1980, 1, 1, 0, 0, 0), 3)
            assert (info.external_attr, info.extra, info.comment) == (0o100644 << 16, b"", b"")
            assert info.compress_type == zipfile.ZIP_STORED


def test_the_wheel_holds_the_package_and_a_module(wheel, packaged):
    assert wheel.name == "shades-1.2.3-py3-none-any.whl"
    inside = members(wheel)
    own = {name.removeprefix("shades/package/"): data for name, data in inside.items() if "/package/" in name}
    assert own == content(packaged)
    others = {"__init__.py", "__main__.py"}
    assert {name for name in inside if "/package/" not in name} == {
        *(f"shades/{name}" for name in others),
        *(f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD")),
    }
    assert list(inside)[-1] == f"{INFO}/RECORD"


def test_its_record_lists_every_file(wheel):
    inside = members(wheel)
    rows = list(csv.reader(io.StringIO(inside[f"{INFO}/RECORD"].decode())))
    assert rows[-1] == [f"{INFO}/RECORD", "", ""]
    expected = {
        name: "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        for name, data in inside.items()
        if not name.endswith("RECORD")
    }
    assert {name: digest for name, digest, _ in rows[:-1]} == expected
    assert all(int(size) == len(inside[name]) for name, _, size in rows[:-1])


def test_its_metadata_asks_for_what_the_inputs_need_only(wheel):
    head = BytesParser().parsebytes(members(wheel)[f"{INFO}/METADATA"])
    assert (head["Name"], head["Version"], head["Requires-Python"]) == ("shades", "1.2.3", ">=3.11")
    assert head.get_all("Requires-Dist") == ["numpy>=2.0", "onnxruntime>=1.24", "pillow>=12.0"]
    assert head.get_payload().startswith("# shades 1.2.3\n")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("my-model", "my_model"),
        ("a.b_c-d", "a_b_c_d"),
        ("3d", "model_3d"),
        ("class", "model_class"),
        ("json", "model_json"),
        ("numpy", "model_numpy"),
        ("stagewise", "model_stagewise"),
    ],
)
def test_names_of_modules(name, module):
    assert module_name(name) == module


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.2.3", "1.2.3"),
        ("1.0.0-rc.1", "1.0.0rc1"),
        ("1.0.0-alpha", "1.0.0a0"),
        ("1.0.0+build.5", "1.0.0+build.5"),
        ("1.0.0-nightly.7", "1.0.0.dev0+nightly.7"),
        ("1.0.0-x-y--z", "1.0.0.dev0+x.y.z"),
    ],
)
def test_versions(version, expected):
    assert python_version(version) == expected


def test_names_of_wheels():
    assert wheel_name("my--odd.model", "1.0.0-rc.1") == "my_odd_model-1.0.0rc1-py3-none-any.whl"


@pytest.mark.parametrize("write", [write_archive, write_wheel])
def test_a_folder_that_is_no_package(tmp_path, write):
    with pytest.raises(PackageError, match="no package"):
        write(tmp_path, tmp_path)


def test_files_and_bytes_are_stored_alike(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    write_zip(tmp_path / "a.zip", {"x": tmp_path / "x"})
    write_zip(tmp_path / "b.zip", {"x": (tmp_path / "x").read_bytes()})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


PATHS = "|".join(str(Path(__file__).parents[up]) for up in (0, 1))
MAKE = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1].split("|")
from bundles import Inputs
from stagewise.packaging.forms.archive import write_archive
from stagewise.packaging.forms.wheel import write_wheel

inputs, out = Path(sys.argv[2]), Path(sys.argv[3])
package = Inputs(*(inputs / name for name in ("compressed", "raw", "reports"))).package(out / "shades-1.2.3")
write_archive(package, out)
write_wheel(package, out)
"""


def test_two_processes_and_two_folders_give_equal_bytes(inputs, tmp_path):
    places = [tmp_path / "here", tmp_path / "elsewhere" / "deeper"]
    for number, out in enumerate(places):
        out.mkdir(parents=True)
        command = [sys.executable, "-c", MAKE, PATHS, str(inputs.raw.parent), str(out)]
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "TZ": ("UTC", "Asia/Tokyo")[number]}
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    first, second = map(content, places)
    assert len(first) == 20
    assert first == second
