"""How often something was asked for, by whichever process: counts in windows of time,
which the database forgets by itself."""

import hashlib
import hmac
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from resolvers.db import Database, at_once


async def count_within(
    db: Database, key: str, amount: int, window: timedelta, now: datetime
) -> bool:
    """Counts once more for `key`; False when it is one too many in the window.
    Windows begin for everybody at the same time. The key names nobody: a hash."""
    length = window.total_seconds()
    number = int(now.timestamp() // length)
    update = {
        "$inc": {"count": 1},
        "$setOnInsert": {"expires_at": now + window},
    }
    for _ in range(2):
        try:
            # A count that a failing server loses does no harm.
            counted = await at_once(db.rate_counts).find_one_and_update(
                {"_id": f"{key}:{int(length)}:{number}"},
                update,
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # counted by another at the same moment
            continue
        return bool(counted["count"] <= amount)
    return False


def hashed(secret: str, text: str) -> str:
    """What an address is counted under, without keeping it."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
