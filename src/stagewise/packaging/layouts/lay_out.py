"""``stagewise layout``: write a package as another server wants it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from stagewise.errors import PackageError
from stagewise.packaging.integrity import PredictorError
from stagewise.packaging.layouts import docker, huggingface, mlflow, triton
from stagewise.packaging.layouts.contents import Contents

LAYOUTS: dict[str, Callable[[Contents, Path], None]] = {
    "docker": docker.write,
    "huggingface": huggingface.write,
    "mlflow": mlflow.write,
    "triton": triton.write,
}
"""What writes each layout into an empty folder."""

NEXT = {
    "docker": "docker build --tag {name}:{version} {out}",
    "huggingface": "hf upload YOUR_NAME/{name} {out}",
    "mlflow": "mlflow models serve --model-uri {out} --env-manager local",
    "triton": "tritonserver --model-repository {out}",
}
"""What to do with it."""


def lay_out(kind: str, package: Path, out: Path) -> str:
    """Verify a package, write the layout ``kind`` of it into ``out``, and return the next command.

    ``out`` is whole or absent. Equal packages give equal bytes.

    Raises:
        PackageError: the package is damaged, ``out`` holds something, or lies inside the package.
    """
    _check_out(package, out)
    try:
        contents = Contents.verified(package)
    except PredictorError as error:
        raise PackageError("the package cannot be trusted", why=str(error)) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        folder = staging / "layout"
        folder.mkdir()
        LAYOUTS[kind](contents, folder)
        if out.exists():
            out.rmdir()
        folder.replace(out)
    finally:
        shutil.rmtree(staging)
    return NEXT[kind].format(name=contents.name, version=contents.version, out=out)


def _check_out(package: Path, out: Path) -> None:
    if out.resolve().is_relative_to(package.resolve()):
        raise PackageError(
            "the layout would lie inside the package and change it", where=str(out), fix="name another folder"
        )
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise PackageError(
            "there is something already, and nothing is overwritten",
            where=str(out),
            fix="name a folder that does not exist, or remove it",
        )
