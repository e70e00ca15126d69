import json

import numpy as np
import pytest

from stagewise.runtime.numbers import Answers, format_number

TARGET = {"name": "price", "kind": "number", "outputs": 1, "unit": "USD", "mean": 2.0, "std": 1.0}


def test_one_answer_per_row_with_its_unit():
    answers = Answers(TARGET).decode([np.array([206855.8125, -0.5], np.float32)])
    assert [answer.line(3) for answer in answers] == ["206856\tUSD", "-0.5\tUSD"]
    assert [answer.numbers() for answer in answers] == [[206855.8125], [-0.5]]
    assert json.loads(json.dumps(answers[0].to_dict())) == {"value": 206855.8125, "unit": "USD"}


def test_without_unit_the_line_is_the_number_alone():
    (answer,) = Answers(TARGET | {"unit": ""}).decode([np.array([1.5], np.float32)])
    assert answer.line() == "1.5"


def test_an_answer_that_is_no_number_is_told():
    with pytest.raises(ValueError, match="row 1 is nan, not a finite number"):
        Answers(TARGET).decode([np.array([1.0, np.nan], np.float32)])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234567.0, "1234570"), (1.23456789e9, "1234570000"), (0.000012345, "0.000012345"), (1e20, "1e+20")],
)
def test_numbers_are_written_without_an_exponent_where_it_helps(value, text):
    assert format_number(value) == text
