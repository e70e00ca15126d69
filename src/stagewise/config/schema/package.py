"""Config of the package stage."""

from stagewise.config.schema.base import Section


class PackageSection(Section):
    """The ``package`` group: what the model card says beyond what was measured."""

    description: str = ""
    license: str = "apache-2.0"
    """Licence of the model (an SPDX name)."""
    authors: list[str] = []
    intended_use: str = ""
    limitations: str = ""


class PackageSettings(Section):
    """All that the package stage gets."""

    name: str
    version: str
    runtime: dict[str, str]
    """Dotted names of the modules that a package ships: what reads its ``inputs`` and words its ``answers``."""
    shipped: dict[str, str]
    """SHA-256 of the files that are shipped as they are, comments included."""
    package: PackageSection
