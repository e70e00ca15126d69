import numpy as np
import pytest

from stagewise.data.features.image import ImageFeature
from stagewise.errors import ConfigError


def test_encodes_to_its_shape_and_describes_itself():
    feature = ImageFeature(size=[4, 6], channels=3, resize="area")
    assert feature.check(np.zeros((9, 9), np.uint8)).shape == feature.stored.shape == (4, 6, 3)
    rows = np.zeros((2, 4, 6, 3), np.uint8)
    rows[..., 1] = 51
    feature.fit([(rows[:1], np.zeros(1)), (rows[1:], np.zeros(1))])
    entry = feature.describe()
    assert (entry.shape, entry.resize, entry.mean, entry.layout) == ((4, 6, 3), "area", [0.0, 0.2, 0.0], "HWC")


def test_what_is_no_image_is_a_value_error():
    with pytest.raises(ValueError, match="float32"):
        ImageFeature(size=[4, 4]).check(np.zeros((4, 4), np.float32))


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"size": [4]}, "data.feature.size"),
        ({"size": [4, 0]}, "data.feature.size"),
        ({"size": [4, 2.5]}, "data.feature.size"),
        ({"size": [4, 4], "channels": 2}, "data.feature.channels"),
        ({"size": [4, 4], "resize": "cubic"}, "data.feature.resize"),
    ],
)
def test_impossible_arguments_name_their_key(arguments, where):
    with pytest.raises(ConfigError) as caught:
        ImageFeature(**arguments)
    assert caught.value.where == where
    assert caught.value.fix
