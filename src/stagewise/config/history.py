"""How long each stage took, remembered between runs so that a plan can say how long the next run takes."""

import json
from pathlib import Path

HISTORY = Path(".stagewise/history.jsonl")
"""One line of JSON per finished stage; no output of the pipeline, so times never enter a key."""


def record(root: Path, stage: str, seconds: float) -> None:
    """Append the wall time of a stage that ran to its end in the project at ``root``."""
    file = root / HISTORY
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as lines:
        lines.write(json.dumps({"stage": stage, "seconds": round(seconds, 2)}) + "\n")


def last_times(root: Path) -> dict[str, float]:
    """Return the seconds of the last recorded run of each stage; a damaged line is skipped."""
    times: dict[str, float] = {}
    file = root / HISTORY
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            entry = json.loads(line)
            times[str(entry["stage"])] = float(entry["seconds"])
        except (ValueError, TypeError, KeyError):
            continue
    return times
