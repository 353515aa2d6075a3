"""Plans as literal stages."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId, Regex

from audience.conditions import parse
from audience.conditions.tree import MetricRef
from audience.events import SUMMARY_TIMES
from audience.plan import Node, References, plan
from audience.plan.tree import Metric
from resolvers.db import Database, Document, find
from resolvers.pipelines import Strategy, Unsuitable, question
from resolvers.pipelines.filters import distinct

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = datetime(2026, 1, 30, 12, tzinfo=UTC)
AFTER_NOW = datetime(2026, 3, 1, 12, 0, 0, 1000, tzinfo=UTC)
METRIC = ObjectId("6a0000000000000000000001")
LIST = ObjectId("6a0000000000000000000002")
LAST_30 = {"inTheLast": {"amount": 30, "unit": "DAY"}}
IDS = {"$project": {"_id": 1}}

# What no stage of a pipeline may be where collections are sharded, or which writes.
REFUSED = {"$out", "$merge", "$graphLookup", "$where", "$function", "$accumulator"}


def planned(*conditions: Any, latest: datetime | None = NOW) -> Node:
    definition = {"groups": [{"anyOf": [condition]} for condition in conditions]}
    metric = Metric(str(METRIC), "a", latest)
    references = References(
        {MetricRef(name="Order"): metric}, {f"lst_{LIST}": str(LIST)}
    )
    return plan(parse(definition), now=NOW, zone=ZoneInfo("UTC"), references=references)


def ordered(compare: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"event": {"metric": {"name": "Order"}, "compare": compare, **more}}


def value(path: str, comparison: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"property": {"filter": {"path": path, "is": comparison, **more}}}


def matched(*conditions: Any, latest: datetime | None = NOW) -> Any:
    return question(planned(*conditions, latest=latest)).match


@pytest.mark.parametrize(
    ("condition", "match"),
    [
        (ordered({"atLeast": 3}), {"summary.a.n": {"$gte": 3}}),
        (ordered({"equals": 0}), {"$nor": [{"summary.a.n": {"$gte": 1}}]}),
        (
            ordered({"atLeast": 3}, during=LAST_30),
            {"summary.a.t.2": {"$gte": BEFORE}},
        ),
        (
            ordered({"equals": 0}, during=LAST_30),
            {"$nor": [{"summary.a.t.0": {"$gte": BEFORE}}]},
        ),
        (
            ordered({"equals": 2}, during=LAST_30),
            {
                "summary.a.t.1": {"$gte": BEFORE},
                "$nor": [{"summary.a.t.2": {"$gte": BEFORE}}],
            },
        ),
        (
            ordered({"atLeast": SUMMARY_TIMES}, during=LAST_30),
            {f"summary.a.t.{SUMMARY_TIMES - 1}": {"$gte": BEFORE}},
        ),
        (ordered({"atLeast": SUMMARY_TIMES + 1}, during=LAST_30), None),
        (ordered({"equals": SUMMARY_TIMES}, during=LAST_30), None),
        (
            ordered({"atLeast": 1}, during={"notInTheLast": LAST_30["inTheLast"]}),
            {"summary.a.f": {"$lt": BEFORE}},
        ),
        (ordered({"atLeast": 2}, during={"before": BEFORE.isoformat()}), None),
        (ordered({"atLeast": 1}, during={"on": "2026-01-30"}), None),
        (
            ordered({"greaterThan": 5}, measure="SUM"),
            {"summary.a.s": {"$gt": 5.000000001}},
        ),
        (ordered({"greaterThan": 5}, measure="SUM", during=LAST_30), None),
        (ordered({"greaterThan": 5}, measure="AVERAGE"), None),
        (
            ordered({"atLeast": 1}, where=[{"path": "value", "is": {"exists": True}}]),
            None,
        ),
        ({"list": {"listId": f"lst_{LIST}"}}, {"lists.list_id": LIST}),
        (
            value("firstName", {"text": {"equals": "A.b"}}),
            {"first_name": {"$regex": r"\AA\.b\z", "$options": "i"}},
        ),
        (
            value("firstName", {"text": {"in": ["a", "b|c"]}}),
            {"first_name": {"$regex": r"\A(?:a|b\|c)\z", "$options": "i"}},
        ),
        (
            value("firstName", {"text": {"phoneCountryIn": ["DE", "FR"]}}),
            {
                "first_name": {
                    "$in": [Regex(r"\A(?:\+49)", "i"), Regex(r"\A(?:\+33)", "i")]
                }
            },
        ),
        (
            value("properties.a.b", {"number": {"between": {"from": 1, "to": 2}}}),
            {
                "properties.a": {"$not": {"$type": "array"}},
                "properties.a.b": {"$gte": 1, "$lte": 2, "$not": {"$type": "array"}},
            },
        ),
        (
            value("properties.a", {"items": {"containsAny": ["x", 1, True]}}),
            {"properties.a": {"$elemMatch": {"$in": [Regex(r"\Ax\z", "i"), 1, True]}}},
        ),
        (
            {"consent": {"channel": "SMS", "canReceiveMarketing": True}},
            {
                "$and": [
                    {"consent.sms.status": {"$in": ["SUBSCRIBED"]}},
                    {"$nor": [{"consent.sms.suppression.reason": {"$ne": None}}]},
                ]
            },
        ),
    ],
    ids=str,
)
def test_what_one_document_tells_is_one_filter(condition: Any, match: Any) -> None:
    assert matched(condition) == match


def test_events_in_the_future_are_left_to_the_events() -> None:
    soon = datetime(2026, 3, 2, tzinfo=UTC)

    assert matched(ordered({"atLeast": 1}, during=LAST_30), latest=soon) is None
    assert matched(ordered({"atLeast": 1}), latest=soon) is not None


def test_the_profile_and_the_summary_share_one_filter() -> None:
    asked = question(
        planned(
            ordered({"atLeast": 3}, during=LAST_30),
            value("email", {"exists": True}),
        )
    )

    match = {
        "$and": [
            {"summary.a.t.2": {"$gte": BEFORE}},
            {"email": {"$ne": None}},
        ]
    }
    assert (asked.strategy, asked.match) == (Strategy.MATCH, match)
    assert asked.stages == [{"$match": match}, IDS]


def test_sets_become_flags_and_not_is_decided_last() -> None:
    node = planned(
        ordered({"equals": 0}, where=[{"path": "value", "is": {"exists": True}}]),
        value("email", {"exists": True}),
    )

    assert question(node, Strategy.FLAGS).stages == [
        {"$match": {"email": {"$ne": None}}},
        {"$project": {"_id": 1, "p": {"$literal": True}}},
        {
            "$unionWith": {
                "coll": "events",
                "pipeline": [
                    {
                        "$match": {
                            "metric_id": METRIC,
                            "$and": [{"value": {"$ne": None}}],
                        }
                    },
                    {"$group": {"_id": "$profile_id"}},
                    {"$project": {"_id": 1, "_s0": {"$literal": True}}},
                ],
            }
        },
        {"$group": {"_id": "$_id", "p": {"$max": "$p"}, "_s0": {"$max": "$_s0"}}},
        {"$match": {"$and": [{"p": True}, {"$nor": [{"_s0": True}]}]}},
        IDS,
    ]


def test_equal_sets_are_read_once() -> None:
    filters = [{"path": "value", "is": {"exists": True}}]
    event = ordered({"atLeast": 1}, where=filters)
    inner = {"groups": [{"anyOf": [event]}]}
    both = {"groups": [{"anyOf": [event, {"not": inner}]}, {"anyOf": [event]}]}

    stages = question(planned({"all": both}), Strategy.FLAGS).stages

    assert sum("$unionWith" in stage for stage in stages) == 1


def test_a_way_that_cannot_answer_is_refused() -> None:
    never = planned(ordered({"equals": 0}))

    with pytest.raises(Unsuitable):
        question(never, Strategy.SETS)
    with pytest.raises(Unsuitable):
        question(never, Strategy.MATCH, use_summaries=False)


ONE_COMMAND = [it for it in Strategy if not it.endswith("_FIRST")]


@pytest.mark.parametrize("strategy", ONE_COMMAND)
def test_the_stages_are_legal_on_sharded_collections(strategy: Strategy) -> None:
    node = planned(
        ordered({"atLeast": 1}),
        ordered({"atLeast": 2}, measure="COUNT_DISTINCT", of="properties.x"),
        value("properties.x", {"items": {"contains": "a"}}),
    )
    use_summaries = strategy is Strategy.MATCH
    if strategy is Strategy.MATCH:
        node = planned(ordered({"atLeast": 1}))

    stages = question(node, strategy, use_summaries=use_summaries).stages

    assert operators_of(stages) & REFUSED == set()
    # Only these two read another collection, and both may read a sharded one.
    reading = {name for stage in stages for name in stage if "coll" in str(stage)}
    assert reading <= {"$unionWith", "$lookup"}


def operators_of(value: Any) -> set[str]:
    """Every name with a dollar that the stages use."""
    match value:
        case dict():
            names = {name for name in value if name.startswith("$")}
            return names.union(*map(operators_of, value.values()))
        case list():
            return set().union(*map(operators_of, value))
    return set()


@pytest.mark.anyio
async def test_the_same_filter_twice_in_a_choice_is_asked_once(db: Database) -> None:
    list_id, other = ObjectId(), ObjectId()
    ids = [ObjectId() for _ in range(3)]
    for one in ids:
        lists = [{"list_id": list_id}, {"list_id": other}]
        await db.profiles.insert_one(
            {
                "_id": one,
                "lists": lists,
                "summary": {},
                "properties": {},
                "created_at": NOW,
                "updated_at": NOW,
            }
        )
    twice = [{"_id": {"$in": ids[:1]}}, {"_id": {"$in": ids[:1]}}]
    listed = {"lists.list_id": list_id}

    def choice(options: list[Document]) -> Document:
        mine = {"$and": [{"_id": {"$in": ids}}, {"$and": [{"$or": options}, listed]}]}
        sure = {"$and": [{"$or": [{"summary.k2.n": {"$gte": 1}}]}, listed]}
        return {"$or": [sure, mine]}

    found = await find(db.profiles, choice(distinct(twice)), {"_id": 1})

    assert [row["_id"] for row in found] == ids[:1]
    assert distinct([{"a": 1}, {"a": True}, {"a": 1}, {"a": 1.0}]) == [
        {"a": 1},
        {"a": True},
        {"a": 1.0},
    ]
