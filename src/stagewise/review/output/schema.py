"""The JSON Schema of review.json, for whoever reads it by program."""

from typing import Any

from stagewise.config.export import DIALECT
from stagewise.review.record import Review


def review_schema() -> dict[str, Any]:
    """Return the schema of what ``write_review`` writes: every key is always there."""
    schema = Review.model_json_schema(mode="serialization")
    for section in (schema, *schema["$defs"].values()):
        if "properties" in section:
            section["required"] = list(section["properties"])
    return {"$schema": DIALECT, **schema, "title": "review.json"}
