import hashlib

import numpy as np
import pytest
from PIL import Image

from stagewise.config.schema.base import Target
from stagewise.config.schema.data import AugmentSection
from stagewise.data.augmented import Augmenter
from stagewise.data.contact_sheet import MAX_CLASSES, _printable, write_contact_sheet
from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Layout
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo
from stagewise.data.storage import SplitWriter


def dataset(folder, shape, classes, per_class=3):
    """Class k is filled with the colour 10 + k."""
    counts = [per_class] * len(classes)
    targets = np.repeat(np.arange(len(classes)), per_class)
    values = np.broadcast_to((10 + targets)[:, None, None, None], (len(targets), *shape)).astype(np.uint8)
    with SplitWriter(folder / "train.arrow", Layout(np.dtype(np.uint8), shape), 8) as writer:
        writer.write(values, targets, [str(number) for number in range(len(targets))])
    info = SplitInfo(file="train.arrow", rows=len(targets), sha256="", class_counts=counts)
    feature = ImageEntry(shape=shape, resize="area", mean=[0.0], std=[1.0])
    target = ClassTarget(classes=classes)
    return DataSchema(name="tiny", features=[feature], target=target, splits={"train": info})


def colours(path):
    """How many pixels have each grey level below the ink's."""
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet)
    grey = pixels[(pixels[:, :, 0] == pixels[:, :, 1]) & (pixels[:, :, 1] == pixels[:, :, 2])][:, 0]
    return np.bincount(grey, minlength=256)


def test_small_images_are_enlarged_by_a_whole_factor(tmp_path):
    schema = dataset(tmp_path, (8, 8, 1), ["a", "b"])
    write_contact_sheet(schema, tmp_path, tmp_path / "sheet.png")
    assert colours(tmp_path / "sheet.png")[[10, 11, 12]].tolist() == [3 * 56 * 56, 3 * 56 * 56, 0]


def test_large_images_are_reduced(tmp_path):
    schema = dataset(tmp_path, (300, 150, 3), ["a", "b"], per_class=1)
    write_contact_sheet(schema, tmp_path, tmp_path / "sheet.png")
    assert colours(tmp_path / "sheet.png")[[10, 11]].tolist() == [112 * 56] * 2


def test_many_classes_and_long_names_are_cut(tmp_path):
    schema = dataset(tmp_path, (8, 8, 1), [f"class {number} " + "x" * 80 for number in range(50)], per_class=1)
    write_contact_sheet(schema, tmp_path, tmp_path / "sheet.png")
    shown = colours(tmp_path / "sheet.png")[10:60] == 56 * 56
    assert shown.tolist() == [True] * MAX_CLASSES + [False] * (50 - MAX_CLASSES)


def test_augmented_images_lie_beneath_and_bytes_repeat(tmp_path):
    schema = dataset(tmp_path, (8, 8, 1), ["a", "b"])
    darken = Target(target="stagewise.data.augment.erase.Erase", p=1.0)
    digests = []
    for name in ("one.png", "two.png"):
        augmenter = Augmenter(AugmentSection(transforms=[darken]), seed=1, threads=1)
        write_contact_sheet(schema, tmp_path, tmp_path / name, augmenter)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    plain, augmented = 3 * 56 * 56, colours(tmp_path / "one.png")[10]
    assert plain < augmented < 2 * plain


def test_offline_copies_are_not_shown_as_originals(tmp_path):
    schema = dataset(tmp_path, (8, 8, 1), ["a", "b"])
    write_contact_sheet(schema, tmp_path, tmp_path / "sheet.png", copies=1)  # the second half: all of class b
    assert colours(tmp_path / "sheet.png")[[10, 11]].tolist() == [3 * 56 * 56, 0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("T-shirt/top", "T-shirt/top"), ("naïve café", "naive cafe"), ("日本", "class 7"), ("x" * 30, "x" * 21 + "...")],
)
def test_names_are_shown_in_letters_that_the_font_has(name, shown):
    assert _printable(name, 7) == shown
