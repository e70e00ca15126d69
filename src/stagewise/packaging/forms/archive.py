"""A package as one .zip file."""

from pathlib import Path

from stagewise.packaging.folder import listed_files, read_manifest
from stagewise.packaging.forms.zip_files import write_zip


def write_archive(package: Path, out: Path) -> Path:
    """Write ``out``/<name>-<version>.zip, which unpacks to one folder of that name, and return it.

    Equal packages give equal bytes.

    Args:
        package: folder of a package, complete and verified.
        out: an existing folder.

    Raises:
        PackageError: the folder has no manifest.
    """
    manifest = read_manifest(package)
    root = f"{manifest['name']}-{manifest['version']}"
    target = out / f"{root}.zip"
    write_zip(target, {f"{root}/{name}": path for name, path in listed_files(package).items()})
    return target
