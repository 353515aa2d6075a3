"""The connection to MongoDB, and the few helpers through which everything reads.

The only module that names the driver: Motor, or PyMongo's own async API, which
differ in the calls that are wrapped here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from bson.codec_options import CodecOptions
from bson.tz_util import utc
from motor.frameworks.asyncio import run_on_executor
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
)
from pymongo import AsyncMongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from resolvers.gathering import Gathering
from resolvers.recent import Recent

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession
Driver = Literal["motor", "pymongo"]
Result = TypeVar("Result")

STORED_ZONE = utc  # the zone of the times that are read
OLDEST_SERVER = (6, 0)
QUERY_LIMIT_MS = 30_000
MAX_NAMED = 100_000  # ids that one command may name: two megabytes

# A command fails so whatever it asks for.
NOBODYS = (ConnectionFailure, ExecutionTimeout)

_CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True)
_ZONELESS: CodecOptions[Document] = CodecOptions(tz_aware=False)


class UnusableDatabase(Exception):
    """The server cannot be used as it is; says why and what would help."""


@dataclass(frozen=True, slots=True)
class Database:
    """The collections, each under its own name. One per event loop."""

    client: AsyncIOMotorClient[Document]
    name: str
    driver: Driver
    profiles: Collection
    events: Collection
    metrics: Collection
    lists: Collection
    segments: Collection
    segment_members: Collection
    segment_changes: Collection
    held_pages: Collection
    keeper_shares: Collection
    consent_changes: Collection
    forms: Collection
    form_events: Collection
    outbox: Collection
    rate_counts: Collection
    keys: Collection
    event_batches: Collection
    event_indexes: Collection
    erasures: Collection
    imports: Collection
    integrations: Collection
    deliveries: Collection
    integration_calls: Collection
    integration_logs: Collection
    integration_people: Collection
    integration_moments: Collection
    import_blocks: Collection
    seeds: Collection
    places: Collection
    leases: Collection
    secrets: Collection
    migrations: Collection
    gathering: Gathering = field(default_factory=Gathering)
    recent: Recent = field(default_factory=Recent)
    known_metrics: dict[Any, Document] = field(default_factory=dict)


COLLECTIONS = tuple(each.name for each in fields(Database) if each.type == Collection)


def connect(
    uri: str,
    name: str = "audience",
    *,
    driver: Driver = "motor",
    shared_reads: bool = True,
    **options: Any,
) -> Database:
    """A database whose writes wait for the majority. Nothing is sent yet.

    `shared_reads`: whether requests put what they read of one kind into one command.
    `options` go to the driver's client. UnusableDatabase when the address is
    malformed.
    """
    settings: Document = {
        "tz_aware": True,
        "w": "majority",
        "appname": "audience",
        "serverSelectionTimeoutMS": 10_000,
        **options,
    }
    try:
        client = (
            AsyncIOMotorClient[Document](uri, **settings)
            if driver == "motor"
            else cast(
                "AsyncIOMotorClient[Document]",
                AsyncMongoClient[Document](uri, **settings),
            )
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise UnusableDatabase(
            f"MONGODB_URI cannot be read: {error}. It should look like "
            "mongodb://user:password@host:27017/?replicaSet=name"
        ) from None
    database = client.get_database(name, codec_options=_CODEC)
    collections = {each: database.get_collection(each) for each in COLLECTIONS}
    return Database(
        client=client,
        name=name,
        driver=driver,
        gathering=Gathering(shared_reads, NOBODYS),
        recent=Recent(),
        known_metrics={},
        **collections,
    )


async def close(db: Database) -> None:
    """Closes the connections."""
    closing = cast("Awaitable[None] | None", db.client.close())
    if closing is not None:
        await closing


async def check_server(db: Database) -> None:
    """UnusableDatabase unless the server is a reachable replica set or sharded
    cluster, new enough, and lets us in."""
    try:
        hello = await db.client.admin.command("hello")
        await db.profiles.find_one({}, {"_id": 1})
        build = await db.client.admin.command("buildInfo")
    except OperationFailure as error:
        if error.code in (13, 18, 8000):  # Unauthorized, AuthenticationFailed, Atlas
            raise UnusableDatabase(
                "MongoDB refused the user name or password in MONGODB_URI: "
                "check both, and the authSource."
            ) from None
        raise UnusableDatabase(f"MongoDB answered with an error: {error}.") from None
    except (ConnectionFailure, PyMongoError) as error:
        reason = str(error).split(",")[0]
        raise UnusableDatabase(
            f"MongoDB cannot be reached ({reason}): check the host and port in "
            "MONGODB_URI, and that the server runs."
        ) from None
    refuse_unusable(hello, build["version"])


def refuse_unusable(hello: Mapping[str, Any], version: str) -> None:
    """UnusableDatabase for a standalone server or one older than 6.0, from its
    answers to `hello` and `buildInfo`."""
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
        raise UnusableDatabase(
            f"MongoDB {version} is too old: Audience needs 6.0 or newer."
        )
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise UnusableDatabase(
            "MongoDB runs as a standalone server, without transactions and change "
            "streams: start it with --replSet rs0, run rs.initiate() once in mongosh, "
            "and add ?replicaSet=rs0 to MONGODB_URI."
        )


def at_once(collection: Collection) -> Collection:
    """The same collection, writes acknowledged by the primary alone.

    For writes that a later majority write of the same task covers: the oplog keeps
    their order.
    """
    return collection.with_options(write_concern=WriteConcern(w=1))


def zoneless(collection: Collection) -> Collection:
    """The same collection, its times in UTC without saying so: for rows that are shown
    as they are. To give times their zone takes as long as to decode the rest."""
    return collection.with_options(codec_options=_ZONELESS)


def lasting(db: Database) -> Database:
    """The same database, of which nothing is read that a failover could undo."""
    concern = ReadConcern("majority")
    reading = {
        name: getattr(db, name).with_options(read_concern=concern)
        for name in COLLECTIONS
    }
    own = Gathering(db.gathering.on, NOBODYS)  # its reads are not those of others
    return replace(db, gathering=own, known_metrics={}, **reading)


async def server_time(db: Database) -> datetime:
    """What the database's own clock says."""
    answer = await db.client.admin.command("hello")
    told: datetime = answer["localTime"]
    return told if told.tzinfo else told.replace(tzinfo=utc)


async def find(
    collection: Collection,
    match: Mapping[str, Any],
    projection: Mapping[str, Any] | None = None,
    sort: Mapping[str, int] | None = None,
    limit: int = 0,
    *,
    hint: Any = None,
    session: Session | None = None,
) -> list[Document]:
    """Every matching document, within the time limit."""
    order = list(sort.items()) if sort else None
    return await _read_all(
        collection,
        session,
        lambda own, session: own.find(
            match,
            projection,
            sort=order,
            limit=limit,
            max_time_ms=QUERY_LIMIT_MS,
            hint=hint,
            session=session,
        ),
    )


async def find_by(
    db: Database,
    collection: Collection,
    field: str,
    values: Sequence[Hashable],
    projection: Mapping[str, Any] | None = None,
    match: Mapping[str, Hashable] | None = None,
) -> dict[Any, Document]:
    """The documents, by the unique `field`, in which it is one of `values`, and others
    maybe: read in one command with what other requests ask alike, so not to be changed.
    A `match` narrows them."""

    async def read(wanted: list[Hashable]) -> dict[Any, Document]:
        narrowed = {field: {"$in": wanted}, **(match or {})}
        rows = await find(collection, narrowed, projection)
        return {row[field]: row for row in rows}

    asked = None if projection is None else tuple(projection.items())
    kind = (collection.name, field, asked, tuple(match.items()) if match else ())
    return await db.gathering.read(kind, values, read)


async def aggregate(
    collection: Collection,
    pipeline: Sequence[Mapping[str, Any]],
    *,
    limit_ms: int = QUERY_LIMIT_MS,
    hint: Any = None,
    comment: str | None = None,
    batch_size: int | None = None,
    session: Session | None = None,
) -> list[Document]:
    """Every document that the pipeline yields, within the time limit."""
    options: Document = {"maxTimeMS": limit_ms, "allowDiskUse": True}
    if hint is not None:
        options["hint"] = hint
    if comment is not None:
        options["comment"] = comment
    if batch_size is not None:
        options["batchSize"] = batch_size
    return await _read_all(
        collection,
        session,
        lambda own, session: own.aggregate(pipeline, session=session, **options),
    )


async def _read_all(
    collection: Any, session: Any, open_cursor: Callable[[Any, Any], Any]
) -> list[Document]:
    """Everything that a cursor yields. Motor's own cursors return to the event loop
    after each step; the whole read as one call of its threads costs a fifth less."""
    rows: list[Document]
    if isinstance(collection, AsyncIOMotorCollection):
        own = session and session.delegate
        rows = await _in_thread(
            collection, lambda: open_cursor(collection.delegate, own).to_list()
        )
    else:
        cursor = await _awaited(open_cursor(collection, session))
        rows = await cursor.to_list(None)
    return rows


async def read_until(
    collection: Any,
    open_cursor: Callable[[Any], Any],
    take: Callable[[Any], bool],
) -> None:
    """Hands what a cursor yields to `take`, one after another, until that answers
    False; in a thread, for to look at a large row may take long."""
    if isinstance(collection, AsyncIOMotorCollection):

        def read() -> None:
            with open_cursor(collection.delegate) as cursor:
                all(map(take, cursor))

        await _in_thread(collection, read)
        return
    async with await _awaited(open_cursor(collection)) as cursor:
        async for row in cursor:
            if not await asyncio.to_thread(take, row):
                return


async def _in_thread(collection: Any, work: Callable[[], Any]) -> Any:
    """What the work answers in one of Motor's threads."""
    loop = collection.get_io_loop()
    return await run_on_executor(loop, work)  # type: ignore[no-untyped-call]


async def _awaited(given: Any) -> Any:
    """Both drivers answer `find` at once and sessions only when awaited; PyMongo's
    `aggregate` is awaited for its cursor, Motor's is not."""
    return await given if isinstance(given, Awaitable) else given


async def started_session(db: Database) -> Session:
    """A session for commands that belong together, such as a cursor's. Its user ends
    it."""
    client = cast("Any", db.client)
    session: Session = await _awaited(client.start_session(causal_consistency=False))
    return session


async def transaction(
    db: Database,
    work: Callable[[Session], Awaitable[Result]],
    session: Session | None = None,
) -> Result:
    """Runs `work` in a transaction; after a conflict it runs again, so it must
    have no effect but through its session, which is one of its own or the given."""
    if session is not None:
        return await _transacted(session, work)
    async with await _awaited(db.client.start_session()) as own:
        return await _transacted(own, work)


async def _transacted(
    session: Any, work: Callable[[Session], Awaitable[Result]]
) -> Result:
    outcome: Result = await session.with_transaction(work)
    return outcome


def session_id(session: Any) -> Any:
    """By what the server knows it."""
    return session.session_id["id"]


async def abort(session: Any) -> None:
    """Undoes the transaction that the session has open, if any."""
    if session.in_transaction:
        await session.abort_transaction()


async def kill_sessions(db: Database, identifiers: Sequence[Any]) -> None:
    """Ends what a process that is no more has left open: until then it is in the way
    of whoever writes to the same, for a minute."""
    with suppress(OperationFailure):
        killed = [{"id": each} for each in identifiers]
        await db.client.admin.command({"killSessions": killed})
