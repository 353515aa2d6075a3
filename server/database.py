"""Which MongoDB a command uses: the user's own, or the embedded one of the data
folder, started for as long as it is needed."""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from resolvers.collections import prepare
from resolvers.db import Database, check_server, close, connect
from server.mongod import Mongod, running_address, running_mongod
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Reached:
    """The settings, with the address of a MongoDB, and its process when it is ours."""

    settings: Settings
    mongod: Mongod | None = None


@contextlib.contextmanager
def own_database(settings: Settings) -> Iterator[Reached]:
    """For a server: MongodFailed when another one runs on the same data folder."""
    if settings.mongodb_uri is not None:
        yield Reached(settings)
        return
    with running_mongod(settings.data) as mongod:
        yield Reached(_with_uri(settings, mongod.uri), mongod)


@contextlib.contextmanager
def shared_database(settings: Settings) -> Iterator[Settings]:
    """For a command: uses the embedded MongoDB of a server that runs already."""
    if settings.mongodb_uri is None and (uri := running_address(settings.data)):
        yield _with_uri(settings, uri)
        return
    if settings.mongodb_uri is None and not settings.data.exists():
        sys.stderr.write(f"Making a new database in {settings.data.absolute()}.\n")
    with own_database(settings) as reached:
        yield reached.settings


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, checked and prepared. UnusableDatabase when it cannot be used."""
    uri = settings.mongodb_uri
    if uri is None:
        raise ValueError("No address of a MongoDB.")
    db = connect(uri.get_secret_value(), settings.database, driver=settings.driver)
    try:
        await check_server(db)
        await prepare(db)
        yield db
    finally:
        await close(db)


def _with_uri(settings: Settings, uri: str) -> Settings:
    return settings.model_copy(update={"mongodb_uri": SecretStr(uri)})
