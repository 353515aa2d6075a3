"""Definitions that change while keepers are at work on them: nothing of what is kept is
lost, and the history says who was shown when, and by which of them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import Definition, parse
from audience.errors import AudienceError, InvalidInput
from audience.plan import References
from resolvers.db import Database, Document, find
from resolvers.keeper import Keeper, keep_once, stop
from resolvers.keeper.crossings import Crossed, crossed
from resolvers.keeper.kept import POSTPONED, _begin
from resolvers.membership_histories import Point, size_histories
from resolvers.memberships import (
    Freshness,
    freshness_of,
    kept_sizes,
    past_members,
    past_sizes,
)
from resolvers.metrics import ensure_metrics
from resolvers.pages import PageRequest
from resolvers.segments import update_segment
from resolvers.segments.references import references_of
from tests.membership_histories import (
    assert_true,
    begin,
    catch_up,
    keeper_of,
    keeping,
    redefine,
    shown,
    step,
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


async def test_who_begins_second_with_a_changed_definition_deletes_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    people = await make_people(db, *"abcdefgh")
    segment = await make_segment(db, "some", named(*"abcdefgh"))
    one, other = keeper_of(db, clock, ZONE), keeper_of(db, clock, ZONE)
    await _both(one, other)
    before = await find(db.segment_changes, {}, sort={"_id": 1})
    await update_segment(
        db, segment["_id"], now=NOW, definition=named(*"abcdefgh", "z")
    )
    begun: list[Document | None] = []

    async def late(*given: Any) -> Document | None:
        if not begun:
            begun.append(await _begin(*given))  # by another process
        begun.append(await _begin(*given))
        return begun[-1]

    monkeypatch.setattr("resolvers.keeper.kept._begin", late)
    await keep_once(one, 5, at_leisure=False)
    assert begun[1] is None
    assert await shown(db) == {segment["_id"]: set(people)}
    assert await find(db.segment_changes, {}, sort={"_id": 1}) == before
    await _both(one, other)

    assert len(before) == 8
    assert await find(db.segment_changes, {}, sort={"_id": 1}) == before
    assert len(one.shares) == len(other.shares) == 2
    await assert_true(db, clock.now, ZONE)
    await stop(one)
    await stop(other)


async def test_a_definition_changed_back_while_it_is_read_loses_no_change(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    ada, bob = await make_people(db, "ada", "bob")
    segment = await make_segment(db, "some", named("ada"))
    reverted: list[None] = []

    async def late(*given: Any) -> Document | None:
        if not reverted:
            reverted.append(None)
            await _define(db, segment, named("ada"))
        return await _begin(*given)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await _define(db, segment, named("eve"))
        await rename(db, "bob", "ada")
        monkeypatch.setattr("resolvers.keeper.kept._begin", late)
        await catch_up(keeper)

    lines = await find(db.segment_changes, {}, sort={"_id": 1})
    assert reverted == [None]
    assert [(it["profile_id"], it["kind"], it["cause"]) for it in lines] == [
        (ada, "ENTERED", "DEFINITION"),
        (bob, "ENTERED", "CHANGE"),
    ]
    await assert_true(db, clock.now, ZONE)


async def test_a_definition_changed_back_before_anybody_saw_it_is_not_built(
    db: Database,
) -> None:
    clock = Clock()
    (ada,) = await make_people(db, "ada")
    segment = await make_segment(db, "some", named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await _define(db, segment, named("eve"))
        await _define(db, segment, named("ada"))
        await catch_up(keeper)

    (segment,) = await find(db.segments, {})
    assert await freshness_of(db, [segment]) == [Freshness(NOW, False, 1.0)]
    assert await shown(db) == {segment["_id"]: {ada}}
    assert await db.segment_changes.count_documents({}) == 1


async def test_who_moves_before_the_last_change_is_settled_is_seen_and_logged(
    db: Database,
) -> None:
    """The second definition is shown, and nothing logged of it, when a third comes."""
    clock = Clock()
    ada, bob = await make_people(db, "ada", "bob")
    segment = await make_segment(db, "some", named("bob"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await _define(db, segment, named("ada"))
        await keep_once(keeper, 5, at_leisure=False)
        assert await shown(db) == {segment["_id"]: {ada}}
        assert await db.segment_changes.count_documents({}) == 1

        await _define(db, segment, named("rob"))
        await rename(db, "ada", "eve")
        await rename(db, "bob", "rob")
        await keep_once(keeper, 100, at_leisure=False)
        assert await shown(db) == {segment["_id"]: {ada}}
        (row,) = await find(db.segments, {})
        assert await kept_sizes(db, [row]) == [1]
        await catch_up(keeper)

    lines = await find(db.segment_changes, {}, sort={"_id": 1})
    told = [(it["profile_id"], it["kind"], it["cause"], it["version"]) for it in lines]
    assert told[:1] == [(bob, "ENTERED", "DEFINITION", 1)]
    assert sorted(told[1:3]) == [
        (ada, "ENTERED", "DEFINITION", 2),
        (bob, "LEFT", "DEFINITION", 2),
    ]
    assert sorted(told[3:]) == [
        (ada, "LEFT", "DEFINITION", 3),
        (bob, "ENTERED", "DEFINITION", 3),
    ]
    await assert_true(db, clock.now, ZONE)


async def test_the_past_is_told_the_same_before_a_change_is_settled(
    db: Database,
) -> None:
    clock = Clock()
    ada, bob, _ = await make_people(db, "ada", "bob", "eve")
    segment = await make_segment(db, "some", named("ada", "bob"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now = NOW + 2 * DAY
        await _define(db, segment, named("bob", "eve", "fay"))
        await make_people(db, "fay")
        for _ in range(2):
            await keep_once(keeper, 100, at_leisure=False)
            (row,) = await find(db.segments, {})
            if row["kept"]["generation"] == 2:
                break
        staged = {"staged": {"$exists": True}}
        unsettled = await db.segment_members.count_documents(staged)
        before = await _past(db)
        await catch_up(keeper)
        settled = await db.segment_members.count_documents(staged)

    assert (unsettled, settled) == (3, 0)
    assert before == await _past(db)
    assert before == (
        [{ada, bob}],
        [2],
        [
            Point(NOW - DAY, 0),
            Point(NOW, 2),
            Point(NOW + DAY, 2),
            Point(NOW + 2 * DAY, 3),
        ],
    )


async def _past(db: Database) -> tuple[list[set[ObjectId]], list[int], list[Point]]:
    """The members and their number a day after NOW, and the sizes of some days."""
    (segment,) = await find(db.segments, {})
    at, page = NOW + DAY, PageRequest(size=5)
    days = [NOW - DAY, NOW, at, NOW + 2 * DAY]
    (points,) = await size_histories(db, [segment], days)
    return (
        [
            {row["profile"]["_id"] for row in each.rows}
            for each in await past_members(db, [segment], at, page)
        ],
        await past_sizes(db, [segment], at),
        points,
    )


async def test_a_definition_that_moves_from_now_on_is_not_asked_about_the_past(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    segment = await make_segment(db, "some", named("ada"))
    (ada,) = await make_people(db, "ada")
    await happen(db, "ada", NOW + DAY)
    asked: list[tuple[datetime, datetime]] = []

    async def seen(
        db: Database,
        parts: Sequence[Definition],
        before: datetime,
        after: datetime,
        *given: Any,
    ) -> list[Crossed] | None:
        asked.append((before, after))
        return await crossed(db, parts, before, after, *given)

    monkeypatch.setattr("resolvers.keeper.ticking.crossed", seen)
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now = changed = NOW + 20 * DAY
        await _define(db, segment, opened({"atLeast": 1}))
        await catch_up(keeper)
        assert await shown(db) == {segment["_id"]: {ada}}
        clock.now = NOW + 40 * DAY
        await catch_up(keeper)

    assert asked == [(changed, clock.now)]
    await assert_true(db, clock.now, ZONE)


@pytest.mark.parametrize("seed", range(1, 4))
async def test_readers_see_one_definition_however_often_it_changes(
    db: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while others are built, shown or settled."""
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 5)
    monkeypatch.setattr("resolvers.keeper.builds.SETTLED_AT_ONCE", 1)
    course = await begin(db, seed)
    async with keeping(db, course.clock, course.zone) as keeper:
        await catch_up(keeper)
        for _ in range(6):
            for _ in range(6):
                await step(course)
                with suppress(AudienceError):  # of one that would refer to itself
                    await redefine(course)
                for _ in range(course.random.randrange(4)):
                    await _pass_unseen(db, keeper)
            await catch_up(keeper)
            await assert_true(db, course.now, course.zone)


async def test_a_definition_that_cannot_be_read_keeps_no_other_from_being_kept(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a newer release's; who can read it finds what happened meanwhile."""
    clock = Clock()
    ada, bob, eve = await make_people(db, "ada", "bob", "eve")
    some = await make_segment(db, "some", named("ada"))
    new = await make_segment(db, "new", named("bob"))
    inside = {"segment": {"segmentId": f"seg_{new['_id']}"}}
    over = await make_segment(db, "over", {"groups": [{"anyOf": [inside]}]})
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)

    def older(definition: Document) -> Definition:
        if definition == new["definition"]:
            raise InvalidInput("There is no such condition.")
        return parse(definition)

    with monkeypatch.context() as patched:
        patched.setattr("resolvers.keeper.kept.parse", older)
        async with keeping(db, clock, ZONE) as keeper:
            await catch_up(keeper)
            clock.now += timedelta(seconds=1)
            for who, name in (("ada", "bob"), ("bob", "ada"), ("eve", "bob")):
                await rename(db, who, name)
            await catch_up(keeper)
            assert await shown(db) == {
                some["_id"]: {bob},
                new["_id"]: {bob},
                over["_id"]: {bob},
            }
            rows = await find(db.segments, {}, sort={"_id": 1})
            assert await freshness_of(db, rows) == [
                Freshness(clock.now, False, 1.0),
                Freshness(NOW, False, 1.0),
                Freshness(NOW, False, 1.0),
            ]

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
    assert await shown(db) == {
        some["_id"]: {bob},
        new["_id"]: {ada, eve},
        over["_id"]: {ada, eve},
    }
    await assert_true(db, clock.now, ZONE)


async def test_time_goes_on_where_one_definition_cannot_be_asked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    await ensure_metrics(db, ["Opened"], NOW)
    once = await make_segment(db, "once", opened({"atLeast": 1}))
    asleep = await make_segment(db, "asleep", opened({"equals": 0}))
    (ada,) = await make_people(db, "ada")
    await happen(db, "ada", NOW)

    async def failing(db: Database, *definitions: Definition) -> References:
        if parse(once["definition"]) in definitions:
            raise InvalidInput("There are no postal codes.")
        return await references_of(db, *definitions)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now = NOW + 31 * DAY
        with monkeypatch.context() as patched:
            patched.setattr("resolvers.keeper.ticking.references_of", failing)
            await catch_up(keeper)
        assert await shown(db) == {once["_id"]: {ada}, asleep["_id"]: {ada}}

        clock.now += POSTPONED
        await catch_up(keeper)
    assert await shown(db) == {once["_id"]: set(), asleep["_id"]: {ada}}
    await assert_true(db, clock.now, ZONE)


async def _pass_unseen(db: Database, keeper: Keeper) -> None:
    """A pass, of which readers see nothing where a definition's members are yet to be
    shown, but that who is no more is in no segment."""
    before = await _seen(db)
    await keep_once(keeper, 5, at_leisure=False)
    profiles = {row["_id"] for row in await find(db.profiles, {}, {"_id": 1})}
    after = await _seen(db)
    segments = await find(db.segments, {})
    staging = [row["_id"] for row in segments if "kept" in row and _is_staging(row)]
    for key in staging:
        (generation, members), (same, seen) = before[key], after[key]
        if generation == same:
            assert seen | (members - profiles) == members
    assert await kept_sizes(db, segments) == [
        len(after[segment["_id"]][1]) for segment in segments
    ]


async def _seen(db: Database) -> dict[ObjectId, tuple[int | None, set[ObjectId]]]:
    """For each segment the generation that is shown, and its members."""
    members = await shown(db)
    return {
        row["_id"]: (row.get("kept", {}).get("generation"), members[row["_id"]])
        for row in await find(db.segments, {})
    }


def _is_staging(row: Document) -> bool:
    return bool(row["kept"]["generation"] != row["target"]["generation"])


async def _both(one: Keeper, other: Keeper) -> None:
    """Enough passes of both for what there is to do."""
    for _ in range(14):
        await keep_once(one, 5, at_leisure=False)
        await keep_once(other, 5, at_leisure=False)


async def _define(db: Database, segment: Document, definition: Document) -> None:
    await update_segment(db, segment["_id"], now=NOW, definition=definition)
