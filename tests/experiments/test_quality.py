"""Every experiment reaches what bench/quality.py says it should, from a cold cache; all but one of them take minutes."""

import pytest
from quality import GOALS, measure

LONG = [pytest.param(name, marks=() if name == "digits" else pytest.mark.long) for name in GOALS]


@pytest.mark.parametrize("name", LONG)
def test_reaches_its_goal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert measure(name)
