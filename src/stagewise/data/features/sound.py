"""Recordings as int16 rows of one rate and length."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.features.log_mel import BandSums, LogMel
from stagewise.data.features.sound_entry import SoundEntry
from stagewise.data.features.sound_sheet import write_sound_sheet
from stagewise.data.layout import Block, Layout
from stagewise.data.recording import Recording
from stagewise.data.schema import DataSchema
from stagewise.errors import ConfigError
from stagewise.runtime.sound import Encoded, Form, SoundError, convert

SHEET = "recordings.png"
"""The picture for people, beside the checks."""

_MANY_CUT = 0.05  # share of recordings


class SoundFeature:
    """Stores each recording as int16 (samples,): mono, resampled, trimmed, levelled, cut or padded with zeros.

    The network sees the standardised log-mel spectrogram, which the graph computes (``features.log_mel``).

    Args:
        rate: samples per second of the stored rows; recordings of another rate are resampled.
        seconds: length of the stored rows.
        trim_db: silence at both ends goes: frames of 10 ms this much below the loudest one; null keeps it.
        align: "centre" or "start": where a short recording lies, and which part of a long one is kept.
        normalize: "peak" or "rms" brings every recording to one level; null keeps loud and quiet apart.
        level_db: that level, in dB of full scale.
        mels: number of mel bands, the height of the spectrogram.
        window_ms: length of a frame; longer tells pitches apart better, and moments worse.
        hop_ms: from one frame to the next; the spectrogram has seconds / hop_ms columns.
        fmin: lowest frequency, in Hz.
        fmax: highest frequency; half the rate when null.
        floor_db: power below which nothing is told apart, in dB of full scale.

    Raises:
        ConfigError: an argument is out of range, or they contradict each other.
    """

    kind = "sound"
    gives = "image"
    inputs = "stagewise.tasks.inputs.sound.SoundInputs"
    runtime = "stagewise.runtime.sound"
    display = "stagewise.report.displays.sound.SoundDisplay"
    augments = ("sound", "spectrogram")

    def __init__(
        self,
        rate: Annotated[int, Ge(1000), Le(192000)],
        seconds: Annotated[float, Gt(0), Le(600)],
        *,
        trim_db: Annotated[float, Gt(0)] | None = None,
        align: Literal["centre", "start"] = "centre",
        normalize: Literal["peak", "rms"] | None = None,
        level_db: Annotated[float, Ge(-60), Le(0)] = -1.0,
        mels: Annotated[int, Ge(1)] = 40,
        window_ms: Annotated[float, Gt(0)] = 25.0,
        hop_ms: Annotated[float, Gt(0)] = 10.0,
        fmin: Annotated[float, Ge(0)] = 20.0,
        fmax: Annotated[float, Gt(0)] | None = None,
        floor_db: Annotated[float, Ge(-140), Lt(0)] = -80.0,
    ) -> None:
        _check_choices(align, normalize, level_db)
        self._seconds = seconds
        self._form = Form(rate, round(rate * seconds), trim_db, align, normalize, level_db)
        self._log_mel = LogMel(
            rate=rate,
            length=self._form.length,
            window=round(rate * window_ms / 1000),
            hop=round(rate * hop_ms / 1000),
            mels=mels,
            fmin=fmin,
            fmax=rate / 2 if fmax is None else fmax,
            floor_db=floor_db,
        )
        _check_spectrogram(self._log_mel)
        self._sums = BandSums(mels)
        self._heard = _Heard()

    @property
    def spooled(self) -> Layout:
        """int16 (samples,), as it will be stored."""
        return Layout(np.dtype(np.int16), (self._form.length,))

    @property
    def stored(self) -> Layout:
        """int16 (samples,)."""
        return self.spooled

    def check(self, value: Recording) -> NDArray[np.int16]:
        """A recording to the stored row; see the runtime's ``convert``.

        Raises:
            ValueError: the value is no usable recording; the message says why.
        """
        if not isinstance(value, Recording):
            raise SoundError("the reader gives no recordings; choose one that reads sound files", "dtype")
        encoded = convert(value.samples, value.rate, self._form)
        self._heard.add(value, encoded)
        return encoded.row

    def fit(self, rows: Iterable[tuple[Block, NDArray[Any]]]) -> None:
        """Take the mean and standard deviation of every mel band."""
        for values, _ in rows:
            for begin in range(0, len(values), _FITTED):
                self._sums.add(self._log_mel(np.asarray(values[begin : begin + _FITTED])))

    def encode(self, block: Block) -> Block:
        """The rows as they are."""
        return block

    def describe(self) -> SoundEntry:
        """The entry of schema.json."""
        mean, std = self._sums.statistics()
        form, log_mel = self._form, self._log_mel
        return SoundEntry(
            shape=(form.length,),
            rate=form.rate,
            seconds=self._seconds,
            trim_db=form.trim_db,
            align=form.align,
            normalize=form.normalize,
            level_db=form.level_db,
            mels=log_mel.mels,
            window=log_mel.window,
            hop=log_mel.hop,
            fmin=log_mel.fmin,
            fmax=log_mel.fmax,
            floor_db=log_mel.floor_db,
            mean=mean,
            std=std,
        )

    def report(self) -> dict[str, Any]:
        """Rates, lengths, and how much was trimmed, cut and padded, of the recordings that could be read."""
        return self._heard.report(self._form)

    def preview(self, settings: PreprocessSettings, schema: DataSchema, processed: Path, reports: Path) -> None:
        """Draw recordings.png: waveforms and spectrograms of a few training rows."""
        write_sound_sheet(schema, processed, reports / SHEET, copies=settings.augment.offline_copies)


_FITTED = 256  # rows whose spectrograms are in memory at a time


@dataclass(slots=True)
class _Heard:
    """What became of the recordings so far; samples are counted at the stored rate."""

    rates: Counter[int] = field(default_factory=Counter)
    shortest: float = float("inf")
    longest: float = 0.0
    cut: int = 0
    padded: int = 0
    silent: int = 0
    samples: int = 0
    samples_trimmed: int = 0
    samples_cut: int = 0

    def add(self, recording: Recording, encoded: Encoded) -> None:
        self.rates[recording.rate] += 1
        self.shortest = min(self.shortest, recording.seconds)
        self.longest = max(self.longest, recording.seconds)
        self.cut += encoded.cut > 0
        self.padded += encoded.kept < len(encoded.row)
        self.silent += not encoded.row.any()
        self.samples += encoded.heard
        self.samples_trimmed += encoded.trimmed
        self.samples_cut += encoded.cut

    def report(self, form: Form) -> dict[str, Any]:
        count = self.rates.total()
        if not count:
            return {"recordings": 0}
        return {
            "recordings": count,
            "rates": {str(rate): self.rates[rate] for rate in sorted(self.rates)},
            "seconds": {
                "stored": round(form.length / form.rate, 4),
                "shortest": round(self.shortest, 4),
                "longest": round(self.longest, 4),
                "all": round(self.samples / form.rate, 1),
            },
            "cut": self.cut,
            "padded": self.padded,
            "silent": self.silent,
            "cut_share": round(self.samples_cut / self.samples, 4),
            "trimmed_share": round(self.samples_trimmed / self.samples, 4),
            "warnings": self._warnings(form, count),
        }

    def _warnings(self, form: Form, count: int) -> list[str]:
        warnings = []
        if self.cut > _MANY_CUT * count:
            what = f"{self.cut} of {count} recordings are longer than {form.length / form.rate:g} s and were cut"
            warnings.append(f"{what}: raise data.feature.seconds (the longest has {self.longest:.2f} s)")
        if low := sum(number for rate, number in self.rates.items() if rate < form.rate):
            what = f"{low} of {count} recordings have a lower rate than data.feature.rate ({form.rate} Hz)"
            warnings.append(f"{what}: their upper frequencies are empty, by which a network can tell them apart")
        if self.silent:
            warnings.append(f"{self.silent} of {count} recordings are silent")
        return warnings


def _check_choices(align: str, normalize: str | None, level_db: float) -> None:
    if align not in ("centre", "start"):
        raise ConfigError(f"no alignment {align!r}", where="data.feature.align", fix="centre or start")
    if normalize not in (None, "peak", "rms"):
        raise ConfigError(f"no level {normalize!r}", where="data.feature.normalize", fix="peak, rms or null")
    if not -60 <= level_db <= 0:
        raise ConfigError(f"a level of {level_db} dB", where="data.feature.level_db", fix="between -60 and 0")


def _check_spectrogram(log_mel: LogMel) -> None:
    """Refuse a spectrogram that cannot be: say which argument to change."""
    where, half = "data.feature", log_mel.rate / 2
    if not 1 <= log_mel.hop <= log_mel.window:
        what = f"a hop of {log_mel.hop} samples does not fit a window of {log_mel.window}"
        raise ConfigError(what, where=f"{where}.hop_ms", fix="a hop of a third to a half of window_ms is usual")
    if log_mel.length < log_mel.window:
        what = f"{log_mel.length} samples are shorter than one window of {log_mel.window}"
        raise ConfigError(what, where=f"{where}.seconds", fix="more seconds, or a smaller window_ms")
    if not 0 <= log_mel.fmin < log_mel.fmax <= half:
        what = f"fmin {log_mel.fmin:g} and fmax {log_mel.fmax:g} are no range within 0 to {half:g} Hz"
        why = f"a rate of {log_mel.rate} Hz holds nothing above {half:g} Hz"
        raise ConfigError(what, where=f"{where}.fmax", why=why, fix="null takes half the rate")
    try:
        log_mel.bands()
    except ValueError as error:
        fix = "fewer mels, or a longer window_ms"
        raise ConfigError(str(error), where=f"{where}.mels", fix=fix) from error
