"""Reads of many ids: whole, in order, and as the driver is told to read."""

from collections.abc import AsyncIterator

import pytest
from bson import ObjectId
from pymongo.errors import ServerSelectionTimeoutError

from resolvers import id_reads
from resolvers.db import Database, Driver, close, connect
from resolvers.id_reads import read_distinct, read_ids

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["motor", "pymongo"])
async def driven(
    db: Database, mongodb_uri: str, request: pytest.FixtureRequest
) -> AsyncIterator[Database]:
    """The database by either driver."""
    driver: Driver = request.param
    other = connect(mongodb_uri, db.name, driver=driver)
    yield other
    await close(other)


async def store(db: Database, count: int) -> list[ObjectId]:
    """Documents with an id of somebody each."""
    ids = [ObjectId() for _ in range(count)]
    await db.seeds.insert_many([{"_id": it, "profile_id": it} for it in ids])
    return ids


@pytest.mark.parametrize("count", [0, 7, 1_234])
async def test_ids_come_in_their_order_in_several_batches(
    driven: Database, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(id_reads, "_AT_ONCE", 111)
    ids = await store(driven, count) if count else []

    found = await read_ids(driven.seeds, [{"$sort": {"_id": -1}}])
    distinct = await read_distinct(driven.seeds, {}, "profile_id", count)

    assert found == ids[::-1]
    assert distinct == {it.binary for it in ids}


async def test_a_read_that_has_enough_ends_its_cursor(
    driven: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_reads, "_AT_ONCE", 10)
    await store(driven, 100)

    found = await read_distinct(driven.seeds, {}, "profile_id", 15)

    assert len(found) == 20
    idle = [
        {"$currentOp": {"idleCursors": True}},
        {"$match": {"type": "idleCursor", "ns": f"{driven.name}.seeds"}},
    ]
    asked = {"aggregate": 1, "pipeline": idle, "cursor": {}}
    told = await driven.client.admin.command(asked)
    assert told["cursor"]["firstBatch"] == []


async def test_ids_are_read_where_the_address_says(
    db: Database, mongodb_uri: str
) -> None:
    await store(db, 1)
    elsewhere = connect(
        mongodb_uri, db.name, readPreference="secondary", serverSelectionTimeoutMS=100
    )

    with pytest.raises(ServerSelectionTimeoutError):
        await read_ids(elsewhere.seeds, [])

    await close(elsewhere)
