"""Every experiment reaches what bench/quality.py says it should, from a cold cache; they take minutes."""

import pytest
from quality import GOALS, measure


@pytest.mark.long
@pytest.mark.parametrize("name", GOALS)
def test_reaches_its_goal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert measure(name)
