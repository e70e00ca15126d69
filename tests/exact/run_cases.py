"""One process of the comparison: every case through the stages up to compress, one after another.

    python run_cases.py CASES.json SECONDS

Works in the project that is the current folder, as the stage scripts do, and writes ``cases/<name>/`` there. The
clock is ahead by SECONDS; ``seen.json`` says what the process saw of its surroundings. What goes wrong in a case is
written to its ``error.txt``, and the next one begins.
"""

import json
import locale
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from cases import ends_after_training

from stagewise.config.life import die_with_parent

OUTPUTS = ("raw", "processed", "reports/data", "models/trained", "reports/evaluation", "models/compressed",
           "reports/compression")  # fmt: skip


def main() -> None:
    cases, ahead = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), float(sys.argv[2])
    die_with_parent(Path.cwd())  # a killed test leaves nothing behind
    now = time.time
    time.time = lambda: now() + ahead
    seen = {"hash": hash("a"), "encoding": locale.getpreferredencoding(False), "zone": time.strftime("%z"),
            "day": int(time.time() // 86400), "umask": os.umask(0), "folder": str(Path.cwd()),
            "first": cases[0][0]}  # fmt: skip
    os.umask(seen["umask"])
    Path("seen.json").write_text(json.dumps(seen))
    for name, overrides in cases:
        folder = Path("cases", name)
        folder.mkdir(parents=True)
        start = time.monotonic()
        try:
            run(folder, overrides)
        except Exception:
            (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        print(f"{name} {time.monotonic() - start:.1f} s", flush=True)


def run(folder: Path, overrides: list[str]) -> None:
    from stagewise.compression.compress import compress
    from stagewise.compression.shelf import Shelf
    from stagewise.config.schema.compress import CompressSettings
    from stagewise.config.schema.data import IngestSettings, PreprocessSettings
    from stagewise.config.schema.evaluate import EvaluateSettings
    from stagewise.config.schema.train import TrainSettings
    from stagewise.data.preprocess import preprocess
    from stagewise.data.sources.ingest import ingest
    from stagewise.evaluation.evaluate import evaluate
    from stagewise.training.train import train

    config, key = configured(folder, overrides)
    raw, processed, data, trained, evaluation, compressed, compression = (folder / name for name in OUTPUTS)
    for name in OUTPUTS:
        (folder / name).mkdir(parents=True)
    work = Path(".stagewise") / folder.name
    ingest(IngestSettings.model_validate(config["ingest"]), raw, partial=work / "partial")
    preprocess(PreprocessSettings.model_validate(config["preprocess"]), raw, processed, data)
    train(TrainSettings.model_validate(config["train"]), processed, trained, work, key)
    if ends_after_training(folder.name):
        return
    evaluate(EvaluateSettings.model_validate(config["evaluate"]), processed, trained, evaluation, work)
    settings = CompressSettings.model_validate(config["compress"])
    shelf = Shelf(work / "candidates", lambda _: "")
    compress(settings, processed, trained, compressed, compression, shelf=shelf, work=work)


def configured(folder: Path, overrides: list[str]) -> tuple[dict[str, Any], str]:
    """What the stages read of the build/<stage>.yaml that the configure stage writes, and train's key."""
    import yaml

    from stagewise.config.resolve import configure

    files = configure(Path.cwd(), overrides)
    shutil.copytree("build", folder / "build")
    entries = {stage: yaml.safe_load(path.read_text()) for stage, path in files.items()}
    return {stage: entry["config"] for stage, entry in entries.items()}, entries["train"]["key"]


if __name__ == "__main__":
    main()
