import base64
import io

import numpy as np
from PIL import Image

from stagewise.report.pictures import data_uri, grid


def decode(uri):
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_small_images_go_into_the_page_pixel_by_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert (decode(data_uri(pixels)) == pixels).all()
    assert (decode(data_uri(pixels[..., :1])) == pixels[..., 0]).all()


def test_large_images_are_made_smaller():
    assert decode(data_uri(np.zeros((1000, 500, 3), np.uint8))).shape == (256, 128, 3)


def test_the_grid_enlarges_whole_pixels_in_reading_order():
    tiles = [(np.full((4, 4, 1), shade, np.uint8), "is a", "read as " + "long " * 40) for shade in (10, 20, 30)]
    image = np.asarray(grid(tiles).convert("L"))
    assert [image[60, 60 + 140 * place] for place in range(3)] == [10, 20, 30]
    # The captions end where their tile ends.
    assert (image[141:, 140:152] == 255).all()


def test_tall_and_wide_images_keep_their_proportions():
    image = np.asarray(grid([(np.zeros((40, 20, 3), np.uint8), "", "")]).convert("L"))
    assert image[100, 12 + 60] == 0
    assert image[100, 12 + 70] == 255


def test_an_empty_grid_says_so():
    assert np.asarray(grid([])).min() < 100
