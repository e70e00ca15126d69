"""A recording to the row that a model takes: the same code in training and in the package.

This file is copied next to a package's predictor, so it imports only the standard library, numpy, soundfile and soxr.
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

REQUIREMENTS = ("soundfile>=0.13", "soxr>=1.0")
"""Beside numpy and onnxruntime."""
WHAT = "sound files (WAV or FLAC), or folders of them"
"""What the command line takes."""

SUFFIXES = (".wav", ".wave", ".flac")
"""Endings of the files that are read."""
MAX_SAMPLES = 64_000_000
"""Of all channels together: 12 minutes of stereo at 44.1 kHz. More is refused before it is decoded."""
RATES = (1_000, 768_000)
"""Sample rates, in Hz, between which a header is believed."""

_FORMATS = {"WAV": "WAV", "WAVEX": "WAV", "RF64": "WAV", "FLAC": "FLAC"}
_FULL = 32768  # int16 value of full scale
_LOUDEST = 8.0  # largest believable value of a floating-point file, whose full scale is 1
_TRIM_FRAMES = 100  # per second
_RMS_TOLERANCE = 0.02
_UNKNOWN_LENGTH = (0, 0xFFFFFFFF)  # in the header of a WAV file that was written to a pipe


class SoundError(ValueError):
    """Something that cannot be used as a recording.

    Attributes:
        check: what is wrong with it: ``readable``, ``dtype`` or ``shape``.
    """

    def __init__(self, reason: str, check: str = "readable") -> None:
        super().__init__(reason)
        self.check = check


class Sound(NamedTuple):
    """A decoded file: float32 samples (n, channels) of full scale 1, their rate in Hz, and "WAV" or "FLAC"."""

    samples: NDArray[np.float32]
    rate: int
    format: str


@dataclass(frozen=True, slots=True)
class Form:
    """What every row is brought to.

    Attributes:
        rate: samples per second.
        length: samples of a row.
        trim_db: silence at both ends goes: frames of 10 ms that are this much below the loudest one; None keeps it.
        align: "centre" or "start": which part of a longer recording is kept, and where a shorter one lies.
        normalize: "peak" or "rms" brings every recording to one level; None keeps its own.
        level_db: that level, in dB of full scale; for "rms" at least -60, and less where peaks would be clipped.
    """

    rate: int
    length: int
    trim_db: float | None
    align: Literal["centre", "start"]
    normalize: Literal["peak", "rms"] | None
    level_db: float

    @classmethod
    def of(cls, feature: Mapping[str, Any]) -> Self:
        """The form that an entry of schema.json describes."""
        (length,) = feature["shape"]
        names = ("trim_db", "align", "normalize", "level_db")
        return cls(feature["rate"], length, **{name: feature[name] for name in names})


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row, and where the samples of the recording (at the row's rate) went: heard = trimmed + cut + kept.

    Attributes:
        row: int16 ``(length,)``; what was not filled by the recording is 0.
        heard: samples of the whole recording.
        trimmed: left out as silence.
        cut: left out because the row is too short for them.
        kept: samples in the row.
    """

    row: NDArray[np.int16]
    heard: int
    trimmed: int
    cut: int
    kept: int


def decode(source: bytes | Path) -> Sound:
    """Decode a WAV or FLAC file, or its bytes, of any width, rate and number of channels.

    Raises:
        SoundError: (a ValueError) neither WAV nor FLAC, empty, truncated, damaged, too long, or not finite.
        OSError: there is no such file, or it cannot be opened.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        if not file.read(1):
            raise SoundError("the file is empty")
        file.seek(0)
        try:
            with soundfile.SoundFile(file) as sound:
                _check_header(sound)
                samples = sound.read(dtype="float32", always_2d=True)
                result = Sound(samples, sound.samplerate, _FORMATS[sound.format])
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            unknown = "not recognised" in reason
            raise SoundError("not a WAV or FLAC file" if unknown else f"damaged ({reason})") from error
        if missing := _missing_bytes(file):
            raise SoundError(f"truncated: {missing:,} bytes are missing at its end")
    _check_samples(result.samples)
    return result


def convert(samples: NDArray[Any], rate: int, form: Form) -> Encoded:
    """Bring a recording to the form of all rows: mono, resampled, trimmed, cut or padded, at one level, int16.

    Channels are averaged. A row that went through this once comes out of it unchanged, so an example file written from
    a row stands for that row: trimming, cutting and levelling are repeated until none of them has an effect. Each
    repetition but the last leaves samples out, so there is a last one.

    Args:
        samples: ``(n,)`` or ``(n, channels)``; floats of full scale 1, int16, int32, or uint8 (silence at 128).
        rate: of the samples, in Hz.

    Raises:
        SoundError: (a ValueError) the dtype, shape, rate or range is none of these, or not finite.
    """
    heard = _resample(_mono(samples), rate, form.rate) * _FULL
    content, cut = _excerpt(heard, form)
    content = _level(content, form)
    while True:  # on whole steps now, as a reader of the example file would
        shorter, more = _excerpt(content, form)
        if len(shorter) == len(content):
            break
        content, cut = _level(shorter, form), cut + more
    row = np.zeros(form.length, np.int16)
    begin = _offset(form.length - len(content), form)
    row[begin : begin + len(content)] = content
    return Encoded(row, len(heard), len(heard) - cut - len(content), cut, len(content))


class Reader:
    """From what a user has to rows.

    Args:
        feature: the entry of schema.json.
    """

    def __init__(self, feature: dict[str, Any]) -> None:
        self._form = Form.of(feature)

    def read(self, item: str) -> Iterator[tuple[str, Path]]:
        """Yield (name, path) of a file, or of every WAV and FLAC file directly in a folder.

        Raises:
            ValueError: the folder holds none.
        """
        path = Path(item)
        if not path.is_dir():
            yield item, path
            return
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not found:
            raise SoundError("the folder holds no WAV or FLAC file")
        for file in found:
            yield str(file), file

    def encode(self, value: Any) -> NDArray[np.int16]:
        """The row of a path, the bytes of a file, samples at the model's rate, or samples with their rate.

        Samples are arrays as ``convert`` takes them; with a rate of their own they are a pair (samples, rate) such as
        ``soundfile.read`` returns, a mapping or an object with ``samples`` and ``rate``.

        Raises:
            ValueError: it is none of these, or no usable recording; the message says why.
        """
        samples, rate = self._samples(value)
        return convert(samples, rate, self._form).row

    def stack(self, rows: list[NDArray[np.int16]]) -> NDArray[np.int16]:
        """One batch ``(n, length)``."""
        return np.stack(rows)

    def _samples(self, value: Any) -> tuple[NDArray[Any], int]:
        if isinstance(value, (str, Path, bytes)):
            return _decode_any(value)
        if isinstance(value, Mapping):
            return _pair(value.get("samples"), value.get("rate"))
        if hasattr(value, "samples") and hasattr(value, "rate"):
            return _pair(value.samples, value.rate)
        if isinstance(value, tuple) and len(value) == 2:
            return _pair(*value)
        return np.asarray(value), self._form.rate


def save_example(row: NDArray[np.int16], feature: dict[str, Any], path: Path) -> str:
    """Write a row as a 16-bit WAV file beside ``path`` (which has no suffix), and return the file's name.

    The file is read back as the same row.
    """
    name = f"{path.name}.wav"
    soundfile.write(path.with_name(name), row, feature["rate"], subtype="PCM_16", format="WAV")
    return name


def _decode_any(value: str | Path | bytes) -> tuple[NDArray[Any], int]:
    try:
        sound = decode(value if isinstance(value, bytes) else Path(value))
    except FileNotFoundError as error:
        raise SoundError("no such file") from error
    except OSError as error:
        raise SoundError(f"cannot be read ({error.strerror})") from error
    return sound.samples, sound.rate


def _pair(samples: Any, rate: Any) -> tuple[NDArray[Any], int]:
    if samples is None or not isinstance(rate, (int, np.integer)):
        raise SoundError("samples need their rate, a whole number of Hz: (samples, rate)", "dtype")
    return np.asarray(samples), int(rate)


def _check_header(sound: Any) -> None:
    """Refuse, before anything is decoded, what is no recording by its header."""
    if sound.format not in _FORMATS:
        raise SoundError(f"{sound.format}, not WAV or FLAC")
    if not RATES[0] <= sound.samplerate <= RATES[1]:
        raise SoundError(f"a rate of {sound.samplerate:,} Hz is not credible")
    if sound.frames >= 2**62:  # what libsndfile says of a stream that was never closed
        raise SoundError("its header does not say how many samples it holds")
    if sound.frames * sound.channels > MAX_SAMPLES:
        raise SoundError(f"{sound.frames * sound.channels:,} samples are more than {MAX_SAMPLES:,}", "shape")


def _check_samples(samples: NDArray[Any]) -> None:
    if not samples.size:
        raise SoundError("it holds no samples", "shape")
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if not finite.all():
        raise SoundError(f"sample {int(finite.argmin()):,} is not a finite number")
    if np.abs(samples).max() > _LOUDEST:
        raise SoundError(f"samples reach {np.abs(samples).max():,.0f}, but the full scale of floats is 1", "dtype")


def _missing_bytes(file: BinaryIO) -> int:
    """Bytes that the header of a WAV file promises beyond its end: libsndfile reads such a file without a word."""
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(0)
    magic = file.read(4)
    if magic not in (b"RIFF", b"RIFX"):
        return 0
    order, place = "<" if magic == b"RIFF" else ">", 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"data":
            return 0 if length in _UNKNOWN_LENGTH else max(0, place + 8 + length - size)
        place += 8 + length + length % 2
    return 0


def _mono(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Samples as float32 ``(n,)`` of full scale 1."""
    if samples.ndim not in (1, 2) or 0 in samples.shape:
        raise SoundError(f"an array of shape {samples.shape} is no recording (n,) or (n, channels)", "shape")
    if samples.ndim == 2 and samples.shape[1] > samples.shape[0]:
        raise SoundError(f"shape {samples.shape} has more channels than samples; transpose it", "shape")
    if samples.dtype == np.uint8:
        values = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype in (np.int16, np.int32):
        values = samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)
    elif np.issubdtype(samples.dtype, np.floating):
        _check_samples(samples)
        values = samples
    else:
        raise SoundError(f"{samples.dtype} samples have no known range; convert them to int16 or float32", "dtype")
    mixed = values if values.ndim == 1 else values.mean(axis=1)
    return np.ascontiguousarray(mixed, np.float32)


def _resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float64]:
    if not RATES[0] <= rate <= RATES[1]:
        raise SoundError(f"a rate of {rate:,} Hz is not credible")
    if rate != wanted:
        samples = soxr.resample(samples, rate, wanted, quality="HQ")
    if not len(samples):
        raise SoundError("it is too short to be resampled", "shape")
    return samples.astype(np.float64)


def _excerpt(x: NDArray[np.float64], form: Form) -> tuple[NDArray[np.float64], int]:
    """What trimming and cutting leave of ``x`` when repeated until they have no effect, and how much was cut."""
    cut = 0
    while True:
        sounding = x if form.trim_db is None else _trim(x, form.rate, form.trim_db)
        begin = _offset(max(len(sounding) - form.length, 0), form)
        short = sounding[begin : begin + form.length]
        cut += len(sounding) - len(short)
        if len(short) == len(x):
            return short, cut
        x = short


def _trim(x: NDArray[np.float64], rate: int, below: float) -> NDArray[np.float64]:
    x = _sounding(x)
    if not len(x):
        return x
    frame = max(rate // _TRIM_FRAMES, 1)
    energy = np.add.reduceat(np.square(x), np.arange(0, len(x), frame))
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-below / 10))
    return x[loud[0] * frame : (loud[-1] + 1) * frame]


def _sounding(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``x`` without the zeros at its ends."""
    places = np.flatnonzero(x)
    return x[places[0] : places[-1] + 1] if len(places) else x[:0]


def _level(x: NDArray[np.float64], form: Form) -> NDArray[np.float64]:
    """``x`` at the wanted level, in whole int16 steps; whole steps that are at that level already stay as they are.

    It ends: rounding moves the level by less than is tolerated, or takes samples at the ends for silence.
    """
    x = x * _gain(x, form)
    while True:
        x = np.clip(np.rint(x), -_FULL, _FULL - 1)
        gain = _gain(x, form)
        if gain == 1:
            return x
        x = x * gain


def _gain(x: NDArray[np.float64], form: Form) -> float:
    """Factor that brings ``x`` to the wanted level; exactly 1 where it is there, or where all is silent."""
    x = _sounding(x)
    if form.normalize is None or not len(x):
        return 1.0
    peak = float(np.abs(x).max())
    level = (_FULL - 1) * 10 ** (form.level_db / 20)
    if form.normalize == "peak":
        return float(np.rint(level)) / peak
    gain = min(level / float(np.sqrt(np.mean(np.square(x)))), (_FULL - 1) / peak)
    # Rounding moves the RMS of a levelled recording by at most half a step.
    return 1.0 if abs(gain - 1) <= _RMS_TOLERANCE else gain


def _offset(room: int, form: Form) -> int:
    """How much of the room (or excess) lies before."""
    return room // 2 if form.align == "centre" else 0
