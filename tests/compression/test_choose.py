import pytest

from stagewise.compression.choose import choose
from stagewise.compression.measure import Quality


def quality(accuracy: float, size: int) -> Quality:
    return Quality(
        score=accuracy,
        drop=round(0.9 - accuracy, 6),
        agreement=1.0,
        largest_difference=0.0,
        bytes=size,
        size_ratio=size / 100,
        sha256="0" * 64,
        details={},
    )


@pytest.mark.parametrize(
    ("others", "max_drop", "chosen"),
    [
        pytest.param({}, 0.01, "fp32", id="alone"),
        pytest.param({"a": (0.9, 30)}, 0.01, "a", id="smaller and as good"),
        pytest.param({"a": (0.95, 30)}, 0.0, "a", id="smaller and better"),
        pytest.param({"a": (0.89, 30)}, 0.01, "a", id="drop exactly as allowed"),
        pytest.param({"a": (0.889999, 30)}, 0.01, "fp32", id="drop a little more than allowed"),
        pytest.param({"a": (0.899999, 30)}, 0.0, "fp32", id="no drop allowed"),
        pytest.param({"a": (0.5, 30), "b": (0.6, 20)}, 0.01, "fp32", id="none within the drop"),
        pytest.param({"a": (0.9, 30), "b": (0.895, 20)}, 0.01, "b", id="smallest of two"),
        pytest.param({"a": (0.9, 30), "b": (0.5, 20)}, 0.01, "a", id="smallest is refused"),
        pytest.param({"a": (0.95, 101)}, 0.01, "fp32", id="better but larger"),
        pytest.param({"a": (0.89, 30), "b": (0.9, 30)}, 0.01, "b", id="equally small: more accurate"),
        pytest.param({"b": (0.9, 30), "a": (0.9, 30)}, 0.01, "a", id="equal: first name"),
        pytest.param({"a": (0.9, 100)}, 0.01, "a", id="as large as fp32: first name"),
    ],
)
def test_the_rule(others, max_drop, chosen):
    qualities = {"fp32": quality(0.9, 100)} | {name: quality(*item) for name, item in others.items()}
    choice = choose(qualities, "fp32", max_drop, "accuracy")
    assert choice.name == chosen
    assert set(choice.verdicts) == set(qualities)
    assert [name for name, verdict in choice.verdicts.items() if verdict.startswith("chosen")] == [chosen]


def test_every_verdict_says_why():
    qualities = {name: quality(*item) for name, item in {"fp32": (0.9, 100), "a": (0.89, 30), "b": (0.7, 20)}.items()}
    verdicts = choose(qualities, "fp32", 0.01, "accuracy").verdicts
    assert verdicts["a"] == "chosen: smallest of those within the allowed drop of 0.01 (accuracy drop 0.0100)"
    assert verdicts["b"] == "refused: accuracy drop 0.2000 is more than the allowed 0.01"
    assert verdicts["fp32"] == "not chosen: 70 bytes larger than the chosen one (accuracy drop 0.0000)"
