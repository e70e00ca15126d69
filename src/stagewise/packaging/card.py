"""The model card of a package: README.md in the style of the Hugging Face hub."""

from typing import Any

import yaml

from stagewise.config.schema.package import PackageSettings
from stagewise.report.words import headline, show, title


def render_card(
    settings: PackageSettings,
    schema: dict[str, Any],
    words: tuple[str, str],
    examples: list[str],
    ingest: dict[str, Any],
    metrics: dict[str, float],
    compression: dict[str, Any],
) -> str:
    """The text of the card; equal arguments give equal text.

    Args:
        settings: name, version and what the authors say.
        schema: schema.json of the package.
        words: what the package takes, and what its graph gives.
        examples: names of the files in examples/.
        ingest: data/raw/ingest.json.
        metrics: reports/evaluation/metrics.json, flat, an interval as ``<figure>_low`` and ``<figure>_high``.
        compression: reports/compression/candidates.json.
    """
    sections = [
        _front_matter(settings, ingest, metrics),
        _introduction(settings, schema, words[0]),
        _usage(schema, words[1], examples),
        _data(ingest),
        _figures(metrics),
        _compression(compression),
        _limits(settings, schema),
        _reproduction(settings),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(settings: PackageSettings, ingest: dict[str, Any], metrics: dict[str, float]) -> str:
    name = headline(metrics)
    result = {
        "dataset": {"name": ingest["name"], "type": ingest["name"]},
        "metrics": [{"type": name, "value": round(metrics[name], 6)}],
    }
    front = {
        "license": settings.package.license,
        "library_name": "onnx",
        "tags": ["onnx", "onnxruntime", "stagewise"],
        "datasets": [ingest["name"]],
        "metrics": [name],
        "model-index": [{"name": settings.name, "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---"


def _introduction(settings: PackageSettings, schema: dict[str, Any], what: str) -> str:
    target = schema["target"]
    lines = [
        f"# {settings.name} {settings.version}",
        settings.package.description or "One ONNX graph, preprocessing and decoding included.",
        f"It takes {what}, and predicts {target['name']}{_of_classes(target)}.",
    ]
    if settings.package.authors:
        lines.append(f"Authors: {', '.join(settings.package.authors)}.")
    lines.append(f"Licence of the model: {settings.package.license}.")
    if settings.package.intended_use:
        lines += ["## Intended use", settings.package.intended_use]
    return "\n\n".join(lines)


def _of_classes(target: dict[str, Any]) -> str:
    classes = target.get("classes")
    if not classes:
        return f" in {target['unit']}" if target.get("unit") else ""
    shown = ", ".join(classes[:20]) + (f" and {len(classes) - 20} more" if len(classes) > 20 else "")
    return f", one of {len(classes)} classes: {shown}"


def _usage(schema: dict[str, Any], gives: str, examples: list[str]) -> str:
    feature = schema["inputs"][0]
    shape = ", ".join(["batch", *("length" if side is None else str(side) for side in feature["shape"])])
    first = f"examples/{examples[0]}"
    limits = f" with values {feature['minimum']:g} to {feature['maximum']:g}" if feature.get("maximum") else ""
    return f"""## How to use it

It needs Python 3.11 or newer with the libraries in requirements.txt, and no deep-learning framework.

```
pip install -r requirements.txt
python predict.py {first}
python predict.py --json {first} examples/{examples[-1]}
python predict.py --self-test
```

```python
from predict import Predictor

predictor = Predictor.load("path/of/this/folder")  # refuses a package that was changed
for name, answer in predictor.answer(predictor.read("{first}")):
    print(name, answer.line())
```

model.onnx runs in any ONNX runtime: it takes {feature["dtype"]} `{feature["name"]}` [{shape}]{limits},
and gives {gives}. See schema.json."""


def _data(ingest: dict[str, Any]) -> str:
    lines = ["## Training data", f"{ingest['name']}; licence: {ingest['license']}."]
    if ingest["citation"]:
        lines.append(f"Cite as: {' '.join(ingest['citation'].split())}")
    rows = [
        f"| {file['name']} | {file.get('bytes', '')} | {file.get('sha256', '')} | {' '.join(file.get('urls', []))} |"
        for file in ingest["files"]
    ]
    lines.append("\n".join(["| file | bytes | SHA-256 | from |", "|---|---|---|---|", *rows]))
    return "\n\n".join(lines)


def _figures(metrics: dict[str, float]) -> str:
    rows = []
    for name, value in metrics.items():
        if name != "rows" and not name.endswith(("_low", "_high")) and not name.startswith("cv_"):
            low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
            interval = f"{show(name, low)} to {show(name, high)}" if low is not None and high is not None else ""
            rows.append(f"| {title(name)} | {show(name, value)} | {interval} |")
    table = "\n".join(["| figure | value | interval |", "|---|---|---|", *rows])
    return f"""## Figures on the test split

Measured on {metrics["rows"]} rows that took no part in training or in any choice, before compression.

{table}"""


def _compression(compression: dict[str, Any]) -> str:
    figure = title(compression["figure"])
    rows = [
        f"| {name} | {item['bytes']:,} | {item['score']:.4f} | {item['drop']:+.4f} | "
        f"{item['agreement']:.4f} | {compression['verdicts'][name]} |"
        for name, item in compression["candidates"].items()
    ]
    table = "\n".join([f"| candidate | bytes | {figure} | drop | agreement | verdict |", "|---" * 6 + "|", *rows])
    parity = compression["parity"]
    return f"""## Compression

The model is the candidate `{compression["chosen"]}`. All candidates were measured on {compression["rows"]} validation
rows; drop and agreement are against fp32.

{table}
{_worst(compression)}
The exported graph gave the answers of the trained network in {parity["label_agreement"]:.2%} of {parity["compared"]}
comparisons; the largest difference of a number was {parity["largest_difference"]:g}."""


def _worst(compression: dict[str, Any]) -> str:
    """What the task says beyond the figures, of the candidates that differ from fp32."""
    lines = []
    for name, item in compression["candidates"].items():
        details = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in item["details"].items())
        if details and item["drop"]:
            lines.append(f"- {name}: {details}")
    return "\n" + "\n".join([*lines, ""]) if lines else ""


def _limits(settings: PackageSettings, schema: dict[str, Any]) -> str:
    own = f"{settings.package.limitations}\n\n" if settings.package.limitations else ""
    classes = schema["target"].get("classes")
    always = (
        f"It gives one of its {len(classes)} classes for every input, also for one that shows none of them.\n"
        if classes
        else "It gives an answer for every input, also for one that is like none it was trained on.\n"
    )
    return f"""## Limits

{own}{always}The figures hold for inputs like those of the data named above.
An int8 model may round differently on another CPU: run `python predict.py --self-test` there once."""


def _reproduction(settings: PackageSettings) -> str:
    return f"""## How to reproduce it

In the project, at the revision whose dvc.lock holds this package: `dvc repro`, then compare
dist/{settings.name}-{settings.version}/manifest.json. It lists the SHA-256 of every file here, and under `stage_keys`
the digest of everything that entered each stage."""
