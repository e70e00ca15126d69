import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stagewise.runtime import image as pixels
from stagewise.runtime.image import ImageError, decode, fit


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


GRADIENT = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GRADIENT, 255 - GRADIENT, GRADIENT // 2], axis=2)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("array", [GRADIENT, COLOUR], ids=["grey", "colour"])
def test_lossless_formats_come_back_exactly(array, kind, tmp_path):
    data = encoded(Image.fromarray(array), kind)
    (tmp_path / "image").write_bytes(data)
    np.testing.assert_array_equal(decode(data), array)
    np.testing.assert_array_equal(decode(tmp_path / "image"), array)


def test_jpeg_and_cmyk_become_rgb():
    assert np.abs(decode(encoded(Image.fromarray(GRADIENT), "JPEG", quality=95)).astype(int) - GRADIENT).max() < 12
    cmyk = decode(encoded(Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "TIFF"))
    assert cmyk.shape == (3, 4, 3)
    assert (cmyk[0, 0] == [255, 0, 0]).all()


def test_one_bit_becomes_black_and_white():
    data = encoded(Image.fromarray(GRADIENT > 100))
    np.testing.assert_array_equal(decode(data), np.where(GRADIENT > 100, 255, 0))


def test_palette_is_expanded():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(decode(encoded(image)), [[[10, 20, 30], [200, 100, 50]]])


def test_transparency_is_blended_on_white():
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], np.uint8)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(rgba))), [[[10, 20, 30], [255] * 3, [204] * 3]])
    grey = Image.fromarray(np.array([[[7, 255], [7, 0]]], np.uint8))
    np.testing.assert_array_equal(decode(encoded(grey)), [[7, 255]])


def test_transparent_colour_of_an_image_without_alpha_is_blended_too():
    data = encoded(Image.fromarray(np.array([[0, 9]], np.uint8)), transparency=9)
    np.testing.assert_array_equal(decode(data), [[0, 255]])


def test_sixteen_bits_are_scaled_to_eight():
    wide = np.array([[0, 257, 32896, 65535]], np.uint16)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(wide))), [[0, 1, 128, 255]])
    np.testing.assert_array_equal(fit(wide, (1, 4), 1, "bilinear")[:, :, 0], [[0, 1, 128, 255]])


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(GRADIENT), exif=exif)), np.rot90(GRADIENT, -1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_truncated_files_are_refused(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ValueError, match=r"\w"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ImageError, match="not an image") as caught:
        decode(data)
    assert caught.value.check == "readable"


def test_floating_point_and_wide_integer_files_are_refused():
    for array in (np.ones((2, 2), np.float32), np.full((2, 2), 70000, np.int32)):
        with pytest.raises(ImageError, match="no known range"):
            decode(encoded(Image.fromarray(array), "TIFF"))


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch):
    bomb = encoded(Image.new("1", (9000, 9000)))
    assert len(bomb) < 50_000
    with pytest.raises(ImageError, match="9000 x 9000 pixels are more than 64,000,000"):
        decode(bomb)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own limits: a warning, then an error
    with pytest.raises(ImageError, match="more than"):
        decode(bomb)
    with pytest.raises(ImageError, match="more than"):
        decode(encoded(Image.new("1", (30, 40))))


def test_a_fitting_image_is_not_resampled(monkeypatch):
    monkeypatch.setattr(Image.Image, "resize", None)
    np.testing.assert_array_equal(fit(COLOUR, (6, 8), 3, "lanczos"), COLOUR)
    np.testing.assert_array_equal(fit(GRADIENT, (6, 8), 1, "lanczos")[:, :, 0], GRADIENT)


@pytest.mark.parametrize("resize", ["area", "bilinear", "bicubic", "lanczos"])
def test_shrinking_is_antialiased(resize):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    small = fit(stripes, (8, 8), 1, resize)
    assert small.shape == (8, 8, 1)
    assert 100 < small[2:-2, 2:-2].min() <= small[2:-2, 2:-2].max() < 155


def test_height_comes_before_width():
    assert fit(GRADIENT, (3, 5), 3, "nearest").shape == (3, 5, 3)


def test_channels_are_converted():
    np.testing.assert_array_equal(fit(GRADIENT, (6, 8), 3, "area"), np.repeat(GRADIENT[:, :, None], 3, 2))
    np.testing.assert_array_equal(fit(GRADIENT[:, :, None], (6, 8), 1, "area"), GRADIENT[:, :, None])
    luma = COLOUR.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(fit(COLOUR, (6, 8), 1, "area")[:, :, 0] - luma).max() <= 1
    rgba = np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(fit(rgba, (1, 2), 1, "area")[:, :, 0], [[255, 0]])


def test_booleans_and_small_integers_are_known():
    np.testing.assert_array_equal(fit(np.array([[True, False]]), (1, 2), 1, "area")[:, :, 0], [[255, 0]])
    np.testing.assert_array_equal(fit(GRADIENT.astype(np.int64), (6, 8), 1, "area")[:, :, 0], GRADIENT)


@pytest.mark.parametrize(
    ("value", "check", "reason"),
    [
        (np.zeros(4, np.uint8), "shape", "no image"),
        (np.zeros((0, 4), np.uint8), "shape", "no image"),
        (np.zeros((1, 4, 4, 3), np.uint8), "shape", "no image"),
        (np.zeros((4, 4, 5), np.uint8), "channels", "5 channels"),
        (np.zeros((4, 4)), "dtype", "float64 pixels"),
        (np.full((4, 4), -1), "dtype", "-1..-1, not in 0..255"),
        (np.full((4, 4), 256), "dtype", "256..256, not in 0..255"),
        (np.full((4, 4), "x"), "dtype", "no known range"),
        (np.broadcast_to(np.uint8(0), (1 << 14, 1 << 14)), "shape", "more than"),
    ],
)
def test_what_is_no_image_is_refused(value, check, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        fit(value, (4, 4), 1, "area")
    assert caught.value.check == check


def test_the_module_stands_alone():
    source = Path(pixels.__file__).read_text()
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert all(
        line.split()[1].split(".")[0] in {"io", "collections", "pathlib", "typing", "numpy", "PIL"} for line in imports
    )
