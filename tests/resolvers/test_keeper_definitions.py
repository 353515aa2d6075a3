"""Definitions that change while keepers are at work on them: nothing of what is kept is
lost, and the history says who was shown when, and by which of them."""

from typing import Any

import pytest

from resolvers.db import Database, Document, find
from resolvers.keeper import Keeper, keep_once, stop
from resolvers.keeper.kept import _begin
from resolvers.segments import update_segment
from tests.membership_histories import (
    assert_true,
    catch_up,
    keeper_of,
    keeping,
    shown,
)
from tests.resolvers.kept import (
    NOW,
    ZONE,
    Clock,
    make_people,
    make_segment,
    named,
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


async def _both(one: Keeper, other: Keeper) -> None:
    """Enough passes of both for what there is to do."""
    for _ in range(14):
        await keep_once(one, 5, at_leisure=False)
        await keep_once(other, 5, at_leisure=False)


async def _define(db: Database, segment: Document, definition: Document) -> None:
    await update_segment(db, segment["_id"], now=NOW, definition=definition)
