"""A keeper in a process of its own."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from resolvers.db import Database, find
from resolvers.memberships import freshness_of


@contextlib.asynccontextmanager
async def keeping(
    db: Database, uri: str, *, awaited: bool = True
) -> AsyncIterator[int]:
    """A keeper's process; once it has caught up, unless it is not awaited."""
    environment = os.environ | {"MONGODB_URI": uri, "AUDIENCE_DATABASE": db.name}
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "server", "keep"],
        env=environment | {"AUDIENCE_LOG_LEVEL": "warning"},
        stdout=subprocess.DEVNULL,
    )
    try:
        if awaited:
            await _fresh(db)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


async def _fresh(db: Database) -> None:
    began = datetime.now(UTC)
    rows = await find(db.segments, {})
    async with asyncio.timeout(300):
        while True:
            instants = [it.as_of for it in await freshness_of(db, rows)]
            if all(at is not None and at >= began for at in instants):
                return
            await asyncio.sleep(0.1)
