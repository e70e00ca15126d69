"""A container image that predicts: a Dockerfile, the libraries it installs, and the package."""

import json
import re
from pathlib import Path

from stagewise.packaging.layouts.contents import Contents, write_text

_DOCKERFILE = """\
# {name} {version}: prints the model's answers for the inputs named on the command line.
#   docker build --tag {name}:{version} .
#   docker run --rm --network none --read-only --volume "$PWD:/data:ro" {name}:{version} INPUT
FROM python:{python}-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1

# Before the model, so that another version of it installs nothing again.
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir --requirement /requirements.txt

# The files stay root's: who predicts cannot change them.
COPY package/ /model/
USER 10001:10001

# An image whose processor computes something else is not made.
RUN python /model/predict.py --self-test

WORKDIR /data
ENTRYPOINT ["python", "/model/predict.py"]
CMD ["--help"]
"""

_IGNORED = """\
*
!package
!requirements.txt
"""


def write(contents: Contents, out: Path) -> None:
    """Write the folder that ``docker build`` takes into the empty folder ``out``.

    The image gets Python and the libraries in the versions that the model was made with, as far as those are known.
    """
    versions = _versions(contents)
    text = _DOCKERFILE.format(name=contents.name, version=contents.version, python=versions.get("python", "3.11"))
    write_text(out / "Dockerfile", text)
    write_text(out / ".dockerignore", _IGNORED)
    needed = (contents.folder / "requirements.txt").read_text(encoding="utf-8").split()
    names = {line: re.split("[<>=!~]", line, maxsplit=1)[0] for line in needed}
    pins = [f"{name}=={versions[name]}" if name in versions else line for line, name in names.items()]
    write_text(out / "requirements.txt", "\n".join(pins) + "\n")
    contents.copy_to(out / "package")


def _versions(contents: Contents) -> dict[str, str]:
    """Of the libraries that the bill of materials lists."""
    bill = json.loads((contents.folder / "sbom.cdx.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry["version"] for entry in bill["components"] if "version" in entry}
