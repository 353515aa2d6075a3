"""A real mongod for the whole run, and an empty, prepared database for each test."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import pymongo
import pytest

from resolvers.collections import prepare
from resolvers.db import COLLECTIONS, Database, Driver, close, connect
from server.mongod import running_mongod


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def mongodb_uri() -> Iterator[str]:
    """`MONGODB_URI` when it is set, else a mongod of the suite's own.

    Tests state times of the past. What they keep until a time that has passed, too,
    would be gone as soon as the server looks, once a minute: ours never does, and one
    that is given should run with `ttlMonitorEnabled=false`.
    """
    if given := os.environ.get("MONGODB_URI"):
        yield given
        return
    with (
        tempfile.TemporaryDirectory(prefix="audience-test-") as folder,
        running_mongod(Path(folder), cache_gb=0.25) as mongod,
    ):
        with pymongo.MongoClient[dict[str, object]](mongod.uri) as client:
            client.admin.command("setParameter", 1, ttlMonitorEnabled=False)
            # What a killed process has left open is in the way of the next one.
            client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=10)
        yield mongod.uri


@pytest.fixture(scope="session")
async def _prepared(mongodb_uri: str, anyio_backend: str) -> AsyncIterator[Database]:
    driver = cast("Driver", os.environ.get("AUDIENCE_DRIVER", "motor"))
    db = connect(mongodb_uri, f"test_{uuid4().hex[:12]}", driver=driver)
    await prepare(db)
    yield db
    await db.client.drop_database(db.name)
    await close(db)


@pytest.fixture
async def db(_prepared: Database) -> Database:
    """An empty database with its indexes; one client on the session's loop."""
    for name in COLLECTIONS:
        await getattr(_prepared, name).delete_many({})
    _prepared.recent.found.clear()
    return _prepared
