"""The database that the benches read: real households, loaded once and kept."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pymongo.errors import OperationFailure

from audience.errors import AudienceError
from audience.lists import OptIn, name_key
from bench.load import BenchFailed
from bench.scenarios import SIGN_UP_DOMAIN, Facts
from resolvers.collections import prepare
from resolvers.db import Database, close, connect, find
from resolvers.lists import create_list
from server.mongod import running_mongod
from server.seeds.complete_journey import load

PEOPLE = 200  # whom requests for one profile ask about in turn
FOLDER = Path(".audience/bench")
SEGMENT = "Lapsed buyers"
SIGN_UPS = "Bench sign-ups"


@dataclass(frozen=True, slots=True)
class Kept:
    """A MongoDB whose data stay for the next run."""

    uri: str
    mongod: int


@contextmanager
def kept_mongod() -> Iterator[Kept]:
    """Runs for as long as the block."""
    with running_mongod(FOLDER, cache_gb=2.0) as mongod:
        yield Kept(mongod.uri, mongod.process.pid)


@asynccontextmanager
async def filled(
    uri: str, name: str, households: int | None
) -> AsyncIterator[Database]:
    """The database `name` with so many households (all when None), loaded unless they
    are there from an earlier run."""
    db = connect(uri, name)
    try:
        try:
            await prepare(db)
        except OperationFailure:
            # Kept from before an index was defined anew: loaded again.
            await db.client.drop_database(name)
            await prepare(db)
        await load(
            db,
            households=households,
            now=datetime.now(UTC),
            environment=FOLDER / "complete-journey",
        )
        yield db
    finally:
        await close(db)


async def find_facts(db: Database) -> Facts:
    """What the scenarios ask about."""
    busy = await find(
        db.profiles,
        {"email": {"$type": "string"}},
        {"email": 1},
        {"last_event_at": -1, "_id": 1},
        PEOPLE,
    )
    segment = await db.segments.find_one({"name_key": name_key(SEGMENT)})
    if not busy or segment is None:
        raise BenchFailed(f"The database {db.name} has no profiles or no {SEGMENT!r}.")
    sign_ups = await db.lists.find_one({"name_key": name_key(SIGN_UPS)})
    if sign_ups is None:
        try:
            sign_ups = await create_list(
                db, SIGN_UPS, OptIn.SINGLE, now=datetime.now(UTC)
            )
        except AudienceError as error:
            raise BenchFailed(str(error)) from None
    return Facts(
        profile_ids=[f"prf_{row['_id']}" for row in busy],
        emails=[row["email"] for row in busy],
        segment_id=f"seg_{segment['_id']}",
        list_id=f"lst_{sign_ups['_id']}",
    )


async def forget_sign_ups(db: Database) -> None:
    """Removes those whom the sign-up scenario has made."""
    theirs = {"email": {"$regex": f"@{SIGN_UP_DOMAIN}$"}}
    ids = [row["_id"] for row in await find(db.profiles, theirs, {"_id": 1})]
    for start in range(0, len(ids), 10_000):
        part = ids[start : start + 10_000]
        await db.consent_changes.delete_many({"profile_id": {"$in": part}})
        await db.events.delete_many({"profile_id": {"$in": part}})
        await db.profiles.delete_many({"_id": {"$in": part}})
