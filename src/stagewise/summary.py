"""The short summary after a run: how good, how small, how fast, and where everything lies."""

import json
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from stagewise.errors import PackageError
from stagewise.report.words import headline, show, title

REPORT = Path("reports/evaluation/report.html")


def print_summary(root: Path) -> None:
    """Print the results of the last run of the project at ``root``.

    Raises:
        PackageError: the pipeline has not run to its end here.
    """
    metrics = _read(root, "reports/evaluation/metrics.json")
    candidates = _read(root, "reports/compression/candidates.json")
    times = root / "reports/compression/latency.json"
    latency = json.loads(times.read_text(encoding="utf-8")) if times.is_file() else {}
    package = _package(root)
    console = Console(highlight=False)
    console.print()
    name = headline(metrics)
    measured = f"{_interval(metrics, name)}{metrics['rows']:,} rows"
    console.print(f"[bold]test {title(name)} {show(name, metrics[name])}[/bold]  ({measured})")
    console.print(_compression_table(candidates, latency))
    chosen = candidates["chosen"]
    console.print(f"{chosen} is {candidates['verdicts'][chosen]}", style="dim", soft_wrap=True)
    examples = json.loads(_text(package, "examples/expected.json"))["outputs"]
    example = package / "examples" / next(iter(examples))
    console.print(f"package  {package.relative_to(root)}", soft_wrap=True)
    console.print(f"report   {REPORT}", soft_wrap=True)
    console.print("\nnext:")
    for command, meaning in (
        (f"stagewise predict {package.relative_to(root)} {example.relative_to(root)}", "ask the package"),
        ("stagewise plan", "what would run, and why"),
        ("dvc metrics diff", "compare with the last commit"),
        ("docs/own-data.md", "train on your own data"),
    ):
        console.print(f"  {command}", style="cyan", soft_wrap=True, end="")
        console.print(f"   {meaning}", style="dim", soft_wrap=True)


def _interval(metrics: dict[str, float], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"95 % interval {show(name, low)} to {show(name, high)}, "


def _compression_table(candidates: dict[str, Any], latency: dict[str, Any]) -> Table:
    """Return a row per candidate; the times are missing where the stage was restored instead of run."""
    figures = {name: entry["batch_sizes"] for name, entry in latency.get("candidates", {}).items()}
    sizes = sorted({int(size) for times in figures.values() for size in times})
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("model")
    for name in (title(candidates["figure"]), "size", *(f"batch of {size}" for size in sizes)):
        table.add_column(name, justify="right")
    for name in [*(runner for runner in figures if runner not in candidates["candidates"]), *candidates["candidates"]]:
        times = [f"{figures[name][str(size)]['p50_ms']:.2f} ms" for size in sizes] if name in figures else []
        packaged = name == candidates["chosen"]
        label = f"{name}, packaged" if packaged else name
        table.add_row(label, *_quality(candidates, name), *times, style="bold" if packaged else "")
    return table


def _quality(candidates: dict[str, Any], name: str) -> tuple[str, str]:
    quality = candidates["candidates"].get(name)
    figure = candidates["figure"]
    return (show(figure, quality["score"]), f"{quality['bytes'] / 1000:,.0f} kB") if quality else ("", "")


def _package(root: Path) -> Path:
    build = yaml.safe_load(_text(root, "build/package.yaml"))["config"]
    return root / "dist" / f"{build['name']}-{build['version']}"


def _read(root: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_text(root, name))
    return content


def _text(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8")
    except OSError as error:
        raise PackageError(
            "there is nothing to summarise yet", where=name, why="the pipeline has not run to its end", fix="make repro"
        ) from error
