"""Forecasts in words and as JSON."""

import json

import numpy as np
import pytest

from stagewise.runtime.forecast import OUTPUTS, Answers

TARGET = {"variables": ["load", "temp"], "units": ["kW", ""], "step": "1h"}
VALUES = np.array([[[1.25, -3], [2.5, 1e6], [1 / 3, 0]]], np.float32)


def test_a_table_has_a_line_per_step():
    (answer,) = Answers(TARGET).decode([VALUES])
    assert answer.line(1) == "3 steps of 1h\nstep\tload (kW)\ttemp\n+1h\t1.25\t-3\n+2h\t2.5\t1e+06\n+3h\t0.333333\t0"


@pytest.mark.parametrize(
    ("step", "ahead"),
    [("15min", ["+15min", "+30min", "+45min"]), ("1mo", ["+1mo", "+2mo", "+3mo"]), ("row", ["+1", "+2", "+3"])],
)
def test_steps_are_told_by_their_distance(step, ahead):
    (answer,) = Answers({**TARGET, "step": step}).decode([VALUES])
    assert answer.steps() == ahead


def test_json_holds_every_value():
    (answer,) = Answers(TARGET).decode([VALUES])
    found = json.loads(json.dumps(answer.to_dict(3)))
    assert found["steps"] == ["+1h", "+2h", "+3h"] and found["units"] == {"load": "kW", "temp": ""}
    assert found["forecast"] == {name: VALUES[0, :, place].tolist() for place, name in enumerate(["load", "temp"])}
    assert answer.numbers() == VALUES.reshape(-1).tolist()


def test_one_answer_per_window_and_none_that_is_no_number():
    assert len(Answers(TARGET).decode([np.repeat(VALUES, 4, 0)])) == 4
    broken = np.repeat(VALUES, 2, 0)
    broken[1, 0, 0] = np.inf
    with pytest.raises(ValueError, match="the forecast for input 1"):
        Answers(TARGET).decode([broken])
    assert "forecast" in OUTPUTS
