import re

import pytest

from stagewise.compression.choose import choose, needs_times
from stagewise.compression.measure import Quality
from stagewise.config.schema.compress import CompressSection
from stagewise.errors import CompressionError, ConfigError

FP32 = {"fp32": {"_target_": "stagewise.compression.candidates.float32.Float32"}}


def quality(score: float, size: int, high: float | None = None, **other) -> Quality:
    drop = round(0.9 - score, 6)
    return Quality(
        **{
            "score": score,
            "drop": drop,
            "drop_low": drop,
            "drop_high": drop if high is None else high,
            "agreement": 1.0,
            "largest_difference": 0.0,
            "bytes": size,
            "compressed_bytes": size,
            "size_ratio": size / 100,
            "sha256": "0" * 64,
            "details": {"worst_class": "seven", "worst_class_drop": 0.0},
        }
        | other
    )


def rule(**limits) -> CompressSection:
    return CompressSection.model_validate({"candidates": FP32, "max_drop": 0.01, **limits})


def pick(section: CompressSection, others: dict, fp32: Quality | None = None, times=None):
    qualities = {"fp32": fp32 or quality(0.9, 100), **others}
    return choose(section, qualities, "fp32", figure="accuracy", rows=500, times=times)


def times(p50: float, rows_per_second: float = 1.0, memory: int = 1_000_000) -> dict:
    batch = {"p50_ms": p50, "p95_ms": p50, "rows_per_second": rows_per_second}
    return {"batch_sizes": {"1": batch, "64": batch}, "peak_memory_bytes": memory}


@pytest.mark.parametrize(
    ("others", "max_drop", "chosen"),
    [
        pytest.param({}, 0.01, "fp32", id="alone"),
        pytest.param({"a": (0.9, 30)}, 0.01, "a", id="smaller and as good"),
        pytest.param({"a": (0.95, 30)}, 0.0, "a", id="smaller and better"),
        pytest.param({"a": (0.89, 30)}, 0.01, "a", id="drop exactly as allowed"),
        pytest.param({"a": (0.889999, 30)}, 0.01, "fp32", id="drop a little more than allowed"),
        pytest.param({"a": (0.899999, 30)}, 0.0, "fp32", id="no drop allowed"),
        pytest.param({"a": (0.9, 30, 0.0101)}, 0.01, "fp32", id="as good, but too few rows to be sure"),
        pytest.param({"a": (0.9, 30, 0.01)}, 0.01, "a", id="as good, and just sure enough"),
        pytest.param({"a": (0.5, 30), "b": (0.6, 20)}, 0.01, "fp32", id="none within the drop"),
        pytest.param({"a": (0.9, 30), "b": (0.895, 20)}, 0.01, "b", id="smallest of two"),
        pytest.param({"a": (0.9, 30), "b": (0.5, 20)}, 0.01, "a", id="smallest is refused"),
        pytest.param({"a": (0.95, 101)}, 0.01, "fp32", id="better but larger"),
        pytest.param({"a": (0.89, 30), "b": (0.9, 30)}, 0.01, "b", id="equally small: more accurate"),
        pytest.param({"b": (0.9, 30), "a": (0.9, 30)}, 0.01, "a", id="equal: first name"),
        pytest.param({"a": (0.9, 100)}, 0.01, "a", id="as large as fp32: first name"),
    ],
)
def test_the_smallest_within_the_drop(others, max_drop, chosen):
    choice = pick(rule(max_drop=max_drop), {name: quality(*item) for name, item in others.items()})
    assert choice.name == chosen
    assert set(choice.verdicts) == {"fp32", *others}
    assert [name for name, verdict in choice.verdicts.items() if verdict.startswith("chosen")] == [chosen]


@pytest.mark.parametrize(
    ("limit", "item", "why"),
    [
        ({}, quality(0.7, 20), "accuracy drop 0.2000 is more than the allowed 0.01"),
        (
            {},
            quality(0.9, 20, 0.0149),
            "accuracy drop 0.0000 may be 0.0149 as far as 500 rows tell (95% sure), more than the allowed 0.01",
        ),
        ({"max_bytes": 15}, quality(0.9, 1020), "1,020 bytes are 1,005 more than the allowed 15"),
        (
            {"min_agreement": 0.99},
            quality(0.9, 20, agreement=0.97),
            "it agrees with fp32 in 0.9700 of the rows, less than the asked 0.99",
        ),
        (
            {"max_class_drop": 0.02},
            quality(0.9, 20, details={"worst_class": "nine", "worst_class_drop": 0.05}),
            "recall of nine falls by 0.0500, more than the allowed 0.02",
        ),
        ({"max_latency_ms": 1.5}, quality(0.9, 20), "2 ms are 0.5 more than the allowed 1.5"),
        ({"max_memory_mb": 3}, quality(0.9, 20), "5 MB of memory are 2 more than the allowed 3"),
        (
            {"max_bytes": 15, "max_memory_mb": 3},
            quality(0.7, 20),
            "accuracy drop 0.2000 is more than the allowed 0.01; 20 bytes are 5 more than the allowed 15; "
            "5 MB of memory are 2 more than the allowed 3",
        ),
    ],
)
def test_a_refusal_names_every_limit_and_by_how_much_it_is_missed(limit, item, why):
    section = rule(**limit)
    measured = {"fp32": times(1, memory=10), "a": times(2, memory=5_000_000)} if needs_times(section) else None
    choice = pick(section, {"a": item}, fp32=quality(0.9, 10), times=measured)
    assert choice.verdicts["a"] == f"refused: {why}"
    assert choice.name == "fp32"
    assert choice.fits == {"fp32": True, "a": False}


TIMES = {"fp32": times(4, 10, 50), "a": times(2, 30, 90), "b": times(3, 40, 70)}


@pytest.mark.parametrize(
    ("objective", "chosen", "verdict", "other"),
    [
        ("bytes", "b", "the smallest of the 3", "10 bytes larger than the chosen one"),
        ("score", "fp32", "the most accurate of the 3", "0.0050 worse than the chosen one"),
        ("latency", "a", "the fastest of the 3", None),
        ("throughput", "b", "the one with the highest throughput of the 3", "10 rows per second fewer than the chosen"),
        ("memory", "fp32", "the one that needs least memory of the 3", "4e-05 MB more memory than the chosen one"),
    ],
)
def test_objectives(objective, chosen, verdict, other):
    section = rule(objective=objective)
    measured = TIMES if needs_times(section) else None
    choice = pick(section, {"a": quality(0.895, 30), "b": quality(0.895, 20)}, times=measured)
    assert choice.name == chosen
    assert choice.verdicts[chosen].startswith(f"chosen: {verdict} within the limits (accuracy drop 0.00")
    if other:
        assert choice.verdicts["a"].startswith(f"not chosen: {other}")


def test_what_is_equal_says_so():
    choice = pick(rule(), {"a": quality(0.9, 30), "b": quality(0.9, 30)})
    assert choice.verdicts["b"] == "not chosen: as good as the chosen one, and no smaller (accuracy drop 0.0000)"


def test_fp32_is_kept_where_nothing_fits_and_the_sentence_says_what_it_misses():
    choice = pick(rule(max_bytes=10), {"a": quality(0.5, 9)})
    assert choice.name == "fp32"
    assert choice.fits == {"fp32": False, "a": False}
    assert choice.verdicts["fp32"] == (
        "kept, for no candidate is within the limits: 100 bytes are 90 more than the allowed 10"
    )


def test_or_the_stage_fails_and_names_what_each_misses():
    message = re.escape("fp32: 100 bytes are 90 more than the allowed 10") + "(.|\n)*" + re.escape("a: accuracy drop")
    with pytest.raises(CompressionError, match=f"no candidate is within the limits(.|\n)*{message}"):
        pick(rule(max_bytes=10, if_none_fits="fail"), {"a": quality(0.5, 9)})


def test_a_limit_of_classes_is_for_classifiers():
    with pytest.raises(ConfigError, match="there are no classes whose loss could be limited"):
        pick(rule(max_class_drop=0.1), {}, fp32=quality(0.9, 100, details={"rmse": 1.0}))
