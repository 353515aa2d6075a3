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
EQUALS = {"type": "string", "operator": "equals"}
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


def consent(*filters: Any, subscription: str = "subscribed") -> dict[str, Any]:
    return {
        "type": "profile-marketing-consent",
        "consent": {
            "channel": "email",
            "can_receive_marketing": True,
            "consent_status": {"subscription": subscription, "filters": list(filters)},
        },
    }


def joined(is_member: bool) -> dict[str, Any]:
    return {
        "type": "profile-group-membership",
        "is_member": is_member,
        "group_ids": ["L1"],
    }


AGREED = {"channel": "EMAIL", "canReceiveMarketing": True, "status": ["SUBSCRIBED"]}
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
            on(
                "phone_number",
                type="string",
                operator="phone-country-code-not-in",
                value=["US"],
            ),
            [
                filtered(
                    "phoneNumber",
                    {"text": {"phoneCountryNotIn": ["US"]}},
                    whenMissing=False,
                )
            ],
        ),
        (
            on("properties['born']", type="date", operator="calendar-month", value=5),
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
            consent(
                {"field": "status_date", "filter": LAST},
                {"field": "is_double_opt_in", "filter": EQUALS | {"value": True}},
                {"field": "custom_source", "filter": EQUALS | {"value": "Fair"}},
                {"field": "method", "method": "manual_add"},
            ),
            [
                {
                    "consent": {
                        **AGREED,
                        "changed": DAYS,
                        "isDoubleOptIn": True,
                        "source": ["Fair"],
                        "method": ["QUICK_ADD"],
                    }
                }
            ],
        ),
        (
            consent(
                {"field": "bounce_date", "filter": LAST},
                {
                    "field": "manual_suppression_date",
                    "filter": {"type": "existence", "operator": "is-set"},
                },
                subscription="any",
            ),
            [
                {
                    "all": {
                        "groups": [
                            {"anyOf": [{"consent": one}]}
                            for one in (
                                {"channel": "EMAIL", "canReceiveMarketing": True},
                                {
                                    "channel": "EMAIL",
                                    "suppression": ["HARD_BOUNCE"],
                                    "suppressed": DAYS,
                                },
                                {
                                    "channel": "EMAIL",
                                    "suppression": ["USER_SUPPRESSED"],
                                },
                            )
                        ]
                    }
                }
            ],
        ),
        (
            {
                "type": "profile-permissions",
                "channel": "whatsapp_marketing",
                "permission": {
                    "reachable_status": "implicitly_or_explicitly_unreachable"
                },
            },
            [{"consent": {"channel": "WHATSAPP", "canReceiveMarketing": False}}],
        ),
        (
            {
                "type": "profile-metric-funnel",
                "timeframe_filter": LAST,
                "completion_window_seconds": "DAYS_30",
                "steps": [
                    {"metric_id": "M2", "metric_exists": True},
                    {"metric_id": "M1", "metric_exists": True},
                ],
            },
            [
                {
                    "sequence": {
                        "steps": [
                            {"metric": {"name": "Opened Email"}, "happened": True},
                            {"metric": {"name": "Placed Order"}, "happened": True},
                        ],
                        "within": {"amount": 30, "unit": "DAY"},
                        "during": DAYS,
                    }
                }
            ],
        ),
        (
            metric(timeframe_filter={**LAST, "operator": "anniversary-last"}),
            [{"event": {**ONCE, "during": {"anniversary": DAYS}}}],
        ),
        (
            on("created", type="date", operator="anniversary-month"),
            [filtered("createdAt", {"date": {"anniversary": {"thisMonth": True}}})],
        ),
        (
            on(
                "properties['tags']",
                type="list",
                operator="not-contains-starts-with",
                value="x",
            ),
            [filtered("properties.tags", {"items": {"notContainsPrefix": "x"}})],
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
        (on("email", type="list", operator="contains-most", value="x"), "filter"),
        (
            on("created", **{**LAST, "operator": "anniversary-next", "unit": "hour"}),
            "filter.unit",
        ),
        (
            {"type": "profile-permissions", "channel": "whatsapp_transactional"},
            "channel",
        ),
        (
            {
                "type": "profile-permissions",
                "channel": "whatsapp_marketing",
                "permission": {"reachable_status": "explicitly_reachable"},
            },
            "permission.reachable_status",
        ),
        (
            {
                "type": "profile-permissions",
                "channel": "whatsapp_marketing",
                "permission": {
                    "reachable_status": "implicitly_or_explicitly_reachable",
                    "filters": [{"field": "subscribe_method", "method": "api"}],
                },
            },
            "permission",
        ),
        (
            {
                "type": "profile-metric-funnel",
                "steps": [],
                "completion_window_seconds": "DAYS_2",
            },
            "completion_window_seconds",
        ),
        (
            consent({"field": "method", "method": "form", "filter": {"value": ["F1"]}}),
            "consent.consent_status.filters.0.filter",
        ),
        (
            consent({"field": "method", "method": "telepathy"}),
            "consent.consent_status.filters.0.method",
        ),
        (
            consent({"field": "is_rcs_capable", "filter": {"operator": "equals"}}),
            "consent.consent_status.filters.0.field",
        ),
        (
            consent({"field": "status_date", "filter": ALWAYS}),
            "consent.consent_status.filters.0.filter.operator",
        ),
        (
            consent(
                {"field": "status_date", "filter": LAST},
                {"field": "status_date", "filter": LAST},
            ),
            "consent.consent_status.filters.1",
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
            "consent.consent_status.filters.0",
        ),
        (
            {
                "type": "profile-marketing-consent",
                "consent": {"channel": "email", "list_id": "L1"},
            },
            "consent.list_id",
        ),
        (
            {
                "type": "profile-marketing-consent",
                "consent": {"channel": "sms", "consent_status": {"region": "US"}},
            },
            "consent.consent_status.region",
        ),
        (
            consent({"field": "method", "method": "api", "until": 1}),
            "consent.consent_status.filters.0.until",
        ),
        (
            consent(
                {
                    "field": "is_double_opt_in",
                    "filter": {"operator": "equals", "value": True, "since": 1},
                }
            ),
            "consent.consent_status.filters.0.filter.since",
        ),
        (
            consent({"field": "status_date", "filter": {**LAST, "offset": 1}}),
            "consent.consent_status.filters.0.filter.offset",
        ),
        (
            {
                "type": "profile-permissions",
                "channel": "whatsapp_marketing",
                "permission": {
                    "reachable_status": "implicitly_or_explicitly_reachable",
                    "recorded_date": LAST,
                },
            },
            "permission.recorded_date",
        ),
        (
            on("email", type="string", operator="equals", value="x", case="exact"),
            "filter.case",
        ),
        (
            on("email", type="existence", operator="is-set", value="x"),
            "filter.value",
        ),
        (
            on(
                "properties['a']",
                type="list",
                operator="length-equals",
                value=1,
                unique=True,
            ),
            "filter.unique",
        ),
        (
            metric(metric_filters=[{"property": "a", "filter": EQUALS, "any": 1}]),
            "metric_filters.0.any",
        ),
        (
            metric(measurement_filter={"operator": "equals", "value": 1, "per": 2}),
            "measurement_filter.per",
        ),
        (
            metric(timeframe_filter={**ALWAYS, "quantity": 1}),
            "timeframe_filter.quantity",
        ),
    ],
)
def test_what_has_no_equal_is_named(said: Any, path: str) -> None:
    with pytest.raises(AudienceError) as raised:
        imported(document(metric(), said), NAMES)

    where = ("condition_groups", "0", "conditions", "1", *path.split("."))
    assert [it.path for it in raised.value.problems] == [where]


@pytest.mark.parametrize(
    ("group", "path"),
    [
        ("x", ()),
        ({}, ("conditions",)),
        ({"conditions": [metric()], "operator": "and"}, ("operator",)),
    ],
)
def test_what_a_group_has_beside_its_conditions_is_named(
    group: Any, path: tuple[str, ...]
) -> None:
    with pytest.raises(AudienceError) as raised:
        imported({"condition_groups": [group]}, NAMES)

    assert [it.path for it in raised.value.problems] == [
        ("condition_groups", "0", *path)
    ]


@pytest.mark.parametrize("broken", [None, [], "x", {}, {"condition_groups": []}])
def test_a_document_has_condition_groups(broken: Any) -> None:
    with pytest.raises(AudienceError) as raised:
        imported(broken, NAMES)

    assert [it.path for it in raised.value.problems] == [("condition_groups",)]


def _predicted(**more: Any) -> dict[str, Any]:
    return {"type": "profile-predictive-analytics", **more}


@pytest.mark.parametrize(
    ("schema", "said", "ours"),
    [
        ("ProfileHasGroupMembershipCondition", joined(True), "list"),
        ("ProfileNoGroupMembershipCondition", joined(False), "list"),
        ("SegmentsProfileMetricCondition", metric(), "event"),
        ("ProfileMarketingConsentCondition", consent(), "consent"),
        (
            "ProfilePostalCodeDistanceCondition",
            {
                "type": "profile-postal-code-distance",
                "country_code": "DE",
                "postal_code": "10115",
                "unit": "kilometers",
                "filter": {"type": "numeric", "operator": "greater-than", "value": 5},
            },
            "distance",
        ),
        (
            "ProfilePropertyCondition",
            on("email", type="existence", operator="is-set"),
            "property",
        ),
        (
            "ProfileRegionCondition",
            {"type": "profile-region", "in_region": True, "region": "united_states"},
            "region",
        ),
        ("ProfilePredictiveAnalyticsDateCondition", _predicted(), None),
        ("ProfilePredictiveAnalyticsNumericCondition", _predicted(), None),
        ("ProfilePredictiveAnalyticsStringCondition", _predicted(), None),
        (
            "ProfilePredictiveAnalyticsChannelAffinityPriorityCondition",
            _predicted(measurement="priority"),
            None,
        ),
        (
            "ProfilePredictiveAnalyticsChannelAffinityRankCondition",
            _predicted(measurement="rank"),
            None,
        ),
        (
            "ProfileHasCustomObjectCondition",
            {"type": "profile-has-custom-object"},
            None,
        ),
        (
            "ProfilePermissionsCondition",
            {
                "type": "profile-permissions",
                "channel": "whatsapp_marketing",
                "permission": {
                    "reachable_status": "implicitly_or_explicitly_reachable"
                },
            },
            "consent",
        ),
        (
            "SegmentsProfileMetricFunnelCondition",
            {
                "type": "profile-metric-funnel",
                "timeframe_filter": LAST,
                "steps": [
                    {"metric_id": "M1", "metric_exists": True},
                    {"metric_id": "M2", "metric_exists": True},
                ],
            },
            "sequence",
        ),
    ],
)
def test_each_of_their_schemas_is_imported_or_named(
    schema: str, said: Any, ours: str | None
) -> None:
    if ours is None:
        with pytest.raises(AudienceError) as raised:
            imported(document(said), NAMES)
        (problem,) = raised.value.problems
        assert problem.path[-1] == "type"
        assert said["type"] in problem.message
        return
    _, definition = imported(document(said), NAMES)
    parse(definition)
    assert [*definition["groups"][0]["anyOf"][0]] == [ours]
