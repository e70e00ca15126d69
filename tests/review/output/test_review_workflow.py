"""docs/github-review.yml: least rights, nothing of a stranger in a script, commands that exist."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from stagewise.cli import _parser
from stagewise.review.output import JSON, PAGE
from stagewise.review.output.markdown import MARKER
from stagewise.review.verdict import Verdict

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "github-review.yml").read_text()
FLOW = yaml.load(TEXT, yaml.BaseLoader)  # as GitHub reads it: `on` is a word, not true
STEPS = [(job, step) for job, content in FLOW["jobs"].items() for step in content["steps"]]
SCRIPTS = {job: "\n".join(step["run"] for name, step in STEPS if name == job and "run" in step) for job in FLOW["jobs"]}


def test_code_of_a_pull_request_never_meets_a_token_that_may_write():
    assert list(FLOW["on"]) == ["pull_request"] or FLOW["on"] == {"pull_request": ""}
    assert FLOW["permissions"] == {}
    assert FLOW["jobs"]["review"]["permissions"] == {"contents": "read"}
    assert FLOW["jobs"]["comment"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "secrets." not in TEXT
    uses = [step["uses"] for job, step in STEPS if job == "comment" and "uses" in step]
    assert [use.split("@")[0] for use in uses] == ["actions/download-artifact"]
    assert not re.search(r"make|stagewise review|python|dvc", SCRIPTS["comment"].replace(MARKER, ""))
    assert "github.token" not in str([step for job, step in STEPS if job == "review"])


def test_the_commit_itself_is_checked_out_with_its_history_and_without_the_token():
    step = next(step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout"))
    assert step["with"] == {
        "ref": "${{ github.event.pull_request.head.sha }}",
        "fetch-depth": "0",
        "persist-credentials": "false",
    }


def test_actions_are_pinned_and_scripts_hold_no_expression():
    for _, step in STEPS:
        assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        assert "${{" not in step.get("run", "")


def test_its_commands_exist():
    line = next(line for line in SCRIPTS["review"].splitlines() if "stagewise review" in line)
    words = shlex.split(line.replace('"$BASE"', "origin/main"))
    options = _parser().parse_args(words[1 : words.index(">")])
    assert (options.command, options.against, options.markdown, options.out) == (
        "review",
        "origin/main",
        True,
        Path("review"),
    )
    kept = next(step for _, step in STEPS if "upload-artifact" in step.get("uses", ""))["with"]["path"].split()
    assert kept == [f"review/{PAGE}", f"review/{JSON}", "comment.md"]
    target = re.search(r"make (\S+)", SCRIPTS["review"]).group(1)
    makefile = (ROOT / "Makefile").read_text()
    assert "$(READY):" in makefile
    assert target == re.search(r"^VENV\s*:= (\S+)", makefile, re.MULTILINE).group(1) + "/ready"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_it_passes_where_the_result_is_reproduced(verdict):
    passing = re.search(r'case "\$CODE" in (\S+)\) exit 0', SCRIPTS["review"]).group(1).split("|")
    assert (str(verdict.exit_code) in passing) == verdict.reproduced


def test_one_comment_is_posted_or_replaced():
    assert f'startswith("{MARKER}")' in SCRIPTS["comment"]
    assert SCRIPTS["comment"].count("--method PATCH") == SCRIPTS["comment"].count("--method POST") == 1
