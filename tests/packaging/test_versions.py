import copy

import pytest

from stagewise.errors import ConfigError, PackageError
from stagewise.packaging.trust.versions import Level, Version, compare, content_of, write_version

ORDER = [
    *("0.0.9", "0.1.0", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
    *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "2.0.0"),
]
"""From semver.org, lowest first."""


def test_versions_are_ordered_as_semver_says():
    assert [str(version) for version in sorted(map(Version, reversed(ORDER)))] == ORDER
    assert Version("1.0.0+linux") == Version("1.0.0+mac") != Version("1.0.1")


@pytest.mark.parametrize("text", ["", "1", "1.0", "01.0.0", "1.0.0.0", "v1.0.0", "1.0.0-", "1.0.0 ", "1.0.0\n"])
def test_what_is_no_version(text):
    with pytest.raises(PackageError, match="no semantic version"):
        Version(text)


@pytest.mark.parametrize(
    ("level", "asked", "fits", "too_low"),
    [
        (Level.NONE, "1.2.3", ["1.2.4", "2.0.0"], ["1.2.3", "1.2.2"]),
        (Level.PATCH, "1.2.4", ["1.2.4", "1.3.0", "1.2.4-rc.1"], ["1.2.3", "1.2.3+more"]),
        (Level.MINOR, "1.3.0", ["1.3.0", "1.4.2", "2.0.0"], ["1.2.9", "1.2.4"]),
        (Level.MAJOR, "2.0.0", ["2.0.0", "2.0.0-rc.1", "3.0.0"], ["1.9.9", "1.2.3"]),
    ],
)
def test_what_a_change_asks_for(level, asked, fits, too_low):
    last = Version("1.2.3")
    assert str(last.raised(level)) == asked
    assert [text for text in fits if not Version(text).suffices(last, level)] == []
    assert [text for text in too_low if Version(text).suffices(last, level)] == []


def test_after_a_pre_release_anything_later_will_do():
    last = Version("2.0.0-rc.1")
    assert Version("2.0.0-rc.2").suffices(last, Level.MAJOR)
    assert Version("2.0.0").suffices(last, Level.MAJOR)
    assert not Version("2.0.0-rc.0").suffices(last, Level.NONE)


SCHEMA = {
    "runtime": {"inputs": "a", "answers": "b"},
    "inputs": [
        {
            "name": "table",
            "shape": [1],
            "columns": [{"name": "age", "source": "age", "type": "number", "mean": 1.0}],
            "mean": [1.0],
        }
    ],
    "target": {"name": "label", "classes": ["a", "b"]},
    "outputs": [{"name": "label", "dtype": "int64", "shape": ["batch"]}],
}
FILES = dict.fromkeys(("model.onnx", "inputs.py", "answers.py", "predict.py", "schema.json", "README.md"), "0")


def content(change=lambda _: None, **files):
    schema = copy.deepcopy(SCHEMA)
    change(schema)
    return content_of(schema, {"files": {name: {"sha256": d} for name, d in {**FILES, **files}.items()}})


@pytest.mark.parametrize(
    ("change", "level", "name"),
    [
        (lambda it: it["inputs"][0].update(shape=[2]), Level.MAJOR, "inputs.table.shape"),
        (lambda it: it["inputs"][0].update(name="rows"), Level.MAJOR, "inputs.rows.name"),
        (lambda it: it["inputs"][0]["columns"][0].update(name="years"), Level.MAJOR, "inputs.table.columns"),
        (lambda it: it["target"].update(classes=["b", "a"]), Level.MAJOR, "target.classes"),
        (lambda it: it["outputs"][0].update(dtype="int32"), Level.MAJOR, "outputs.label.dtype"),
        (lambda it: it["outputs"].append({"name": "more"}), Level.MAJOR, "outputs.more.name"),
        (lambda it: it["inputs"][0].update(mean=[2.0]), Level.MINOR, "inputs.table.mean"),
        (lambda it: it["inputs"][0]["columns"][0].update(mean=2.0), Level.MINOR, "inputs.table.columns as fitted"),
    ],
)
def test_what_changes_of_the_schema_ask_for(change, level, name):
    found, names = compare(content(), content(change))
    assert found is level
    assert name in names


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("model.onnx", Level.MINOR),
        ("inputs.py", Level.MINOR),
        ("answers.py", Level.MINOR),
        ("predict.py", Level.PATCH),
        ("README.md", Level.PATCH),
        ("new.txt", Level.PATCH),
    ],
)
def test_what_changes_of_files_ask_for(name, level):
    assert compare(content(), content(**{name: "1"})) == (level, [name])
    assert compare(content(**{name: "1"}), content()) == (level, [name])


def test_no_change():
    assert compare(content(), content()) == (Level.NONE, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: x\nversion: 0.1.0\n", "name: x\nversion: 1.0.0\n"),
        ("version:   '0.1.0'  # mine\r\nname: x\r\n", "version:   1.0.0  # mine\r\nname: x\r\n"),
        ('# version: 7\nversion: "0.1.0"\ndata: {version: 3}\n', "# version: 7\nversion: 1.0.0\ndata: {version: 3}\n"),
        ("data:\n  version: 3\nversion: 0.1.0", "data:\n  version: 3\nversion: 1.0.0"),
    ],
)
def test_a_version_is_written_and_nothing_else(tmp_path, before, after):
    (tmp_path / "params.yaml").write_bytes(before.encode())
    write_version(tmp_path, Version("1.0.0"))
    assert (tmp_path / "params.yaml").read_bytes().decode() == after


@pytest.mark.parametrize("text", ["name: x\n", "{name: x, version: 0.1.0}\n", "version:\n  0.1.0\n"])
def test_a_version_that_has_no_line_is_told(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"write there: version: 1\.0\.0"):
        write_version(tmp_path, Version("1.0.0"))
    assert (tmp_path / "params.yaml").read_text() == text
