import logging

import numpy as np
import pytest

from stagewise.data.checks import KEYS, MESSAGES, Finding, content_groups, first_equal, judge, latest_equal
from stagewise.errors import DataError


@pytest.mark.parametrize(
    "rows", [[[5, 1], [5, 2], [5, 1], [4, 1], [5, 2]], [[5, 1], [4, 1], [5, 1]], [[1, 5], [1, 4], [1, 5]]]
)
def test_equal_digests_are_one_group(rows):
    digests = np.array(rows, np.uint64)
    groups = content_groups(digests)
    np.testing.assert_array_equal(groups[:, None] == groups, (digests[:, None] == digests).all(axis=2))
    assert len(content_groups(np.empty((0, 2), np.uint64))) == 0


def test_first_equal_finds_the_first_row_with_the_same_keys():
    assert first_equal(np.array([3, 1, 3, 1, 3])).tolist() == [0, 1, 0, 1, 0]
    assert first_equal(np.array([3, 1, 3, 1, 3]), np.array([0, 0, 1, 0, 1])).tolist() == [0, 1, 2, 1, 2]


def test_latest_equal_finds_the_first_holder_in_the_latest_split():
    groups = np.array([0, 0, 0, 1, 1, 2, 0])
    splits = np.array([0, 2, 1, 1, 0, 0, 2], np.int8)
    assert latest_equal(groups, splits).tolist() == [1, 1, 1, 3, 3, 5, 1]


def test_all_failures_are_told_at_once_with_their_remedies():
    findings = [
        Finding("readable", "fail", 1200, 0, ("a.png: damaged",), "data.checks.unreadable=drop"),
        Finding("dtype", "fail", 1, 0, ("b: float32",), "data.checks.unreadable=drop"),
        Finding("constant", "fail", 0, 0, (), "data.checks.constant=drop"),
        Finding("leakage", "fail", 2, 0, (), "data.checks.leakage=drop"),
        Finding("duplicates", "warn", 2, 0, (), "data.checks.duplicates=drop"),
    ]
    with pytest.raises(DataError, match="'pets' failed 3 checks") as caught:
        judge(findings, "pets")
    assert caught.value.details == [
        "readable: 1,200 found (input that cannot be read), e.g. a.png: damaged",
        "dtype: 1 found (input with a dtype that no image has), e.g. b: float32",
        "leakage: 2 found (input of an earlier split that occurs in a later split too)",
    ]
    assert caught.value.fix.endswith("set data.checks.unreadable=drop data.checks.leakage=drop")


def test_without_a_remedy_none_is_named():
    with pytest.raises(DataError, match="failed 1 check\n") as caught:
        judge([Finding("class_counts", "fail", 1)], "pets")
    assert caught.value.fix == "correct the files that data.source names"


def test_what_does_not_fail_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        judge([Finding("constant", "warn", 2), Finding("leakage", "drop", 3, 3), Finding("missing", "fail", 0)], "pets")
    assert caplog.messages == [
        "constant: 2 found (input with only one value) (kept)",
        "leakage: 3 found (input of an earlier split that occurs in a later split too) (3 dropped)",
    ]


def test_every_configurable_check_has_a_message():
    assert set(KEYS) < set(MESSAGES)
