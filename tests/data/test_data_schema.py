import pytest

from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, read_schema, write_schema
from stagewise.errors import DataError


def example():
    return DataSchema(
        name="tiny",
        features=[ImageEntry(shape=(2, 3, 1), resize="area", mean=[0.25], std=[0.5])],
        target=ClassTarget(classes=["a", "ö"]),
        splits={"train": SplitInfo(file="train.arrow", rows=3, sha256="0" * 64, class_counts=[1, 2])},
    )


def test_round_trip_and_equal_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_schema(example(), tmp_path / name)
    text = (tmp_path / "one" / "schema.json").read_bytes()
    assert text == (tmp_path / "two" / "schema.json").read_bytes()
    assert text.endswith(b"}\n")
    assert "ö" in text.decode()
    assert read_schema(tmp_path / "one") == example()


def test_a_missing_schema_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="no data schema") as caught:
        read_schema(tmp_path)
    assert caught.value.fix == "dvc repro preprocess"


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2}', "[1]"])
def test_a_damaged_schema_is_told(tmp_path, text):
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(DataError, match="damaged") as caught:
        read_schema(tmp_path)
    assert caught.value.details
