"""Kept memberships: true after every step, of what is written and of time."""

from datetime import datetime, timedelta

import pytest
from bson import ObjectId

from resolvers.db import Database, Document, find
from resolvers.keeper import keep_once
from resolvers.membership_histories import Point, change_pages, size_histories
from resolvers.memberships import (
    Freshness,
    freshness_of,
    kept_members,
    kept_sizes,
    past_members,
    past_sizes,
    segments_of_profiles,
)
from resolvers.merges import merge_profiles
from resolvers.metrics import ensure_metrics
from resolvers.pages import PageRequest
from resolvers.segments import delete_segment, update_segment
from tests.membership_histories import (
    assert_true,
    catch_up,
    keeping,
    run,
    shown,
)
from tests.resolvers.kept import (
    DAY,
    NOW,
    ZONE,
    Clock,
    happen,
    make_people,
    make_segment,
    named,
    opened,
    rename,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_kept_is_true_after_every_step(db: Database, seed: int) -> None:
    await run(db, seed, steps=15)


async def test_time_alone_brings_people_in_and_takes_them_out(db: Database) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    lately = await make_segment(db, "lately", opened({"atLeast": 1}))
    asleep = await make_segment(db, "asleep", opened({"equals": 0}))
    (ada,) = await make_people(db, "ada")
    await happen(db, "ada", NOW)

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
    lately = await make_segment(db, "lately", opened({"atLeast": 1}))
    (ada,) = await make_people(db, "ada")

    async with keeping(db, clock, ZONE) as keeper:
        await happen(db, "ada", NOW + timedelta(milliseconds=300))
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: set()}

        clock.now = NOW + timedelta(milliseconds=300)
        await catch_up(keeper)
        assert await shown(db) == {lately["_id"]: {ada}}


async def test_at_leisure_time_is_looked_at_every_few_seconds(db: Database) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    lately = await make_segment(db, "lately", opened({"atLeast": 1}))
    young = await make_segment(db, "young", _made_lately())
    (ada,) = await make_people(db, "ada")
    await happen(db, "ada", NOW)

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
    ada, bob, eve = await make_people(db, "ada", "bob", "eve")
    segment = await make_segment(db, "some", named("ada", "bob"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now += DAY
        await update_segment(
            db, segment["_id"], now=clock.now, definition=named("bob", "eve")
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
    people = await make_people(db, *"abcdefgh")
    await make_segment(db, "some", named(*"abcd"))
    async with keeping(db, clock, ZONE) as keeper:
        for name in "aceg":
            await keep_once(keeper, at_leisure=False)
            await rename(db, name, {"a": "z", "c": "z", "e": "a", "g": "b"}[name])
        await catch_up(keeper)

    assert len(people) == 8
    await assert_true(db, clock.now, ZONE)


@pytest.mark.parametrize("many", [0, 100])
async def test_a_sequence_is_built_piece_by_piece(
    db: Database, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 2)
    monkeypatch.setattr("resolvers.segments.among.MANY", many)
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    people = await make_people(db, *"abcdef")
    for name in "abcdef":
        await happen(db, name, NOW)
    for name in "bdef":
        await happen(db, name, NOW - DAY)
    step = {"metric": {"name": "Opened"}}
    within = {"amount": 3, "unit": "DAY"}
    sequence = {"sequence": {"steps": [step, step], "within": within}}
    twice = await make_segment(db, "twice", {"groups": [{"anyOf": [sequence]}]})
    either = {"groups": [{"anyOf": [sequence, *named("a")["groups"][0]["anyOf"]]}]}
    named_too = await make_segment(db, "named too", either)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)

    assert await shown(db) == {
        twice["_id"]: {people[at] for at in (1, 3, 4, 5)},
        named_too["_id"]: {people[at] for at in (0, 1, 3, 4, 5)},
    }
    await assert_true(db, clock.now, ZONE)


async def test_a_clock_that_was_ahead_is_mended(db: Database) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    await make_segment(db, "lately", opened({"atLeast": 1}))
    await make_people(db, "ada")
    await happen(db, "ada", NOW)
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
    segment = await make_segment(db, "lately", opened({"atLeast": 1}))
    people = await make_people(db, *"abcdef")
    for name in "abcdef":
        await happen(db, name, NOW)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        assert len((await shown(db))[segment["_id"]]) == 6

        before, clock.now = clock.now, NOW + 31 * DAY
        await keep_once(keeper, 5, at_leisure=False)
        (segment,) = await find(db.segments, {})
        assert await freshness_of(db, [segment]) == [Freshness(before, False, 1.0)]

        # Time goes on meanwhile, and again too many are to be looked at.
        for name in "abcdef":
            await happen(db, name, clock.now + timedelta(seconds=1))
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
    await make_people(db, "ada")
    segment = await make_segment(db, "some", named("ada"))
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
    ada, bob = await make_people(db, "ada", "bob")
    segment = await make_segment(db, "some", named("ada"))
    page = PageRequest(size=1)
    async with keeping(db, clock, ZONE) as keeper:
        assert await freshness_of(db, [segment]) == [Freshness(None, True, 0.0)]
        await catch_up(keeper)
        clock.now = NOW + DAY
        await rename(db, "bob", "ada")
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


def _made_lately() -> Document:
    during = {"inTheLast": {"amount": 30, "unit": "DAY"}}
    filter = {"path": "createdAt", "is": {"date": {"during": during}}}
    return {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}


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
