"""Summaries that were written when they had fewer times, and are completed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import parse
from audience.events import SUMMARY_TIMES
from audience.identity import Identity
from resolvers import summaries
from resolvers.db import Database, aggregate, find
from resolvers.events import track_events
from resolvers.merges import merge_profiles
from resolvers.migrations import MIGRATIONS, migrate
from resolvers.segments import preview
from resolvers.summaries import complete_times, rebuild
from tests.resolvers.histories import (
    NOW,
    assert_exact,
    event,
    killed_after,
    overtaken_after,
)

pytestmark = pytest.mark.anyio

FORMERLY = 20
OFTEN, VERY_OFTEN, AS_MANY, SELDOM, NEVER = PEOPLE = [
    Identity(email=f"{n}@example.org") for n in range(5)
]
COUNTS = (FORMERLY + 15, SUMMARY_TIMES + 20, FORMERLY, 3, 0)
STEPS = [it for it in MIGRATIONS if it.number == 5]


@pytest.fixture
async def ids(db: Database, monkeypatch: pytest.MonkeyPatch) -> list[ObjectId]:
    """People, with as many events as `COUNTS` says, in summaries as they were. Two
    are looked at in a read, and one is completed by itself."""
    monkeypatch.setattr(summaries, "_LOOKED_AT", 2)
    monkeypatch.setattr(summaries, "CHUNK", 1)
    first = [event(who, 0, "Opened") for who in PEOPLE]
    await track_events(db, first, NOW)
    for who, count in zip(PEOPLE, COUNTS, strict=True):
        await track_events(db, [event(who, n) for n in range(count)], NOW)
    await db.migrations.delete_many({})
    await shorten(db)
    rows = await find(db.profiles, {}, {"_id": 1}, sort={"email": 1})
    return [row["_id"] for row in rows]


async def shorten(db: Database) -> None:
    """Leaves of all times what there was formerly."""
    for row in await find(db.profiles, {}, {"summary": 1}):
        short = {
            f"summary.{key}.t": metric["t"][:FORMERLY]
            for key, metric in row["summary"].items()
        }
        await db.profiles.update_one({"_id": row["_id"]}, {"$set": short})


async def epochs(db: Database) -> list[str | None]:
    rows = await find(db.profiles, {}, {"epoch": 1}, sort={"email": 1})
    return [row.get("epoch") for row in rows]


async def with_orders(db: Database, compare: dict[str, int]) -> list[ObjectId]:
    """Whoever has so many of the last 90 days, as the summary tells."""
    during = {"inTheLast": {"amount": 90, "unit": "DAY"}}
    ordered = {"metric": {"name": "Placed Order"}, "compare": compare, "during": during}
    definition = parse({"groups": [{"anyOf": [{"event": ordered}]}]})
    asked = (await preview(db, definition, NOW)).asked
    assert asked.match is not None
    rows = await aggregate(db.profiles, asked.stages)
    return sorted(row["_id"] for row in rows)


async def test_summaries_with_too_few_times_are_completed(
    db: Database, ids: list[ObjectId]
) -> None:
    often, very_often, *_ = ids
    before = await epochs(db)
    assert await with_orders(db, {"atLeast": 30}) == []
    assert await with_orders(db, {"atMost": 30}) == sorted(ids)

    await migrate(db, STEPS)

    await assert_exact(db)
    assert await with_orders(db, {"atLeast": 30}) == sorted((often, very_often))
    assert await with_orders(db, {"atMost": 30}) == sorted(ids[2:])
    after = await epochs(db)
    changed = [one != other for one, other in zip(before, after, strict=True)]
    assert changed == [True, True, False, False, False]

    await complete_times(db)
    assert await epochs(db) == after


async def test_profiles_without_summaries_are_passed_over(db: Database) -> None:
    times = {"created_at": NOW, "updated_at": NOW}
    rows = [{"_id": ObjectId(), "properties": {}, **times} for _ in range(3)]
    rows[1]["summary"] = {}
    await db.profiles.insert_many(rows)

    await complete_times(db)

    assert await find(db.profiles, {}, sort={"_id": 1}) == rows


async def test_what_is_read_at_once_is_bounded(
    db: Database, ids: list[ObjectId], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By profiles and by events; who has more of these is read alone."""
    together = []
    monkeypatch.setattr(summaries, "_LOOKED_AT", 10)
    read = summaries._summaries_of

    async def noted(db: Database, some: Any) -> Any:
        together.append(list(some))
        return await read(db, some)

    monkeypatch.setattr(summaries, "_summaries_of", noted)
    both, alone = [ids[:2]], [ids[:1], ids[1:2]]
    for profiles, events, portions in (
        (2, 97, both),
        (2, 96, alone),
        (2, 10, alone),
        (1, 97, alone),
    ):
        await shorten(db)
        monkeypatch.setattr(summaries, "CHUNK", profiles)
        monkeypatch.setattr(summaries, "_EVENTS", events)
        together.clear()

        await complete_times(db)

        assert together == portions
        await assert_exact(db)


async def test_what_was_cut_short_is_finished_by_the_next_start(
    db: Database, ids: list[ObjectId]
) -> None:
    steps, ended = 0, False
    while not ended:
        ended = await killed_after(steps, migrate(db, STEPS))
        await _writes(db, ids, 100 + steps)
        await db.leases.delete_many({})  # as after a minute
        await migrate(db, STEPS)

        await assert_exact(db)
        await db.migrations.delete_many({})
        await shorten(db)
        steps += 1

    # Two of migrations, their lease, reads of profiles, five for each completed.
    assert steps >= 11


async def test_several_processes_at_once(db: Database, ids: list[ObjectId]) -> None:
    await asyncio.gather(
        *(migrate(db, STEPS) for _ in range(3)),
        *(complete_times(db) for _ in range(3)),
    )

    await assert_exact(db)


def _writes(db: Database, ids: list[ObjectId], number: int) -> Any:
    batch = [event(who, number * 10 + n) for n in range(3) for who in PEOPLE]
    return track_events(db, batch, NOW)


def _rebuilds(db: Database, ids: list[ObjectId], number: int) -> Any:
    return rebuild(db, ids[0])


async def _begins_to_rebuild(db: Database, ids: list[ObjectId], number: int) -> None:
    """And is no more."""
    await db.profiles.update_many({}, {"$set": {"epoch": "r-abandoned"}})


async def _loses(db: Database, ids: list[ObjectId], number: int) -> None:
    """Events, and the profile before them."""
    await db.profiles.delete_one({"_id": ids[0]})
    await db.events.delete_many({"profile_id": ids[0]})


def _merges(db: Database, ids: list[ObjectId], number: int) -> Any:
    return merge_profiles(db, ids[0], ids[1], NOW)


@pytest.mark.parametrize(
    "other", [_writes, _rebuilds, _begins_to_rebuild, _loses, _merges]
)
async def test_others_may_do_theirs_between_any_two_steps(
    db: Database,
    ids: list[ObjectId],
    other: Callable[[Database, list[ObjectId], int], Coroutine[Any, Any, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(summaries, "CHUNK", 500)
    kept = await find(db.profiles, {}), await find(db.events, {})
    steps, ended = 0, False
    while not ended:
        for collection, rows in zip((db.profiles, db.events), kept, strict=True):
            await collection.delete_many({})
            await collection.insert_many(rows)
        work = complete_times(db)
        ended = await overtaken_after(steps, work, other(db, ids, 100 + steps))

        await assert_exact(db)
        steps += 1

    assert steps >= 7


async def test_it_may_be_done_between_any_two_steps_of_a_writer(
    db: Database, ids: list[ObjectId]
) -> None:
    steps, ended = 0, False
    while not ended:
        writer = _writes(db, ids, 100 + steps)
        ended = await overtaken_after(steps, writer, complete_times(db))
        if ended:
            await complete_times(db)

        await assert_exact(db)
        await shorten(db)
        steps += 1

    assert steps >= 5
