import numpy as np
import pytest

from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import ClassTarget, DataSchema
from stagewise.tasks.inputs.image import ImageInputs


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3), (1, 1, 1)])
def test_hostile_images_are_uniform_sharp_and_noisy(shape):
    channels = [0.5] * shape[2]
    feature = ImageEntry(shape=shape, resize="bilinear", mean=channels, std=channels)
    schema = DataSchema(name="x", features=[feature], target=ClassTarget(classes=["a", "b"]), splits={})
    rows, again = (ImageInputs(schema).hostile(np.random.default_rng(1)) for _ in range(2))
    assert all(row.shape == shape and row.dtype == np.uint8 for row in rows.values())
    assert all(np.array_equal(rows[name], again[name]) for name in rows)
    uniform = {int(row.flat[0]) for name, row in rows.items() if name.startswith("all ") and len(set(row.flat)) == 1}
    assert uniform == {0, 128, 255}
    assert np.count_nonzero(rows["one white value"]) == 1
    assert np.count_nonzero(rows["chequers"]) == shape[2] * (shape[0] * shape[1] // 2)
    white = rows["left half white"]
    assert (white[:, : (shape[1] + 1) // 2] == 255).all() and not white[:, (shape[1] + 1) // 2 :].any()
