"""Pages that go on from what the first one has found."""

from datetime import UTC, timedelta

import pytest
from bson import ObjectId

from audience.conditions import parse
from resolvers.db import Database
from resolvers.pages import Order, PageRequest
from resolvers.segments import filtered_profiles, holding, preview
from resolvers.summaries import rebuild
from tests.resolvers.test_segments import NAMED, NOW, only, ordered_for, people

pytestmark = pytest.mark.anyio


async def page_after(
    db: Database, cursor: str | None, least: int = 0
) -> tuple[list[ObjectId], str, bool]:
    """The ids of a page of two, the last one's cursor, and whether there are more."""
    asked = await preview(db, parse(only(ordered_for(least))), NOW)
    page = await asked.page(db, PageRequest(size=2, after=cursor))
    return [row["_id"] for row in page.rows], page.cursors[-1], page.has_next


async def forget_orders(db: Database, profile_id: ObjectId) -> None:
    await db.events.delete_many({"profile_id": profile_id})
    await rebuild(db, profile_id)


async def test_the_next_pages_show_whom_the_first_has_found(db: Database) -> None:
    ids = await people(db, 6)

    first, cursor, more = await page_after(db, None)
    await forget_orders(db, ids[3])
    second, last, still_more = await page_after(db, cursor)
    third, _, at_end = await page_after(db, last)

    assert (first, second, third) == (ids[:2], ids[2:4], ids[4:])
    assert (more, still_more, at_end) == (True, True, False)


async def test_what_is_no_longer_held_is_asked_anew(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await people(db, 6)

    _, cursor, _ = await page_after(db, None)
    await forget_orders(db, ids[3])
    monkeypatch.setattr(holding, "HELD_FOR", timedelta(0))
    await db.held_pages.delete_many({})
    second, last, more = await page_after(db, cursor)
    await forget_orders(db, ids[5])

    assert (second, more) == ([ids[2], ids[4]], True)
    with pytest.raises(IndexError):
        await page_after(db, last)


async def test_what_is_held_is_used_up_in_pieces(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await people(db, 7)
    monkeypatch.setattr(holding, "HELD", 3)

    found, cursor, more = await page_after(db, None)
    while more:
        page, cursor, more = await page_after(db, cursor)
        found += page

    assert found == ids
    assert await db.held_pages.count_documents({}) == 3


async def test_a_cursor_of_another_question_is_only_a_place(db: Database) -> None:
    ids = await people(db, 6)

    _, cursor, _ = await page_after(db, None)
    page, _, more = await page_after(db, cursor, least=3)

    assert (page, more) == ([ids[3], ids[4]], True)


async def test_what_profiles_tell_is_not_held(db: Database) -> None:
    await people(db, 6)

    asked = await preview(db, parse(only(NAMED)), NOW)
    page = await asked.page(db, PageRequest(size=2))

    assert page.has_next
    assert await db.held_pages.count_documents({}) == 0


async def test_pages_in_another_order_are_held_too(db: Database) -> None:
    ids = await people(db, 5)
    for number, each in enumerate(ids):
        change = {"updated_at": NOW - timedelta(hours=number)}
        await db.profiles.update_one({"_id": each}, {"$set": change})
    order = Order("updated_at")

    found, cursor = [], None
    for _ in range(2):
        page = await filtered_profiles(
            db,
            parse(only(ordered_for(0))),
            PageRequest(size=2, after=cursor),
            NOW,
            UTC,
            order=order,
        )
        cursor = page.cursors[-1]
        found += [row["_id"] for row in page.rows]
        await forget_orders(db, ids[2])

    assert found == [ids[4], ids[3], ids[2], ids[1]]
