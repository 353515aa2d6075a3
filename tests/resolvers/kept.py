"""What the tests of the keeper share: a clock, people by their names, and segments."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bson import ObjectId

from audience.events import NewEvent
from audience.identity import Identity
from audience.profiles import ProfileChange
from resolvers.db import Database, Document
from resolvers.events import track_events
from resolvers.profiles import upsert_profile
from resolvers.segments import create_segment

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)


class Clock:
    """Tells what it is told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


async def make_people(db: Database, *names: str) -> Sequence[ObjectId]:
    """Profiles with these first names, and the addresses that go with them."""
    found = []
    for name in names:
        change = ProfileChange(identity(name), {"first_name": name})
        found.append((await upsert_profile(db, change, NOW)).profile["_id"])
    return found


async def rename(db: Database, who: str, name: str) -> None:
    """Gives another first name to whoever was made by the name `who`."""
    await upsert_profile(db, ProfileChange(identity(who), {"first_name": name}), NOW)


async def happen(db: Database, who: str, at: datetime) -> None:
    """One event `Opened`."""
    await track_events(db, [NewEvent(identity(who), "Opened", at)], NOW)


async def make_segment(db: Database, name: str, definition: Document) -> Document:
    """A segment of the instant NOW."""
    return await create_segment(db, name, definition, now=NOW)


def identity(name: str) -> Identity:
    """Of whoever was made by this name."""
    return Identity(email=f"{name}@shop.example")


def named(*names: str) -> Document:
    """Who has one of these first names."""
    text = {"in": list(names)}
    filter = {"path": "firstName", "is": {"text": text}}
    return {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}


def opened(compare: Document) -> Document:
    """Whose number of `Opened` in the last 30 days compares so."""
    event = {
        "metric": {"name": "Opened"},
        "measure": "COUNT",
        "compare": compare,
        "during": {"inTheLast": {"amount": 30, "unit": "DAY"}},
    }
    return {"groups": [{"anyOf": [{"event": event}]}]}


async def end_leases(db: Database) -> None:
    """As when their time is over, but not for so long that they are forgotten."""
    past = {"$set": {"until": datetime.now(UTC) - timedelta(minutes=1)}}
    await db.keeper_shares.update_many({"holder": {"$exists": True}}, past)
    await db.leases.update_many({"_id": {"$regex": "^keeper/"}}, past)
