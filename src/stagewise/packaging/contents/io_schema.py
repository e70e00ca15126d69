"""io.schema.json: what goes into a package and comes out of it, as JSON Schema (2020-12).

It describes one request and its answer as they are written in JSON, for whoever puts a service or a form before the
package. ``schema.json`` beside it describes what the graph takes.
"""

from collections.abc import Callable, Mapping
from typing import Any

Entry = Mapping[str, Any]
Schema = dict[str, Any]

FILE = "io.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PLAIN_TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}


def io_schema(name: str, version: str, schema: Mapping[str, Any]) -> Schema:
    """The schema of ``{"request": ..., "answer": ...}``; either alone is under ``$defs``.

    Args:
        name: of the package.
        version: of the package.
        schema: schema.json of the package. An input that a module of your own reads is described by the array that the
            graph takes, an answer that one words by any object.
    """
    feature, target = schema["inputs"][0], schema["target"]
    return {
        "$schema": DIALECT,
        "$id": f"urn:stagewise:package:{name}:{version}:io",
        "title": f"{name} {version}",
        "type": "object",
        "required": ["request"],
        "properties": {"request": {"$ref": "#/$defs/request"}, "answer": {"$ref": "#/$defs/answer"}},
        "additionalProperties": False,
        "$defs": {
            "request": _REQUESTS.get(schema["runtime"]["inputs"], _array)(feature),
            "answer": _ANSWERS.get(schema["runtime"]["answers"], _any_object)(target),
        },
    }


def _image(feature: Entry) -> Schema:
    height, width, channels = feature["shape"]
    byte = {"type": "integer", "minimum": 0, "maximum": 255}
    channel = {"type": "array", "items": byte, "minItems": 1, "maxItems": 4}
    row = {"type": "array", "items": {"anyOf": [byte, channel]}, "minItems": 1}
    return {
        "title": "an image",
        "description": f"Of any size; it becomes {height} x {width} pixels of {channels} "
        f"{'channel' if channels == 1 else 'channels'}.",
        "anyOf": [
            {"description": "an image file (PNG, JPEG, ...) in base64", "type": "string", "contentEncoding": "base64"},
            {
                "description": "pixels as [row][column] (grey) or [row][column][channel]",
                "type": "array",
                "items": row,
                "minItems": 1,
            },
        ],
    }


def _text(feature: Entry) -> Schema:
    text = {"type": "string", "minLength": 1}
    number = {"type": "integer", "minimum": 0, "maximum": feature["vocabulary"] - 1}
    ids = {
        "description": "its tokens",
        "type": "array",
        "items": number,
        "minItems": 1,
        "maxItems": feature["max_length"],
    }
    return {
        "title": "a text",
        "description": f"What is longer than {feature['max_length']} tokens is cut.",
        "anyOf": [
            text,
            {"type": "object", "required": ["text"], "properties": {"text": text}},
            {"type": "object", "required": ["tokens"], "properties": {"tokens": ids}},
        ],
    }


def _table(feature: Entry) -> Schema:
    """A property per column of the table; one that a value is not known of is null."""
    properties: dict[str, Schema] = {}
    for column in feature["columns"]:
        properties.setdefault(column["source"], _column(column))
    ignored = {"description": "not used by the model"}
    return {
        "title": "a row",
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **dict.fromkeys(sorted(feature["dropped"]), ignored)},
        "additionalProperties": False,
    }


def _column(column: Entry) -> Schema:
    described = {"description": column["unit"]} if column.get("unit") else {}
    if column["type"] == "date" or column["part"]:
        return {"description": "a date such as 2026-01-31 or 2026-01-31T12:00", "type": ["string", "null"]}
    if column["type"] == "number":
        return {**described, "type": ["number", "string", "null"]}
    # A category that training has not seen is taken as rare, so the known ones are no limit.
    return {**described, "type": ["string", "number", "boolean", "null"], "examples": column["categories"][:20]}


def _sound(feature: Entry) -> Schema:
    return {
        "title": "a recording",
        "description": f"It becomes {feature['shape'][0]} samples at {feature['rate']} Hz.",
        "anyOf": [
            {"description": "a WAV or FLAC file in base64", "type": "string", "contentEncoding": "base64"},
            {
                "type": "object",
                "required": ["samples", "rate"],
                "properties": {
                    "samples": {"type": "array", "items": {"type": "number"}, "minItems": 1},
                    "rate": {"description": "samples per second", "type": "integer", "minimum": 1},
                },
                "additionalProperties": False,
            },
        ],
    }


def _series(feature: Entry) -> Schema:
    values = {"type": "array", "items": {"type": ["number", "string", "null"]}, "minItems": 1}
    units = zip(feature["variables"], feature["units"], strict=True)
    properties = {name: {**values, **({"description": unit} if unit else {})} for name, unit in units}
    times = {"description": "times of the rows", "type": "array", "items": {"type": "string"}, "minItems": 1}
    return {
        "title": "the last rows of a series, column by column",
        "description": f"At least {feature['lookback']} steps of {feature['step']}; all columns are of one length.",
        "type": "object",
        "required": list(feature["variables"]),
        "properties": {feature["time_column"]: times, **properties},
        "additionalProperties": values,
    }


def _array(feature: Entry) -> Schema:
    """Nested arrays of the shape that the graph takes."""
    item: Schema = {"type": _PLAIN_TYPES.get(feature["dtype"][:1], "number")}
    for key in ("minimum", "maximum"):
        if feature.get(key) is not None:
            item[key] = feature[key]
    for side in reversed(feature["shape"]):
        item = {"type": "array", "items": item, **({} if side is None else {"minItems": side, "maxItems": side})}
    return {"title": feature["name"], **item}


def _class(target: Entry) -> Schema:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    names = {"enum": list(target["classes"])}
    return {
        "title": target["name"],
        "type": "object",
        "required": ["label", "probability", "top"],
        "properties": {
            "label": names,
            "probability": share,
            "top": {
                "description": "the most likely classes, most likely first",
                "type": "object",
                "propertyNames": names,
                "additionalProperties": share,
            },
        },
    }


def _number(target: Entry) -> Schema:
    return {
        "title": target["name"],
        "type": "object",
        "required": ["value", "unit"],
        "properties": {"value": {"type": "number"}, "unit": {"const": target.get("unit", "")}},
    }


def _forecast(target: Entry) -> Schema:
    steps = {"minItems": target["outputs"], "maxItems": target["outputs"]}
    numbers = {"type": "array", "items": {"type": "number"}, **steps}
    variables = list(target["variables"])
    return {
        "title": target["name"],
        "type": "object",
        "required": ["steps", "forecast", "units"],
        "properties": {
            "steps": {"type": "array", "items": {"type": "string"}, **steps},
            "forecast": {
                "type": "object",
                "required": variables,
                "properties": dict.fromkeys(variables, numbers),
                "additionalProperties": False,
            },
            "units": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


def _any_object(target: Entry) -> Schema:
    return {"title": target["name"], "type": "object"}


_REQUESTS: dict[str, Callable[[Entry], Schema]] = {
    "stagewise.runtime.image": _image,
    "stagewise.runtime.text": _text,
    "stagewise.runtime.table": _table,
    "stagewise.runtime.sound": _sound,
    "stagewise.runtime.series": _series,
}
_ANSWERS: dict[str, Callable[[Entry], Schema]] = {
    "stagewise.runtime.classes": _class,
    "stagewise.runtime.numbers": _number,
    "stagewise.runtime.forecast": _forecast,
}
