"""Profiles that a definition means, paged in any order."""

from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from audience.conditions import parse
from resolvers.db import Database, find
from resolvers.pages import Order, PageRequest
from resolvers.pipelines import Strategy
from resolvers.segments import count_members, filtered_profiles, preview
from tests.resolvers.test_segments import NOW, crowd, only, ordered_for, people

pytestmark = pytest.mark.anyio
__all__ = ["crowd"]

CREATED = {"property": {"filter": {"path": "createdAt", "is": {"exists": True}}}}


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("many", [0, 100])
@pytest.mark.parametrize("path", ["_id", "updated_at", "last_event_at"])
@pytest.mark.parametrize("direction", [1, -1])
async def test_filtered_profiles_come_in_any_order(
    db: Database, path: str, direction: int, many: int
) -> None:
    ids = await people(db, 6)
    for number, each in enumerate((2, 4, 1, 5)):
        change = {"updated_at": NOW + timedelta(hours=number // 2)}
        if number:
            change["last_event_at"] = NOW + timedelta(hours=number)
        await db.profiles.update_one({"_id": ids[each]}, {"$set": change})
    rows = await find(db.profiles, {"_id": {"$in": ids[1:]}})
    nothing = datetime(1, 1, 1, tzinfo=UTC)
    rows.sort(key=lambda row: (row.get(path, nothing), row["_id"]))
    expected = [row["_id"] for row in rows[::direction]]

    found: list[ObjectId] = []
    page = PageRequest(size=2)
    while True:
        one = await filtered_profiles(
            db,
            parse(only(ordered_for(1))),
            page,
            NOW,
            UTC,
            order=Order(path, direction),
            many=many,
        )
        found += [row["_id"] for row in one.rows]
        assert {"_id", "properties", "created_at"} <= set(one.rows[0])
        if not one.has_next:
            break
        page = PageRequest(size=2, after=one.cursors[-1])

    assert found == expected
    assert await count_members(db, [one.scope]) == [5]


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("condition", ["profile", "sets", "flags"])
async def test_filtered_profiles_can_be_searched(db: Database, condition: str) -> None:
    ids = await people(db, 4)
    await db.profiles.update_many(
        {"_id": {"$in": [ids[0], ids[2]]}}, {"$set": {"search": ["ada"]}}
    )
    asked = {
        "profile": CREATED,
        "sets": ordered_for(0),
        "flags": {"not": only(ordered_for(3))},
    }

    page = await filtered_profiles(
        db,
        parse(only(asked[condition])),
        PageRequest(),
        NOW,
        UTC,
        order=Order("_id"),
        search="ad",
    )

    assert [row["_id"] for row in page.rows] == [ids[0], ids[2]]
    assert await count_members(db, [page.scope]) == [2]


async def test_ids_are_counted_without_looking_profiles_up(db: Database) -> None:
    await people(db, 4)

    asked = (await preview(db, parse(only(ordered_for(1))), NOW)).asked

    assert asked.strategy is Strategy.SETS
    assert not any("$lookup" in stage for stage in asked.stages)


@pytest.mark.usefixtures("crowd")
async def test_someone_being_merged_is_on_no_page(db: Database) -> None:
    ids = await people(db, 4)
    await db.profiles.delete_one({"_id": ids[2]})

    page = await filtered_profiles(
        db, parse(only(ordered_for(1))), PageRequest(), NOW, UTC, order=Order("_id")
    )

    assert [row["_id"] for row in page.rows] == [ids[1], ids[3]]
