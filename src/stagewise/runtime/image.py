"""Image files to pixels of the size a model takes: the same code in training and in the package.

This file is shipped in packages, so it imports only the standard library, numpy and Pillow.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

REQUIREMENTS = ("pillow>=12.0",)
"""What a package needs to read images, beside numpy and onnxruntime."""

WHAT = "image files (PNG, JPEG, ...)"
"""What ``Reader.read`` takes, for the help text."""

MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded (a few kilobytes can unpack to gigabytes)."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are decoded; Pillow's others are rare, and some start external programs."""

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Names of the resampling filters; all but ``nearest`` are antialiased when they shrink."""


class ImageError(ValueError):
    """Something that cannot be used as an image.

    Attributes:
        check: what is wrong with it: ``readable``, ``dtype``, ``shape`` or ``channels``.
    """

    def __init__(self, reason: str, check: str = "readable") -> None:
        super().__init__(reason)
        self.check = check


class Reader:
    """Images as the graph takes them.

    Args:
        feature: the input's entry in schema.json (``shape``, ``resize``).
    """

    def __init__(self, feature: dict[str, Any]) -> None:
        height, width, self._channels = feature["shape"]
        self._size: tuple[int, int] = (height, width)
        self._resize: str = feature["resize"]

    def read(self, item: str) -> Iterator[tuple[str, Any]]:
        """The image file ``item``, not decoded yet."""
        yield item, Path(item)

    def encode(self, value: Any) -> NDArray[np.uint8]:
        """Pixels uint8 (H, W, C) of a path, the bytes of an image file, or pixels (H, W) or (H, W, C).

        Raises:
            ImageError: (a ValueError) it is no image.
            OSError: the file cannot be read.
        """
        if isinstance(value, np.ndarray):
            return fit(value, self._size, self._channels, self._resize)
        # Read here, so that a missing file is told apart from a damaged one.
        data = value if isinstance(value, bytes) else Path(value).read_bytes()
        return fit(decode(data), self._size, self._channels, self._resize)

    def stack(self, rows: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """One batch (N, H, W, C)."""
        return np.stack(rows)


def save_example(row: NDArray[np.uint8], feature: dict[str, Any], path: Path) -> str:  # noqa: ARG001
    """Write a row as a PNG at ``path`` (without suffix), and return the file's name."""
    file = path.with_suffix(".png")
    Image.fromarray(row[:, :, 0] if row.shape[2] == 1 else row).save(file)
    return file.name


def decode(data: bytes | Path) -> NDArray[np.uint8]:
    """Decode an image file or its bytes to uint8 pixels, H×W (grey) or H×W×3 (RGB).

    EXIF orientation is applied, transparency blended on white, palettes expanded, 16-bit grey
    scaled to 8 bits. Of an animation the first frame is taken.

    Raises:
        ImageError: (a ValueError) not an image, truncated, over MAX_PIXELS, or of no known range.
    """
    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(f"{width} x {height} pixels are more than {MAX_PIXELS:,}", "shape")
            image.load()
            return _to_pixels(ImageOps.exif_transpose(image))
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"more than {MAX_PIXELS:,} pixels", "shape") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image ({', '.join(FORMATS)})") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged input
        raise ImageError(str(error) or type(error).__name__) from error


def fit(pixels: NDArray[Any], size: tuple[int, int], channels: int, resize: str) -> NDArray[np.uint8]:
    """Convert and resize pixels to uint8 (H, W, C), with (H, W) = ``size`` and C = ``channels`` (1 or 3).

    Takes H×W, H×W×1, H×W×3 or H×W×4 (alpha, blended on white) of uint8, bool, uint16 (scaled to
    8 bits), or other integers within 0..255. The aspect ratio is not kept. Pixels that already have
    the size are not resampled.

    Raises:
        ImageError: (a ValueError) the dtype, shape or number of channels is none of these.
    """
    image = _to_channels(_to_uint8(_check_shape(pixels)), channels)
    if image.shape[:2] != tuple(size):
        height, width = size
        resized = Image.fromarray(image).resize((width, height), FILTERS[resize])
        image = np.asarray(resized)
    return np.ascontiguousarray(image.reshape(*size, channels))


def _to_pixels(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "F":
        raise ImageError("floating-point pixels have no known range", "dtype")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError("32-bit pixels have no known range", "dtype")
        return _to_uint8(values.astype(np.uint16))
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        return np.asarray(_on_white(image.convert("RGBA")).convert("L" if grey else "RGB"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _check_shape(pixels: NDArray[Any]) -> NDArray[Any]:
    """H×W or H×W×C with C of 1, 3 or 4; a single channel becomes H×W."""
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ImageError(f"an array of shape {pixels.shape} is no image (H, W) or (H, W, C)", "shape")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise ImageError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels are more than {MAX_PIXELS:,}", "shape")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] not in (1, 3, 4):
        raise ImageError(f"{pixels.shape[2]} channels in shape {pixels.shape}; 1, 3 or 4 are known", "channels")
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if not np.issubdtype(pixels.dtype, np.integer):
        raise ImageError(f"{pixels.dtype} pixels have no known range; convert them to uint8", "dtype")
    if pixels.min() < 0 or pixels.max() > 255:
        raise ImageError(f"{pixels.dtype} pixels in {pixels.min()}..{pixels.max()}, not in 0..255", "dtype")
    return pixels.astype(np.uint8)


def _to_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = np.asarray(_on_white(Image.fromarray(pixels)))
    if channels == 1 and pixels.ndim == 3:
        return np.asarray(Image.fromarray(pixels).convert("L"))
    if channels == 3 and pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return pixels
