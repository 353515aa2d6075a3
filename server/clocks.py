"""By how much this machine's clock differs from the database's, by which all processes
go that share work."""

from datetime import UTC, datetime, timedelta

from resolvers.db import Database, server_time

SKEW_SECONDS = 60.0  # how often to look
NEGLIGIBLE = timedelta(seconds=1)


async def skew_of(db: Database) -> timedelta:
    """By how much this machine's clock is behind; what is too little to matter is
    nothing."""
    before = datetime.now(UTC)
    told = await server_time(db)
    after = datetime.now(UTC)
    skew = told - before - (after - before) / 2
    return skew if abs(skew) > NEGLIGIBLE else timedelta()
