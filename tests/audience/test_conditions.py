"""What a definition may say, and how it is told what is wrong with it."""

import re
from pathlib import Path
from typing import Any

import pytest

from audience.conditions import limits, parse, to_json
from audience.errors import AudienceError, Code, Problem

DEFINITION: dict[str, Any] = {
    "groups": [
        {
            "anyOf": [
                {
                    "event": {
                        "metric": {"name": "Placed Order"},
                        "measure": "SUM",
                        "compare": {"between": {"from": 10.0, "to": 20.0}},
                        "of": "properties.discount",
                        "during": {"inTheLast": {"amount": 90, "unit": "DAY"}},
                        "where": [
                            {
                                "path": "properties.items",
                                "is": {"items": {"containsAny": ["hat", 3.0, True]}},
                                "whenMissing": True,
                            },
                            {"path": "value", "is": {"number": {"atLeast": 5.0}}},
                        ],
                    }
                },
                {
                    "property": {
                        "filter": {
                            "path": "location.city",
                            "is": {"text": {"in": ["Paris", "Lyon"]}},
                        }
                    }
                },
            ]
        },
        {
            "anyOf": [
                {
                    "consent": {
                        "channel": "EMAIL",
                        "canReceiveMarketing": True,
                        "status": ["SUBSCRIBED"],
                        "changed": {"on": "2026-05-01"},
                        "method": ["FORM"],
                        "suppression": ["HARD_BOUNCE"],
                    }
                },
                {
                    "list": {
                        "listId": "lst_1",
                        "isMember": False,
                        "joined": {"before": "2026-05-01T12:00:00Z"},
                    }
                },
                {"segment": {"segmentId": "seg_1", "isMember": True}},
                {"region": {"region": "EUROPEAN_UNION", "isWithin": True}},
                {"sample": {"percent": 10.0, "seed": "spring"}},
                {
                    "distance": {
                        "of": {"postalCode": {"country": "US", "code": "10001"}},
                        "within": 2.5,
                        "unit": "MILE",
                        "isWithin": True,
                    }
                },
                {
                    "distance": {
                        "of": {"coordinates": {"latitude": 52.5, "longitude": 13.4}},
                        "within": 10.0,
                        "unit": "KILOMETRE",
                        "isWithin": False,
                    }
                },
                {
                    "sequence": {
                        "steps": [
                            {"metric": {"id": "met_1"}, "happened": True},
                            {"metric": {"name": "Placed Order"}, "happened": False},
                        ],
                        "within": {"amount": 2, "unit": "WEEK"},
                        "during": {
                            "between": {
                                "from": "2026-01-01T00:00:00Z",
                                "to": "2026-02-01T00:00:00.500Z",
                            }
                        },
                        "isCompleted": True,
                    }
                },
                {
                    "not": {
                        "groups": [
                            {
                                "anyOf": [
                                    {
                                        "property": {
                                            "filter": {
                                                "path": "properties.birthday",
                                                "is": {
                                                    "date": {
                                                        "anniversary": {"today": True}
                                                    }
                                                },
                                            }
                                        }
                                    }
                                ]
                            }
                        ]
                    }
                },
            ]
        },
    ]
}

TIMEFRAMES: list[dict[str, Any]] = [
    {"inTheLast": {"amount": 1, "unit": "MINUTE"}},
    {"notInTheLast": {"amount": 1, "unit": "YEAR"}},
    {
        "inTheLastBetween": {
            "from": {"amount": 0, "unit": "DAY"},
            "to": {"amount": 2, "unit": "MONTH"},
        }
    },
    {"before": "2026-05-01T12:00:00Z"},
    {"after": "2026-05-01T12:00:00.123Z"},
    {"on": "2024-02-29"},
    {"between": {"from": "2026-05-01T12:00:00Z", "to": "2026-05-01T12:00:00Z"}},
]

NUMBERS: list[dict[str, Any]] = [
    *({name: 2.5} for name in ("equals", "notEquals", "greaterThan")),
    *({name: -2.0} for name in ("atLeast", "lessThan", "atMost")),
    {"between": {"from": 0.0, "to": 0.0}},
]

COMPARISONS: list[dict[str, Any]] = [
    {"exists": False},
    {"boolean": False},
    *({"number": number} for number in NUMBERS),
    *({"items": {"count": number}} for number in NUMBERS),
    *(
        {"text": {name: "a"}}
        for name in (
            *("equals", "notEquals", "contains", "notContains", "startsWith"),
            *("notStartsWith", "endsWith", "notEndsWith", "matches", "notMatches"),
        )
    ),
    *({"text": {name: ["a", ""]}} for name in ("in", "notIn")),
    *({"text": {name: ["DE"]}} for name in ("phoneCountryIn", "phoneCountryNotIn")),
    *({"items": {name: value}} for name in ("contains",) for value in ("", 0.0, False)),
    *({"items": {name: "a"}} for name in ("notContains", "containsText")),
    {"items": {"notContainsText": "a"}},
    *(
        {"items": {name: ["a", 1.0]}}
        for name in ("containsAny", "notContainsAny", "containsAll", "notContainsAll")
    ),
    *({"date": {"during": timeframe}} for timeframe in TIMEFRAMES),
    {"date": {"inTheNext": {"amount": 3, "unit": "HOUR"}}},
    {"date": {"anniversary": {"today": True}}},
    {"date": {"anniversary": {"inTheNext": {"amount": 3, "unit": "DAY"}}}},
    {"date": {"anniversary": {"inTheLast": {"amount": 3, "unit": "WEEK"}}}},
    {"date": {"anniversary": {"month": 12}}},
]


def only(condition: dict[str, Any]) -> dict[str, Any]:
    return {"groups": [{"anyOf": [condition]}]}


def with_filter(path: str, comparison: Any, **more: Any) -> dict[str, Any]:
    filter = {"path": path, "is": comparison, **more}
    return only({"property": {"filter": filter}})


def with_event(**changes: Any) -> dict[str, Any]:
    event = {"metric": {"name": "Order"}, "compare": {"atLeast": 1}} | changes
    return only({"event": event})


def problems(definition: Any) -> tuple[Problem, ...]:
    with pytest.raises(AudienceError) as refused:
        parse(definition, ("definition",))
    return refused.value.problems


def paths(definition: Any) -> list[str]:
    inside = "definition.groups.0.anyOf.0."
    return [
        ".".join(problem.path).removeprefix(inside) for problem in problems(definition)
    ]


def test_a_definition_is_written_as_it_was_read() -> None:
    assert to_json(parse(DEFINITION)) == DEFINITION


@pytest.mark.parametrize("comparison", COMPARISONS, ids=str)
def test_a_comparison_is_written_as_it_was_read(comparison: dict[str, Any]) -> None:
    definition = with_filter("properties.x", comparison)

    assert to_json(parse(definition)) == definition


def test_defaults_are_written_out() -> None:
    definition = only({"list": {"listId": "lst_1"}})

    assert to_json(parse(definition)) == only(
        {"list": {"listId": "lst_1", "isMember": True}}
    )


def test_an_absent_value_and_null_are_the_same() -> None:
    assert parse(with_event(during=None, of=None, where=None)) == parse(with_event())


def test_every_problem_is_reported_with_its_path() -> None:
    definition = {
        "groups": [
            {"anyOf": []},
            {
                "anyOf": [
                    {"event": {"metric": {}, "compare": {"atLeast": "3"}}},
                    {"list": {"listId": "x"}, "segment": {"segmentId": "y"}},
                ]
            },
        ]
    }

    assert [problem.path for problem in problems(definition)] == [
        ("definition", "groups", "0", "anyOf"),
        ("definition", "groups", "1", "anyOf", "0", "event", "metric"),
        ("definition", "groups", "1", "anyOf", "0", "event", "compare", "atLeast"),
        ("definition", "groups", "1", "anyOf", "1"),
    ]


@pytest.mark.parametrize("wrong", [None, [], "x", 3, {}, {"groups": None}])
def test_what_is_no_definition_is_refused(wrong: Any) -> None:
    assert len(problems(wrong)) == 1


@pytest.mark.parametrize(
    ("path", "comparison", "where"),
    [
        ("email", {"number": {"equals": 1}}, "is"),
        ("createdAt", {"text": {"equals": "x"}}, "is"),
        ("location.latitude", {"text": {"equals": "x"}}, "is"),
        ("properties.x", {"text": {"equals": 1}}, "is.text.equals"),
        ("properties.x", {"text": {"in": []}}, "is.text.in"),
        ("properties.x", {"text": {"in": ["a", None]}}, "is.text.in.1"),
        ("properties.x", {"text": {"contains": ""}}, "is.text.contains"),
        ("properties.x", {"text": {"contains": "a\0"}}, "is.text.contains"),
        ("properties.x", {"text": {"contains": "\ud800"}}, "is.text.contains"),
        ("properties.x", {"text": {"contains": "a" * 501}}, "is.text.contains"),
        ("properties.x", {"text": {"matches": "(a+)+"}}, "is.text.matches"),
        (
            "properties.x",
            {"text": {"phoneCountryIn": ["D"]}},
            "is.text.phoneCountryIn.0",
        ),
        ("properties.x", {"number": {"equals": True}}, "is.number.equals"),
        ("properties.x", {"number": {"equals": float("nan")}}, "is.number.equals"),
        ("properties.x", {"number": {"equals": 2**53}}, "is.number.equals"),
        ("properties.x", {"number": {"equals": -float(2**53)}}, "is.number.equals"),
        ("properties.x", {"items": {"contains": 2**53 + 1}}, "is.items.contains"),
        (
            "properties.x",
            {"number": {"between": {"from": 2, "to": 1}}},
            "is.number.between",
        ),
        ("properties.x", {"boolean": "true"}, "is.boolean"),
        ("properties.x", {"boolean": True, "exists": True}, "is"),
        ("properties.x", {"items": {"contains": {"$gt": 1}}}, "is.items.contains"),
        ("properties.x", {"items": {"containsAny": [["a"]]}}, "is.items.containsAny.0"),
        ("properties.x", {"date": {"during": {"on": "1-1-1"}}}, "is.date.during.on"),
        (
            "properties.x",
            {"date": {"during": {"before": "2026-01-01"}}},
            "is.date.during.before",
        ),
        (
            "properties.x",
            {"date": {"during": {"before": "0001-01-01T00:00:00+14:00"}}},
            "is.date.during.before",
        ),
        (
            "properties.x",
            {"date": {"anniversary": {"month": 13}}},
            "is.date.anniversary.month",
        ),
        (
            "properties.x",
            {"date": {"anniversary": {"inTheNext": {"amount": 5, "unit": "HOUR"}}}},
            "is.date.anniversary.inTheNext.unit",
        ),
        (
            "properties.x",
            {"date": {"inTheNext": {"amount": 101, "unit": "YEAR"}}},
            "is.date.inTheNext.amount",
        ),
        (
            "properties.x",
            {"date": {"inTheNext": {"amount": 1.5, "unit": "DAY"}}},
            "is.date.inTheNext.amount",
        ),
        *(
            (path, {"exists": True}, "path")
            for path in (
                *("", "_id", "consent", "summary.a.n", "properties", "properties."),
                *("properties..x", "properties.$where", "properties.a.$gt"),
                *("$where", "location.$x", "location.coordinates", "email.x"),
                *("properties.a\0", "properties." + "a" * 200, "lists.list_id"),
                "properties" + ".a" * 11,
            )
        ),
    ],
)
def test_a_wrong_filter_is_refused(path: str, comparison: Any, where: str) -> None:
    found = paths(with_filter(path, comparison))

    assert found == [f"property.filter.{where}"]


def test_when_missing_says_nothing_about_exists() -> None:
    definition = with_filter("email", {"exists": True}, whenMissing=False)

    assert paths(definition) == ["property.filter.whenMissing"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"metric": {"id": "a", "name": "b"}}, "metric"),
        ({"metric": "Order"}, "metric"),
        ({"compare": {}}, "compare"),
        ({"compare": {"$gt": 1}}, "compare.$gt"),
        ({"measure": "MEDIAN"}, "measure"),
        ({"of": "value"}, "of"),
        ({"measure": "SUM", "of": "email"}, "of"),
        ({"measure": "SUM", "of": "valueCurrency"}, "of"),
        ({"measure": "MAX", "of": "timestamp"}, "of"),
        ({"during": {}}, "during"),
        (
            {"during": {"inTheLast": {"amount": 0, "unit": "DAY"}}},
            "during.inTheLast.amount",
        ),
        ({"where": {}}, "where"),
        ({"where": [{"path": "email", "is": {"exists": True}}]}, "where.0.path"),
        ({"when": 1}, "when"),
    ],
)
def test_a_wrong_event_condition_is_refused(
    changes: dict[str, Any], where: str
) -> None:
    assert paths(with_event(**changes)) == [f"event.{where}"]


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        ("30 DAY", "2 MONTH"),
        ("360 DAY", "52 WEEK"),
        ("366 DAY", "53 WEEK"),
        ("362 DAY", "52 WEEK"),
        ("167 HOUR", "1 WEEK"),
        ("1 MONTH", "31 DAY"),
        ("30 DAY", "1 MONTH"),
        ("52 WEEK", "1 YEAR"),
        ("527039 MINUTE", "1 YEAR"),
    ],
)
def test_a_nearer_end_that_is_farther_is_refused(nearer: str, farther: str) -> None:
    def between(start: str, end: str) -> Any:
        ends = {}
        for name, text in (("from", start), ("to", end)):
            amount, unit = text.split(" ")
            ends[name] = {"amount": int(amount), "unit": unit}
        return with_event(during={"inTheLastBetween": ends})

    parse(between(nearer, farther))
    parse(between(nearer, nearer))
    assert paths(between(farther, nearer)) == ["event.during.inTheLastBetween"]


@pytest.mark.parametrize(
    ("condition", "where"),
    [
        ({"consent": {"channel": "EMAIL"}}, "consent"),
        ({"consent": {"channel": "FAX", "status": ["PENDING"]}}, "consent.channel"),
        ({"consent": {"channel": "SMS", "status": ["GONE"]}}, "consent.status.0"),
        ({"consent": {"channel": "SMS", "status": []}}, "consent.status"),
        ({"list": {}}, "list.listId"),
        ({"list": {"listId": "x", "isMember": "no"}}, "list.isMember"),
        ({"sample": {"percent": 101}}, "sample.percent"),
        ({"region": {"region": "MARS"}}, "region.region"),
        ({"sequence": {"steps": [{"metric": {"name": "a"}}]}}, "sequence.steps"),
        (
            {
                "sequence": {
                    "steps": [
                        {"metric": {"name": "a"}, "happened": False},
                        {"metric": {"name": "b"}},
                    ]
                }
            },
            "sequence.steps.0.happened",
        ),
        ({"weather": {}}, "weather"),
    ],
)
def test_a_wrong_condition_is_refused(condition: dict[str, Any], where: str) -> None:
    assert paths(only(condition)) == [where]


def test_the_number_of_conditions_is_limited_nested_ones_included() -> None:
    one = {"property": {"filter": {"path": "email", "is": {"exists": True}}}}
    group = {"anyOf": [one] * 49}

    parse({"groups": [group, {"anyOf": [{"not": {"groups": [group]}}]}]})
    (problem,) = problems(
        {"groups": [group, group, {"anyOf": [{"all": only(one)}, one]}]}
    )

    assert problem == Problem(
        Code.TOO_LARGE,
        f"There are 101 conditions; at most {limits.CONDITIONS} are allowed.",
        ("definition",),
    )


@pytest.mark.parametrize("stated_in", ["schema.graphql", "docs/segments.md"])
def test_every_limit_is_stated(stated_in: str) -> None:
    text = (Path(__file__).parents[2] / stated_in).read_text()
    stated = set(re.findall(r"\d+(?:,\d{3})*", text))

    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    years = {"EARLIEST_YEAR", "LATEST_YEAR"}
    assert len(values) > 15
    assert {
        name
        for name, value in values.items()
        if (str(value) if name in years else f"{value:,}") not in stated
    } == set()


def test_the_largest_numbers_come_back_as_they_were() -> None:
    for number in (limits.NUMBER, limits.NUMBER - 1, -limits.NUMBER):
        definition = with_filter("properties.x", {"number": {"equals": number}})

        assert to_json(parse(definition)) == definition


def test_the_depth_is_limited() -> None:
    definition = with_filter("email", {"exists": True})
    for _ in range(limits.DEPTH - 1):
        definition = only({"all": definition})

    parse(definition)
    (problem,) = problems(only({"not": definition}))

    assert problem.code is Code.TOO_LARGE
