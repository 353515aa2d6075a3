"""Preparing a database: its collections, and the steps from older shapes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from resolvers.collections import INDEXES, prepare
from resolvers.db import COLLECTIONS, Database, find
from resolvers.migrations import Migration, migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(db: Database) -> Database:
    """With the record of migrations as it is before the first one."""
    await db.migrations.delete_many({})
    return db


def step(number: int, ran: list[int]) -> Migration:
    async def run(db: Database) -> None:
        await asyncio.sleep(0.02)
        ran.append(number)

    return Migration(number, f"Step {number}", run)


async def test_preparing_again_changes_nothing(db: Database) -> None:
    await prepare(db)

    database = db.client.get_database(db.name)
    assert set(COLLECTIONS) <= set(await database.list_collection_names())
    for name, indexes in INDEXES.items():
        found = await getattr(db, name).index_information()
        assert len(found) == len(indexes) + 1


async def test_steps_run_once_and_in_order(db: Database) -> None:
    ran: list[int] = []

    await migrate(db, [step(1, ran), step(2, ran)])
    await migrate(db, [step(1, ran), step(2, ran), step(3, ran)])

    assert ran == [1, 2, 3]
    kept = [
        (row["_id"], row["what"]) async for row in db.migrations.find(sort=[("_id", 1)])
    ]
    assert kept == [(1, "Step 1"), (2, "Step 2"), (3, "Step 3")]
    assert await db.leases.find_one({"_id": "migrations"}) is None


async def test_of_several_processes_one_runs_each_step(db: Database) -> None:
    ran: list[int] = []

    await asyncio.gather(*(migrate(db, [step(1, ran), step(2, ran)]) for _ in range(3)))

    assert ran == [1, 2]


async def test_a_step_may_take_longer_than_a_lease(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    monkeypatch.setattr("resolvers.migrations.LEASE_SECONDS", 4)

    async def run(db: Database) -> None:
        ran.append(1)
        await asyncio.sleep(5)

    steps = [Migration(1, "Slow", run), step(2, ran)]
    await asyncio.gather(*(migrate(db, steps) for _ in range(2)))

    assert ran == [1, 2]
    assert await db.leases.find_one({"_id": "migrations"}) is None


async def test_of_two_who_ran_a_step_the_first_notes_it(db: Database) -> None:
    """The second had taken it for dead."""
    first = {"_id": 1, "what": "Slow", "at": datetime(2026, 1, 1, tzinfo=UTC)}

    async def run(db: Database) -> None:
        await db.migrations.insert_one(first)

    await migrate(db, [Migration(1, "Slow", run)])

    assert await find(db.migrations, {}) == [first]


async def test_a_step_that_fails_is_run_again(db: Database) -> None:
    ran: list[int] = []

    async def fail(db: Database) -> None:
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await migrate(db, [step(1, ran), Migration(2, "Fails", fail), step(3, ran)])
    await migrate(db, [step(1, ran), step(2, ran), step(3, ran)])

    assert ran == [1, 2, 3]


async def test_a_dead_process_holds_nobody_up(db: Database) -> None:
    ran: list[int] = []
    past = datetime.now(UTC) - timedelta(seconds=1)
    await db.leases.insert_one({"_id": "migrations", "holder": "dead", "until": past})

    await migrate(db, [step(1, ran)])

    assert ran == [1]
