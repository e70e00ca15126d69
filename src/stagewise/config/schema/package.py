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
    package: PackageSection
