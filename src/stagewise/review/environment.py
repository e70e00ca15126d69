"""Where a review runs, and in what that is not what the revision records."""

import importlib.metadata
import os
import platform
import re
from pathlib import Path

import yaml

from stagewise.config.processor import processor
from stagewise.review.observe import means
from stagewise.review.record import Difference, Environment

NUMERICS = {
    "datasketch", "numpy", "onnx", "onnxruntime", "onnxscript", "peft", "pillow", "pyarrow", "pytorch-lightning",
    "scikit-learn", "scipy", "soundfile", "soxr", "tokenizers", "torch", "torchmetrics", "transformers",
}  # fmt: skip
"""Libraries whose next version may compute other numbers; all others are told for information."""

VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "DNNL_MAX_CPU_ISA", "KMP_AFFINITY",
    "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_NUM_THREADS", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
"""Environment variables that change how numbers are computed."""

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;#]+)")


def describe_environment(project: Path) -> Environment:
    """This machine, beside what the checkout at ``project`` records of libraries and Python."""
    import torch  # what it says of the processor is what it uses

    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
        observation=means(),
        differences=_differences(project),
    )


def recorded_libraries(project: Path) -> dict[str, str]:
    """The versions that build/<stage>.yaml name, of all stages together; ``python`` is one of them."""
    found: dict[str, str] = {}
    for file in sorted((project / "build").glob("*.yaml")):
        try:
            entry = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        found |= {str(name): str(version) for name, version in (entry or {}).get("libraries", {}).items()}
    return found


def locked_libraries(project: Path) -> dict[str, str]:
    """The pins of requirements.lock, by normalised name."""
    file = project / "requirements.lock"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {normal(match[1]): match[2] for line in lines if (match := _PIN.match(line.strip()))}


def normal(name: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(name: str) -> str | None:
    """The version of a distribution here."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _differences(project: Path) -> list[Difference]:
    recorded = recorded_libraries(project)
    python = recorded.pop("python", None)
    # A stage's record is exact (+cpu); the lock file holds for all kinds of machine.
    wanted = locked_libraries(project) | {normal(name): version for name, version in recorded.items()}
    found = [
        Difference(name=name, recorded=version, here=here or "not installed", numerics=name in NUMERICS)
        for name, version in sorted(wanted.items())
        if (here := installed(name)) != version and not _same_release(here, version, name in map(normal, recorded))
    ]
    here = ".".join(platform.python_version_tuple()[:2])
    if python not in (None, here):
        found.insert(0, Difference(name="python", recorded=str(python), here=here, numerics=False))
    return sorted(found, key=lambda item: not item.numerics)


def _same_release(here: str | None, wanted: str, exact: bool) -> bool:
    return here is not None and not exact and here.partition("+")[0] == wanted.partition("+")[0]
