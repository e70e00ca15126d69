"""What the machine computes with, as it is told to people and compared between runs."""

import platform
from pathlib import Path


def processor() -> str:
    """Name of the CPU's model, or of its architecture where the system does not say."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
