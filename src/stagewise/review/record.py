"""What a review found, as review.json holds it: the one source of the table, the page, the comment, the statement."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from stagewise.config.schema.review import ReviewSection
from stagewise.review.verdict import FINDINGS_EXIT_CODE, Verdict

FORMAT: Literal[1] = 1
"""Version of review.json; another one when a reader of the former would misread it."""

Severity = Literal["error", "warning", "note"]


class Record(BaseModel):
    """Base: unknown keys are refused, values are not changed after the review."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Revision(Record):
    """A commit, as git tells of it."""

    name: str
    """As the reviewer named it: a branch, a tag, HEAD."""
    commit: str
    """40 hexadecimal digits."""
    subject: str
    """First line of the commit's message."""
    date: str
    """Of the commit, ISO 8601."""


class Difference(Record):
    """One thing in which this environment is not the one that the revision records."""

    name: str
    recorded: str
    here: str
    numerics: bool
    """Whether it may change numbers; else it is told for information."""


class Environment(Record):
    """Where the stages were executed."""

    python: str
    platform: str
    processor: str
    instructions: str
    """The instruction set that torch uses, such as AVX512."""
    variables: dict[str, str]
    """Environment variables that may change numbers, where set."""
    observation: Literal["strace", "python"] = "python"
    """How it was seen what stages open and connect to; Python's hooks do not see native libraries."""
    differences: list[Difference]


class Output(Record):
    """One file of a stage."""

    path: str
    verdict: Verdict | None
    """None where the file is not judged by itself: weights, whose answers are, and what is drawn from judged files."""
    recorded: str | None
    """Digest of the canonical content; the MD5 in dvc.lock where the recorded content is not to be had, None where that
    has none."""
    reproduced: str | None
    detail: str
    """What differs, in words; empty where nothing does."""


class Moved(Record):
    """A row that is answered in another way."""

    id: str
    target: str
    recorded: str
    reproduced: str
    confidence_recorded: float | None
    confidence_reproduced: float | None


class Equivalence(Record):
    """A paired test of equivalence, two one-sided tests."""

    method: Literal["tango", "paired means"]
    rows: int
    difference: float
    """Reproduced minus recorded: of the accuracy, or of the mean error as a share of the recorded one."""
    low: float
    high: float
    """Ends of the interval of the difference that has the coverage 1 - 2 alpha: inside the margin means equivalent."""
    outer_low: float
    outer_high: float
    """Ends of the interval with the coverage 1 - alpha: outside the margin means different."""
    margin: float
    alpha: float
    discordance: float | None
    """Share of rows that one run has right and the other wrong; None for numbers."""
    rows_to_decide: int | None
    """Rows that would decide it with a power of 80 %; None where it is decided."""


class Answers(Record):
    """The answers of two models, or of two runs of one, to the same rows."""

    stage: str
    """The stage whose result is judged by them."""
    rows: int
    churn: float
    """Share of rows whose predicted class moved; 0 for numbers."""
    largest_difference: float
    """Of any probability; of any number in standard deviations of the recorded ones."""
    moved: list[Moved]
    """The most confident ones first, at most 100."""
    equivalence: Equivalence | None
    """None where thresholds sufficed, or where there is nothing to pair."""


class Stage(Record):
    """One stage, executed again."""

    name: str
    verdict: Verdict
    reason: str
    """One sentence."""
    inputs_equal: bool
    """Whether the stage got what it got when it was recorded. If not, it was also run on the recorded inputs."""
    repeats: bool | None
    """Whether a second run from equal inputs gave equal outputs; None where none was needed."""
    seconds: float
    outputs: list[Output]
    hosts: list[str]
    """Addresses that the stage connected to, the machine itself left out."""
    log: str
    """The end of what a failed stage printed; else empty."""


class Metric(Record):
    """One figure of one file."""

    file: str
    name: str
    recorded: float | None
    reproduced: float | None
    against: float | None
    """In the other revision, as recorded there; None without one."""


class Curve(Record):
    """One column of the training history, epoch by epoch."""

    name: str
    recorded: list[float | None]
    reproduced: list[float | None]
    against: list[float | None]


class Finding(Record):
    """Something wrong, or doubtful, with the revision itself."""

    code: str
    """Stable, in kebab-case; docs/review.md lists all."""
    severity: Severity
    stage: str | None
    what: str
    where: str | None
    """File, ``file:line``, config key or address."""
    fix: str | None


class Node(Record):
    """A node of the provenance graph."""

    id: str
    kind: Literal["source", "file", "stage", "output"]
    label: str
    digest: str | None
    verdict: Verdict | None


class Edge(Record):
    """``target`` was made from ``source``."""

    source: str
    target: str


class Review(Record):
    """A whole review."""

    format: Literal[1] = FORMAT
    tool: str
    """stagewise and its version."""
    project: str
    revision: Revision
    against: Revision | None
    started: str
    """ISO 8601, UTC."""
    seconds: float
    verdict: Verdict
    thresholds: ReviewSection
    """Of the reviewed revision."""
    environment: Environment
    stages: list[Stage]
    answers: list[Answers]
    metrics: list[Metric]
    curves: list[Curve]
    findings: list[Finding]
    nodes: list[Node]
    edges: list[Edge]

    @property
    def exit_code(self) -> int:
        """That of the verdict, or FINDINGS_EXIT_CODE where a reproduced result has an error among its findings."""
        errors = any(finding.severity == "error" for finding in self.findings)
        return FINDINGS_EXIT_CODE if self.verdict.reproduced and errors else self.verdict.exit_code
