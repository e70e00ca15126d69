import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stagewise.config import targets
from stagewise.config.schema.base import Target
from stagewise.config.schema.data import AugmentSection, Checks, PreprocessData, PreprocessSettings, Split
from stagewise.data.layout import Layout
from stagewise.data.preprocess import preprocess
from stagewise.data.sample import Sample
from stagewise.data.schema import SPLITS, read_schema
from stagewise.data.storage import SplitReader, scan
from stagewise.errors import ConfigError, DataError


class ListReader:
    """Yields the samples that a test put into ``samples``."""

    samples: ClassVar[list[Sample]] = []

    def __init__(self, root: Path) -> None:
        self.root = root

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


@pytest.fixture(autouse=True)
def _allow_the_list_reader(monkeypatch):
    monkeypatch.setattr(targets, "PROJECT", (*targets.PROJECT, f"{__name__}."))


def settings(seed=0, offline_copies=0, transforms=(), size=(4, 4), channels=1, **data: Any) -> PreprocessSettings:
    return PreprocessSettings(
        seed=seed,
        threads=1,
        data=PreprocessData(
            **{
                "name": "tiny",
                "reader": Target(target=f"{__name__}.ListReader"),
                "feature": Target(
                    target="stagewise.data.features.image.ImageFeature", size=list(size), channels=channels
                ),
                **data,
            }
        ),
        augment=AugmentSection(transforms=list(transforms), offline_copies=offline_copies),
    )


def run(folder: Path, samples: list[Sample] | None, chosen: PreprocessSettings, raw: Path = Path()) -> dict[str, Any]:
    """Runs preprocess into fresh folders; returns checks.json."""
    if samples is not None:
        ListReader.samples = samples
    for name in ("out", "reports"):
        (folder / name).mkdir(parents=True)
    preprocess(chosen, raw, folder / "out", folder / "reports")
    report: dict[str, Any] = json.loads((folder / "reports" / "checks.json").read_text())
    return report


def split_ids(folder: Path, shape=(4, 4, 1)) -> dict[str, list[str]]:
    readers = {name: SplitReader(folder / "out" / f"{name}.arrow", shape) for name in SPLITS}
    return {name: reader.ids(np.arange(len(reader))) for name, reader in readers.items()}


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, 4), dtype=np.uint8)


def clean(count: int = 60, split: str | None = None, first: int = 0) -> list[Sample]:
    """Distinct images of three classes."""
    return [Sample(f"{split}{n}", image(first + n), n % 3, split) for n in range(count)]


def published() -> list[Sample]:
    return clean(60, "train") + clean(30, "test", 100) + clean(30, "validation", 200)


TROUBLE: dict[str, tuple[str, list[Sample], int, str]] = {
    "readable": ("unreadable", [Sample("bad", None, 0, "train", "truncated")], 1, "bad: truncated"),
    "dtype": ("unreadable", [Sample("bad", np.zeros((4, 4)), 0, "train")], 1, "bad: float64 pixels"),
    "shape": ("unreadable", [Sample("bad", np.zeros(4, np.uint8), 0, "train")], 1, "bad: an array of shape (4,)"),
    "channels": ("unreadable", [Sample("bad", np.zeros((4, 4, 2), np.uint8), 0, "train")], 1, "bad: 2 channels"),
    "missing": (
        "missing",
        [
            Sample("bad", None, 0, "train"),
            Sample("bad2", image(0), None, "train"),
            Sample("bad3", image(0), "", "test"),
        ],
        3,
        "bad: no value",
    ),
    "label_range": ("label_range", [Sample("bad", image(999), 3, "train")], 1, "bad (label 3)"),
    "constant": ("constant", [Sample("bad", np.full((4, 4), 9, np.uint8), 0, "train")], 1, "bad (label 0)"),
    "duplicates": ("duplicates", [Sample("bad", image(4), 1, "train")], 1, "bad = train4"),
    "leakage": (
        "leakage",
        [
            Sample("bad", image(100), 0, "train"),
            Sample("bad2", image(200), 0, "train"),
            Sample("bad3", image(101), 1, "validation"),
        ],
        3,
        "bad = test0 (train = test)",
    ),
}
NEVER_STORED = ("readable", "dtype", "shape", "channels", "missing", "label_range")


@pytest.mark.parametrize("action", ["fail", "drop", "warn"])
@pytest.mark.parametrize("check", TROUBLE)
def test_every_check_with_every_action(tmp_path, check, action, caplog):
    key, samples, count, example = TROUBLE[check]
    chosen = settings(checks=Checks(**{key: action}), classes=["a", "b", "c"])
    if action == "fail":
        with pytest.raises(DataError, match=f"{check}: {count} ") as caught:
            run(tmp_path, published() + samples, chosen)
        assert len(caught.value.details) == 1
        assert example in caught.value.details[0]
        assert f"data.checks.{key}=drop" in caught.value.fix
        report = json.loads((tmp_path / "reports" / "checks.json").read_text())
    else:
        report = run(tmp_path, published() + samples, chosen)
        stored = {name for names in split_ids(tmp_path).values() for name in names}
        left_out = action == "drop" or check in NEVER_STORED
        assert not any(sample.id in stored for sample in samples) if left_out else {s.id for s in samples} <= stored
        assert sum(name == check for name in (message.split(":")[0] for message in caplog.messages)) == 1
    found = report["checks"][check]
    assert report["passed"] == (action != "fail")
    assert (found["action"], found["count"]) == (action, count)
    assert found["examples"][0].startswith(example)
    others = {name: other["count"] for name, other in report["checks"].items() if name != check}
    assert not any(others.values())


def test_all_failures_come_at_once(tmp_path):
    trouble = [sample for _, samples, _, _ in TROUBLE.values() for sample in samples]
    fail = Checks(**{key: "fail" for key, _, _, _ in TROUBLE.values()})
    with pytest.raises(DataError) as caught:
        run(tmp_path, published() + trouble, settings(checks=fail, classes=["a", "b", "c", "d"][:3]))
    assert [line.split(":")[0] for line in caught.value.details] == list(TROUBLE)
    assert not (tmp_path / "out" / "schema.json").exists()
    assert not list((tmp_path / "out").iterdir())


def test_clean_data_has_nothing_to_find(tmp_path, caplog):
    report = run(tmp_path, published(), settings())
    assert not any(check["count"] for check in report["checks"].values())
    assert report["rows"] == {"read": 120, "train": 60, "validation": 30, "test": 30}
    assert not caplog.messages


def test_examples_stop_at_five(tmp_path):
    samples = published() + [Sample(f"bad{n}", None, 0, error="x") for n in range(9)]
    report = run(tmp_path, samples, settings(checks=Checks(unreadable="drop")))
    assert report["checks"]["readable"]["count"] == report["checks"]["readable"]["dropped"] == 9
    assert len(report["checks"]["readable"]["examples"]) == 5


def test_equal_inputs_with_other_labels_are_reported(tmp_path, caplog):
    samples = [*published(), Sample("other", image(0), 1, "train"), Sample("same", image(0), 0, "train")]
    report = run(tmp_path, samples, settings(checks=Checks(duplicates="drop")))
    assert report["checks"]["conflicts"]["count"] == 1
    assert report["checks"]["conflicts"]["examples"] == ["other (label 1) = train0 (label 0)"]
    assert report["checks"]["duplicates"]["dropped"] == 2
    assert any(message.startswith("conflicts") for message in caplog.messages)


def test_duplicates_of_undivided_data_do_not_leak_once_dropped(tmp_path):
    samples = clean(60) + [Sample(f"again{n}", image(n), n % 3) for n in range(60)]
    report = run(tmp_path / "drop", samples, settings(checks=Checks(duplicates="drop", leakage="fail")))
    assert report["checks"]["duplicates"]["dropped"] == 60
    report = run(tmp_path / "keep", samples, settings())
    found = report["checks"]["leakage"]
    assert found["dropped"] == found["count"] > 0
    readers = [SplitReader(tmp_path / "keep" / "out" / f"{name}.arrow", (4, 4, 1)) for name in SPLITS]
    contents = [{row.tobytes() for row in reader.take(np.arange(len(reader)))} for reader in readers]
    assert not (contents[0] & contents[1] | contents[0] & contents[2] | contents[1] & contents[2])


def test_a_rare_class_always_fails(tmp_path):
    samples = [*clean(60), Sample("rare1", image(900), 3), Sample("rare2", image(901), 3)]
    with pytest.raises(DataError, match="class_counts: 1 found"):
        run(tmp_path, samples, settings())


def test_a_declared_class_without_rows_fails(tmp_path):
    with pytest.raises(DataError, match="'d' has 0 to train on"):
        run(tmp_path, clean(60), settings(classes=["a", "b", "c", "d"]))


def test_a_class_that_is_only_in_validation_fails(tmp_path):
    unseen = [Sample(f"v{n}", image(900 + n), 3, "validation") for n in range(9)]
    with pytest.raises(DataError, match="'3' has 0 to train on, 9 in all but test") as caught:
        run(tmp_path, published() + unseen, settings())
    assert caught.value.fix == "correct the files that data.source names"


def test_one_class_is_not_enough(tmp_path):
    samples = [Sample(str(n), image(n), "only") for n in range(20)]
    with pytest.raises(DataError, match="only the class 'only' was found, and at least 2 are needed"):
        run(tmp_path, samples, settings())


def test_no_rows_at_all_fail(tmp_path):
    with pytest.raises(DataError, match="splits: 3 found"):
        run(tmp_path, [], settings())


def test_a_split_without_rows_names_its_key(tmp_path):
    with pytest.raises(DataError, match=r"data\.split\.test=0\.1"):
        run(tmp_path, clean(60), settings(split=Split(test=0.0)))


def test_numbers_and_text_do_not_mix(tmp_path):
    samples = [*clean(60), *(Sample(f"x{n}", image(900 + n), "x") for n in range(3))]
    with pytest.raises(DataError, match="label_type: 3 found"):
        run(tmp_path, samples, settings())


def test_a_split_of_unknown_name_is_told(tmp_path):
    with pytest.raises(DataError, match="'dev'"):
        run(tmp_path, clean(9, "dev"), settings())
    assert not list((tmp_path / "out").iterdir())


def test_values_targets_and_ids_stay_together(tmp_path):
    names = ["zebra", "ant", "cow"]
    samples = [Sample(str(n), image(n), names[n % 3]) for n in range(200)]
    run(tmp_path, samples, settings(rows_per_batch=7))
    schema = read_schema(tmp_path / "out")
    assert schema.classes == ["ant", "cow", "zebra"]
    seen = []
    for name in SPLITS:
        reader = SplitReader(tmp_path / "out" / schema.splits[name].file, (4, 4, 1))
        rows = np.arange(len(reader))
        for number, value, target in zip(map(int, reader.ids(rows)), reader.take(rows), reader.targets, strict=True):
            np.testing.assert_array_equal(value[:, :, 0], image(number))
            assert schema.classes[target] == names[number % 3]
            seen.append(number)
        assert schema.splits[name].class_counts == np.bincount(reader.targets, minlength=3).tolist()
    assert sorted(seen) == list(range(200))


def test_normalisation_is_fitted_on_the_training_rows_alone(tmp_path):
    bright = [Sample(f"t{n}", np.maximum(image(500 + n), 250), n % 3, "test") for n in range(30)]
    run(tmp_path, clean(60, "train") + bright, settings(channels=3))
    feature = read_schema(tmp_path / "out").features[0]
    reader = SplitReader(tmp_path / "out" / "train.arrow", (4, 4, 3))
    train = reader.take(np.arange(len(reader))) / 255
    np.testing.assert_allclose(feature.mean, train.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(feature.std, train.std(axis=(0, 1, 2)), rtol=1e-12)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


SHIFT = Target(target="stagewise.data.augment.shift.Shift", fraction=0.3)


def test_equal_inputs_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        run(tmp_path / name, published(), settings(transforms=[SHIFT], offline_copies=1))
    first = files(tmp_path / "one")
    assert first == files(tmp_path / "two")
    expected = {f"out/{name}.arrow" for name in SPLITS} | {"out/schema.json"}
    assert set(first) == expected | {"reports/checks.json", "reports/contact_sheet.png"}


def test_rows_per_batch_changes_no_row(tmp_path):
    for size in (5, 4096):
        run(tmp_path / str(size), clean(60), settings(rows_per_batch=size, transforms=[SHIFT], offline_copies=2))
    assert split_ids(tmp_path / "5") == split_ids(tmp_path / "4096")
    small, large = (SplitReader(tmp_path / name / "out" / "train.arrow", (4, 4, 1)) for name in ("5", "4096"))
    np.testing.assert_array_equal(small.take(np.arange(len(small))), large.take(np.arange(len(large))))


def test_record_batches_of_large_images_stay_small(tmp_path):
    samples = [Sample(str(n), image(n), n % 2) for n in range(40)]
    run(tmp_path, samples, settings(size=(1024, 1024), channels=3))
    parts = [
        len(targets)
        for _, targets, _ in scan(tmp_path / "out" / "train.arrow", Layout(np.dtype(np.uint8), (1024, 1024, 3)))
    ]
    assert max(parts) == 10  # of 3 MB each
    assert sum(parts) > 20


def test_offline_copies_follow_the_training_rows(tmp_path):
    run(tmp_path / "plain", clean(60), settings())
    run(tmp_path / "copied", clean(60), settings(transforms=[SHIFT], offline_copies=2))
    plain, copied = split_ids(tmp_path / "plain"), split_ids(tmp_path / "copied")
    train = plain["train"]
    assert copied["train"] == train + [f"{name}#copy{copy}" for copy in (1, 2) for name in train]
    assert (copied["validation"], copied["test"]) == (plain["validation"], plain["test"])
    reader = SplitReader(tmp_path / "copied" / "out" / "train.arrow", (4, 4, 1))
    original, one, two = reader.take(np.arange(len(reader))).reshape(3, len(train), 4, 4, 1)
    assert (original != one).any(axis=(1, 2, 3)).mean() > 0.9
    assert (one != two).any(axis=(1, 2, 3)).mean() > 0.9
    np.testing.assert_array_equal(reader.targets.reshape(3, -1), [reader.targets[: len(train)]] * 3)
    before, after = (read_schema(tmp_path / name / "out") for name in ("plain", "copied"))
    assert before.features == after.features
    assert after.splits["train"].class_counts == [3 * count for count in before.splits["train"].class_counts]


@pytest.mark.parametrize("transforms", [(), (Target(target="stagewise.data.augment.mixup.Mixup"),)])
def test_impossible_copies_are_refused_before_anything_is_read(tmp_path, transforms):
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, [Sample("never", None, 0, "nowhere")], settings(transforms=transforms, offline_copies=1))
    assert caught.value.where == "augment.offline_copies"
    assert not list((tmp_path / "out").iterdir())


def test_torch_is_not_imported_without_transforms():
    code = "import sys, stagewise.data.preprocess; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


BIG = """
import sys, types
from pathlib import Path
import numpy as np
import stagewise.data.readers
from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.layout import Layout
from stagewise.data.preprocess import preprocess
from stagewise.data.sample import Sample

rows, folder = int(sys.argv[1]), Path(sys.argv[2])

class Reader:
    __module__ = "stagewise.data.readers.big"

    def __init__(self, root): pass
    def __iter__(self):
        random = np.random.default_rng(0)
        for number in range(rows):
            yield Sample(str(number), random.integers(0, 256, (256, 256, 3), dtype=np.uint8), number % 2)

module = types.ModuleType("stagewise.data.readers.big")
module.Reader = Reader
sys.modules[module.__name__] = module
settings = PreprocessSettings.model_validate({
    "seed": 0, "threads": 1, "augment": {},
    "data": {
        "name": "big", "rows_per_batch": 32, "reader": {"_target_": "stagewise.data.readers.big.Reader"},
        "feature": {"_target_": "stagewise.data.features.image.ImageFeature", "size": [256, 256], "channels": 3},
    },
})
for name in ("out", "reports"):
    (folder / name).mkdir(parents=True)
preprocess(settings, folder, folder / "out", folder / "reports")
status = Path("/proc/self/status").read_text()  # ru_maxrss would include the peak of the parent process
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is only known on Linux")
def test_memory_is_bounded_by_the_batch_and_not_by_the_data(tmp_path):
    def peak(rows: int) -> int:
        command = [sys.executable, "-c", BIG, str(rows), str(tmp_path / str(rows))]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    small, large = peak(64), peak(1600)  # 12 MB and 300 MB of rows
    assert sum(path.stat().st_size for path in (tmp_path / "1600" / "out").iterdir()) > 300_000_000
    assert large - small < 40  # MB


def test_the_digits(tmp_path):
    csv = Path(pytest.importorskip("sklearn").__file__).parent / "datasets" / "data" / "digits.csv.gz"
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "digits.csv.gz").write_bytes(csv.read_bytes())
    reader = Target(
        target="stagewise.data.readers.pixel_table.PixelTableReader", shape=[8, 8], maximum=16, label="last"
    )
    report = run(tmp_path, None, settings(size=(8, 8), reader=reader), raw=tmp_path / "raw")
    assert report["rows"] == {"read": 1797, "train": 1294, "validation": 144, "test": 359}
    assert not any(check["count"] for check in report["checks"].values())
    schema = read_schema(tmp_path / "out")
    assert schema.classes == [str(digit) for digit in range(10)]
    assert 0.30 < schema.features[0].mean[0] < 0.31


def test_mnist_has_no_duplicates_and_no_leaks(tmp_path, mirror):
    names = {"train": "train", "test": "t10k"}
    reader = Target(
        target="stagewise.data.readers.idx.IdxReader",
        images={split: f"{name}-images-idx3-ubyte.gz" for split, name in names.items()},
        labels={split: f"{name}-labels-idx1-ubyte.gz" for split, name in names.items()},
    )
    report = run(tmp_path, None, settings(size=(28, 28), reader=reader), raw=mirror / "mnist")
    assert report["rows"] == {"read": 70000, "train": 54000, "validation": 6000, "test": 10000}
    assert not any(check["count"] for check in report["checks"].values())
    feature = read_schema(tmp_path / "out").features[0]
    assert feature.mean[0] == pytest.approx(0.1307, abs=2e-4)  # of all 60,000 training rows, as widely published
    assert feature.std[0] == pytest.approx(0.3081, abs=2e-4)
