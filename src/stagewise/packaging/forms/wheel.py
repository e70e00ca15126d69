"""A package as a Python wheel: pip install, import, predict.

The wheel holds the folder of the package as it is, and a module around it that loads its predictor.
"""

import base64
import csv
import hashlib
import io
import keyword
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from stagewise.packaging.folder import listed_files, read_manifest
from stagewise.packaging.forms.zip_files import write_zip

_TAKEN = frozenset(("numpy", "onnxruntime", "pil", "soundfile", "soxr", "stagewise", "tokenizers"))
_TAG = "-py3-none-any.whl"
_BODY = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)

_INIT = '''\
"""{title}

    import {module}
    (answer,) = {module}.predict(value)
    print(answer.line(), answer.to_dict())

A value is what the package was made for: `python -m {module} --help` says what.
"""

import sys
from functools import cache
from pathlib import Path
from types import ModuleType

__version__ = {version!r}

FOLDER = Path(__file__).parent / "package"
"""The package: model, schemas, model card, examples, manifest."""


def predict(values):
    """Answers for one value or a list of them."""
    return load().predict(values)


@cache
def load(threads=1):
    """The package's Predictor, verified and ready; 0 threads takes all cores."""
    return predictor().Predictor.load(FOLDER, threads=threads)


@cache
def predictor():
    """The module predict.py of the package."""
    path = FOLDER / "predict.py"
    module = ModuleType(f"{{__name__}}.predictor")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    # From its source: a bytecode cache is no part of what was verified.
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    return module
'''

_MAIN = '''\
"""Predict on the command line."""

import sys

from {module} import FOLDER, predictor

sys.exit(predictor().main(folder=FOLDER))
'''

_WHEEL = """\
Wheel-Version: 1.0
Generator: stagewise
Root-Is-Purelib: true
Tag: py3-none-any
"""


def write_wheel(package: Path, out: Path) -> Path:
    """Write the wheel of a package into the folder ``out`` and return it; equal packages give equal bytes.

    It is named as pip asks for, so for ``my-model`` 1.0.0-rc.1 it is my_model-1.0.0rc1-py3-none-any.whl, and
    ``import my_model`` finds it.

    Args:
        package: folder of a package, complete and verified.

    Raises:
        PackageError: the folder has no manifest.
    """
    manifest = read_manifest(package)
    module, version = module_name(manifest["name"]), python_version(manifest["version"])
    target = out / wheel_name(manifest["name"], manifest["version"])
    distribution = target.name.removesuffix(_TAG)
    info = f"{distribution}.dist-info"
    title = f"{manifest['name']} {manifest['version']}, a model with all that a prediction needs."
    entries: dict[str, bytes | Path] = {
        f"{module}/__init__.py": _INIT.format(title=title, module=module, version=version).encode(),
        f"{module}/__main__.py": _MAIN.format(module=module).encode(),
        **{f"{module}/package/{name}": path for name, path in listed_files(package).items()},
        f"{info}/METADATA": _metadata(package, manifest, version).encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
    }
    entries[f"{info}/RECORD"] = _record(entries, f"{info}/RECORD").encode()
    write_zip(target, entries)
    return target


def wheel_name(name: str, version: str) -> str:
    """The file name of the wheel of a package."""
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{python_version(version)}{_TAG}"


def module_name(name: str) -> str:
    """The name under which Python imports the package ``name``: another than Python's own and those it needs."""
    module = re.sub(r"\W", "_", name.lower(), flags=re.ASCII)
    taken = module in _TAKEN or module in sys.stdlib_module_names or keyword.iskeyword(module)
    return f"model_{module}" if taken or not module.isidentifier() else module


def python_version(version: str) -> str:
    """A semantic version as Python writes it; a kind of pre-release that Python has not becomes a development one."""
    try:
        return str(Version(version))
    except InvalidVersion:
        number, _, rest = re.sub(r"[-+]", " ", version, count=1).partition(" ")
        return str(Version(f"{number}.dev0+{'.'.join(re.findall('[0-9A-Za-z]+', rest))}"))


def _metadata(package: Path, manifest: dict[str, Any], version: str) -> str:
    needed = (package / "requirements.txt").read_text(encoding="utf-8").split()
    card = (package / "README.md").read_text(encoding="utf-8")
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {manifest['name']}",
        f"Version: {version}",
        f"Summary: The model {manifest['name']} with all that a prediction needs",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {requirement}" for requirement in needed),
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + "\n\n" + _BODY.sub("", card)


def _record(entries: Mapping[str, bytes | Path], own: str) -> str:
    """Digest and size of every other file: what pip checks, and later removes."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows((name, *_digest_and_size(content)) for name, content in entries.items())
    rows.writerow((own, "", ""))
    return text.getvalue()


def _digest_and_size(content: bytes | Path) -> tuple[str, int]:
    if isinstance(content, bytes):
        digest, size = hashlib.sha256(content), len(content)
    else:
        with content.open("rb") as file:
            digest, size = hashlib.file_digest(file, "sha256"), content.stat().st_size
    return f"sha256={base64.urlsafe_b64encode(digest.digest()).decode().rstrip('=')}", size
