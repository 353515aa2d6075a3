"""How many people segments have in common."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from audience.errors import AudienceError
from resolvers.db import Database
from resolvers.segments import create_segment, segment_overlap
from tests.resolvers.test_segments import NAMED, NOW, only, ordered_for, people

pytestmark = pytest.mark.anyio


async def made(db: Database, *conditions: Any) -> list[Any]:
    return [
        (await create_segment(db, f"S{number}", only(condition), now=NOW))["_id"]
        for number, condition in enumerate(conditions)
    ]


async def test_every_intersection_has_its_size(db: Database) -> None:
    await people(db, 8)
    never = {"not": only(ordered_for(6))}
    ids = await made(db, NAMED, ordered_for(3), never)

    found = await segment_overlap(db, ids, NOW + timedelta(hours=1))

    assert [
        ([ids.index(each["_id"]) for each in it.segments], it.size) for it in found
    ] == [
        ([0], 4),
        ([1], 5),
        ([2], 6),
        ([0, 1], 3),
        ([0, 2], 3),
        ([1, 2], 3),
        ([0, 1, 2], 2),
    ]


async def test_nobody_is_in_segments_without_members(db: Database) -> None:
    await people(db, 2)
    ids = await made(db, ordered_for(8), {"not": only(NAMED)})

    found = await segment_overlap(db, ids, NOW)

    assert [it.size for it in found] == [0, 1, 0]


async def test_two_to_five_different_segments_are_expected(db: Database) -> None:
    await people(db, 1)
    ids = await made(db, *[NAMED] * 6)

    async def refused(*asked: Any) -> list[tuple[str, tuple[str, ...]]]:
        with pytest.raises(AudienceError) as raised:
            await segment_overlap(db, asked, NOW)
        return [(it.code, it.path) for it in raised.value.problems]

    assert await refused(ids[0]) == [("INVALID", ("segmentIds",))]
    assert await refused(*ids) == [("INVALID", ("segmentIds",))]
    assert await refused(ids[0], ids[0]) == [("INVALID", ("segmentIds", "1"))]
    assert await refused(ids[0], ObjectId()) == [("NOT_FOUND", ("segmentIds", "1"))]
