"""The exported graph itself, against which the others are measured."""

import shutil
from pathlib import Path

from stagewise.compression.quantization import CalibrationRows


class Float32:
    """Keeps the exported graph as it is."""

    def __call__(self, source: Path, calibration: CalibrationRows, out: Path) -> None:  # noqa: ARG002
        """Copy ``source`` to ``out``; the calibration rows are not looked at."""
        shutil.copyfile(source, out)
