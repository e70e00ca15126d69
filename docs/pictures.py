"""Make the pictures of docs/ that show a run, from the run in the working directory.

    python docs/pictures.py

Its data say which pictures: those of digits are on the quick start, the others on the pages about texts, tables,
numbers, speech and series; fashion_mnist with compress=tiny_cnn gives that of the candidates. So run that experiment
first; the others' pictures are left as they are.

The pictures of reports need Chromium on the PATH; without it they are left as they are, too. That of a review is of the
newest one in .stagewise/reviews/, that of a sweep of the one called fashion, if they are there.
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
ROOT = DOCS.parent
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is pictured of a run.

    Attributes:
        preview: the picture that preprocess drew, in reports/data.
        copy: what it is called in docs/.
        rows: of its pixels that are kept, from the top; None keeps all.
        report: what the picture of the report is called in docs/.
        sections: of the report, by their ids, that are shown below its head; all, if empty.
        height: of the picture of the report.
    """

    preview: str
    copy: str
    report: str
    rows: int | None = None
    sections: tuple[str, ...] = ()
    height: int = 1000


RUNS = {
    "digits": Pictures("contact_sheet.png", "contact-sheet.png", "report.png", rows=476),
    "sms_spam": Pictures("texts.png", "text-tokens.png", "text-report.png"),
    "adult": Pictures(
        "columns.png", "table-columns.png", "tables-report.png", sections=("subgroups", "baseline"), height=1120
    ),
    "california_housing": Pictures("columns.png", "regression-columns.png", "regression-report.png", height=1500),
    "fsdd": Pictures("recordings.png", "speech-recordings.png", "speech-report.png"),
    "etth1": Pictures("series.png", "series-split.png", "series-report.png", height=1300),
}
"""By the name of the data."""

FRONTIER = "fashion_mnist"
"""The data whose candidates (compress=tiny_cnn) are pictured."""


def main() -> None:
    """Write the pictures of the run."""
    data = json.loads((ROOT / "data/processed/schema.json").read_text())["name"]
    if data == FRONTIER:
        shutil.copyfile(ROOT / "reports/compression/frontier.png", DOCS / "frontier.png")
        return
    if data not in RUNS:
        print(f"docs/ has no pictures of {data}, only of {', '.join(RUNS)}: all stay as they are")
        return
    pictures = RUNS[data]
    with Image.open(ROOT / "reports/data" / pictures.preview) as sheet:
        kept = sheet.convert("RGB").crop((0, 0, sheet.width, pictures.rows or sheet.height))
        kept.quantize(256).save(DOCS / pictures.copy, optimize=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print(f"Chromium is not on the PATH: docs/{pictures.report} stays as it is")
        return
    report = only(pictures.sections, (ROOT / "reports/evaluation/report.html").read_text())
    photograph(chromium, report, pictures.height, DOCS / pictures.report)
    reviews = sorted((ROOT / ".stagewise/reviews").glob("*/review.html"), key=lambda page: page.stat().st_mtime)
    if reviews and data == "digits":
        photograph(chromium, reviews[-1].read_text(encoding="utf-8"), 1100, DOCS / "review.png")
    if (sweep := ROOT / ".stagewise/sweeps/fashion/sweep.html").is_file():
        photograph(chromium, sweep.read_text(encoding="utf-8"), 2500, DOCS / "sweep.png")


def photograph(chromium: str, page: str, height: int, target: Path) -> None:
    """Write the picture of the top of a page."""
    with tempfile.TemporaryDirectory() as folder:
        shot, file = Path(folder) / "page.png", Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        options = [*QUIET, f"--user-data-dir={folder}", f"--window-size=1200,{height}", f"--screenshot={shot}"]
        subprocess.run([chromium, *options, file.as_uri()], check=True, capture_output=True)
        with Image.open(shot) as picture:
            picture.convert("RGB").quantize(128).save(target, optimize=True)


def only(shown: tuple[str, ...], page: str) -> str:
    """The page without the sections that are not shown; its security policy allows no further style to hide them."""
    others = "".join(f'(?! id="{name}")' for name in shown)
    return re.sub(rf"<section{others}.*?</section>", "", page, flags=re.DOTALL) if shown else page


if __name__ == "__main__":
    main()
