"""Klaviyo's segment definitions, read as definitions of ours."""

from typing import Any

import pytest

from audience.conditions import parse
from audience.errors import AudienceError
from audience.klaviyo import Names, imported

NAMES = Names(
    {"M1": "Placed Order", "M2": "Opened Email"}, {"L1": "lst_1", "S1": "seg_1"}
)
ALWAYS = {"type": "date", "operator": "alltime"}
LAST = {"type": "date", "operator": "in-the-last", "quantity": 30, "unit": "day"}
DAYS = {"inTheLast": {"amount": 30, "unit": "DAY"}}


def document(*conditions: Any) -> dict[str, Any]:
    return {"condition_groups": [{"conditions": list(conditions)}]}


def metric(**more: Any) -> dict[str, Any]:
    return {
        "type": "profile-metric",
        "metric_id": "M1",
        "measurement": "count",
        "measurement_filter": {
            "type": "numeric",
            "operator": "greater-than-or-equal",
            "value": 1,
        },
        "timeframe_filter": ALWAYS,
        "metric_filters": None,
        **more,
    }


def on(path: str, **filter: Any) -> dict[str, Any]:
    return {"type": "profile-property", "property": path, "filter": filter}


def filtered(path: str, comparison: Any, **more: Any) -> dict[str, Any]:
    return {"property": {"filter": {"path": path, "is": comparison, **more}}}


ONCE = {
    "metric": {"name": "Placed Order"},
    "measure": "COUNT",
    "compare": {"atLeast": 1},
}


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (metric(), [{"event": ONCE}]),
        (
            metric(
                measurement="sum",
                timeframe_filter=LAST,
                metric_filters=[
                    {
                        "property": "Categories",
                        "filter": {
                            "type": "list",
                            "operator": "contains-any",
                            "value": ["a"],
                        },
                    },
                    {
                        "property": "$value",
                        "filter": {
                            "type": "numeric",
                            "operator": "less-than",
                            "value": 5,
                        },
                    },
                ],
            ),
            [
                {
                    "event": {
                        **ONCE,
                        "measure": "SUM",
                        "during": DAYS,
                        "where": [
                            {
                                "path": "properties.Categories",
                                "is": {"items": {"containsAny": ["a"]}},
                            },
                            {"path": "value", "is": {"number": {"lessThan": 5}}},
                        ],
                    }
                }
            ],
        ),
        (
            {
                "type": "profile-metric-funnel",
                "timeframe_filter": LAST,
                "steps": [
                    {"metric_id": "M2", "metric_exists": True},
                    {"metric_id": "M1", "metric_exists": False},
                ],
            },
            [
                {
                    "sequence": {
                        "steps": [
                            {"metric": {"name": "Opened Email"}, "happened": True},
                            {"metric": {"name": "Placed Order"}, "happened": False},
                        ],
                        "during": DAYS,
                    }
                }
            ],
        ),
        (
            on("location['city']", type="string", operator="not-equals", value="Oslo"),
            [
                filtered(
                    "location.city", {"text": {"notEquals": "Oslo"}}, whenMissing=False
                )
            ],
        ),
        (
            on("properties['a']['b']", type="list", operator="length-equals", value=2),
            [filtered("properties.a.b", {"items": {"count": {"equals": 2}}})],
        ),
        (
            on("first_name", type="existence", operator="not-set"),
            [filtered("firstName", {"exists": False})],
        ),
        (
            on(
                "phone_number",
                operator="phone-country-code-in",
                type="string",
                value=["US"],
            ),
            [filtered("phoneNumber", {"text": {"phoneCountryIn": ["US"]}})],
        ),
        (
            on("properties['born']", type="date", operator="calendar-month", month=5),
            [filtered("properties.born", {"date": {"anniversary": {"month": 5}}})],
        ),
        (
            on("created", type="date", operator="between", start=30, end=7, unit="day"),
            [
                filtered(
                    "createdAt",
                    {
                        "date": {
                            "during": {
                                "inTheLastBetween": {
                                    "from": {"amount": 7, "unit": "DAY"},
                                    "to": {"amount": 30, "unit": "DAY"},
                                }
                            }
                        }
                    },
                )
            ],
        ),
        (
            {
                "type": "profile-group-membership",
                "is_member": True,
                "group_ids": ["L1", "S1"],
                "timeframe_filter": None,
            },
            [
                {"list": {"listId": "lst_1", "isMember": True}},
                {"segment": {"segmentId": "seg_1", "isMember": True}},
            ],
        ),
        (
            {
                "type": "profile-group-membership",
                "is_member": False,
                "group_ids": ["L1", "S1"],
            },
            [
                {
                    "all": {
                        "groups": [
                            {
                                "anyOf": [
                                    {"list": {"listId": "lst_1", "isMember": False}}
                                ]
                            },
                            {
                                "anyOf": [
                                    {
                                        "segment": {
                                            "segmentId": "seg_1",
                                            "isMember": False,
                                        }
                                    }
                                ]
                            },
                        ]
                    }
                }
            ],
        ),
        (
            {
                "type": "profile-marketing-consent",
                "consent": {
                    "channel": "email",
                    "can_receive_marketing": True,
                    "consent_status": {"subscription": "subscribed", "filters": None},
                },
            },
            [
                {
                    "consent": {
                        "channel": "EMAIL",
                        "canReceiveMarketing": True,
                        "status": ["SUBSCRIBED"],
                    }
                }
            ],
        ),
        (
            {"type": "profile-region", "in_region": False, "region": "european_union"},
            [{"region": {"region": "EUROPEAN_UNION", "isWithin": False}}],
        ),
        (
            {
                "type": "profile-postal-code-distance",
                "country_code": "US",
                "postal_code": "10001",
                "unit": "miles",
                "filter": {"type": "numeric", "operator": "less-than", "value": 25},
            },
            [
                {
                    "distance": {
                        "of": {"postalCode": {"country": "US", "code": "10001"}},
                        "within": 25,
                        "unit": "MILE",
                        "isWithin": True,
                    }
                }
            ],
        ),
    ],
)
def test_a_condition_has_its_equal(said: Any, ours: Any) -> None:
    name, definition = imported(document(said), NAMES)

    assert (name, definition) == (None, {"groups": [{"anyOf": ours}]})
    parse(definition)


def test_the_answer_of_their_api_is_read_with_its_name() -> None:
    attributes = {"name": "Buyers", "definition": document(metric())}

    read = imported({"data": {"type": "segment", "attributes": attributes}}, NAMES)

    assert read == ("Buyers", {"groups": [{"anyOf": [{"event": ONCE}]}]})


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"type": "profile-predictive-analytics"}, "type"),
        ({"type": "profile-has-custom-object"}, "type"),
        ("text", "type"),
        (metric(metric_filters=5), "metric_filters"),
        ({"type": "profile-group-membership", "group_ids": [[]]}, "group_ids.0"),
        ({"type": "profile-marketing-consent", "consent": [1]}, "consent"),
        (metric(measurement_filter={"operator": []}), "measurement_filter.operator"),
        (metric(timeframe_filter={**LAST, "unit": []}), "timeframe_filter.unit"),
        (on("email", type="string", operator=[], value="x"), "filter"),
        (metric(metric_id="M9"), "metric_id"),
        (metric(measurement="distinct"), "measurement"),
        (metric(other=1), "other"),
        (
            metric(timeframe_filter={"operator": "flow-start"}),
            "timeframe_filter.operator",
        ),
        (
            metric(timeframe_filter={**LAST, "unit": "fortnight"}),
            "timeframe_filter.unit",
        ),
        (
            metric(metric_filters=[{"property": "a.b", "filter": {}}]),
            "metric_filters.0.property",
        ),
        (
            {"type": "profile-metric-funnel", "steps": [{"metric_id": "M9"}]},
            "steps.0.metric_id",
        ),
        (on("predictive", type="string", operator="equals", value="x"), "property"),
        (
            on("email", type="list", operator="contains-starts-with", value="x"),
            "filter",
        ),
        (
            on("created", type="date", operator="anniversary-month"),
            "filter.operator",
        ),
        (
            {
                "type": "profile-group-membership",
                "is_member": True,
                "group_ids": ["L1", "L9"],
            },
            "group_ids.1",
        ),
        (
            {
                "type": "profile-group-membership",
                "group_ids": ["S1"],
                "timeframe_filter": LAST,
            },
            "timeframe_filter",
        ),
        (
            {
                "type": "profile-marketing-consent",
                "consent": {"channel": "email", "consent_status": {"filters": [1]}},
            },
            "consent.consent_status.filters",
        ),
    ],
)
def test_what_has_no_equal_is_named(said: Any, path: str) -> None:
    with pytest.raises(AudienceError) as raised:
        imported(document(metric(), said), NAMES)

    where = ("condition_groups", "0", "conditions", "1", *path.split("."))
    assert [it.path for it in raised.value.problems] == [where]


@pytest.mark.parametrize("broken", [None, [], "x", {}, {"condition_groups": []}])
def test_a_document_has_condition_groups(broken: Any) -> None:
    with pytest.raises(AudienceError) as raised:
        imported(broken, NAMES)

    assert [it.path for it in raised.value.problems] == [("condition_groups",)]
