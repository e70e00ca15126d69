"""The review as a comment on a pull request: GitHub's Markdown, in which nothing of the revision takes effect.

Names and values go into code spans, where GitHub renders no link, image, mention or HTML. Of sentences only plain
words stay as they are; any other word becomes a code span.
"""

import re
from collections.abc import Iterable, Sequence

from stagewise.report.plain_text import clean, clip, duration
from stagewise.review.output import words
from stagewise.review.record import Finding, Metric, Review

LIMIT = 65_000
"""Characters of a comment; GitHub takes 65,536."""

MARKER = "<!-- stagewise review -->"
"""First line, by which a later run finds its comment and replaces it."""

_CUT = "_Cut here: a comment can hold no more. The whole review is in `review.html` and `review.json`._\n"
_FIELD, _ROWS = 300, 60
_WORD = re.compile(r"[%=–—−]|[+−-]?\d[\d.,]*;?|[\w'’(][\w'’().,;%+=–—…-]*:?")
_LINKED = re.compile(r"(?i)www\.|[a-z]-\d|\b[0-9a-f]{7,64}\b|_|--|https?\b")
"""Words that GitHub makes links of, such as GH-12 or a commit, or that start emphasis."""
_LADDER_MARKS = ("🟢", "🟢", "🔵", "🟡", "🔴", "🔴")


def to_markdown(review: Review) -> str:
    """The comment, at most LIMIT characters; what does not fit is left out at the end, and that is said."""
    blocks = [_head(review), _stages(review), *_metrics(review), _answers(review), _findings(review), *_details(review)]
    text = ""
    for lines in blocks:
        block = "\n".join(lines) + "\n\n" if lines else ""
        if len(text) + len(block) + len(_CUT) > LIMIT:
            return text + _beginning(lines, LIMIT - len(text) - len(_CUT) - 1) + _CUT
        text += block
    return text.rstrip("\n") + "\n"


def code(text: str, cell: bool = False) -> str:
    """A code span that shows ``text`` as it is; a bar in a cell, which would end the cell, becomes a broken one."""
    text = clip(clean(text).strip(), _FIELD)
    if not text:
        return "–"
    text = text.replace("|", "¦") if cell else text
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def prose(text: str, cell: bool = False) -> str:
    """A sentence in which plain words stay, and every other word becomes a code span."""
    parts = clip(clean(text), _FIELD).split()
    return " ".join(part if _plain(part) else _quoted(part, cell) for part in parts)


def _beginning(lines: list[str], room: int) -> str:
    """The whole lines that fit, followed by an empty one; nothing of a block that would have to be closed again."""
    kept = ""
    for line in lines if not lines[0].startswith("<details>") else []:
        if len(kept) + len(line) + 1 > room:
            break
        kept += line + "\n"
    return kept + "\n" if kept else ""


def _plain(word: str) -> bool:
    return bool(_WORD.fullmatch(word)) and not _LINKED.search(word)


def _quoted(word: str, cell: bool) -> str:
    """A word in code, the punctuation that ends it left outside."""
    end = re.search(r"[.,;]*$", word)
    tail = end[0] if end and end[0] != word else ""
    return code(word.removesuffix(tail), cell) + tail


def _head(review: Review) -> list[str]:
    revision = review.revision
    lines = [MARKER, f"### {_LADDER_MARKS[review.verdict.rank]} {review.verdict.value}: {code(review.project)}", ""]
    lines.append(f"{words.headline(review)} (`{words.exit_meaning(review)}`)")
    lines += ["", f"Revision {code(revision.commit[:10])} {code(revision.subject)}, executed again with an empty cache"]
    against = review.against
    beside = f", beside {code(against.name)} {code(against.commit[:10])} {code(against.subject)}" if against else ""
    lines[-1] += f"{beside}; {duration(review.seconds)}."
    return lines


def _stages(review: Review) -> list[str]:
    rows = [
        (
            code(stage.name, cell=True),
            f"{_LADDER_MARKS[stage.verdict.rank]} {stage.verdict.value}",
            words.stage_seconds(stage),
            prose(stage.reason, cell=True),
        )
        for stage in review.stages
    ]
    return _table(["stage", "verdict", "time", "reason"], rows, "-|-|-:|-")


def _metrics(review: Review) -> Iterable[list[str]]:
    if not review.metrics:
        return
    moved = words.moved_metrics(review)
    yield [f"**{len(moved)} of {len(review.metrics)} figures moved.**" if moved else "**No figure moved.**"]
    beside = [metric for metric in review.metrics if metric not in moved and _differs_from_against(metric)]
    shown = [*moved, *beside][:_ROWS]
    if shown:
        yield _figures(shown, review)
    rest = [metric for metric in review.metrics if metric not in shown][:_ROWS]
    if rest:
        left = len(review.metrics) - len(shown) - len(rest)
        more = [f"\nand {left} more, in `review.html`"] if left else []
        yield ["<details><summary>Other figures</summary>", "", *_figures(rest, review), *more, "", "</details>"]


def _differs_from_against(metric: Metric) -> bool:
    return metric.against is not None and metric.against != metric.recorded


def _figures(metrics: list[Metric], review: Review) -> list[str]:
    beside = ["against", "reproduced − against"] if review.against else []
    rows = []
    for metric in metrics:
        values = [words.number(metric.recorded), words.number(metric.reproduced)]
        values.append(words.change(metric.recorded, metric.reproduced))
        if beside:
            values += [words.number(metric.against), words.change(metric.against, metric.reproduced)]
        rows.append((f"{code(metric.name, cell=True)} {code(metric.file, cell=True)}", *values))
    head = ["figure", "recorded", "reproduced", "reproduced − recorded", *beside]
    return _table(head, rows, "-" + "|-:" * (len(head) - 1))


def _answers(review: Review) -> list[str]:
    lines = []
    for answers in review.answers:
        lines.append(f"- {code(answers.stage)}: {words.answers_in_words(answers)}")
        if answers.equivalence:
            lines.append(f"  {words.equivalence_in_words(answers.equivalence)}")
    return lines


def _findings(review: Review) -> list[str]:
    findings = words.by_severity(review.findings)
    if not findings:
        return ["**No findings.**"]
    lines = ["**Findings**", "", *(_finding(finding) for finding in findings[:_ROWS])]
    return lines + ([f"- and {len(findings) - _ROWS} more, in `review.html`"] if len(findings) > _ROWS else [])


def _finding(finding: Finding) -> str:
    what = prose(finding.what)
    parts = [f"- **{finding.severity}** {code(finding.code)} {what}{'' if what.endswith('.') else '.'}"]
    parts += [f"Stage {code(finding.stage)}."] if finding.stage else []
    parts += [f"Where: {code(finding.where)}."] if finding.where else []
    parts += [f"Next: {prose(finding.fix)}"] if finding.fix else []
    return " ".join(parts)


def _details(review: Review) -> Iterable[list[str]]:
    here = review.environment
    facts = {
        "Python": here.python,
        "platform": here.platform,
        "processor": here.processor,
        "torch uses": here.instructions,
    }
    rows = [(name, code(value, cell=True)) for name, value in facts.items()]
    rows += [(code(name, cell=True), code(value, cell=True)) for name, value in sorted(here.variables.items())]
    differences = words.by_weight(here.differences)
    count = f"{len(differences)} difference{'' if len(differences) == 1 else 's'}" if differences else "as recorded"
    lines = [f"<details><summary>Environment: {count}</summary>", "", *_table(["", "here"], rows[:_ROWS], "-|-"), ""]
    if differences:
        cells = [
            (
                *(code(text, cell=True) for text in (item.name, item.recorded, item.here)),
                "yes" if item.numerics else "no",
            )
            for item in differences[:_ROWS]
        ]
        lines += _table(["different", "recorded", "here", "may change numbers"], cells, "-|-|-|-")
        left = len(differences) - len(cells)
        lines += [f"\nand {left} more, in `review.html`", ""] if left else [""]
    yield [*lines, "</details>"]
    thresholds = [(f"`{name}`", words.number(value), words.THRESHOLDS[name]) for name, value in review.thresholds]
    table = _table(["threshold", "value", "bounds"], thresholds, "-|-:|-")
    yield ["<details><summary>Thresholds that the revision commits to</summary>", "", *table, "", "</details>"]


def _table(head: list[str], rows: Sequence[tuple[str, ...]], align: str) -> list[str]:
    rule = "|".join("--:" if mark.endswith(":") else "---" for mark in align.split("|"))
    return [f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]
