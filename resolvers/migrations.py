"""The numbered steps that bring an older database up to date."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from pymongo.errors import DuplicateKeyError, PyMongoError

from resolvers.db import Database, find
from resolvers.events.indexes import note_properties
from resolvers.places.points import give_points
from resolvers.summaries import complete_times

LEASE_SECONDS = 60

_log = structlog.get_logger("audience")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from an older shape of the data to the next; runs once, in order."""

    number: int
    what: str
    run: Callable[[Database], Awaitable[None]]


async def _drop_narrow_index(db: Database) -> None:
    name = "profile_id_1_timestamp_-1__id_-1"
    if name in await db.events.index_information():
        await db.events.drop_index(name)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "profiles with coordinates have a GeoJSON point", give_points),
    Migration(2, "a wider index replaces that on histories", _drop_narrow_index),
    Migration(3, "segments tell the properties they look at", note_properties),
    Migration(4, "and none by which an index would lead nowhere", note_properties),
    Migration(5, "summaries have the newest 40 times, not 20", complete_times),
)


async def migrate(db: Database, steps: Sequence[Migration]) -> None:
    """Runs the steps that this database has not had, in their order. Of several
    processes one does, and the others wait for it; a step that fails or is cut short is
    run again the next time."""
    done = {row["_id"] for row in await find(db.migrations, {}, {"_id": 1})}
    waiting = [step for step in steps if step.number not in done]
    if not waiting:
        return
    holder = secrets.token_hex(8)
    if not await _lease(db, "migrations", holder):
        _log.info("waiting for another process that brings the database up to date")
        # It may be on another machine.
        while not await _lease(db, "migrations", holder):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    try:
        async with _renewing(db, "migrations", holder):
            for step in waiting:
                if await db.migrations.find_one({"_id": step.number}) is None:
                    await step.run(db)
                    # Whoever was taken for dead may write it down, too.
                    row = {"what": step.what, "at": datetime.now(UTC)}
                    await db.migrations.update_one(
                        {"_id": step.number}, {"$setOnInsert": row}, upsert=True
                    )
    finally:
        await db.leases.delete_one({"_id": "migrations", "holder": holder})


@contextlib.asynccontextmanager
async def _renewing(db: Database, name: str, holder: str) -> AsyncIterator[None]:
    """Renews the lease during a block that may take longer than it lasts."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            _log.info("still bringing the database up to date")
            until = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
            with contextlib.suppress(PyMongoError):
                await db.leases.update_one(
                    {"_id": name, "holder": holder}, {"$set": {"until": until}}
                )

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()


async def _lease(db: Database, name: str, holder: str) -> bool:
    """Takes the lease `name`; False while another holder has it."""
    now = datetime.now(UTC)
    free = {"_id": name, "until": {"$lt": now}}
    lease = {"holder": holder, "until": now + timedelta(seconds=LEASE_SECONDS)}
    try:
        await db.leases.update_one(free, {"$set": lease}, upsert=True)
    except DuplicateKeyError:
        return False
    return True
