"""JSON Schemas of params.yaml and of every config group, by which editors complete and check them."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError

from stagewise.config.checks.files import choices_of
from stagewise.config.checks.roles import ROLES, Role
from stagewise.config.checks.signatures import read_signature
from stagewise.config.origins import EXPERIMENT
from stagewise.config.schema.project import Project
from stagewise.config.schema.sweep import ReadySweep
from stagewise.config.targets import LIBRARY, SPECIAL

FOLDER = Path("docs/schema")
"""Where the schemas lie, relative to the project: not below conf/, where a folder is a config group."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_DEPTH = 3
"""Parts of the longest key whose target a schema describes; those nested deeper are only checked."""

_DEFINITION = re.compile(r"^(?:class|def) (?P<name>[A-Za-z]\w*)(?!\w|\((?:ABC|\w*Error)\))", re.MULTILINE)
"""A public class or function of a module; abstract classes and errors cannot be chosen."""


def write_schemas(root: Path) -> list[Path]:
    """Write the schemas of the project at ``root`` into docs/schema/ and return the files, sorted.

    A file that would not change is not touched.
    """
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in sorted(json_schemas(root).items()):
        path = root / FOLDER / name
        text = json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


def json_schemas(root: Path) -> dict[str, Schema]:
    """Return a schema per file name: of params.yaml, conf/config.yaml, conf/targets.yaml, and each folder of conf/."""
    whole = Project.model_json_schema(by_alias=True)
    groups = [name for name in Project.model_fields if (root / "conf" / name).is_dir()]
    schemas = {f"{group}.json": _group(group, whole, root) for group in groups}
    schemas["params.json"] = _params(whole, groups, schemas, root)
    schemas["config.json"] = _config(groups, root)
    schemas["sweep.json"] = {"$schema": DIALECT, **ReadySweep.model_json_schema(), "title": "conf/sweep/*.yaml"}
    names = {"type": "array", "items": {"type": "string", "pattern": r"^[A-Za-z]\w*(\.[A-Za-z]\w*)*(\.\*)?$"}}
    schemas["targets.json"] = {"$schema": DIALECT, "title": "conf/targets.yaml", **names}
    return schemas


def _group(group: str, whole: Schema, root: Path) -> Schema:
    """Return the schema of a file of conf/<group>/: every key may be left out, and a value may be interpolated."""
    definitions = json.loads(json.dumps(whole["$defs"]))
    described = whole["properties"][group]
    section = definitions.pop(described["$ref"].rpartition("/")[2])
    section.pop("required", None)
    section["properties"] = {name: _open(value) for name, value in section.get("properties", {}).items()}
    section["properties"]["defaults"] = {"type": "array", "items": {"enum": ["_self_", *choices_of(root, group)]}}
    schema = {"$schema": DIALECT, **section, "title": f"conf/{group}/*.yaml"}
    for pattern, role in ROLES.items():
        if pattern[0] == group and len(pattern) <= _DEPTH:
            schema = _put(schema, pattern[1:], _target(role, root))
    used = _with_references(schema, definitions)
    return schema | ({"$defs": used} if used else {})


def _params(whole: Schema, groups: list[str], schemas: dict[str, Schema], root: Path) -> Schema:
    """Return the schema of params.yaml: a section is the word of a file, or a mapping with ``use`` and values."""
    properties: Schema = {name: value for name, value in whole["properties"].items() if name not in groups}
    definitions: Schema = {}
    for group in groups:
        section = {key: value for key, value in schemas[f"{group}.json"].items() if key not in ("$schema", "$defs")}
        names = {"enum": choices_of(root, group), "description": f"A file of conf/{group}/."}
        values = {key: value for key, value in section.get("properties", {}).items() if key != "defaults"}
        section["properties"] = {"use": names, **values}
        section["title"] = group
        definitions |= {group: section, **schemas[f"{group}.json"].get("$defs", {})}
        properties[group] = {"anyOf": [names, {"$ref": f"#/$defs/{group}"}, {"type": "null"}]}
    about = "Sections that fit together, a file of conf/experiment/; empty sections here are as it says."
    properties[EXPERIMENT] = {"enum": [*choices_of(root, EXPERIMENT), None], "description": about}
    head = {"$schema": DIALECT, "title": "params.yaml", "type": "object", "additionalProperties": False}
    return {**head, "properties": properties, "$defs": definitions}


def _config(groups: list[str], root: Path) -> Schema:
    choice = {
        "type": "object",
        "properties": {group: {"enum": choices_of(root, group)} for group in groups},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    defaults = {"type": "array", "items": {"anyOf": [choice, {"const": "_self_"}]}}
    properties = {"defaults": defaults} | dict.fromkeys(Project.model_fields, True)
    head = {"$schema": DIALECT, "title": "conf/config.yaml", "type": "object", "additionalProperties": False}
    return {**head, "properties": properties, "required": ["defaults"]}


def _target(role: Role, root: Path) -> Schema:
    """Return the schema of a target: for each class of the project that can play the role, its arguments."""
    names = _targets_of(role, root)
    own = {"type": "object", "properties": {SPECIAL: {"type": "string", "not": {"enum": names}}}, "required": [SPECIAL]}
    return {"type": "object", "anyOf": [*(_arguments(name, role, root) for name in names), own]}


def _targets_of(role: Role, root: Path) -> list[str]:
    """Return the full names that can play a role, found by reading the sources."""
    if role.prefix == "torch.optim.":
        return sorted(LIBRARY)
    return [name for prefix in role.prefixes for name in _targets_below(prefix, role, root)]


def _targets_below(prefix: str, role: Role, root: Path) -> list[str]:
    folder = root / "src" / Path(*prefix.rstrip(".").split("."))
    single = folder.with_suffix(".py")
    files = [single] if single.is_file() else sorted(folder.glob("[a-z]*/[a-z]*.py" if role.deep else "[a-z]*.py"))
    names = []
    if role.deep and role.suffix:
        files += sorted(folder.glob("[a-z]*.py"))
    for file in files:
        module = ".".join(file.relative_to(root / "src").with_suffix("").parts)
        words = [match["name"] for match in _DEFINITION.finditer(file.read_text(encoding="utf-8"))]
        names += [f"{module}.{word}" for word in words if word.endswith(role.suffix)]
    return [name for name in names if _plays(name, role, root)]


def _plays(name: str, role: Role, root: Path) -> bool:
    signature = read_signature(name, root)
    if signature is None or not all(item in signature.arguments for item in role.given):
        return False
    if role.given or role.suffix:
        return True
    # Else a part is told from its helpers by what is needed to make it: nothing but config.
    return all(argument.kind is not Any for argument in signature.arguments.values()) and not signature.open_ended


def _arguments(name: str, role: Role, root: Path) -> Schema:
    signature = read_signature(name, root)
    arguments = signature.arguments if signature else {}
    properties: Schema = {SPECIAL: {"const": name}}
    for argument, value in arguments.items():
        if argument not in role.given:
            properties[argument] = _open(_json_type(LIBRARY.get(name, {}).get(argument, value.kind)))
    # `use` and `defaults` lie in the same mapping when the target is a whole section.
    properties |= {"use": True, "defaults": True}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _json_type(kind: Any) -> Schema:
    if kind is Any:
        return {}
    try:
        return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False)).json_schema()
    except (PydanticUserError, TypeError):
        return {}


def _open(schema: Any) -> Any:
    """Let a value be an interpolation, too."""
    return {"anyOf": [schema, {"type": "string", "pattern": r"\$\{.+\}"}]} if schema else {}


def _put(schema: Schema, path: tuple[str, ...], target: Schema) -> Schema:
    """Return ``schema`` with ``target`` at a path of keys, ``*`` for the entries of a list or mapping."""
    if not path:
        return {"$schema": DIALECT, "title": schema["title"], **target}
    name = path[0]
    inner = {"type": "array", "items": target} if name == "transforms" else target
    if name == "candidates":
        steps = {"anyOf": [target, {"type": "array", "minItems": 1, "items": target}]}
        inner = {"type": "object", "additionalProperties": steps}
    if {"type": "null"} in schema["properties"].get(name, {}).get("anyOf", [{}])[0].get("anyOf", ()):
        inner = {"anyOf": [inner, {"type": "null"}]}
    description = schema["properties"].get(name, {}).get("anyOf", [{}])[0].get("description")
    schema["properties"][name] = inner | ({"description": description} if description else {})
    return schema


def _with_references(schema: Any, definitions: Schema) -> Schema:
    """Return the definitions that a schema refers to, directly or not."""
    found: Schema = {}
    todo = [schema]
    while todo:
        text = json.dumps(todo.pop())
        for name, definition in definitions.items():
            if name not in found and f'"#/$defs/{name}"' in text:
                found[name] = definition
                todo.append(definition)
    return found
