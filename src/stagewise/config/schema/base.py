"""What all config sections share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, lt=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A config section: unknown keys are errors, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Target(BaseModel):
    """A class or function of the allowlist with its keyword arguments, built by ``build``."""

    model_config = ConfigDict(extra="allow", frozen=True, serialize_by_alias=True, validate_by_name=True)

    target: Annotated[str, Field(alias="_target_", description="Full dotted name of the class or function.")]

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments, as written in the config."""
        return dict(self.model_extra or {})
