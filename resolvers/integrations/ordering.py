"""Calls about one person take effect one after another, and an older one never
overrides a newer one: for each field it is kept of which moment its value is.

Whoever works on a person holds a lease; when its process dies, the lease runs out.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from resolvers.db import Database, Document

LEASE = timedelta(seconds=30)
PATIENCE = timedelta(seconds=10)


class Busy(Exception):
    """Another call about the same person takes unusually long."""


@dataclass(slots=True)
class Moments:
    """Of which moment what is known of a person is, by field."""

    times: dict[str, datetime]
    is_changed: bool = False

    def admits(self, field: str, at: datetime) -> bool:
        """Whether what was true `at` that moment may be written: it is not older."""
        known = self.times.get(field)
        return known is None or at >= known

    def is_news(self, field: str, at: datetime) -> bool:
        """Whether nothing as new was heard yet."""
        known = self.times.get(field)
        return known is None or at > known

    def note(self, field: str, at: datetime) -> None:
        """What is written now is of that moment."""
        self.times[field] = at
        self.is_changed = True


@asynccontextmanager
async def moments_of(db: Database, profile_id: ObjectId) -> AsyncIterator[Moments]:
    """The person's moments, held for as long as the block takes, and kept when it
    ends well. Busy when others do not let go."""
    holder = secrets.token_hex(8)
    moments = _moments(await _take(db, profile_id, holder))
    kept: Document = {}
    try:
        yield moments
        if moments.is_changed:
            pairs = [{"field": field, "at": at} for field, at in moments.times.items()]
            kept = {"$set": {"times": pairs}}
    finally:
        await db.integration_moments.update_one(
            {"_id": profile_id, "holder": holder},
            {**kept, "$unset": {"holder": "", "until": ""}},
        )


async def _take(db: Database, profile_id: ObjectId, holder: str) -> Document | None:
    last = datetime.now(UTC) + PATIENCE
    while (now := datetime.now(UTC)) < last:
        free = {
            "_id": profile_id,
            "$or": [{"holder": None}, {"until": {"$lt": now}}],
        }
        lease = {"holder": holder, "until": now + LEASE}
        try:
            return await db.integration_moments.find_one_and_update(
                free, {"$set": lease}, upsert=True
            )
        except DuplicateKeyError:
            await asyncio.sleep(random.uniform(0.005, 0.05))  # noqa: S311
    raise Busy


def _moments(kept: Document | None) -> Moments:
    # Those of a profile that was merged into this one stand there too.
    times = sorted((kept or {}).get("times", []), key=itemgetter("at"))
    return Moments({each["field"]: each["at"] for each in times})
