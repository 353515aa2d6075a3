"""Tells many followers what is being recorded, from one reader of the database's log
for each collection that somebody follows.

Nothing is kept for a follower but a bounded queue: who does not take what comes is
told so and dropped, and can come back with the instant from which to go on.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import structlog
from bson import ObjectId
from pymongo.errors import OperationFailure, PyMongoError

from audience.errors import LimitReached
from resolvers.db import Database, Document, find
from resolvers.imports import UNFINISHED, imports_by_id
from resolvers.keeper.stream import (
    HistoryLost,
    close_stream,
    next_entries,
    open_log,
)

WAITING = 500
BACKLOG = 10_000
WAIT_MS = 250
PAUSE_SECONDS = 1.0
LOG_SECONDS = 60.0  # between two lines that say the same
CHECK_SECONDS = 5.0

_LATE = (
    f"More than {WAITING} were waiting to be taken. Ask again, with `since`, and take "
    "them faster."
)
_LOST = "Some may have been missed. Ask again, with `since`."

_log = structlog.get_logger("audience")

# What is told may have been written by a transaction that was tried for two minutes.
_MARGIN = timedelta(seconds=150)

# Raises what ends the following, such as that the follower's key was revoked.
Check = Callable[[], Awaitable[None]]

Recorded = Literal["segment_changes", "events"]
What = Literal["segment_changes", "events", "imports"]

_PATHS: dict[What, str] = {
    "segment_changes": "fullDocument.segment_id",
    "events": "fullDocument.profile_id",
    "imports": "documentKey._id",
}
# What of an import only its worker needs to know.
_UNSEEN = ("holder", "until", "clock", "attempts", "next_block")


@dataclass(eq=False, slots=True)
class _Follower:
    key: ObjectId
    queue: asyncio.Queue[Document | None] = field(
        default_factory=lambda: asyncio.Queue(WAITING + 1)
    )
    dropped: str | None = None
    checked: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Log:
    """One collection's followers, and the task that reads for them."""

    followers: set[_Follower] = field(default_factory=set)
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    keys: frozenset[ObjectId] = frozenset()
    refused: OperationFailure | None = None  # why it cannot be opened


@dataclass(slots=True)
class Hub:
    """What a process tells its followers."""

    db: Database
    logs: dict[What, _Log] = field(default_factory=dict)


async def check_nothing() -> None:
    """Where followers may go on as long as they like."""


async def follow(
    hub: Hub,
    what: Recorded,
    key: ObjectId,
    since: datetime | None = None,
    check: Check = check_nothing,
) -> AsyncGenerator[Document, None]:
    """What is recorded of a segment or a profile from now on, in the order of the log;
    with `since` first what was recorded from then on, of which some may be older.
    LimitReached for those who do not keep up. Every few seconds `check` may end it."""
    async with _following(hub, what, key) as follower:
        told: set[ObjectId] = set()
        if since is not None:
            for row in await _backlog(hub.db, what, key, since):
                told.add(row["_id"])
                yield row
        while True:
            entry = await _next(follower, check)
            if entry is None:
                raise LimitReached(follower.dropped or _LOST)
            if entry["_id"] not in told:
                yield entry


async def follow_import(
    hub: Hub, import_id: ObjectId, check: Check = check_nothing
) -> AsyncGenerator[Document, None]:
    """The import as it is now, and again whenever that is otherwise, until it has
    ended. Who takes it slowly is told less often, and the end in any case; `check` as
    above."""
    async with _following(hub, "imports", import_id) as follower:
        told: Document = {}
        while True:
            (found,) = await imports_by_id(hub.db, [import_id])
            if found is None:
                return
            seen = {each: found[each] for each in found if each not in _UNSEEN}
            if seen != told:
                told = seen
                yield found
            if found["status"] not in UNFINISHED:
                return
            await _next(follower, check)


async def _next(follower: _Follower, check: Check) -> Document | None:
    """What comes next in the queue, whatever that takes."""
    while True:
        entry: Document | None = _NOTHING
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_until_check(follower)):
                entry = await follower.queue.get()
        if _until_check(follower) <= 0:
            await check()
            follower.checked = time.monotonic()
        if entry is not _NOTHING:
            return entry


def _until_check(follower: _Follower) -> float:
    return follower.checked + CHECK_SECONDS - time.monotonic()


@contextlib.asynccontextmanager
async def _following(hub: Hub, what: What, key: ObjectId) -> AsyncIterator[_Follower]:
    """A follower that misses nothing from the beginning of the block on.
    OperationFailure when the database does not let the log be read."""
    log = hub.logs.setdefault(what, _Log())
    follower = _Follower(key)
    log.followers.add(follower)
    log.opened.clear()
    log.changed.set()
    if log.task is None:
        log.task = asyncio.create_task(_read(hub.db, what, log))
    try:
        while key not in log.keys:
            await log.opened.wait()
            log.opened.clear()
            if log.refused is not None:
                raise log.refused
        yield follower
    finally:
        log.followers.discard(follower)
        log.changed.set()
        if not log.followers and log.task is not None:
            task, log.task = log.task, None
            log.keys = frozenset()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _backlog(
    db: Database, what: Recorded, key: ObjectId, since: datetime
) -> Sequence[Document]:
    collection = db.events if what == "events" else db.segment_changes
    path = _PATHS[what].partition(".")[2]
    begin = since - _MARGIN
    # Ids begin with the second in which they were made, by the clock of whichever
    # machine; a change has its time by the database's, but not always that of its id.
    late: list[Document] = [{"_id": {"$gte": ObjectId.from_datetime(begin)}}]
    if what == "segment_changes":
        late.append({"at": {"$gte": begin}})
    rows = await find(
        collection,
        {path: key, "$or": late},
        sort={"_id": 1},
        limit=BACKLOG + 1,
    )
    if len(rows) > BACKLOG:
        raise LimitReached(
            f"More than {BACKLOG:,} were recorded since then: give a later instant."
        )
    return rows


async def _read(db: Database, what: What, log: _Log) -> None:
    token: Document | None = None
    logged = -math.inf
    while True:
        log.changed.clear()
        keys = frozenset(each.key for each in log.followers)
        try:
            try:
                stream = await open_log(db, what, _stages(what, keys), token)
            except OperationFailure as error:
                log.refused = error
                log.opened.set()
                raise
            log.refused = None
            log.keys = keys
            log.opened.set()
            try:
                _tell(log, what, stream.waiting)
                stream.waiting = []
                token = stream.token
                while not log.changed.is_set():
                    _tell(log, what, await next_entries(stream, WAIT_MS))
                    token = stream.token
            finally:
                with contextlib.suppress(PyMongoError):
                    await close_stream(stream)
        except HistoryLost:
            token = None
            _lose(log, what)
        except PyMongoError as error:
            if time.monotonic() - logged >= LOG_SECONDS:
                _log.warning("followers wait", what=what, reason=str(error)[:200])
                logged = time.monotonic()
            await asyncio.sleep(PAUSE_SECONDS)
        except Exception:  # noqa: BLE001 - whoever comes next is told again
            _log.exception("followers cannot be told", what=what)
            token = None
            _lose(log, what)
            await asyncio.sleep(PAUSE_SECONDS)


def _tell(log: _Log, what: What, entries: Iterable[Document]) -> None:
    group, _, name = _PATHS[what].partition(".")
    for entry in entries:
        row: Document = entry[group]
        concerned = [each for each in log.followers if each.key == row[name]]
        if what == "imports":
            _wake(concerned)
            continue
        for follower in concerned:
            if follower.dropped:
                continue
            if follower.queue.qsize() >= WAITING:
                _drop([follower], _LATE)
            else:
                follower.queue.put_nowait(row)


def _lose(log: _Log, what: What) -> None:
    log.keys = frozenset()  # who comes now waits until it is read again
    if what == "imports":
        _wake(log.followers)
    else:
        _drop(log.followers, _LOST)


def _wake(followers: Collection[_Follower]) -> None:
    """Lets them look anew; one time is as good as many."""
    for follower in followers:
        if follower.queue.empty():
            follower.queue.put_nowait(None)


def _drop(followers: Collection[_Follower], reason: str) -> None:
    for follower in followers:
        if not follower.dropped:
            follower.dropped = reason
            follower.queue.put_nowait(None)


def _stages(what: What, keys: frozenset[ObjectId]) -> list[Document]:
    path = _PATHS[what]
    group = path.partition(".")[0]
    kinds = ["update", "replace", "delete"] if what == "imports" else ["insert"]
    return [
        {"$match": {"operationType": {"$in": kinds}, path: {"$in": list(keys)}}},
        {"$project": {group: 1}},
    ]


_NOTHING: Document = {}
