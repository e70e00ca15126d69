"""The parts of a config that most tests of stages need."""

from typing import Any

IMAGE_NETWORK: dict[str, Any] = {
    "rows": {"_target_": "stagewise.data.rows.StoredRows"},
    "inputs": {"_target_": "stagewise.tasks.inputs.image.ImageInputs"},
    "inference": {"_target_": "stagewise.tasks.classification.inference.Classifier"},
}
"""How images are read and classified, but for the network itself."""

IMAGE_DISPLAY = {"_target_": "stagewise.report.displays.image.ImageDisplay"}
CLASS_QUALITY = {"_target_": "stagewise.tasks.classification.quality.Quality"}
