"""The part of JSON Schema 2020-12 that io.schema.json uses, so that no library is needed to check a value by it."""

from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_SAID = {"$schema", "$id", "$defs", "title", "description", "examples", "contentEncoding"}
_KNOWN = _SAID | {
    *("$ref", "type", "enum", "const", "anyOf", "required", "properties", "additionalProperties", "propertyNames"),
    *("items", "minItems", "maxItems", "minimum", "maximum", "minLength"),
}


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> list[str]:
    """What is wrong with ``value``; a keyword that is not known here is an error of the test."""
    return list(_problems(value, schema, schema if root is None else root, "value"))


def _problems(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        yield from _problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    types = schema.get("type", list(_TYPES))
    types = [types] if isinstance(types, str) else types
    if not any(_is(value, name) for name in types):
        yield f"{at} is no {types}"
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{at} is not one of {schema}"
    if "anyOf" in schema and all(list(_problems(value, other, root, at)) for other in schema["anyOf"]):
        yield f"{at} fits none of {schema['anyOf']}"
    yield from _sizes(value, schema, at)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from _problems(item, schema["items"], root, f"{at}[{number}]")
    if isinstance(value, dict):
        yield from _members(value, schema, root, at)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _sizes(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    kinds = (
        (list, "minItems", "maxItems", len),
        (str, "minLength", "", len),
        ((int, float), "minimum", "maximum", abs),
    )
    for kind, low, high, size in kinds:
        if isinstance(value, kind) and not isinstance(value, bool):
            measured = value if kind == (int, float) else size(value)
            if not schema.get(low, measured) <= measured <= schema.get(high, measured):
                yield f"{at} has {measured}"


def _members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    yield from (f"{at} lacks {name}" for name in schema.get("required", []) if name not in value)
    for name, item in value.items():
        yield from _problems(name, schema.get("propertyNames", {}), root, f"{at}: name")
        if name not in known and others is False:
            yield f"{at} has {name}"
        else:
            yield from _problems(item, known.get(name, others or {}), root, f"{at}.{name}")
