"""The review in the terminal."""

from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stagewise.report.plain_text import clean, clean_lines, clip
from stagewise.review.output import words
from stagewise.review.record import Finding, Review, Stage
from stagewise.review.verdict import Verdict

STYLES = {
    Verdict.IDENTICAL: "bold green",
    Verdict.NUMERICAL: "green",
    Verdict.STATISTICAL: "cyan",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.DIFFERS: "red",
    Verdict.FAILED: "bold red",
}
_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_METRICS, _FINDINGS, _LOG = 20, 50, 15


def print_review(review: Review, console: Console | None = None, files: Mapping[str, Path] | None = None) -> None:
    """Print a review: verdicts, what moved, what is wrong, the environment, and what to do next.

    Args:
        console: where to; standard output if not given. Without a terminal the text is plain.
        files: what was written, by name; named at the end.
    """
    console = console or Console(highlight=False)
    _heading(review, console)
    console.print(_stages(review.stages))
    for stage in review.stages:
        _log(stage, console)
    verdict = Text.assemble((review.verdict.value, STYLES[review.verdict]), f"  {words.headline(review)}")
    _print(console, verdict)
    _print(console, Text(words.exit_meaning(review), "dim"))
    _answers(review, console)
    _metrics(review, console)
    _findings(words.by_severity(review.findings), console)
    _environment(review, console)
    _next(review, console, files or {})


def _print(console: Console, *parts: Text | str) -> None:
    console.print(*parts, highlight=False)


def _heading(review: Review, console: Console) -> None:
    revision = review.revision
    heading = Text.assemble("\n", (clean(review.project), "bold"), "  ", (revision.commit[:10], "bold cyan"))
    heading.append(f"  {clean(revision.subject)}")
    _print(console, heading)
    if review.against:
        beside = f"against {clean(review.against.name)}  {review.against.commit[:10]}"
        _print(console, Text(f"{beside}  {clean(review.against.subject)}", "dim"))


def _stages(stages: list[Stage]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("verdict", min_width=12, max_width=24)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for stage in stages:
        reason = clean(stage.reason)
        reason += f"; connected to {', '.join(map(clean, stage.hosts))}" if stage.hosts else ""
        verdict = Text(stage.verdict.value, STYLES[stage.verdict])
        name = Text(clip(clean(stage.name), 24))
        table.add_row(name, verdict, words.stage_seconds(stage), Text(reason))
    return table


def _log(stage: Stage, console: Console) -> None:
    if not stage.log:
        return
    lines = clean_lines(stage.log.rstrip("\n"))
    left = f", {len(lines) - _LOG} earlier lines left out" if len(lines) > _LOG else ""
    _print(console, Text(f"{clean(stage.name)} printed last{left}:", "bold"))
    for line in lines[-_LOG:]:
        _print(console, Text(f"  {line}", "dim"))
    console.print()


def _answers(review: Review, console: Console) -> None:
    for answers in review.answers:
        _print(console, Text(f"\n{clean(answers.stage)}: {words.answers_in_words(answers)}"))
        if answers.equivalence:
            _print(console, Text(words.equivalence_in_words(answers.equivalence)))


def _metrics(review: Review, console: Console) -> None:
    moved = words.moved_metrics(review)
    if review.metrics and not moved:
        _print(console, f"\n{_all(len(review.metrics), 'figure')} as recorded")
    if not moved:
        return
    _print(console, Text(f"\n{len(moved)} of {len(review.metrics)} figures moved", "bold"))
    beside = any(metric.against is not None for metric in moved)
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("figure", overflow="fold")
    for head in ("recorded", "reproduced", "difference", *(["against"] if beside else [])):
        table.add_column(head, justify="right", overflow="fold")
    for metric in moved[:_METRICS]:
        values = [words.number(metric.recorded), words.number(metric.reproduced)]
        values.append(words.change(metric.recorded, metric.reproduced))
        name = Text(clean(metric.name)).append(f"\n{clean(metric.file)}", "dim")
        table.add_row(name, *values, *([words.number(metric.against)] if beside else []))
    console.print(table)
    if len(moved) > _METRICS:
        _print(console, f"and {len(moved) - _METRICS} more, in review.html")


def _findings(findings: list[Finding], console: Console) -> None:
    for severity in words.SEVERITIES:
        group = [finding for finding in findings if finding.severity == severity]
        if group:
            _print(console, Text(f"\n{words.tally(findings, severity)}", _SEVERITY_STYLES[severity]))
        for finding in group[:_FINDINGS]:
            _finding(finding, console)
        if len(group) > _FINDINGS:
            _print(console, f"  and {len(group) - _FINDINGS} more, in review.html")


def _finding(finding: Finding, console: Console) -> None:
    what = Text.assemble("  ", (clean(finding.code), "bold"), f"  {clean(finding.what)}")
    if finding.stage:
        what.append(f"  ({clean(finding.stage)})", "dim")
    _print(console, what)
    for name, text in (("where", finding.where), ("next", finding.fix)):
        if text:
            _print(console, Text(f"    {name}: {clean(text)}", "dim"))


def _environment(review: Review, console: Console) -> None:
    differences = words.by_weight(review.environment.differences)
    if not differences:
        _print(console, "\nthe environment is the recorded one")
        return
    _print(console, Text("\nthis environment is not the recorded one", "bold"))
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in ("recorded", "here", "may change numbers"):
        table.add_column(name, overflow="fold")
    for item in differences:
        texts = [Text(clean(text)) for text in (item.name, item.recorded, item.here)]
        table.add_row(*texts, "yes" if item.numerics else "no", style="" if item.numerics else "dim")
    console.print(table)


def _next(review: Review, console: Console, files: Mapping[str, Path]) -> None:
    if files:
        console.print()
    width = max((len(name) for name in files), default=0)
    for name, path in files.items():
        console.print(Text(f"{name:<{width}}  {path}"), soft_wrap=True)
    _print(console, "\nnext:")
    for command, meaning in _steps(review, files):
        console.print(Text.assemble(("  " + command, "cyan"), (f"   {meaning}", "dim")), soft_wrap=True)


def _steps(review: Review, files: Mapping[str, Path]) -> list[tuple[str, str]]:
    """What to do after this verdict."""
    steps = []
    if "page" in files:
        steps.append((str(files["page"]), "open it in a browser: everything, on one page"))
    bad = next((stage for stage in review.stages if not stage.verdict.reproduced), None)
    if review.verdict is Verdict.INCONCLUSIVE:
        steps.append(("review.margin, data.checks", "a wider margin or more test rows; commit it, then review again"))
    elif bad:
        about = f"run it here, and look at {clean(bad.name)}"
        steps.append((f"git checkout {review.revision.commit[:10]} && make repro", about))
    if any(finding.severity == "error" for finding in review.findings):
        steps.append(("git commit", "after what the errors above ask for; then review the new revision"))
    if review.exit_code < Verdict.INCONCLUSIVE.exit_code:
        steps.append(("stagewise review --attest", "write a statement that others can verify"))
    return steps


def _all(count: int, what: str) -> str:
    return f"the one {what} is" if count == 1 else f"all {count} {what}s are"
