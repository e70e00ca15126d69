"""The model card of a package: README.md as the Hugging Face hub reads it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml

from stagewise.config.schema.package import PackageSettings
from stagewise.packaging.contents.evidence import Evidence, Figure
from stagewise.packaging.forms.wheel import module_name, wheel_name
from stagewise.report.words import show, title

TASKS = {
    ("image", "class"): "image-classification",
    ("text", "class"): "text-classification",
    ("table", "class"): "tabular-classification",
    ("table", "number"): "tabular-regression",
    ("sound", "class"): "audio-classification",
    ("series", "series"): "time-series-forecasting",
}
"""What the hub calls a task, by kind of input and of target."""
METRICS = {"auroc": "roc_auc", "f1_macro": "f1", "r2": "r_squared", "brier": "brier_score"}
"""What the hub calls a figure, where it has another name for it."""

_MOST_PARTS = 100
_MOST_WORDS = 200


def render_card(
    settings: PackageSettings, schema: dict[str, Any], words: tuple[str, str], examples: list[str], evidence: Evidence
) -> str:
    """The text of the card; equal arguments give equal text.

    Args:
        settings: name, version and what the authors say.
        schema: schema.json of the package.
        words: what the package takes, and what its graph gives.
        examples: names of the files in examples/.
        evidence: what the earlier stages recorded.
    """
    sections = [
        _front_matter(settings, schema, evidence),
        _introduction(settings, schema, words[0]),
        _usage(settings, schema, words[1], examples),
        _data(evidence.ingest),
        _figures(evidence),
        *_parts(evidence),
        _compression(evidence.compression),
        _limits(settings, schema),
        _reproduction(settings),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(settings: PackageSettings, schema: dict[str, Any], evidence: Evidence) -> str:
    task = TASKS.get((schema["inputs"][0]["kind"], schema["target"]["kind"]))
    best = evidence.headline()
    told = [figure for figure in evidence.own_figures() if figure.low is not None or figure == best]
    data = evidence.ingest["name"]
    result = {
        "task": {"type": task or "other"},
        "dataset": {"name": data, "type": data, "split": "test"},
        "metrics": [_metric(figure, evidence) for figure in told],
    }
    front = {
        **_hub_license(settings.package.license),
        "library_name": "onnx",
        **({"pipeline_tag": task} if task else {}),
        "tags": ["onnx", "onnxruntime", "stagewise"],
        "datasets": [data],
        "metrics": [_hub(figure.name) for figure in told],
        "model-index": [{"name": settings.name, "results": [result]}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---"


def _hub_license(name: str) -> dict[str, str]:
    """The hub writes the names of SPDX in small letters, and asks for ``other`` where there is none."""
    if re.fullmatch(r"[A-Za-z0-9.+-]+", name):
        return {"license": name.lower()}
    return {"license": "other", "license_name": name}


def _metric(figure: Figure, evidence: Evidence) -> dict[str, Any]:
    """The hub knows no intervals, so they are part of the name that it shows."""
    around = _interval(figure)
    name = f"{title(figure.name)} ({_share(evidence)}interval {around})" if around else title(figure.name)
    return {"type": _hub(figure.name), "value": round(figure.value, 6), "name": name}


def _hub(figure: str) -> str:
    return METRICS.get(figure, figure)


def _share(evidence: Evidence) -> str:
    confidence = evidence.confidence()
    return "" if confidence is None else f"{confidence * 100:g} % "


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{show(figure.name, figure.low)} to {show(figure.name, figure.high)}"


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


def _usage(settings: PackageSettings, schema: dict[str, Any], gives: str, examples: list[str]) -> str:
    feature = schema["inputs"][0]
    shape = ", ".join(["batch", *("length" if side is None else str(side) for side in feature["shape"])])
    first = f"examples/{examples[0]}"
    module = module_name(settings.name)
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

The same as a Python wheel, without a folder to keep beside your code:

```
pip install {wheel_name(settings.name, settings.version)}
```

```python
import {module}

(answer,) = {module}.predict({module}.FOLDER / "{first}")
print(answer.to_dict())
```

model.onnx runs in any ONNX runtime: it takes {feature["dtype"]} `{feature["name"]}` [{shape}]{limits},
and gives {gives}.
See schema.json; io.schema.json describes a request and its answer in JSON."""


def _data(ingest: dict[str, Any]) -> str:
    lines = ["## Training data", f"{ingest['name']}; licence: {ingest['license'] or 'not stated'}."]
    if ingest["citation"]:
        lines.append(f"Cite as: {' '.join(ingest['citation'].split())}")
    rows = [
        f"| {file['name']} | {file.get('bytes', '')} | {file.get('sha256', '')} | {' '.join(file.get('urls', []))} |"
        for file in ingest["files"]
    ]
    lines.append("\n".join(["| file | bytes | SHA-256 | from |", "|---|---|---|---|", *rows]))
    return "\n\n".join(lines)


def _figures(evidence: Evidence) -> str:
    rows = [(title(figure.name), show(figure.name, figure.value), _interval(figure)) for figure in evidence.figures()]
    table = _table(("figure", "value", f"{_share(evidence)}interval"), rows)
    return f"""## Figures on the test split

Measured on {evidence.metrics["rows"]} rows that took no part in training or in any choice, before compression.

{table}"""


def _parts(evidence: Evidence) -> list[str]:
    """A table with a row per class or variable, an interval beside what has one."""
    if not evidence.parts:
        return []
    names = list(dict.fromkeys(figure.name for figures in evidence.parts.values() for figure in figures))
    rows = []
    for part, figures in list(evidence.parts.items())[:_MOST_PARTS]:
        known = {figure.name: _cell(figure) for figure in figures}
        rows.append((part, *(known.get(name, "") for name in names)))
    more = len(evidence.parts) - len(rows)
    note = f"\n\n{more} more are in the project, in reports/evaluation/figures." if more else ""
    table = _table((evidence.part, *map(title, names)), rows)
    brackets = any(figure.low is not None for figures in evidence.parts.values() for figure in figures)
    said = f"In brackets: the {_share(evidence)}interval.\n\n" if brackets else ""
    return [f"### By {evidence.part}\n\n{said}{table}{note}"]


def _cell(figure: Figure) -> str:
    around = _interval(figure)
    value = f"{figure.value:.0f}" if figure.name in ("rows", "predicted") else show(figure.name, figure.value)
    return f"{value} ({around})" if around else value


def _compression(compression: dict[str, Any]) -> str:
    figure = title(compression["figure"])
    columns = {name: cell for name, cell in _COLUMNS.items() if any(map(cell, compression["candidates"].values()))}
    rows = [
        (name, *(cell(item) for cell in columns.values()), compression["verdicts"][name])
        for name, item in compression["candidates"].items()
    ]
    table = _table(("candidate", *(figure if name == "score" else name for name in columns), "verdict"), rows)
    parts = [
        "## Compression",
        f"The model is the candidate `{compression['chosen']}`{_rule(compression)}. All candidates were measured on "
        f"{compression['rows']} validation\nrows; drop and agreement are against fp32.",
        table,
        *_made(compression["candidates"]),
        _parity(compression.get("parity", {})),
    ]
    return "\n\n".join(part for part in parts if part)


def _drop(item: Mapping[str, Any]) -> str:
    if item.get("drop_low") is None or item.get("drop_high") is None:
        return f"{item['drop']:+.4f}"
    return f"{item['drop']:+.4f} ({item['drop_low']:+.4f} to {item['drop_high']:+.4f})"


_COLUMNS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "bytes": lambda item: f"{item['bytes']:,}",
    "compressed": lambda item: f"{item['compressed_bytes']:,}" if "compressed_bytes" in item else "",
    "score": lambda item: f"{item['score']:.4f}",
    "drop": _drop,
    "agreement": lambda item: f"{item['agreement']:.4f}",
}


def _rule(compression: dict[str, Any]) -> str:
    """By what it was chosen."""
    limits = compression.get("limits") or {}
    told = [f"{key.replace('_', ' ')} {value}" for key, value in limits.items() if value is not None]
    objective = compression.get("objective")
    by = f", the best by {objective}" if objective else ""
    return f"{by} within: {', '.join(told)}" if told else by


def _made(candidates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """How the candidates were made and what the task says beyond the figures, of those that differ from fp32."""
    lines = []
    for name, item in candidates.items():
        details = item.get("details", {}) if item["drop"] else {}
        said = "; ".join([*_steps(item.get("made", ())), *_said(details)])
        if said:
            lines.append(f"- {name}: {said}")
    return ["\n".join(lines)] if lines else []


def _steps(made: Sequence[Mapping[str, Any]]) -> list[str]:
    """The steps of a candidate that took more than one, or told something of how it went."""
    if len(made) < 2 and not any(len(step) > 1 for step in made):
        return []
    told = []
    for step in made:
        notes = ", ".join(_said({key: value for key, value in step.items() if key != "step"}))
        told.append(f"{step['step']} ({notes})" if notes else str(step["step"]))
    return [f"made by {', then '.join(told)}"]


def _said(notes: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, value in notes.items():
        text = _words(value)
        cut = text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]} ..."
        lines.append(f"{key.replace('_', ' ')}: {cut}")
    return lines


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_words(item)}" for key, item in value.items())
    return ", ".join(map(_words, value)) if isinstance(value, (list, tuple)) else str(value)


def _parity(parity: Mapping[str, Any]) -> str:
    if "label_agreement" not in parity:
        return ""
    return (
        f"The exported graph gave the answers of the trained network in {parity['label_agreement']:.2%} of "
        f"{parity['compared']}\ncomparisons; the largest difference of a number was "
        f"{parity['largest_difference']:g}."
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (names, *rows)]
    return "\n".join([lines[0], "|---" * len(names) + "|", *lines[1:]])


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
the digest of everything that entered each stage. provenance.intoto.json says the same as an in-toto statement, with the
digests of the raw data; sbom.cdx.json lists the libraries, with their versions and the stages that used them."""
