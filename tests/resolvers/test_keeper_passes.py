"""How passes follow each other: none waits while there is work, and none stands still
because of a clock."""

from datetime import timedelta

import pytest

from resolvers.db import Database, find
from resolvers.keeper import keep_once
from resolvers.keeper.stream import Change, Stream, next_changes
from resolvers.segments import delete_segment, update_segment
from tests.membership_histories import catch_up, keeping, shown
from tests.resolvers.kept import NOW, ZONE, Clock, make_people, make_segment, named

pytestmark = pytest.mark.anyio


async def test_nothing_is_waited_for_while_a_membership_is_worked_on(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.builds.SETTLED_AT_ONCE", 1)
    monkeypatch.setattr("resolvers.keeper.builds.FORGOTTEN_AT_ONCE", 1)
    await make_people(db, "ada", "bob")
    segment = await make_segment(db, "some", named("ada"))
    waits: list[int] = []

    async def seen(stream: Stream, wait_ms: int) -> list[Change]:
        waits.append(wait_ms)
        return await next_changes(stream, wait_ms)

    async with keeping(db, Clock(), ZONE) as keeper:
        await catch_up(keeper)
        monkeypatch.setattr("resolvers.keeper.upkeep.next_changes", seen)
        await update_segment(db, segment["_id"], now=NOW, definition=named("bob"))
        while not waits or waits[-1] == 0:
            await keep_once(keeper, 5, at_leisure=False)
        settled, waits[:] = list(waits), []
        await delete_segment(db, segment["_id"])
        for _ in range(8):
            await keep_once(keeper, 5, at_leisure=False)

    # Built and shown, three times settled, and a look whether that was all.
    assert settled == [*[0] * 5, 5]
    # It is seen to be gone; then one row, and three lines, at a time.
    assert waits == [5, 0, 0, 0, 0, 0, 5, 5]


async def test_a_clock_that_is_set_back_stops_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resolvers.keeper.upkeep.READING_SECONDS", 0.0)
    monkeypatch.setattr("resolvers.keeper.upkeep.RECORDING_SECONDS", 0.0)
    clock = Clock()
    (ada,) = await make_people(db, "ada")
    one = await make_segment(db, "one", named("ada"))
    async with keeping(db, clock, ZONE) as keeper:
        await catch_up(keeper)
        clock.now = NOW + timedelta(hours=2)
        await keep_once(keeper, 5)
        clock.now = NOW + timedelta(hours=1)
        other = await make_segment(db, "other", named("ada"))
        for _ in range(3):
            await keep_once(keeper, 5)

        assert await shown(db) == {one["_id"]: {ada}, other["_id"]: {ada}}
        shares = await find(db.keeper_shares, {})
        assert [share["at"] for share in shares] == [clock.now] * 4
