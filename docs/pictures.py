"""Make the pictures of docs/ from the last run of the default pipeline: the contact sheet and the report.

    python docs/pictures.py

The picture of the report needs Chromium on the PATH; without it that picture is left as it is.
"""

import shutil
import subprocess
import tempfile
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


def main() -> None:
    """Write both pictures."""
    with Image.open(ROOT / "reports/data/contact_sheet.png") as sheet:
        sheet.crop((0, 0, sheet.width, 476)).quantize(64).save(DOCS / "contact-sheet.png", optimize=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("Chromium is not on the PATH: docs/report.png stays as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "report.png"
        page = (ROOT / "reports/evaluation/report.html").resolve().as_uri()
        options = [*QUIET, f"--user-data-dir={folder}", "--window-size=1200,1000", f"--screenshot={shot}"]
        subprocess.run([chromium, *options, page], check=True, capture_output=True)
        with Image.open(shot) as picture:
            picture.convert("RGB").quantize(128).save(DOCS / "report.png", optimize=True)


if __name__ == "__main__":
    main()
