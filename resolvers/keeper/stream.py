"""What has changed about profiles since an instant, read from the database's own log.

Whatever a write does to a profile is in the log by the same write. Nothing marks a
profile besides, so writers pay nothing for the upkeep, and none can forget it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo.errors import OperationFailure

from resolvers.db import Database, Document, Session, started_session

AT_ONCE = 1_000

# InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost, a position in
# the log that is no more, and an entry that is too large to be told.
_LOST = {260, 280, 286, 136, 234, 10334}
_CURSOR_GONE = {43, 237}
_TIMED_OUT = 50

_STAGES: list[Document] = [
    {"$match": {"operationType": {"$in": ["insert", "update", "replace", "delete"]}}},
    {
        "$project": {
            "operationType": 1,
            "wallTime": 1,
            "documentKey._id": 1,
            "updateDescription.removedFields": 1,
            "updateDescription.truncatedArrays.field": 1,
            "set": {
                "$map": {
                    "input": {"$objectToArray": "$updateDescription.updatedFields"},
                    "in": "$$this.k",
                }
            },
        }
    },
]


class HistoryLost(Exception):
    """The log does not go back to where the reader stopped."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one profile; `fields` are the dotted paths that it touched, None
    when it may have been any: the profile is new, replaced or gone."""

    profile_id: ObjectId
    fields: frozenset[str] | None
    is_gone: bool = False
    at: datetime | None = None


@dataclass(slots=True)
class Stream:
    """An open reader. `token` says how far it has read."""

    db: Database
    collection: str
    session: Session
    cursor: int
    token: Document
    waiting: list[Document] = field(default_factory=list)


async def open_stream(db: Database, token: Document | None) -> Stream:
    """Reads what changes about profiles from `token` on, or from now on; HistoryLost
    when that is too old."""
    return await open_log(db, db.profiles.name, _STAGES, token)


async def open_log(
    db: Database,
    collection: str,
    stages: Sequence[Document],
    token: Document | None = None,
) -> Stream:
    """The same of any collection, its entries as `stages` shape them."""
    session = await started_session(db)
    start: Document = {} if token is None else {"resumeAfter": token}
    command: Document = {
        "aggregate": collection,
        "pipeline": [{"$changeStream": start}, *stages],
        "cursor": {"batchSize": AT_ONCE},
    }
    try:
        answer = await _command(db, command, session)
    except OperationFailure as error:
        await session.end_session()
        if token is None or error.code == _TIMED_OUT:
            raise
        # A position may be refused in many ways; without one, what else is wrong shows.
        raise HistoryLost from error
    except BaseException:
        await session.end_session()
        raise
    cursor = answer["cursor"]
    token = cursor["postBatchResumeToken"]
    stream = Stream(db, collection, session, cursor["id"], token)
    stream.waiting = cursor["firstBatch"]
    return stream


async def close_stream(stream: Stream) -> None:
    """Frees what the server keeps for it."""
    try:
        if stream.cursor:
            command = {
                "killCursors": stream.collection,
                "cursors": [stream.cursor],
            }
            await _command(stream.db, command, stream.session)
    finally:
        await stream.session.end_session()


async def next_changes(stream: Stream, wait_ms: int) -> list[Change]:
    """What has changed since the last call; waits so long for something to change."""
    return [_change(row) for row in await next_entries(stream, wait_ms)]


async def next_entries(stream: Stream, wait_ms: int) -> list[Document]:
    """The same, as the log's entries."""
    rows = stream.waiting
    stream.waiting = []
    if not rows:
        if not stream.cursor:
            raise HistoryLost
        answer = await _command(
            stream.db,
            {
                "getMore": stream.cursor,
                "collection": stream.collection,
                "batchSize": AT_ONCE,
                "maxTimeMS": max(1, wait_ms),
            },
            stream.session,
        )
        rows = answer["cursor"]["nextBatch"]
        stream.cursor = answer["cursor"]["id"]
        stream.token = answer["cursor"]["postBatchResumeToken"]
        if not rows and not stream.cursor:
            raise HistoryLost  # the collection is no more
    return rows


def is_cursor_gone(error: OperationFailure) -> bool:
    """Whether the server has forgotten the reader: open it again from its token."""
    return error.code in _CURSOR_GONE


async def _command(db: Database, command: Document, session: Session) -> Document:
    database = db.client.get_database(db.name)
    codec = db.profiles.codec_options  # a command has no regard to the database's
    try:
        answer: Document = await database.command(
            command, session=session, codec_options=codec
        )
    except OperationFailure as error:
        if error.code in _LOST:
            raise HistoryLost from error
        raise
    return answer


def _change(row: Document) -> Change:
    profile_id, at = row["documentKey"]["_id"], row.get("wallTime")
    if row["operationType"] != "update":
        return Change(profile_id, None, row["operationType"] == "delete", at)
    return Change(profile_id, frozenset(_fields(row)), at=at)


def _fields(row: Document) -> Iterator[str]:
    described: Document = row.get("updateDescription", {})
    names: Sequence[Any] = row.get("set") or ()
    for name in (
        *names,
        *described.get("removedFields", ()),
        *(each["field"] for each in described.get("truncatedArrays", ())),
    ):
        yield name
        if name == "epoch":
            # Events may have been moved without a trace in the summary.
            yield "summary"
