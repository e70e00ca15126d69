"""The words that the table, the page and the comment share."""

import math

from stagewise.report.plain_text import duration
from stagewise.review.record import Answers, Difference, Equivalence, Finding, Metric, Review, Stage
from stagewise.review.verdict import FINDINGS_EXIT_CODE, Verdict

LADDER = {
    Verdict.IDENTICAL: "equal content: every tensor, table cell, pixel and parsed value",
    Verdict.NUMERICAL: "answers and figures within the thresholds that the revision commits to",
    Verdict.STATISTICAL: "a paired test shows that the quality differs by less than the committed margin",
    Verdict.INCONCLUSIVE: "the rows do not suffice to tell; more rows would",
    Verdict.DIFFERS: "another result than the recorded one",
    Verdict.FAILED: "a stage, or one before it, did not run to its end",
}
"""What each verdict means, in one line."""

THRESHOLDS = {
    "churn": "numerically equivalent: largest share of rows that get another class",
    "difference": "numerically equivalent: largest move of a probability, or of a number in standard deviations",
    "metrics": "numerically equivalent: largest move of a figure, as a share of its value",
    "tables": "numerically equivalent: largest move of a table's number, as a share of its column's largest",
    "margin": "statistically equivalent: the quality differs by less than this",
    "alpha": "error rate of each of the two one-sided tests",
}
"""What each committed threshold bounds, by its key in the ``review`` section."""

SEVERITIES = ("error", "warning", "note")
"""Of findings, worst first."""

_ONE = {"error": "1 error", "warning": "1 warning", "note": "1 note"}


def headline(review: Review) -> str:
    """The overall verdict in a sentence."""
    count = sum(stage.verdict.reproduced for stage in review.stages)
    if not review.stages:
        return "no stage was executed"
    stages = f"{count} of {len(review.stages)} stage{'' if len(review.stages) == 1 else 's'} reproduced"
    found = [tally(review.findings, severity) for severity in SEVERITIES]
    return ", ".join([stages, *(words for words in found if words)])


def tally(findings: list[Finding], severity: str) -> str:
    """How many findings are of a severity: "2 errors"; empty where none is."""
    count = sum(finding.severity == severity for finding in findings)
    return "" if count == 0 else _ONE[severity] if count == 1 else f"{count} {severity}s"


def exit_meaning(review: Review) -> str:
    """What the exit code says."""
    if review.exit_code == FINDINGS_EXIT_CODE:
        return f"exit {FINDINGS_EXIT_CODE}: the result is reproduced, yet the revision itself has an error"
    return f"exit {review.exit_code}: {LADDER[review.verdict]}"


def moved_metrics(review: Review) -> list[Metric]:
    """The figures whose reproduced value is not the recorded one."""
    return [metric for metric in review.metrics if metric.recorded != metric.reproduced]


def by_severity(findings: list[Finding]) -> list[Finding]:
    """Findings, the worst first."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def by_weight(differences: list[Difference]) -> list[Difference]:
    """Differences of the environment: those that may change numbers first."""
    return sorted(differences, key=lambda difference: not difference.numerics)


def number(value: float | None) -> str:
    """A figure with six significant digits; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.6g}"


def change(before: float | None, after: float | None) -> str:
    """``after`` minus ``before`` with a sign, and a share of ``before`` where that tells more; empty where equal."""
    if before == after:
        return ""
    if before is None or after is None:
        return "only in one"
    move = after - before
    share = f" ({_signed(100 * move / abs(before))} %)" if before and math.isfinite(before) else ""
    return f"{_signed(move)}{share}"


def answers_in_words(answers: Answers) -> str:
    """How many answers moved, and how far."""
    if not answers.rows:
        return "no rows were answered"
    classes = f"{100 * answers.churn:.3g} % of {answers.rows:,} rows get another class; " if answers.churn else ""
    where = "" if classes else f" over {answers.rows:,} rows"
    if not answers.largest_difference and not classes:
        return f"all {answers.rows:,} rows get the same answers"
    return f"{classes}the largest difference is {answers.largest_difference:.3g}{where}"


def gap(test: Equivalence, *values: float) -> str:
    """Differences of that test as they are read, joined by "to": points of accuracy, or percent."""
    texts = [f"{100 * value:+.2f}" for value in values]
    unit = "points" if test.method == "tango" else "%"
    return f"{' to '.join('0.00' if text[1:] == '0.00' else text for text in texts)} {unit}"


def margin(test: Equivalence) -> str:
    """The margin to both sides."""
    return f"±{gap(test, test.margin).removeprefix('+')}"


def equivalence_in_words(test: Equivalence) -> str:
    """What the interval says against the margin, and how many rows would decide it."""
    what = "accuracy" if test.method == "tango" else "mean error"
    if test.outer_low > test.margin or test.outer_high < -test.margin:
        sure, interval = 1 - test.alpha, gap(test, test.outer_low, test.outer_high)
        word, place = "Different", "lies outside"
    else:
        sure, interval = 1 - 2 * test.alpha, gap(test, test.low, test.high)
        inside = -test.margin < test.low and test.high < test.margin
        word, place = ("Equivalent", "lies inside") if inside else ("Undecided", "reaches across")
    text = f"{word}: the {100 * sure:g} % interval of the {what}'s difference, {interval}, {place} the margin "
    text += f"{margin(test)}."
    if word != "Undecided" or not test.rows_to_decide:
        return text
    return f"{text} There were {test.rows:,} rows; {test.rows_to_decide:,} would decide it with a power of 80 %."


def stage_seconds(stage: Stage) -> str:
    """How long a stage ran; a dash where it did not run."""
    return duration(stage.seconds) if stage.seconds else "–"


def _signed(value: float) -> str:
    return f"{value:+,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:+.3g}"
