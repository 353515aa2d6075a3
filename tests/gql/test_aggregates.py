import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from audience.aggregates import parse_aggregate
from audience.conditions import parse
from audience.keys import KeyKind, Viewer
from audience.plan.windows import Window
from gql.schema import schema
from resolvers.aggregates import figures_by_value, scope_of
from resolvers.db import Database
from tests.gql.conftest import NOW, Api, GraphQL

pytestmark = pytest.mark.anyio

TRACK = """
mutation ($input: TrackEventsInput!) {
  trackEvents(input: $input) { accepted results { userErrors { message } } }
}
"""
FIGURES = "count profiles sum average min max"
ASK = f"""
query ($input: MetricAggregateInput!) {{
  metricAggregate(input: $input) {{
    metric {{ name }} since until groupCount
    groups {{ value {FIGURES} }}
  }}
}}
"""
OVER_TIME = f"""
query ($input: MetricAggregateInput!, $interval: Interval!) {{
  metricAggregate(input: $input) {{
    groups {{ value points(interval: $interval) {{ at {FIGURES} }} }}
  }}
}}
"""
FEBRUARY = {"since": "2026-02-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}


def event(who: str, day: int, value: float | None, **properties: Any) -> Any:
    return {
        "profile": {"email": f"{who}@example.org"},
        "metric": "Placed Order",
        "timestamp": f"2026-02-{day:02}T12:00:00Z",
        "value": value,
        "properties": properties,
    }


def asked(**more: Any) -> dict[str, Any]:
    return {"metric": {"name": "Placed Order"}, **FEBRUARY, **more}


@pytest.fixture
async def orders(graphql: GraphQL) -> None:
    events = [
        event("ada", 1, 10, shop="Kiel"),
        event("ada", 2, 30, shop="Kiel"),
        event("bob", 2, 20, shop="Bonn", tags=["a"]),
        event("cy", 28, None),
        event("cy", 28, 5, shop=["Kiel"]),
        {**event("ada", 3, 99), "timestamp": "2026-01-31T23:59:59Z"},
        {**event("ada", 3, 99), "metric": "Viewed"},
    ]
    data = await graphql(TRACK, input={"events": events})
    assert data["trackEvents"]["accepted"] == len(events)


@pytest.mark.usefixtures("orders")
async def test_totals(graphql: GraphQL) -> None:
    data = await graphql(ASK, input=asked())

    assert data["metricAggregate"] == {
        "metric": {"name": "Placed Order"},
        "since": "2026-02-01T00:00:00.000Z",
        "until": "2026-03-01T00:00:00.000Z",
        "groupCount": 1,
        "groups": [
            {
                "value": None,
                "count": 5,
                "profiles": 3,
                "sum": 65,
                "average": 16.25,
                "min": 5,
                "max": 30,
            }
        ],
    }


@pytest.mark.usefixtures("orders")
async def test_apart_by_a_property_with_lists_and_missing_values_together(
    graphql: GraphQL,
) -> None:
    by_shop = asked(by="properties.shop")

    data = await graphql(ASK, input=by_shop)
    one = await graphql(ASK, input={**by_shop, "first": 1})

    groups = data["metricAggregate"]["groups"]
    assert [(it["value"], it["count"], it["profiles"], it["sum"]) for it in groups] == [
        (None, 2, 1, 5),
        ("Kiel", 2, 1, 40),
        ("Bonn", 1, 1, 20),
    ]
    assert one["metricAggregate"]["groups"] == groups[:1]
    assert one["metricAggregate"]["groupCount"] == 3


@pytest.mark.usefixtures("orders")
async def test_over_time_with_empty_steps(graphql: GraphQL) -> None:
    data = await graphql(
        OVER_TIME,
        input=asked(by="properties.shop", until="2026-02-04T00:00:00Z"),
        interval="DAY",
    )

    nothing = {
        "count": 0,
        "profiles": 0,
        "sum": 0,
        "average": None,
        "min": None,
        "max": None,
    }

    def one(value: float) -> dict[str, Any]:
        same = dict.fromkeys(("sum", "average", "min", "max"), value)
        return {"count": 1, "profiles": 1, **same}

    days = [f"2026-02-0{day}T00:00:00.000Z" for day in (1, 2, 3)]
    assert data["metricAggregate"]["groups"] == [
        {
            "value": "Kiel",
            "points": [
                {"at": at, **figures}
                for at, figures in zip(days, [one(10), one(30), nothing], strict=True)
            ],
        },
        {
            "value": "Bonn",
            "points": [
                {"at": at, **figures}
                for at, figures in zip(days, [nothing, one(20), nothing], strict=True)
            ],
        },
    ]


@pytest.mark.usefixtures("orders")
async def test_of_the_people_whom_a_definition_means(
    graphql: GraphQL, db: Database
) -> None:
    email = {"path": "email", "is": {"text": {"startsWith": "ada"}}}
    among = {"groups": [{"anyOf": [{"property": {"filter": email}}]}]}

    data = await graphql(ASK, input=asked(among=among))

    (group,) = data["metricAggregate"]["groups"]
    assert (group["count"], group["profiles"], group["sum"]) == (2, 1, 40)

    metric = await db.metrics.find_one({"name": "Placed Order"})
    assert metric is not None
    window = Window(NOW - timedelta(days=28), NOW)
    parsed = parse_aggregate({"metric": {"name": "Placed Order"}}, window)
    of_many = await scope_of(db, metric["_id"], parsed, parse(among), NOW, UTC, many=0)
    ((only,), number) = await figures_by_value(of_many, 1)
    assert of_many.collection.name == "profiles"
    assert (only.figures.count, only.figures.profiles, number) == (2, 1, 1)


@pytest.mark.usefixtures("orders")
async def test_nothing_at_all_is_a_group_of_zeros(graphql: GraphQL) -> None:
    where = [{"path": "value", "is": {"number": {"greaterThan": 1000}}}]

    none = await graphql(ASK, input=asked(where=where))
    apart = await graphql(ASK, input=asked(where=where, by="properties.shop"))

    assert none["metricAggregate"]["groups"] == [
        {
            "value": None,
            "count": 0,
            "profiles": 0,
            "sum": 0,
            "average": None,
            "min": None,
            "max": None,
        }
    ]
    assert apart["metricAggregate"]["groups"] == []
    assert apart["metricAggregate"]["groupCount"] == 0


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize(
    ("change", "code", "message", "path"),
    [
        (
            {"metric": {"name": "Nope"}},
            "NOT_FOUND",
            "There is no metric 'Nope'.",
            ["input", "metric", "name"],
        ),
        (
            {"first": 0},
            "INVALID",
            "first has to be 1 to 100.",
            ["input", "first"],
        ),
        (
            {"until": "2026-01-01T00:00:00Z"},
            "INVALID",
            "until has to lie after since.",
            ["input", "until"],
        ),
    ],
)
async def test_what_is_wrong_is_named(
    api: Api, change: dict[str, Any], code: str, message: str, path: list[str]
) -> None:
    refusals = await api.refusals(ASK, input=asked(**change))

    assert refusals == [{"message": message, "code": code, "path": path}]


@pytest.mark.usefixtures("orders")
async def test_whom_a_definition_means_is_for_those_who_read_profiles(api: Api) -> None:
    reader = Viewer(None, "Events", KeyKind.SECRET, frozenset({"events:read"}))
    email = {"path": "email", "is": {"text": {"startsWith": "ada"}}}
    among = {"groups": [{"anyOf": [{"property": {"filter": email}}]}]}

    (refusal,) = await replace(api, viewer=reader).refusals(
        ASK, input=asked(among=among)
    )

    assert refusal["code"] == "FORBIDDEN"


async def test_generated_figures_equal_those_computed_in_memory(
    api: Api, graphql: GraphQL
) -> None:
    rng = random.Random(7)
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    events = []
    for number in range(400):
        at = start + timedelta(minutes=rng.randrange(60 * 24 * 60))
        value = rng.choice([None, rng.randrange(1, 100)])
        shop = rng.choice(["Kiel", "kiel", 1, True, None])
        properties = {} if shop is None else {"shop": shop}
        one = event(f"p{rng.randrange(9)}", 1, value, **properties)
        events.append({**one, "timestamp": at.isoformat(), "uniqueId": str(number)})
    await graphql(TRACK, input={"events": events})
    since, until = start + timedelta(days=3), start + timedelta(days=50)

    given = {"since": since.isoformat(), "until": until.isoformat()}
    context = replace(api.context(), zone=zone)
    answer = await schema.execute(
        OVER_TIME,
        {"input": asked(**given, by="properties.shop"), "interval": "WEEK"},
        context,
    )

    expected: dict[Any, Any] = defaultdict(lambda: defaultdict(list))
    for each in events:
        at = datetime.fromisoformat(each["timestamp"])
        if since <= at < until:
            local = at.astimezone(zone).date()
            monday = local - timedelta(days=local.weekday())
            begins = datetime(
                monday.year, monday.month, monday.day, tzinfo=zone
            ).astimezone(UTC)
            shop = each["properties"].get("shop")
            key = (isinstance(shop, bool), shop)
            expected[key][f"{begins:%Y-%m-%dT%H:%M:%S}.000Z"].append(each)
    assert answer.errors is None and answer.data is not None
    found: dict[Any, Any] = {}
    for group in answer.data["metricAggregate"]["groups"]:
        key = (isinstance(group["value"], bool), group["value"])
        for point in group["points"]:
            if point["count"]:
                found.setdefault(key, {})[point["at"]] = (
                    point["count"],
                    point["profiles"],
                    point["sum"],
                    point["min"],
                    point["max"],
                )
    assert found == {
        key: {
            at: (
                len(some),
                len({it["profile"]["email"] for it in some}),
                sum(numbers),
                min(numbers, default=None),
                max(numbers, default=None),
            )
            for at, some in weeks.items()
            for numbers in [[it["value"] for it in some if it["value"] is not None]]
        }
        for key, weeks in expected.items()
    }
