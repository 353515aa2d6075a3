"""Kept memberships: true after every step, whatever is cut off, whoever keeps them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect, OperationFailure

from audience.events import NewEvent
from audience.identity import Identity
from audience.profiles import ProfileChange
from resolvers.collections import prepare
from resolvers.db import Database, Document, find, started_session
from resolvers.events import track_events
from resolvers.keeper import Keeper, LeaseLost, keep_once, stop
from resolvers.keeper.shares import LEASE_SECONDS
from resolvers.keeper.stream import (
    HistoryLost,
    Stream,
    close_stream,
    open_stream,
)
from resolvers.memberships import (
    Freshness,
    Point,
    change_pages,
    freshness_of,
    kept_members,
    kept_sizes,
    past_members,
    past_sizes,
    segments_of_profiles,
    size_histories,
)
from resolvers.merges import merge_profiles
from resolvers.metrics import ensure_metrics
from resolvers.pages import PageRequest
from resolvers.profiles import upsert_profile
from resolvers.segments import create_segment, delete_segment, update_segment
from tests.membership_histories import (
    assert_true,
    begin,
    catch_up,
    keeper_of,
    keeping,
    run,
    shown,
    step,
)
from tests.resolvers.histories import killed_after

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)


class Clock:
    """Tells what it is told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_kept_is_true_after_every_step(db: Database, seed: int) -> None:
    await run(db, seed, steps=15)


async def test_time_alone_brings_people_in_and_takes_them_out(db: Database) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    lately = await _segment(db, "lately", _opened({"atLeast": 1}))
    asleep = await _segment(db, "asleep", _opened({"equals": 0}))
    (ada,) = await _people(db, "ada")
    await _event(db, "ada", NOW)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: {ada}, asleep["_id"]: set()}

        clock.now = NOW + 30 * DAY
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: {ada}, asleep["_id"]: set()}

        clock.now += timedelta(milliseconds=1)
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: set(), asleep["_id"]: {ada}}

    lines = await find(db.segment_changes, {"at": clock.now}, {"_id": 0})
    assert sorted(lines, key=lambda line: str(line["kind"])) == [
        _line(asleep, ada, "ENTERED", clock.now, "TIME"),
        _line(lately, ada, "LEFT", clock.now, "TIME") | {"entered_at": NOW},
    ]


async def test_an_event_of_the_future_counts_when_its_time_has_come(
    db: Database,
) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    lately = await _segment(db, "lately", _opened({"atLeast": 1}))
    (ada,) = await _people(db, "ada")

    async with keeping(db, clock, ZONE) as keeper:
        await _event(db, "ada", NOW + timedelta(milliseconds=300))
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: set()}

        clock.now = NOW + timedelta(milliseconds=300)
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: {ada}}


async def test_at_leisure_time_is_looked_at_every_few_seconds(db: Database) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    lately = await _segment(db, "lately", _opened({"atLeast": 1}))
    young = await _segment(db, "young", _made_lately())
    (ada,) = await _people(db, "ada")
    await _event(db, "ada", NOW)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now = NOW + 30 * DAY - timedelta(seconds=1)
        await catch_up(keeper)
        clock.now += timedelta(seconds=2)
        await keep_once(keeper)
        assert await shown(db) == {lately["_id"]: set(), young["_id"]: {ada}}

        clock.now += timedelta(seconds=20)
        await keep_once(keeper)
        assert await shown(db) == {lately["_id"]: set(), young["_id"]: set()}


async def test_a_changed_definition_is_shown_at_once_and_its_difference_logged(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 1)
    clock = Clock()
    ada, bob, eve = await _people(db, "ada", "bob", "eve")
    segment = await _segment(db, "some", _named("ada", "bob"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now += DAY
        await update_segment(
            db, segment["_id"], now=clock.now, definition=_named("bob", "eve")
        )

        seen = []
        for _ in range(20):
            await keep_once(keeper, at_leisure=False)
            (row,) = await find(db.segments, {})
            members = await shown(db)
            assert await kept_sizes(db, [row]) == [len(members[segment["_id"]])]
            seen.append(sorted(members[segment["_id"]]))
        await catch_up(keeper)

    assert seen[0] == [ada, bob]
    assert seen[-1] == [bob, eve]
    assert sorted(seen, key=lambda ids: ids != [ada, bob]) == seen
    assert all(ids in ([ada, bob], [bob, eve]) for ids in seen)
    lines = await find(db.segment_changes, {"version": 2}, {"_id": 0})
    assert sorted(lines, key=lambda line: str(line["kind"])) == [
        _line(segment, eve, "ENTERED", clock.now, "DEFINITION") | {"version": 2},
        _line(segment, ada, "LEFT", clock.now, "DEFINITION")
        | {"version": 2, "entered_at": NOW},
    ]


async def test_changes_during_a_build_are_not_lost(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 2)
    clock = Clock()
    people = await _people(db, *"abcdefgh")
    await _segment(db, "some", _named(*"abcd"))
    async with keeping(db, clock, ZONE) as keeper:
        for name in "aceg":
            await keep_once(keeper, at_leisure=False)
            await _rename(db, name, {"a": "z", "c": "z", "e": "a", "g": "b"}[name])
        await catch_up(keeper)

    assert len(people) == 8
    await assert_true(db, clock.now, ZONE)


@pytest.mark.parametrize("seed", range(3))
async def test_a_keeper_killed_at_any_await_loses_and_repeats_nothing(
    db: Database, seed: int
) -> None:
    """Each time a few awaits later, after other writes."""
    course = await begin(db, seed)
    async with keeping(db, course.clock, course.zone) as keeper:
        await catch_up(keeper)
    for steps in range(seed, 80, 5):
        await step(course)
        await step(course)
        killed = keeper_of(db, course.clock, course.zone)
        await killed_after(steps, catch_up(killed))
        await _vanish(db, killed)

        async with keeping(db, course.clock, course.zone) as keeper:
            await catch_up(keeper)
        await assert_true(db, course.now, course.zone)


async def test_what_a_killed_keeper_was_about_to_write_is_in_nobodys_way(
    db: Database,
) -> None:
    clock = Clock()
    await _people(db, "ada")
    await _segment(db, "some", _named("ada"))
    killed = keeper_of(db, clock, ZONE)
    await keep_once(killed, 5, at_leisure=False)
    session = killed.sessions[0]
    session.start_transaction()
    await db.keeper_shares.update_many({}, {"$inc": {"commits": 1}}, session=session)
    clock.now += timedelta(seconds=LEASE_SECONDS + 1)

    async with asyncio.timeout(10), keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)
        with pytest.raises(OperationFailure):
            await session.commit_transaction()
    await stop(killed, gives_back=False)


async def test_keepers_share_the_profiles_between_them(db: Database) -> None:
    course = await begin(db, 5)
    one = keeper_of(db, course.clock, course.zone)
    other = keeper_of(db, course.clock, course.zone)
    try:
        for _ in range(10):
            await step(course)
            for _ in range(12):
                await _pass(one)
                await _pass(other)
            await assert_true(db, course.now, course.zone)
        assert sorted((*one.shares, *other.shares)) == [0, 1, 2, 3]
        assert len(one.shares) == len(other.shares) == 2
    finally:
        await stop(one)
        await stop(other)


async def test_who_has_lost_a_share_writes_nothing(db: Database) -> None:
    clock = Clock()
    await _people(db, "ada")
    segment = await _segment(db, "some", _named("ada"))
    late = keeper_of(db, clock, ZONE)
    await keep_once(late, at_leisure=False)
    clock.now += timedelta(seconds=LEASE_SECONDS + 1)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        before = await find(db.segment_changes, {})
        await _rename(db, "ada", "bob")

        late.renewed = late.read = clock.now
        with pytest.raises(LeaseLost):
            for _ in range(20):
                await keep_once(late, 5)

        assert await find(db.segment_changes, {}) == before
        assert len((await shown(db))[segment["_id"]]) == 1
        await stop(late)
        await catch_up(keeper)
    await assert_true(db, clock.now, ZONE)


async def test_when_the_log_is_too_short_everybody_is_looked_at_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    await _people(db, "ada", "bob")
    await _segment(db, "some", _named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await _rename(db, "ada", "eve")
    await _rename(db, "bob", "ada")
    await db.profiles.delete_one({"first_name": "eve"})

    async def forgetful(db: Database, token: Document | None) -> Any:
        if token is not None:
            raise HistoryLost
        return await open_stream(db, None)

    monkeypatch.setattr("resolvers.keeper.upkeep.open_stream", forgetful)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await assert_true(db, clock.now, ZONE)


async def test_a_position_that_means_nothing_is_a_log_that_is_too_short(
    db: Database,
) -> None:
    clock = Clock()
    await _people(db, "ada", "bob")
    await _segment(db, "some", _named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await _rename(db, "bob", "ada")
    nonsense = {"$set": {"cursor": {"_data": "82000000"}}}
    await db.keeper_shares.update_many({}, nonsense)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    await assert_true(db, clock.now, ZONE)
    causes = await db.segment_changes.distinct("cause", {"at": {"$gt": NOW}})
    assert causes == []
    assert await db.segment_changes.distinct("cause") == ["CHANGE", "DEFINITION"]


async def test_a_reader_that_the_server_has_forgotten_is_opened_again(
    db: Database,
) -> None:
    clock = Clock()
    await _people(db, "ada", "bob")
    await _segment(db, "some", _named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert keeper.stream is not None
        await close_stream(replace(keeper.stream, session=await started_session(db)))
        await _rename(db, "bob", "ada")
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)


async def test_when_the_profiles_are_dropped_nobody_is_left(db: Database) -> None:
    clock = Clock()
    await _people(db, "ada", "bob")
    await _segment(db, "some", _named("ada", "eve"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await db.profiles.drop()
        try:
            await catch_up(keeper)
            await assert_true(db, clock.now, ZONE)
        finally:
            await prepare(db)  # the indexes, which others need

        await _people(db, "eve")
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)


async def test_what_fails_while_a_share_is_taken_over_loses_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    people = await _people(db, *"abcdefgh")
    await _segment(db, "some", _named("z"))
    one, other = keeper_of(db, clock, ZONE), keeper_of(db, clock, ZONE)
    for _ in range(12):
        await _pass(one)
        await _pass(other)
    assert len(one.shares) == len(other.shares) == 2
    for name in "abcdefgh":
        await _rename(db, name, "z")
    await keep_once(one, 5, at_leisure=False)
    await stop(other)
    failures = [AutoReconnect("gone"), AutoReconnect("gone")]

    async def failing(stream: Stream) -> None:
        if failures:
            raise failures.pop()
        await close_stream(stream)

    monkeypatch.setattr("resolvers.keeper.upkeep.close_stream", failing)
    with pytest.raises(AutoReconnect):
        await keep_once(one, 5, at_leisure=False)
    clock.now += timedelta(seconds=1)
    await catch_up(one)
    await stop(one)

    assert len(people) == 8
    await assert_true(db, clock.now, ZONE)


async def test_a_clock_that_was_ahead_is_mended(db: Database) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    await _segment(db, "lately", _opened({"atLeast": 1}))
    await _people(db, "ada")
    await _event(db, "ada", NOW)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now = NOW + 400 * DAY
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)

        clock.now = NOW + DAY
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)

        clock.now = NOW + 400 * DAY
        await catch_up(keeper)
    clock.now = NOW + 2 * DAY
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await assert_true(db, clock.now, ZONE)


async def test_too_many_at_once_are_looked_through_and_freshness_says_so(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.crossings.LIMIT", 1)
    monkeypatch.setattr("resolvers.keeper.crossings._BOUND", {"$limit": 2})
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 2)
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    segment = await _segment(db, "lately", _opened({"atLeast": 1}))
    people = await _people(db, *"abcdef")
    for name in "abcdef":
        await _event(db, name, NOW)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert len((await shown(db))[segment["_id"]]) == 6

        before, clock.now = clock.now, NOW + 31 * DAY
        await keep_once(keeper, 5, at_leisure=False)
        (segment,) = await find(db.segments, {})
        assert await freshness_of(db, [segment]) == [Freshness(before, False, 1.0)]

        # Time goes on meanwhile, and again too many are to be looked at.
        for name in "abcdef":
            await _event(db, name, clock.now + timedelta(seconds=1))
        clock.now += timedelta(seconds=2)
        await catch_up(keeper)
        assert await freshness_of(db, [segment]) == [Freshness(clock.now, False, 1.0)]
    assert len(people) == 6
    await assert_true(db, clock.now, ZONE)
    left = await db.segment_changes.distinct("cause", {"kind": "LEFT"})
    assert left == ["TIME"]


@pytest.mark.parametrize("seed", range(100, 103))
async def test_what_is_done_in_small_parts_is_the_same(
    db: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 3)
    monkeypatch.setattr("resolvers.keeper.builds.SETTLED_AT_ONCE", 2)
    monkeypatch.setattr("resolvers.keeper.builds.FORGOTTEN_AT_ONCE", 2)
    monkeypatch.setattr("resolvers.keeper.commits.AT_ONCE", 2)
    monkeypatch.setattr("resolvers.keeper.asking.AT_ONCE", 2)
    monkeypatch.setattr("resolvers.keeper.stream.AT_ONCE", 2)
    monkeypatch.setattr("resolvers.keeper.crossings.LIMIT", 2)
    monkeypatch.setattr("resolvers.keeper.crossings._BOUND", {"$limit": 3})
    await run(db, seed, steps=12)


async def test_a_deleted_segment_leaves_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.FORGOTTEN_AT_ONCE", 1)
    clock = Clock()
    await _people(db, "ada")
    segment = await _segment(db, "some", _named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await delete_segment(db, segment["_id"])
        await catch_up(keeper)

    assert await find(db.segment_members, {}) == []
    assert await find(db.segment_changes, {}) == []
    shares = await find(db.keeper_shares, {})
    assert [share["segments"] for share in shares] == [{}, {}, {}, {}]


async def test_what_is_read(db: Database) -> None:
    clock = Clock()
    ada, bob = await _people(db, "ada", "bob")
    segment = await _segment(db, "some", _named("ada"))
    page = PageRequest(size=1)
    async with keeping(db, clock, ZONE) as keeper:
        assert await freshness_of(db, [segment]) == [Freshness(None, True, 0.0)]
        await catch_up(keeper)
        clock.now = NOW + DAY
        await _rename(db, "bob", "ada")
        await catch_up(keeper)
        clock.now = NOW + 2 * DAY
        await merge_profiles(db, ada, bob, clock.now)
        await catch_up(keeper)
        (segment,) = await find(db.segments, {})

        assert await kept_sizes(db, [segment]) == [1]
        (members,) = await kept_members(db, [segment], page)
        assert [(row["profile"]["_id"], row["entered_at"]) for row in members.rows] == [
            (bob, NOW + DAY)
        ]
        then = NOW + DAY
        assert await past_sizes(db, [segment], then) == [2]
        (past,) = await past_members(db, [segment], then, PageRequest(size=5))
        assert [row["profile"]["_id"] for row in past.rows] == [bob]
        assert await past_sizes(db, [segment], NOW - DAY) == [0]
        (history,) = await change_pages(db, [segment], PageRequest(size=2))
        assert [(row["kind"], row["profile_id"]) for row in history.rows] == [
            ("LEFT", ada),
            ("ENTERED", bob),
        ]
        assert history.has_next
        days = [NOW - DAY, NOW, NOW + DAY, NOW + 2 * DAY]
        assert await size_histories(db, [segment], days) == [
            [Point(day, size) for day, size in zip(days, (0, 1, 2, 1), strict=True)]
        ]
        (mine,) = await segments_of_profiles(db, [bob], page)
        assert [(row["segment"]["_id"], row["entered_at"]) for row in mine.rows] == [
            (segment["_id"], NOW + DAY)
        ]
        assert await freshness_of(db, [segment]) == [Freshness(clock.now, False, 1.0)]


async def _pass(keeper: Keeper) -> None:
    try:
        await keep_once(keeper, 5, at_leisure=False)
    except LeaseLost:
        await stop(keeper, gives_back=False)


async def _vanish(db: Database, keeper: Keeper) -> None:
    """Its lease ends, as when the process is no more."""
    stream = keeper.stream
    await db.leases.delete_one({"_id": f"keeper/{keeper.holder}"})
    await db.keeper_shares.update_many(
        {"holder": keeper.holder}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
    )
    if stream is not None:
        await stream.session.end_session()


async def _people(db: Database, *names: str) -> Sequence[ObjectId]:
    found = []
    for name in names:
        change = ProfileChange(_who(name), {"first_name": name})
        found.append((await upsert_profile(db, change, NOW)).profile["_id"])
    return found


async def _rename(db: Database, who: str, name: str) -> None:
    await upsert_profile(db, ProfileChange(_who(who), {"first_name": name}), NOW)


async def _event(db: Database, who: str, at: datetime) -> None:
    await track_events(db, [NewEvent(_who(who), "Opened", at)], NOW)


async def _segment(db: Database, name: str, definition: Document) -> Document:
    return await create_segment(db, name, definition, now=NOW)


def _who(name: str) -> Identity:
    return Identity(email=f"{name}@shop.example")


def _named(*names: str) -> Document:
    text = {"in": list(names)}
    filter = {"path": "firstName", "is": {"text": text}}
    return {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}


def _made_lately() -> Document:
    during = {"inTheLast": {"amount": 30, "unit": "DAY"}}
    filter = {"path": "createdAt", "is": {"date": {"during": during}}}
    return {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}


def _opened(compare: Document) -> Document:
    event = {
        "metric": {"name": "Opened"},
        "measure": "COUNT",
        "compare": compare,
        "during": {"inTheLast": {"amount": 30, "unit": "DAY"}},
    }
    return {"groups": [{"anyOf": [{"event": event}]}]}


def _line(
    segment: Document, profile_id: ObjectId, kind: str, at: datetime, cause: str
) -> Document:
    return {
        "segment_id": segment["_id"],
        "profile_id": profile_id,
        "kind": kind,
        "at": at,
        "cause": cause,
        "version": 1,
    }
