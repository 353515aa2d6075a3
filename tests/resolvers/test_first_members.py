"""Members found by looking through profiles in their order."""

from typing import Any

import pytest
from bson import ObjectId

from audience.conditions import parse
from resolvers.db import Database
from resolvers.pages import Order, PageRequest
from resolvers.segments import first_members as first_members_module
from resolvers.segments import preview
from resolvers.segments.first_members import first_members, first_page
from resolvers.segments.sets import read_sets_of
from tests.resolvers.test_segments import NAMED, NOW, only, ordered_for, people

pytestmark = pytest.mark.anyio


async def found(
    db: Database, least: int, direction: int, wanted: int, size: int, most: int = 100
) -> tuple[list[ObjectId], bool] | None:
    """Of people who ordered for 0, 1, 2, ... the first who did for `least` or more."""
    asked = (await preview(db, parse(only(ordered_for(least))), NOW)).asked
    return await first_members(db, asked, {}, direction, wanted, size=size, most=most)


async def test_enough_members_are_found_among_the_first(db: Database) -> None:
    ids = await people(db, 20)

    assert await found(db, 2, 1, 3, 5) == (ids[2:5], False)
    assert await found(db, 2, -1, 3, 5) == (ids[:14:-1], False)


async def test_more_are_looked_at_when_that_promises_enough(db: Database) -> None:
    ids = await people(db, 20)

    # One among four: twelve more for the two that lack.
    assert await found(db, 3, 1, 3, 4) == (ids[3:16], False)


async def test_rare_members_are_not_looked_for(db: Database) -> None:
    ids = await people(db, 20)

    # None of four: twelve more, where that is not too much.
    assert await found(db, 10, 1, 2, 4, most=18) == (ids[10:16], False)
    assert await found(db, 10, 1, 2, 4, most=17) == (ids[10:15], False)
    assert await found(db, 10, 1, 2, 4, most=12) is None
    assert await found(db, 10, 1, 2, 4, most=10) is None
    assert await found(db, 0, 1, 2, 4, most=4) is None
    assert await found(db, 0, 1, 2, 4, most=5) == (ids[:4], False)


async def test_to_look_at_profiles_costs_less_than_to_read_events(
    db: Database,
) -> None:
    ids = await people(db, 20)
    asked = (await preview(db, parse(only(NAMED, ordered_for(10))), NOW)).asked

    # Two of four have a name, so that their events are read; none is a member.
    assert await first_members(db, asked, {}, 1, 2, size=4, most=10) == (
        [ids[11], ids[13], ids[15]],
        False,
    )
    assert await first_members(db, asked, {}, 1, 2, size=4, most=7) is None


async def test_events_are_not_read_of_more_than_may_be(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await people(db, 20)
    await _name(db, ids[8:])
    asked = (await preview(db, parse(only(NAMED, ordered_for(0))), NOW)).asked
    read: list[int] = []
    usual = read_sets_of

    async def noting(db: Database, facts: Any, among: Any, limit: int) -> Any:
        read.append(len(among))
        return await usual(db, facts, among, limit)

    monkeypatch.setattr("resolvers.segments.first_members.read_sets_of", noting)

    # None of four has a name, but twelve of the next sixteen.
    assert await first_members(db, asked, {}, 1, 3, size=4, most=13) is None
    assert read == []
    assert await first_members(db, asked, {}, 1, 3, size=4, most=14) == (ids[8:], False)
    assert read == [12]


async def test_where_nobody_may_be_a_member_it_is_given_up_soon(db: Database) -> None:
    ids = await people(db, 20)
    await _name(db, ids[16:])
    asked = (await preview(db, parse(only(NAMED, ordered_for(0))), NOW)).asked

    assert await first_members(db, asked, {}, 1, 3, size=2, most=1_000) is None
    assert await first_members(db, asked, {}, 1, 3, size=4, most=1_000) == (
        ids[16:],
        False,
    )


async def test_every_time_as_many_are_looked_at_as_before(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await people(db, 40)
    sizes: list[int] = []
    usual = first_members_module._next

    async def noting(db: Database, beyond: Any, direction: int, size: int) -> Any:
        sizes.append(size)
        return await usual(db, beyond, direction, size)

    monkeypatch.setattr(first_members_module, "_next", noting)

    # Nine of ten are among the last; then nobody is.
    assert await found(db, 31, -1, 10, 3) == (ids[:30:-1], True)
    assert sizes == [3, 10, 13, 26]


async def test_of_few_little_is_learnt(db: Database) -> None:
    ids = await people(db, 20)

    # One, three more, twelve more, and then as many as there may be.
    assert await found(db, 18, 1, 2, 1, most=45) == (ids[18:], True)
    assert await found(db, 18, 1, 2, 1, most=43) is None


async def _name(db: Database, ids: list[ObjectId]) -> None:
    """These have a name, and nobody else."""
    await db.profiles.update_many({}, {"$unset": {"first_name": ""}})
    named = {"$set": {"first_name": "Ada"}}
    await db.profiles.update_many({"_id": {"$in": ids}}, named)


async def test_what_may_be_spent_depends_on_what_all_cost(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await people(db, 20)
    page = PageRequest(2)
    asked = (await preview(db, parse(only(ordered_for(0))), NOW)).asked

    found = await first_page(db, "question", Order("_id"), page, asked)
    monkeypatch.setattr("resolvers.segments.first_members.SHARE", 100)
    shown = await first_page(db, "question", Order("_id"), page, asked)

    assert found is None
    assert shown is not None
    assert [row["_id"] for row in shown.rows] == ids[:2]


async def test_all_are_found_where_there_are_no_more_profiles(db: Database) -> None:
    ids = await people(db, 20)

    assert await found(db, 18, 1, 5, 30) == (ids[18:], True)
    assert await found(db, 1, 1, 20, 10) == (ids[1:], True)
