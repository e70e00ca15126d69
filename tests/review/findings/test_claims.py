"""Figures in pages, bound to metrics by comments."""

import json
import subprocess
from pathlib import Path

import pytest

from stagewise.review.findings.claims import wrong_claims
from stagewise.review.pipeline import Out, Pipeline, PipelineStage

METRICS = {"accuracy": 0.98765, "rows": 1234, "loss": 0.0321, "nested": {"value": -2.5}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def check(project: Path, text: str) -> list[str]:
    (project / "README.md").write_text(text)
    subprocess.run(["git", "add", "README.md"], cwd=project, check=True)
    stage = PipelineStage("evaluate", "", [], [], [Out("metrics.json", None, cached=False, metric=True)])
    return [f"{finding.where}: {finding.what}" for finding in wrong_claims(project, Pipeline([stage], []))]


@pytest.mark.parametrize(
    "text",
    [
        "98.8 %<!-- metric: accuracy -->",
        "**98.77%**<!-- metric: accuracy -->",
        "99 % <!-- metric: accuracy -->",
        "0.988 <!-- metric: accuracy -->",
        "98.8\u202f%<!-- metric: metrics.json#accuracy -->",
        "of 1,234<!-- metric: rows --> rows, loss 0.03 <!-- metric: loss -->",
        "-2.5<!-- metric: nested.value -->",
        "plain 12 % of nothing",
        "like `5 %<!-- metric: accuracy -->`",
        "so:\n\n```markdown\n5 %<!-- metric: accuracy -->\n```\n",
    ],
)
def test_right_claims(project: Path, text: str) -> None:
    assert check(project, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("98.9 %<!-- metric: accuracy -->", "README.md:1: the page says 98.9 % for accuracy, 98.77 is recorded"),
        ("\n0.99<!-- metric: accuracy -->", "README.md:2: the page says 0.99 for accuracy, 0.988 is recorded"),
        ("1,235 <!-- metric: rows -->", "README.md:1: the page says 1,235 for rows, 1234.0 is recorded"),
        ("1<!-- metric: recall -->", "README.md:1: the page says 1 for the metric 'recall', which nothing records"),
        (
            "1<!-- metric: other.json#rows -->",
            "README.md:1: the page says 1 for the metric 'rows', which nothing records",
        ),
    ],
)
def test_wrong_claims(project: Path, text: str, said: str) -> None:
    if "0.99<" in text:  # rounds to what is recorded
        text = text.replace("0.99", "0.97")
        said = said.replace("0.99 ", "0.97 ")
    assert check(project, text) == [said]
