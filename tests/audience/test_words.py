"""Conditions in words."""

from typing import Any

import pytest

from audience.conditions import parse
from audience.words import words_of
from tests.audience.test_conditions import COMPARISONS, DEFINITION

DAYS = {"inTheLast": {"amount": 90, "unit": "DAY"}}


def said(condition: dict[str, Any], **names: str) -> str:
    (group,) = parse({"groups": [{"anyOf": [condition]}]}).groups
    return words_of(group.any_of[0], names)


def ordered(**more: Any) -> dict[str, Any]:
    return {"event": {"metric": {"name": "Placed Order"}, **more}}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            ordered(compare={"atLeast": 3}, during=DAYS),
            "Placed Order at least 3 times in the last 90 days",
        ),
        (ordered(compare={"equals": 0}), "Placed Order exactly 0 times"),
        (ordered(compare={"atLeast": 1}), "Placed Order at least 1 time"),
        (
            ordered(compare={"between": {"from": 1, "to": 2.5}}, measure="SUM"),
            "Placed Order: the sum of value is between 1 and 2.5",
        ),
        (
            ordered(
                compare={"greaterThan": 1},
                where=[{"path": "value", "is": {"number": {"atLeast": 50}}}],
            ),
            "Placed Order more than 1 time where value is at least 50",
        ),
        (
            {
                "property": {
                    "filter": {
                        "path": "properties.plan",
                        "is": {"text": {"notIn": ["a", "b"]}},
                        "whenMissing": False,
                    }
                }
            },
            "properties.plan is none of “a”, “b”, and not missing",
        ),
        (
            {"consent": {"channel": "EMAIL", "canReceiveMarketing": False}},
            "EMAIL: cannot receive marketing",
        ),
        ({"list": {"listId": "lst_1", "isMember": False}}, "Not in the list “Club”"),
        ({"segment": {"segmentId": "seg_1"}}, "In the segment “seg_1”"),
        ({"region": {"region": "EUROPEAN_UNION"}}, "In the European Union"),
        ({"sample": {"percent": 10}}, "Among 10 % of all profiles"),
        (
            {
                "distance": {
                    "of": {"postalCode": {"country": "US", "code": "10001"}},
                    "within": 25,
                    "unit": "MILE",
                }
            },
            "Within 25 miles of 10001, US",
        ),
        (
            {
                "distance": {
                    "of": {"coordinates": {"latitude": 52.5, "longitude": 13.4}},
                    "within": 1,
                    "isWithin": False,
                }
            },
            "Not within 1 kilometre of 52.5, 13.4",
        ),
        (
            {
                "sequence": {
                    "steps": [
                        {"metric": {"name": "A"}},
                        {"metric": {"name": "B"}, "happened": False},
                    ],
                    "within": {"amount": 1, "unit": "WEEK"},
                }
            },
            "Did A, then not B within 1 week",
        ),
        (
            {"not": {"groups": [{"anyOf": [{"region": {"region": "UNITED_STATES"}}]}]}},
            "Not (In the United States)",
        ),
    ],
    ids=str,
)
def test_a_condition_in_words(condition: dict[str, Any], words: str) -> None:
    assert said(condition, lst_1="Club") == words


def test_everything_has_words_of_its_own() -> None:
    every = [
        said({"property": {"filter": {"path": "properties.x", "is": it}}})
        for it in COMPARISONS
    ]

    assert len(set(every)) == len(every)
    for group in parse(DEFINITION).groups:
        assert all(words_of(condition) for condition in group.any_of)
