"""The model card of a package: README.md in the style of the Hugging Face hub."""

from typing import Any

import yaml

from stagewise.config.schema.package import PackageSettings

_SHOWN = (
    ("accuracy", "accuracy"),
    ("top_3", "accuracy of the three most likely"),
    ("precision_macro", "precision (macro)"),
    ("recall_macro", "recall (macro)"),
    ("f1_macro", "F1 (macro)"),
    ("auroc", "AUROC"),
    ("calibration_error", "expected calibration error"),
)


def render_card(
    settings: PackageSettings,
    schema: dict[str, Any],
    ingest: dict[str, Any],
    metrics: dict[str, float],
    compression: dict[str, Any],
) -> str:
    """The text of the card; equal arguments give equal text.

    Args:
        settings: name, version and what the authors say.
        schema: schema.json of the package.
        ingest: data/raw/ingest.json.
        metrics: reports/evaluation/metrics.json, flat, an interval as ``<figure>_low`` and ``<figure>_high``.
        compression: reports/compression/candidates.json.
    """
    sections = [
        _front_matter(settings, ingest, metrics),
        _introduction(settings, schema),
        _usage(schema),
        _data(ingest),
        _figures(metrics),
        _compression(compression),
        _limits(settings, schema),
        _reproduction(settings),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(settings: PackageSettings, ingest: dict[str, Any], metrics: dict[str, float]) -> str:
    accuracy = {"type": "accuracy", "value": round(metrics["accuracy"], 6)}
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": ingest["name"], "type": ingest["name"]},
        "metrics": [accuracy],
    }
    front = {
        "license": settings.package.license,
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["onnx", "onnxruntime", "stagewise"],
        "datasets": [ingest["name"]],
        "metrics": ["accuracy"],
        "model-index": [{"name": settings.name, "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---"


def _introduction(settings: PackageSettings, schema: dict[str, Any]) -> str:
    classes = schema["classes"]
    shown = ", ".join(classes[:20]) + (f" and {len(classes) - 20} more" if len(classes) > 20 else "")
    _, height, width, channels = schema["inputs"][0]["shape"]
    kind = "grey" if channels == 1 else "RGB"
    lines = [
        f"# {settings.name} {settings.version}",
        settings.package.description or "An image classifier as one ONNX graph, preprocessing and decoding included.",
        f"It takes {height}x{width} {kind} images (others are converted and resized) "
        f"and gives one of {len(classes)} classes with its probability: {shown}.",
    ]
    if settings.package.authors:
        lines.append(f"Authors: {', '.join(settings.package.authors)}.")
    lines.append(f"Licence of the model: {settings.package.license}.")
    if settings.package.intended_use:
        lines += ["## Intended use", settings.package.intended_use]
    return "\n\n".join(lines)


def _usage(schema: dict[str, Any]) -> str:
    shape = ", ".join(map(str, schema["inputs"][0]["shape"]))
    return f"""## How to use it

It needs Python 3.11 or newer with the three libraries in requirements.txt, and no deep-learning framework.

```
pip install -r requirements.txt
python predict.py examples/0.png
python predict.py --top 3 --json examples/0.png examples/1.png
python predict.py --self-test
```

```python
from predict import Predictor

predictor = Predictor.load("path/of/this/folder")  # refuses a package that was changed
for prediction in predictor.predict(["one.png", "two.jpg"]):
    print(prediction.label, prediction.probability)
```

model.onnx runs in any ONNX runtime: it takes uint8 `{schema["inputs"][0]["name"]}` [{shape}] with values 0 to 255,
and gives int64 `label` [batch] and float32 `probabilities` [batch, {len(schema["classes"])}]. See schema.json."""


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
    for name, title in _SHOWN:
        if name in metrics:
            low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
            interval = f"{low:.4f} to {high:.4f}" if low is not None and high is not None else ""
            rows.append(f"| {title} | {metrics[name]:.4f} | {interval} |")
    table = "\n".join(["| figure | value | interval |", "|---|---|---|", *rows])
    return f"""## Figures on the test split

Measured on {metrics["rows"]} rows that took no part in training or in any choice, before compression.

{table}"""


def _compression(compression: dict[str, Any]) -> str:
    rows = [
        f"| {name} | {item['bytes']:,} | {item['accuracy']:.4f} | {item['accuracy_drop']:+.4f} | "
        f"{item['agreement']:.4f} | {_worst(item)} | "
        f"{compression['verdicts'][name]} |"
        for name, item in compression["candidates"].items()
    ]
    head = ["| candidate | bytes | accuracy | drop | agreement | class that falls most | verdict |", "|---" * 7 + "|"]
    table = "\n".join([*head, *rows])
    parity = compression["parity"]
    return f"""## Compression

The model is the candidate `{compression["chosen"]}`. All candidates were measured on {compression["rows"]} validation
rows; drop, agreement and falls are against fp32.

{table}

The exported graph gave the labels of the trained network in {parity["label_agreement"]:.2%} of {parity["compared"]}
comparisons; the largest difference of a probability was {parity["largest_difference"]:g}."""


def _worst(item: dict[str, Any]) -> str:
    return f"{item['worst_class']} ({item['worst_class_drop']:+.4f})" if item["worst_class_drop"] > 0 else "none"


def _limits(settings: PackageSettings, schema: dict[str, Any]) -> str:
    own = f"{settings.package.limitations}\n\n" if settings.package.limitations else ""
    return f"""## Limits

{own}It gives one of its {len(schema["classes"])} classes for every image, also for one that shows none of them.
The figures hold for images like those of the data named above.
An int8 model may round differently on another CPU: run `python predict.py --self-test` there once."""


def _reproduction(settings: PackageSettings) -> str:
    return f"""## How to reproduce it

In the project, at the revision whose dvc.lock holds this package: `dvc repro`, then compare
dist/{settings.name}-{settings.version}/manifest.json. It lists the SHA-256 of every file here, and under `stage_keys`
the digest of everything that entered each stage."""
