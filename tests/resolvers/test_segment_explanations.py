"""Why someone is in a segment, or not, for every kind of condition; and how a preview
is answered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId, json_util

from audience.conditions import parse
from audience.summaries import summarise
from resolvers.db import Database, close, connect
from resolvers.segments import create_segment, explain_profiles, preview
from tests.resolvers.test_segment_commands import Recorder

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLUB = ObjectId("5f0000000000000000000001")
ADA = ObjectId("65e1c0000000000000000007")
WEEK = {"inTheLast": {"amount": 7, "unit": "DAY"}}
BERLIN = {"coordinates": {"latitude": 52.5, "longitude": 13.4}}


async def ada(db: Database) -> dict[str, Any]:
    """Someone who has a little of everything."""
    await db.lists.insert_one(
        {"_id": CLUB, "name": "Club", "name_key": "club", "opt_in": "SINGLE"}
        | {"created_at": NOW, "updated_at": NOW}
    )
    metrics = {name: ObjectId() for name in ("Order", "Open")}
    events: list[dict[str, Any]] = []
    for name, days, value in (("Order", 1, 20.0), ("Order", 9, 5.0), ("Open", 4, None)):
        at = NOW - timedelta(days=days)
        event: dict[str, Any] = {
            "profile_id": ADA,
            "metric_id": metrics[name],
            "timestamp": at,
        }
        event |= {"unique_id": str(days), "properties": {}}
        events.append(event if value is None else event | {"value": value})
    keys = dict(zip(metrics, "ab", strict=True))
    await db.metrics.insert_many(
        [
            {"_id": _id, "name": name, "key": keys[name], "created_at": NOW}
            for name, _id in metrics.items()
        ]
    )
    await db.events.insert_many(events)
    named = {_id: keys[name] for name, _id in metrics.items()}
    profile: dict[str, Any] = {
        "_id": ADA,
        "first_name": "Ada",
        "location": {"country": "Germany", "latitude": 52.5, "longitude": 13.5},
        "properties": {
            "tags": [{"name": "a"}, {"name": "b"}],
            "mixed": [{"of": None}, {}, 5, {"of": ["x", {"of": 1}]}, [{"of": 2}], None],
            "points": 7,
        },
        "consent": {
            "email": {
                "status": "SUBSCRIBED",
                "method": "FORM",
                "source": "Popup",
                "double_opt_in": True,
                "updated_at": NOW - timedelta(days=3),
                "suppression": {"reason": "HARD_BOUNCE", "at": NOW - timedelta(days=2)},
            }
        },
        "lists": [{"list_id": CLUB, "joined_at": NOW - timedelta(days=8)}],
        "summary": summarise(
            (named[it["metric_id"]], it["timestamp"], it.get("value")) for it in events
        ),
        "created_at": NOW,
        "updated_at": NOW,
    }
    await db.profiles.insert_one(profile)
    return profile


def event(metric: str, **said: Any) -> dict[str, Any]:
    return {"event": {"metric": {"name": metric}, **said}}


def field(path: str, comparison: Any) -> dict[str, Any]:
    return {"property": {"filter": {"path": path, "is": comparison}}}


NAMED = field("firstName", {"exists": True})
STEPS = [{"metric": {"name": "Open"}}, {"metric": {"name": "Order"}}]

# Each condition with whether it holds, the words, what is known, what is wanted, and
# how many days ago the events were that are shown.
EXPLAINED: list[tuple[Any, tuple[bool, str, Any, Any, list[int]]]] = [
    (
        event("Order", compare={"atLeast": 2}, during=WEEK),
        (False, "Order at least 2 times in the last 7 days", 1, 2, [1]),
    ),
    (
        event("Order", measure="SUM", compare={"between": {"from": 10, "to": 30}}),
        (
            True,
            "Order: the sum of value is between 10 and 30",
            25.0,
            {"from": 10, "to": 30},
            [1, 9],
        ),
    ),
    (
        event("Open", measure="MAX", compare={"greaterThan": 1}),
        (False, "Open: the largest of value is more than 1", None, 1, [4]),
    ),
    (
        field("properties.tags.name", {"items": {"contains": "b"}}),
        (
            True,
            "properties.tags.name contains the item “b”",
            ["a", "b"],
            {"items": {"contains": "b"}},
            [],
        ),
    ),
    (
        field("properties.mixed.of", {"items": {"count": {"equals": 2}}}),
        (
            True,
            "properties.mixed.of has exactly 2 items",
            [None, ["x", {"of": 1}]],
            {"items": {"count": {"equals": 2}}},
            [],
        ),
    ),
    (
        field("properties.mixed.of.of", {"exists": True}),
        (
            True,
            "properties.mixed.of.of has a value",
            [[1]],
            {"exists": True},
            [],
        ),
    ),
    (
        field("properties.points", {"number": {"lessThan": 5}}),
        (False, "properties.points is less than 5", 7, 5, []),
    ),
    (
        {"consent": {"channel": "EMAIL", "canReceiveMarketing": True}},
        (
            False,
            "EMAIL: can receive marketing",
            {
                "canReceiveMarketing": False,
                "status": "SUBSCRIBED",
                "method": "FORM",
                "source": "Popup",
                "isDoubleOptIn": True,
                "changed": "2026-02-26T12:00:00.000Z",
                "suppression": "HARD_BOUNCE",
                "suppressed": "2026-02-27T12:00:00.000Z",
            },
            {"canReceiveMarketing": True},
            [],
        ),
    ),
    (
        {"consent": {"channel": "SMS", "status": ["NEVER_SUBSCRIBED"]}},
        (
            True,
            "SMS: is never subscribed",
            {
                "canReceiveMarketing": False,
                "status": "NEVER_SUBSCRIBED",
                "method": None,
                "source": None,
                "isDoubleOptIn": False,
                "changed": None,
                "suppression": None,
                "suppressed": None,
            },
            {"status": ["NEVER_SUBSCRIBED"]},
            [],
        ),
    ),
    (
        {"list": {"listId": f"lst_{CLUB}", "joined": WEEK}},
        (
            False,
            "In the list “Club”, joined in the last 7 days",
            {"isMember": True, "joined": "2026-02-21T12:00:00.000Z"},
            {"isMember": True, "joined": WEEK},
            [],
        ),
    ),
    (
        {"region": {"region": "EUROPEAN_UNION"}},
        (
            True,
            "In the European Union",
            "Germany",
            {"region": "EUROPEAN_UNION", "isWithin": True},
            [],
        ),
    ),
    (
        {"distance": {"of": BERLIN, "within": 6, "unit": "KILOMETRE"}},
        (
            False,
            "Within 6 kilometres of 52.5, 13.4",
            {"distance": 6.769, "unit": "KILOMETRE"},
            {"within": 6, "unit": "KILOMETRE", "isWithin": True},
            [],
        ),
    ),
    (
        {"sequence": {"steps": STEPS, "isCompleted": False}},
        (
            False,
            "Did not do Open, then Order",
            {"isCompleted": True},
            {"isCompleted": False},
            [1, 4, 9],
        ),
    ),
    (
        {"not": {"groups": [{"anyOf": [NAMED]}]}},
        (False, "Not (firstName has a value)", {"holds": True}, {"holds": False}, []),
    ),
]


@pytest.mark.parametrize(("condition", "told"), EXPLAINED, ids=str)
async def test_a_condition_is_explained(
    db: Database, condition: Any, told: tuple[bool, str, Any, Any, list[int]]
) -> None:
    profile = await ada(db)
    definition = {"groups": [{"anyOf": [condition]}]}
    segment = await create_segment(db, "Why", definition, now=NOW)

    (found,) = await explain_profiles(db, segment, [profile], NOW)

    ((one,),) = found.groups
    days = [(NOW - each["timestamp"]).days for each in one.events]
    assert (one.matches, one.words, one.actual, one.expected, days) == told


async def test_nobody_elses_events_are_read(db: Database, mongodb_uri: str) -> None:
    profile = await ada(db)
    sequence = {"steps": STEPS, "within": {"amount": 4, "unit": "DAY"}}
    definition = {"groups": [{"anyOf": [{"sequence": sequence}]}]}
    recorder = Recorder()
    watched = connect(
        mongodb_uri, db.name, driver=db.driver, event_listeners=[recorder]
    )

    (found,) = await explain_profiles(
        watched, {"definition": definition}, [profile], NOW
    )
    await close(watched)

    assert found.matches
    among = {"$match": {"profile_id": {"$in": [ADA]}}}
    first = [pipeline[0] for name, pipeline in recorder.sent if name == "events"]
    assert first == [among, among]
    besides = [pipeline for name, pipeline in recorder.sent if name != "events"]
    assert "events" not in json_util.dumps(besides)


async def test_a_segment_and_a_share_are_explained(db: Database) -> None:
    profile = await ada(db)
    inner = await create_segment(db, "Named", {"groups": [{"anyOf": [NAMED]}]}, now=NOW)
    within = {"segmentId": f"seg_{inner['_id']}", "isMember": False}
    definition = {
        "groups": [{"anyOf": [{"segment": within}, {"sample": {"percent": 100}}]}]
    }
    segment = await create_segment(db, "Why", definition, now=NOW)

    (found,) = await explain_profiles(db, segment, [profile], NOW)

    ((named, share),) = found.groups
    assert (named.matches, named.words, named.actual, named.expected) == (
        False,
        "Not in the segment “Named”",
        {"isMember": True},
        {"isMember": False},
    )
    assert (share.matches, share.expected) == (True, {"percent": 100})
    percent = share.actual["percent"]
    for least, holds in ((percent - 0.01, False), (percent + 0.01, True)):
        sample = {"groups": [{"anyOf": [{"sample": {"percent": least}}]}]}
        (asked,) = [await preview(db, parse(sample), NOW)]
        assert (await asked.count(db) == 1) is holds


async def test_a_preview_tells_what_it_uses(db: Database) -> None:
    await ada(db)
    often = event("Order", compare={"atLeast": 1}, during=WEEK)
    most = event("Order", measure="MAX", compare={"greaterThan": 5}, during=WEEK)
    club = {"list": {"listId": f"lst_{CLUB}"}}

    told = [
        await (await preview(db, parse({"groups": groups}), NOW)).explain(db)
        for groups in (
            [{"anyOf": [club]}, {"anyOf": [often]}],
            [{"anyOf": [most]}],
        )
    ]

    in_club = "In the list “Club”"
    did_often = "Order at least 1 time in the last 7 days"
    did_most = "Order: the largest of value is more than 5 in the last 7 days"
    assert told == [
        {
            "strategy": "MATCH",
            "estimatedSize": 1,
            "actualSize": 1,
            "indexes": ["profiles.lists.list_id_1__id_1"],
            "groups": [
                {"conditions": [{"condition": in_club, "source": "PROFILE"}]},
                {"conditions": [{"condition": did_often, "source": "PROFILE"}]},
            ],
        },
        {
            "strategy": "PROFILES_FIRST",
            "estimatedSize": 1,
            "actualSize": 1,
            "indexes": ["events.profile_id_1_timestamp_-1__id_-1_metric_id_1_value_1"],
            "groups": [{"conditions": [{"condition": did_most, "source": "EVENTS"}]}],
        },
    ]
