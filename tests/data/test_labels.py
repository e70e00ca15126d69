import pytest

from stagewise.data.labels import UNKNOWN, resolve
from stagewise.errors import ConfigError


@pytest.mark.parametrize(
    ("labels", "declared", "classes", "places"),
    [
        ([10, 9, 2], None, ["2", "9", "10"], [2, 1, 0]),
        (["dog", "cat"], None, ["cat", "dog"], [1, 0]),
        (["10", "9"], None, ["10", "9"], [0, 1]),
        (["b", 7], None, ["7", "b"], [1, 0]),
        ([1, 0, 2, -1], ["x", "y"], ["x", "y"], [1, 0, UNKNOWN, UNKNOWN]),
        (["y", "z", "x"], ["x", "y"], ["x", "y"], [1, UNKNOWN, 0]),
        ([], None, [], []),
    ],
)
def test_labels_become_class_numbers(labels, declared, classes, places):
    names, numbers = resolve(labels, declared)
    assert (names, numbers.tolist()) == (classes, places)


def test_a_class_declared_twice_is_refused():
    with pytest.raises(ConfigError, match="twice: a"):
        resolve(["a"], ["a", "b", "a"])
