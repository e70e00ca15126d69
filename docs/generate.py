"""Write the generated parts of docs/: the config reference, the schema of review.json and the drawn pictures.

python docs/generate.py          write them
python docs/generate.py --check  fail when a file on disk differs
"""

import json
import sys
from pathlib import Path

from pipeline_picture import draw_pipeline
from pydantic import BaseModel
from stage_key_picture import draw_stage_key

from stagewise.config.schema import base, compress, data, evaluate, package, project, train
from stagewise.review.output.schema import review_schema

DOCS = Path(__file__).parent
CONF = DOCS.parent / "conf"

GROUPS: dict[str, type[BaseModel] | None] = {
    "data": data.DataSection,
    "augment": data.AugmentSection,
    "model": None,
    "task": train.TaskSection,
    "optimizer": None,
    "scheduler": None,
    "trainer": train.TrainerSection,
    "evaluate": evaluate.EvaluateSection,
    "compress": compress.CompressSection,
    "package": package.PackageSection,
}

HEAD = """\
# Config reference

Generated from the schema by `make docs`. What is written here is what is accepted: any other key is an error
that names the nearest valid one.

`params.yaml` names, per group, a file of `conf/<group>/` and the values laid over it:

```yaml
model: mlp                                # the file conf/model/mlp.yaml
trainer: {use: default, max_epochs: 12}   # conf/trainer/default.yaml with one value changed
```

The same words work on a command line: `dvc exp run -S model=mlp`,
`python stages/train.py model=mlp trainer.max_epochs=1`.

`experiment` names a file of `conf/experiment/`, written like params.yaml and laid under it: a section that is empty is
as the experiment says.
"""


def main() -> None:
    """Write or check every generated file."""
    pages = {
        DOCS / "config.md": reference(),
        DOCS / "review.schema.json": json.dumps(review_schema(), indent=2, ensure_ascii=False) + "\n",
        DOCS / "pipeline.svg": draw_pipeline(),
        DOCS / "stage-key.svg": draw_stage_key(),
    }
    stale = [file for file, text in pages.items() if not file.is_file() or file.read_text() != text]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.exit(f"stale: {', '.join(file.name for file in stale)}; run `make docs`")
        return
    for file in stale:
        file.write_text(pages[file])
        print(f"wrote docs/{file.name}")


def reference() -> str:
    """Return the page with every group, choice and value."""
    parts = [HEAD, "\n## Top level\n\n", table(project.Project, only_values=True)]
    parts.append(f"\n## experiment\n\n{choices('experiment')}")
    for group, section in GROUPS.items():
        parts.append(f"\n## {group}\n\n{choices(group)}")
        if section is not None:
            parts.append(f"\n{table(section)}")
            parts += [nested_table(name, model) for name, model in nested(section)]
    return "".join(parts)


def choices(group: str) -> str:
    """Return the list of a group's files with the sentence at the head of each."""
    lines = []
    for file in sorted((CONF / group).glob("*.yaml")):
        head = [line.removeprefix("#").strip() for line in file.read_text().splitlines() if line.startswith("#")]
        lines.append(f"- [`{file.stem}`](../conf/{group}/{file.name}): {head[0] if head else ''}\n")
    return "".join(lines)


def table(model: type[BaseModel], only_values: bool = False) -> str:
    """Return the keys of a section with type, default and meaning."""
    properties = model.model_json_schema(by_alias=True)["properties"]
    rows = ["| key | type | default | meaning |\n|---|---|---|---|\n"]
    for name, field in model.model_fields.items():
        described = properties.get(name, {})
        if only_values and ("$ref" in described or name in GROUPS):
            continue
        default = "required" if field.is_required() else f"`{shown(field.default)}`"
        meaning = (field.description or described.get("description", "")).replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `{name}` | {kind(described)} | {default} | {meaning} |\n")
    return "".join(rows)


def nested(model: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Return the sections inside a section."""
    found = []
    for name, field in model.model_fields.items():
        for item in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(item, type) and issubclass(item, base.Section):
                found.append((name, item))
                found += [(f"{name}.{inner}", other) for inner, other in nested(item)]
    return found


def nested_table(name: str, model: type[BaseModel]) -> str:
    """Return the table of a section inside a section, with its docstring."""
    return f"\n### {name}\n\n{(model.__doc__ or '').strip()}\n\n{table(model)}"


def shown(value: object) -> str:
    """Return a default as YAML would write it."""
    if isinstance(value, base.Target):
        return value.target
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {inline(item)}" for name, item in value.items()) + "}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def inline(value: object) -> str:
    """Return an item of a default that is a list or mapping."""
    return shown(value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value)


def kind(described: dict[str, object]) -> str:
    """Return the type of a value in words, with its range."""
    if "anyOf" in described:
        return " or ".join(kind(item) for item in described["anyOf"])  # type: ignore[attr-defined]
    if "$ref" in described:
        return "mapping"
    if "enum" in described:
        return ", ".join(f"`{item}`" for item in described["enum"])  # type: ignore[attr-defined]
    if "const" in described:
        return f"`{described['const']}`"
    if described.get("type") == "array":
        return f"list of {kind(described.get('items', {}))}"  # type: ignore[arg-type]
    if described.get("type") == "object":
        return "mapping"
    limits = [("exclusiveMinimum", "> "), ("minimum", "≥ "), ("exclusiveMaximum", "< "), ("maximum", "≤ ")]
    bounds = [f"{sign}{described[name]}" for name, sign in limits if name in described]
    return " ".join([str(described.get("type", "any")), *bounds])


if __name__ == "__main__":
    main()
