"""Counts of members that are put together from parts."""

from typing import Any

import pytest

from audience.conditions import parse
from audience.lists import MembershipSource, OptIn
from resolvers.db import Database, aggregate
from resolvers.lists import create_list, join_list_many
from resolvers.segments import counting, preview
from tests.resolvers.test_segments import NAMED, NOW, only, people

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("joined", [0, 1, 2, 9, 30])
async def test_a_lists_members_are_counted_in_halves(
    db: Database, monkeypatch: pytest.MonkeyPatch, joined: int
) -> None:
    ids = await people(db, 30)
    club = (await create_list(db, "Club", OptIn.SINGLE, now=NOW))["_id"]
    members = [(each, NOW) for each in ids[:joined]]
    await join_list_many(db, club, members, MembershipSource.API, now=NOW)
    monkeypatch.setattr(counting, "_MANY", 0)
    sent: list[Any] = []
    ask = aggregate

    async def noted(collection: Any, stages: Any, **options: Any) -> Any:
        sent.append(stages[0]["$match"])
        return await ask(collection, stages, **options)

    monkeypatch.setattr(counting, "aggregate", noted)
    in_club = {"list": {"listId": f"lst_{club}"}}

    counted = [
        await (await preview(db, parse(only(*conditions)), NOW)).count(db)
        for conditions in ((in_club,), (NAMED, in_club), (NAMED,))
    ]

    assert counted == [joined, joined // 2, 15]
    assert len(sent) == 5
    (first, second) = (each["$and"][0]["_id"] for each in sent[:2])
    assert first["$lt"] == second["$gte"]
    assert [sorted(each) for each in (first, second)] == [["$lt"], ["$gte"]]
