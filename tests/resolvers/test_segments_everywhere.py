"""Every operator of the language, wherever a value of its type occurs: accepted,
written as it was read, and answered by every strategy as the oracle answers it."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, build_schema

from audience.conditions import parse, to_json
from resolvers.db import Database
from tests.oracle import World
from tests.segment_cases import differences
from tests.segment_coverage import features_of
from tests.segment_worlds import store, world_of

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

SCHEMA = build_schema((Path(__file__).parents[2] / "schema.graphql").read_text())
SPAN = {"amount": 30, "unit": "DAY"}
NUMBERS: dict[str, Any] = {
    **dict.fromkeys(("equals", "notEquals", "greaterThan", "atLeast"), 5),
    **dict.fromkeys(("lessThan", "atMost"), 5),
    "between": {"from": 1, "to": 5},
}
TEXTS: dict[str, Any] = {
    **dict.fromkeys(("equals", "notEquals"), "gold"),
    **{key: ["Gold", "abc"] for key in ("in", "notIn")},
    **dict.fromkeys(("contains", "notContains"), "OL"),
    **dict.fromkeys(("startsWith", "notStartsWith"), "g"),
    **dict.fromkeys(("endsWith", "notEndsWith"), "D"),
    **dict.fromkeys(("matches", "notMatches"), "^g.*d$"),
    **{key: ["DE", "FR"] for key in ("phoneCountryIn", "phoneCountryNotIn")},
}
ITEMS: dict[str, Any] = {
    **dict.fromkeys(("contains", "notContains"), "Gold"),
    **{key: ["gold", 7, True] for key in ("containsAny", "notContainsAny")},
    **{key: ["gold", 5] for key in ("containsAll", "notContainsAll")},
    **dict.fromkeys(("containsText", "notContainsText"), "ol"),
    **dict.fromkeys(("containsPrefix", "notContainsPrefix"), "S"),
    **dict.fromkeys(("containsSuffix", "notContainsSuffix"), "r"),
}
ANNIVERSARIES: dict[str, Any] = {
    "today": True,
    "thisMonth": True,
    "month": 2,
    "inTheNext": {"amount": 2, "unit": "MONTH"},
    "inTheLast": {"amount": 1, "unit": "WEEK"},
}
TIMEFRAMES: list[Json] = [
    *(
        {"inTheLast": {"amount": 2, "unit": unit}}
        for unit in ("MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR")
    ),
    {"notInTheLast": SPAN},
    {"inTheLastBetween": {"from": {"amount": 0, "unit": "DAY"}, "to": SPAN}},
    {"inTheNext": SPAN},
    {"before": "2026-03-29T00:00:00Z"},
    {"after": "2024-02-29T12:00:00+01:00"},
    {"on": "2024-02-29"},
    {"between": {"from": "2024-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}},
    *({"anniversary": {name: value}} for name, value in ANNIVERSARIES.items()),
]
COMPARISONS: list[Json] = [
    *({"text": {name: value}} for name, value in TEXTS.items()),
    *({"number": {name: value}} for name, value in NUMBERS.items()),
    *({"items": {name: value}} for name, value in ITEMS.items()),
    *({"items": {"count": {name: value}}} for name, value in NUMBERS.items()),
    *({"date": {"during": it}} for it in TIMEFRAMES),
    {"date": {"inTheNext": SPAN}},
    {"date": {"anniversary": {"today": True}}},
    *({kind: flag} for kind in ("exists", "boolean") for flag in (True, False)),
]
# Fields with a type of their own, and what can be asked of them beside `exists`.
TYPED = {
    "text": (
        *("email", "phoneNumber", "externalId", "firstName", "lastName"),
        *("organization", "title", "image", "locale"),
        *(
            f"location.{name}"
            for name in ("address1", "address2", "city", "region", "country", "zip")
        ),
        *("location.timezone", "location.ip"),
    ),
    "number": ("location.latitude", "location.longitude"),
    "date": ("createdAt", "updatedAt", "lastEventAt"),
}
TYPED_OF_EVENTS = {
    "text": ("valueCurrency", "uniqueId"),
    "number": ("value",),
    "date": ("timestamp",),
}
ORDERED = {"metric": {"name": "Placed Order"}}


def in_where(filter: Json) -> list[Json]:
    steps: list[Json] = [
        ORDERED | {"where": [filter]},
        {"metric": {"name": "Opened Email"}},
    ]
    return [
        {"event": ORDERED | {"compare": {"atLeast": 1}, "where": [filter]}},
        {"sequence": {"steps": steps}},
        {"sequence": {"steps": steps[::-1], "isCompleted": False}},
    ]


def every_condition() -> list[Json]:
    found: list[Json] = []
    for comparison in COMPARISONS:
        (kind,) = comparison
        custom: Json = {"path": "properties.mixed", "is": comparison}
        filters = [custom, {"path": "properties.tags.colour", "is": comparison}]
        if kind != "exists":
            filters += [custom | {"whenMissing": flag} for flag in (True, False)]
        found += [{"property": {"filter": filter}} for filter in filters]
        found += [one for filter in filters[:2] for one in in_where(filter)]
        for path in TYPED.get(kind, ("email", "createdAt")[: kind == "exists"]):
            found.append({"property": {"filter": {"path": path, "is": comparison}}})
        for path in TYPED_OF_EVENTS.get(kind, ("value",)[: kind == "exists"]):
            found += in_where({"path": path, "is": comparison})
    for timeframe in TIMEFRAMES:
        once = ORDERED | {"compare": {"atLeast": 1}, "during": timeframe}
        steps = [ORDERED, {"metric": {"name": "Opened Email"}}]
        consent: Json = {"channel": "EMAIL"}
        found += [
            {"event": once},
            {"event": once | {"measure": "SUM", "compare": {"lessThan": 5}}},
            {"sequence": {"steps": steps, "during": timeframe}},
            {"list": {"listId": "lst_5f0000000000000000000000", "joined": timeframe}},
            {"consent": consent | {"changed": timeframe}},
            {"consent": consent | {"suppressed": timeframe}},
        ]
    for measure in ("COUNT", "SUM", "AVERAGE", "MIN", "MAX", "COUNT_DISTINCT"):
        for name, value in NUMBERS.items():
            said = ORDERED | {"measure": measure, "compare": {name: value}}
            found.append({"event": said})
            if measure != "COUNT":
                found.append({"event": said | {"of": "properties.mixed"}})
    return found


CONDITIONS = every_condition()


def fields(name: str) -> set[str]:
    kind = SCHEMA.type_map[name]
    assert isinstance(kind, GraphQLInputObjectType)
    return {*kind.fields}


def test_the_tables_are_whole() -> None:
    assert {*TEXTS} == fields("TextComparison")
    assert {*NUMBERS} == fields("NumberComparison")
    assert {*ITEMS, "count"} == fields("ItemsComparison")
    assert {*ANNIVERSARIES} == fields("AnniversaryInput")
    assert {key for it in TIMEFRAMES for key in it} == fields("Timeframe")
    assert {key for it in COMPARISONS for key in it} == fields("ValueComparison")
    assert {"during", "inTheNext", "anniversary"} == fields("DateComparison")


def test_every_condition_is_accepted_and_written_as_it_was_read() -> None:
    for condition in CONDITIONS:
        definition = parse({"groups": [{"anyOf": [condition]}]})
        assert parse(to_json(definition)) == definition


def test_an_operator_is_accepted_wherever_its_type_occurs() -> None:
    """The same comparisons and timeframes stand at all places."""
    found = {
        feature
        for condition in CONDITIONS
        for feature in features_of(to_json(parse({"groups": [{"anyOf": [condition]}]})))
    }

    def at(place: str) -> set[str]:
        return {name for where, name in found if where == place}

    for kind in ("text", "number", "items", "count", "date", "date anniversary"):
        in_properties = at(f"property {kind}")
        assert in_properties
        assert at(f"event filter {kind}") == in_properties
        assert at(f"sequence step filter {kind}") == in_properties
    timeframes = at("event during")
    assert timeframes == fields("Timeframe")
    for place in ("sequence during", "list joined", "property date"):
        assert at(place) == timeframes
    for place in ("consent changed", "consent suppressed"):
        assert at(place) == timeframes
    for measure in ("COUNT", "SUM", "AVERAGE", "MIN", "MAX", "COUNT_DISTINCT"):
        assert at(f"event {measure}") == fields("NumberComparison")


@pytest.mark.parametrize("part", range(8))
async def test_every_condition_is_answered_as_the_oracle_does(
    part: int, db: Database
) -> None:
    random = Random(part)
    world = with_every_field(random, world_of(random, people=24))
    await store(db, world)

    for condition in CONDITIONS[part::8]:
        definition = {"groups": [{"anyOf": [condition]}]}
        assert await differences(db, world, definition) == []


def with_every_field(random: Random, world: World) -> World:
    """The world with values for the fields that are not of interest elsewhere."""
    for profile in world.profiles:
        for name in ("last_name", "organization", "title", "image", "locale"):
            if random.random() < 0.7:
                profile[name] = random.choice(("gold", "GOLDEN", "abc", "é"))
        location = profile.setdefault("location", {})
        for name in ("address1", "address2", "region", "zip", "timezone", "ip"):
            if random.random() < 0.7:
                location[name] = random.choice(("gold", "Old", "ABC", "Straße"))
        if random.random() < 0.7:
            profile["external_id"] = f"{random.choice(('gold', 'g'))}{profile['_id']}"
    return world
