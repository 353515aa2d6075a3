"""Every strategy against the oracle, on generated people and definitions."""

import ast
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId

from audience.conditions import parse, to_json
from audience.events import SUMMARY_TIMES, NewEvent
from audience.identity import Identity
from resolvers.db import Database, find
from resolvers.events import track_events
from resolvers.pipelines import Strategy
from tests.oracle import World, members
from tests.resolvers.test_segments_everywhere import CONDITIONS
from tests.segment_cases import STRATEGIES, differences, run
from tests.segment_coverage import features_of
from tests.segment_definitions import definition_of
from tests.segment_worlds import store, world_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.timeout(400)
async def test_every_strategy_finds_the_oracles_members(db: Database) -> None:
    wrong = await run(db, cases=300, seed=1)

    assert wrong == []
    assert {strategy for strategy, _ in STRATEGIES} == set(Strategy)


@pytest.mark.parametrize(
    "during",
    [
        {"after": "2026-02-24T12:00:00Z"},
        {"before": "2026-02-26T12:00:00Z"},
        {"between": {"from": "2026-02-24T12:00:00Z", "to": "2026-02-26T12:00:00Z"}},
    ],
    ids=lambda during: next(iter(during)),
)
async def test_counts_around_the_number_of_known_times(
    db: Database, during: dict[str, Any]
) -> None:
    """Of people with none, one, and as many events as the summary has times of and one
    more, before a window, in it and after it."""
    most = SUMMARY_TIMES
    instants = [datetime(2026, 2, day, 12, tzinfo=UTC) for day in (20, 25, 28)]
    histories = [*product((0, 1, most, most + 1), repeat=3)]
    metric = ObjectId()
    profiles = [
        {"_id": ObjectId(), "properties": {}, "created_at": NOW, "updated_at": NOW}
        for _ in histories
    ]
    events = [
        {
            "_id": ObjectId(),
            "profile_id": profile["_id"],
            "metric_id": metric,
            "timestamp": at,
            "unique_id": f"{at} {number}",
            "value": 1,
            "properties": {},
        }
        for profile, history in zip(profiles, histories, strict=True)
        for at, count in zip(instants, history, strict=True)
        for number in range(count)
    ]
    world = World(profiles, events, {"Order": metric}, NOW, ZoneInfo("UTC"))
    await store(db, world)

    for number in (1, 2, most - 1, most, most + 1, most + 2):
        for operator in ("atLeast", "atMost", "equals"):
            for measure in ("COUNT", "SUM"):
                said: dict[str, Any] = {"metric": {"name": "Order"}, "during": during}
                said |= {"measure": measure, "compare": {operator: number}}
                definition = {"groups": [{"anyOf": [{"event": said}]}]}
                assert await differences(db, world, definition) == []


async def test_a_sum_is_the_same_however_the_events_came(db: Database) -> None:
    ada, bob = (Identity(email=f"{name}@shop.example") for name in ("ada", "bob"))
    start = NOW - timedelta(days=1)
    times = [start + timedelta(minutes=each) for each in range(10)]
    for at in times:
        await track_events(db, [NewEvent(ada, "Order", at, 0.1)], NOW)
    await track_events(db, [NewEvent(bob, "Order", at, 0.1) for at in times], NOW)
    profiles = await find(db.profiles, {}, sort={"email": 1})
    events = await find(db.events, {})
    metrics = {row["name"]: row["_id"] for row in await find(db.metrics, {})}
    world = World(profiles, events, metrics, NOW, ZoneInfo("UTC"))
    sums = [each["summary"]["0"]["s"] for each in profiles]
    assert sums == [0.9999999999999999, 1.0]

    found = []
    for during in ({}, {"during": {"inTheLast": {"amount": 2, "unit": "DAY"}}}):
        for measure, number in (("SUM", 1), ("AVERAGE", 0.1)):
            for operator in ("atLeast", "atMost", "equals", "lessThan", "greaterThan"):
                said = {"metric": {"name": "Order"}, "measure": measure, **during}
                said["compare"] = {operator: number}
                definition = {"groups": [{"anyOf": [{"event": said}]}]}
                assert await differences(db, world, definition) == []
                found.append(len(members(definition, world)))
    assert found == [2, 2, 2, 0, 0] * 4


def test_the_oracle_knows_nothing_of_what_it_judges() -> None:
    tree = ast.parse((Path(__file__).parents[1] / "oracle.py").read_text())

    modules = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [it.name for it in getattr(node, "names", ())]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert modules <= sys.stdlib_module_names


def test_what_is_generated_covers_the_language() -> None:
    """Every operator, timeframe and measure at every place that it can stand."""
    random = Random(1)
    worlds: list[World] = []
    found: Counter[tuple[str, str]] = Counter()
    for number in range(12_000):
        if number % 100 == 0:
            worlds.append(world_of(random, people=1))
        found.update(features_of(definition_of(random, worlds[-1])))

    wanted = {
        feature
        for condition in CONDITIONS
        for feature in features_of(to_json(parse({"groups": [{"anyOf": [condition]}]})))
        if not feature[1].startswith(("metric ", "of "))
        and feature[0] not in ("property exists", "event filter exists")
    }
    assert wanted - {*found} == set()
    kinds = {name for where, name in found if where == "condition"}
    assert kinds == {
        *("event", "property", "consent", "list", "segment", "region", "distance"),
        *("sample", "sequence", "all", "not"),
    }
    leap_days = {world.now.date() for world in worlds if world.now.month == 2}
    assert {(day.month, day.day) for day in leap_days} >= {(2, 28), (2, 29)}
    assert len({str(world.zone) for world in worlds}) >= 6
