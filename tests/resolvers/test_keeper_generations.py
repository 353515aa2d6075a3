"""A membership while it is built, and when another keeper shows what was built."""

from collections.abc import Sequence

import pytest

from resolvers.db import Database, Document, find
from resolvers.keeper import keep_once
from resolvers.keeper.commits import Finding, rows_of
from resolvers.membership_histories import Point, size_histories
from resolvers.memberships import past_members, past_sizes
from resolvers.pages import PageRequest
from resolvers.segments import update_segment
from tests.membership_histories import catch_up, keeping
from tests.resolvers.kept import (
    DAY,
    NOW,
    ZONE,
    Clock,
    make_people,
    make_segment,
    named,
    rename,
)

pytestmark = pytest.mark.anyio


async def test_a_segment_that_is_built_had_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 2)
    clock = Clock()
    await make_people(db, *"abcdefgh")
    segment = await make_segment(db, "some", named(*"abcd"))
    async with keeping(db, clock, ZONE) as keeper:
        await keep_once(keeper, at_leisure=False)
        entered = await find(db.segment_members, {})
        await rename(db, "a", "z")
        clock.now += DAY
        await keep_once(keeper, at_leisure=False)
    (segment,) = await find(db.segments, {})
    left = await find(db.segment_changes, {"kind": "LEFT"})
    days = [NOW, NOW + 2 * DAY]

    assert ("kept" in segment, len(entered), len(left)) == (False, 2, 1)
    assert await size_histories(db, [segment], days) == [[Point(it, 0) for it in days]]
    assert await past_sizes(db, [segment], NOW) == [0]
    (past,) = await past_members(db, [segment], NOW, PageRequest(size=5))
    assert past.rows == []


async def test_who_leaves_just_after_another_keeper_shows_them_is_logged(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.PIECE", 1)
    clock = Clock()
    bob, _ = await make_people(db, "bob", "ada")
    segment = await make_segment(db, "some", named("ada"))

    async def shown_meanwhile(db: Database, part: Sequence[Finding]) -> list[Document]:
        shown = {"kept.generation": 2, "kept.version": 2}
        await db.segments.update_one({}, {"$set": shown})
        return await rows_of(db, part)

    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        await update_segment(db, segment["_id"], now=NOW, definition=named("bob"))
        while not await find(db.segment_members, {"staged": "IN"}):
            await keep_once(keeper, at_leisure=False)
        clock.now += DAY
        monkeypatch.setattr("resolvers.keeper.asking.rows_of", shown_meanwhile)
        await rename(db, "bob", "z")
        await catch_up(keeper)

    lines = await find(db.segment_changes, {"profile_id": bob}, {"_id": 0})
    line = {"segment_id": segment["_id"], "profile_id": bob, "version": 2}
    assert lines == [
        line | {"kind": "ENTERED", "at": NOW, "cause": "DEFINITION"},
        line | {"kind": "LEFT", "at": clock.now, "cause": "CHANGE", "entered_at": NOW},
    ]
