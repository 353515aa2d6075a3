import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from bson import ObjectId

from audience.errors import Code, InvalidInput, TooLarge
from audience.events import SUMMARY_TIMES, NewEvent
from audience.identity import Identity
from audience.summaries import Summary
from resolvers.db import Database, Document, close, connect, find
from resolvers.events import (
    EventFilter,
    Tracked,
    count_events,
    event_counts_of_profiles,
    event_page,
    events_by_id,
    events_of_profiles,
    track_events,
)
from resolvers.events.writes import _addition
from resolvers.merges import merge_profiles
from resolvers.metrics import event_counts_by_metric, metrics_by_name
from resolvers.pages import PageRequest
from resolvers.profiles import Resolved, profile_by, resolve_profiles
from resolvers.summaries import rebuild, recover_batches
from tests.resolvers.histories import (
    NOW,
    assert_exact,
    batches,
    event,
    killed_after,
    overtaken_after,
    unique_ids,
)

pytestmark = pytest.mark.anyio

ANNA = Identity(email="anna@example.org")
BEN = Identity(email="ben@example.org")


async def stored(db: Database, *events: NewEvent) -> list[Document]:
    outcomes = await track_events(db, events, NOW)
    assert all(one.error is None and one.event is not None for one in outcomes)
    return [one.event for one in outcomes if one.event is not None]


async def ids_of(db: Database, *identities: Identity) -> list[ObjectId]:
    found = await resolve_profiles(db, identities, NOW)
    return [one.id for one in found if isinstance(one, Resolved)]


async def test_event_makes_its_profile_and_metric(db: Database) -> None:
    (outcome,) = await track_events(
        db,
        [NewEvent(ANNA, "Placed Order", NOW, 12.5, "EUR", {"items": 2}, "o-1")],
        NOW,
    )

    (metric,) = await metrics_by_name(db, ["Placed Order"])
    profile = await profile_by(db, ANNA)
    assert metric is not None
    assert profile is not None
    assert outcome.event is not None
    expected = {
        "_id": outcome.event["_id"],
        "profile_id": profile["_id"],
        "metric_id": metric["_id"],
        "timestamp": NOW,
        "unique_id": "o-1",
        "properties": {"items": 2},
        "value": 12.5,
        "currency": "EUR",
    }
    assert outcome == Tracked(expected)
    assert await find(db.events, {}) == [expected]
    assert profile["last_event_at"] == NOW
    assert profile["summary"] == {
        metric["key"]: {"n": 1, "f": NOW, "l": NOW, "s": 12.5, "t": [NOW]}
    }
    assert await db.event_batches.count_documents({}) == 0


async def test_retried_events_change_nothing(db: Database) -> None:
    events = [event(ANNA, 1), event(BEN, 1), event(ANNA, 2, "Opened", value=None)]
    first = await stored(db, *events)

    outcomes = await track_events(
        db, [replace(one, value=99.0) for one in events] + [event(ANNA, 3)], NOW
    )

    assert [one.is_duplicate for one in outcomes] == [True, True, True, False]
    assert [one.event for one in outcomes[:3]] == first
    assert await db.events.count_documents({}) == 4
    await assert_exact(db)


async def test_the_same_event_twice_in_a_batch_counts_once(db: Database) -> None:
    outcomes = await track_events(db, [event(ANNA, 1), event(ANNA, 1)], NOW)

    assert sorted(one.is_duplicate for one in outcomes) == [False, True]
    assert outcomes[0].event == outcomes[1].event
    await assert_exact(db)


async def test_events_without_unique_id_are_all_new(db: Database) -> None:
    same = replace(event(ANNA, 1), unique_id=None)

    rows = await stored(db, same, same)

    assert [row["unique_id"] for row in rows] == [str(row["_id"]) for row in rows]
    assert await db.events.count_documents({}) == 2


async def test_one_bad_event_stops_no_other(db: Database) -> None:
    unknown = Identity(id=str(ObjectId()))
    malformed = Identity(id="nobody")
    refused = InvalidInput("No.", ("timestamp",))

    outcomes = await track_events(
        db,
        [event(unknown, 1), refused, event(ANNA, 2), event(malformed, 3)],
        NOW,
    )

    assert [
        one.error and [(each.code, each.path) for each in one.error.problems]
        for one in outcomes
    ] == [
        [(Code.NOT_FOUND, ("profile", "id"))],
        [(Code.INVALID, ("timestamp",))],
        None,
        [(Code.INVALID, ("profile", "id"))],
    ]
    assert await unique_ids(db) == ["e2"]


async def test_a_call_takes_a_bounded_number_of_events(db: Database) -> None:
    events = [event(ANNA, n) for n in range(3)]
    with pytest.raises(TooLarge):
        await track_events(db, events, NOW, limit=2)

    assert await track_events(db, [], NOW) == []
    assert await db.events.count_documents({}) == 0


async def test_a_profile_has_a_bounded_number_of_metrics(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.events.writes.PROFILE_METRICS", 2)
    outcomes = await track_events(
        db, [event(ANNA, n, f"Metric {n}") for n in range(4)], NOW
    )
    again = await track_events(db, [event(BEN, 9, "Metric 3")], NOW)

    assert [one.error and one.error.code for one in outcomes] == [
        None,
        None,
        Code.LIMIT_REACHED,
        Code.LIMIT_REACHED,
    ]
    assert again[0].error is None
    await assert_exact(db)


async def test_summary_keeps_the_newest_times_of_many_batches(db: Database) -> None:
    for some in batches(range(50), 7):
        await stored(db, *(event(ANNA, n) for n in some))

    profile = await profile_by(db, ANNA)
    assert profile is not None
    assert profile["summary"]["0"]["n"] == 50
    assert len(profile["summary"]["0"]["t"]) == SUMMARY_TIMES
    await assert_exact(db)


async def test_summaries_are_exact_whoever_writes_and_retries(
    db: Database, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the updates of a batch go side by side.
    monkeypatch.setattr("resolvers.events.writes._UPDATES_AT_ONCE", 4)
    clients = [connect(mongodb_uri, db.name, driver=db.driver) for _ in range(4)]
    people = [Identity(email=f"p{n}@example.org") for n in range(15)]
    metrics = ["Placed Order", "Opened", "Clicked"]
    events = [
        event(people[n % 15], n, metrics[n % 3], value=None if n % 5 else 0.25)
        for n in range(1200)
    ]
    work = [[events[n] for n in some] for some in batches(range(1200), 150)]

    async def write(client: Database, seed: int) -> None:
        order = random.Random(seed)
        for batch in order.sample(work, len(work)) + work[:3]:
            await track_events(client, order.sample(batch, len(batch)), NOW)

    async def rebuild_now_and_then() -> None:
        for _ in range(20):
            row = await db.profiles.find_one({})
            if row is not None:
                await rebuild(db, row["_id"])
            await asyncio.sleep(0.02)

    await asyncio.gather(
        *(write(client, seed) for seed, client in enumerate(clients)),
        rebuild_now_and_then(),
    )

    assert await db.profiles.count_documents({}) == 15
    assert await unique_ids(db) == sorted(f"e{n}" for n in range(1200))
    await assert_exact(db)
    assert await db.event_batches.count_documents({}) == 0
    for client in clients:
        await close(client)


async def test_a_writer_that_stops_anywhere_is_made_good(db: Database) -> None:
    await stored(db, event(ANNA, 0), event(BEN, 0))
    steps, ended = 0, False
    while not ended:
        first = 1000 * (steps + 1)
        batch = [event(who, n) for n in range(first, first + 5) for who in (ANNA, BEN)]
        ended = await killed_after(steps, track_events(db, batch, NOW))
        await recover_batches(db, NOW + timedelta(seconds=1), timedelta(0))

        await assert_exact(db)
        again = await track_events(db, batch, NOW)
        assert all(one.error is None for one in again)
        await assert_exact(db)
        assert await db.event_batches.count_documents({}) == 0
        steps += 1

    # Reads of metrics and profiles, journal, events, summaries, end of the journal.
    assert steps >= 5
    assert await db.events.count_documents({}) == 2 + 10 * steps


async def test_a_rebuild_between_any_two_steps_of_a_writer(db: Database) -> None:
    (anna,) = await ids_of(db, ANNA)
    steps, ended = 0, False
    while not ended:
        batch = [event(ANNA, n) for n in range(steps * 10, steps * 10 + 5)]
        writer = track_events(db, batch, NOW)
        ended = await overtaken_after(steps, writer, rebuild(db, anna))
        await assert_exact(db)
        steps += 1

    assert await db.events.count_documents({}) == 5 * steps


async def test_a_writer_between_any_two_steps_of_a_rebuild(db: Database) -> None:
    (anna,) = await ids_of(db, ANNA)
    steps, ended = 0, False
    while not ended:
        batch = [event(ANNA, n) for n in range(steps * 10, steps * 10 + 5)]
        writer = track_events(db, batch, NOW)
        ended = await overtaken_after(steps, rebuild(db, anna), writer)
        await assert_exact(db)
        steps += 1


async def test_a_merge_between_any_two_steps_of_a_writer(db: Database) -> None:
    steps, ended = 0, False
    while not ended:
        await db.events.delete_many({})
        await db.profiles.delete_many({})
        anna, ben = await ids_of(db, ANNA, BEN)
        await stored(db, *(event(BEN, n) for n in range(3)))
        batch = [event(Identity(id=str(anna)), n) for n in range(6)]
        batch += [event(Identity(id=str(ben)), n) for n in range(4, 9)]
        writer = track_events(db, batch, NOW)
        ended = await overtaken_after(steps, writer, merge_profiles(db, anna, ben, NOW))
        if ended:
            await merge_profiles(db, anna, ben, NOW)

        await assert_exact(db)
        assert await unique_ids(db) == [f"e{n}" for n in range(9)]
        steps += 1


async def test_a_retry_before_the_recovery_loses_nothing(db: Database) -> None:
    batch = [event(ANNA, n) for n in range(5)]
    steps = 0
    while not await db.events.count_documents({}):
        await killed_after(steps, track_events(db, batch, NOW))
        steps += 1

    outcomes = await track_events(db, [*batch, event(ANNA, 7)], NOW)
    assert [one.is_duplicate for one in outcomes] == [True] * 5 + [False]
    await recover_batches(db, NOW + timedelta(seconds=1), timedelta(0))

    await assert_exact(db)


async def test_a_failed_update_of_summaries_is_made_good_at_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An operator that MongoDB refuses, as it would an oversized document.
    monkeypatch.setattr(
        "resolvers.events.writes._addition", lambda _: {"$inc": {"summary": "x"}}
    )

    await stored(db, event(ANNA, 1), event(BEN, 2))

    await assert_exact(db)


async def test_when_one_update_of_several_side_by_side_fails_all_are_made_good(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def partly(summary: Summary) -> Document:
        (metric,) = summary.values()
        return {"$inc": {"summary": "x"}} if metric["n"] == 1 else _addition(summary)

    monkeypatch.setattr("resolvers.events.writes._addition", partly)
    monkeypatch.setattr("resolvers.events.writes._UPDATES_AT_ONCE", 1)

    await stored(db, event(ANNA, 1), event(BEN, 2), event(BEN, 3))

    await assert_exact(db)


async def test_pages_of_events_go_newest_first(db: Database) -> None:
    rows = await stored(db, *(event(ANNA, n) for n in range(5)), event(BEN, 9))
    expected = sorted(rows, key=lambda row: row["timestamp"], reverse=True)

    first = await event_page(db, PageRequest(4))
    rest = await event_page(db, PageRequest(4, after=first.cursors[-1]))
    back = await event_page(db, PageRequest(2, True, before=rest.cursors[0]))

    assert first.rows + rest.rows == expected
    assert (first.has_next, rest.has_next) == (True, False)
    assert back.rows == expected[2:4]
    assert await count_events(db, first.scope) == 6
    assert await events_by_id(db, [str(rows[0]["_id"]), ObjectId()]) == [rows[0], None]


async def test_pages_of_many_profiles_are_read_in_one_command(db: Database) -> None:
    rows = await stored(
        db,
        *(event(ANNA, n, "Opened") for n in range(30)),
        *(event(BEN, n) for n in range(2)),
    )
    anna, ben, eve = await ids_of(db, ANNA, BEN, Identity(external_id="E"))
    of_anna = sorted(
        (row for row in rows if row["profile_id"] == anna),
        key=lambda row: row["timestamp"],
        reverse=True,
    )

    pages = await events_of_profiles(db, [anna, eve, ben, anna], PageRequest(3))
    (after,) = await events_of_profiles(
        db, [str(anna)], PageRequest(3, after=pages[0].cursors[-1])
    )
    (last,) = await events_of_profiles(db, [anna], PageRequest(2, backwards=True))

    assert [len(page.rows) for page in pages] == [3, 0, 2, 3]
    assert [page.has_next for page in pages] == [True, False, False, True]
    assert pages[0].rows + after.rows == of_anna[:6]
    assert last.rows == of_anna[-2:]
    assert await event_counts_of_profiles(db, [ben, eve, anna]) == [2, 0, 30]


async def test_events_are_filtered(db: Database) -> None:
    await stored(
        db,
        *(
            NewEvent(ANNA, metric, NOW - timedelta(days=day), value)
            for metric, day, value in [
                ("Placed Order", 1, 10.0),
                ("Placed Order", 2, 20.0),
                ("Placed Order", 3, 30.0),
                ("Opened", 1, None),
            ]
        ),
        event(BEN, 1),
    )
    anna, ben = await ids_of(db, ANNA, BEN)
    metrics = await metrics_by_name(db, ["Placed Order", "Opened"])
    order, opened = [metric["_id"] for metric in metrics if metric]

    async def values(filter: EventFilter) -> list[float | None]:
        (page,) = await events_of_profiles(db, [anna], PageRequest(9), filter)
        counts = await event_counts_of_profiles(db, [anna], filter)
        assert counts == [len(page.rows)]
        return [row.get("value") for row in page.rows]

    assert await values(EventFilter(metric_ids=[str(opened)])) == [None]
    assert await values(EventFilter(metric_names=["Placed Order"])) == [10, 20, 30]
    assert await values(EventFilter(metric_names=["None"])) == []
    assert await values(EventFilter([order], ["Opened"])) == []
    assert await values(EventFilter(min_value=20)) == [20, 30]
    assert await values(EventFilter(max_value=20)) == [10, 20]
    day = timedelta(days=1)
    assert await values(EventFilter(since=NOW - 2 * day, until=NOW - day)) == [20]
    assert await count_events(db, EventFilter(metric_ids=[order])) == 4
    assert await event_counts_by_metric(db, [opened, order, ben]) == [1, 4, 0]
    with pytest.raises(InvalidInput) as caught:
        await values(EventFilter(metric_ids=["x"]))
    assert caught.value.problems[0].path == ("filter", "metricIds", "0")
