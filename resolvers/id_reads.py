"""Reads of many ids and nothing else. They are cut from MongoDB's answers as these
come: made into documents first, each would cost more than finding it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from struct import unpack_from
from typing import Any

from bson import ObjectId, json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from resolvers.db import QUERY_LIMIT_MS, Collection, Document, Session, session_of

_ID = 12
_AT_ONCE = 50_000  # ids in an answer: the event loop has other things to do
_RAW = CodecOptions(document_class=RawBSONDocument)

# Types of BSON that stand in a cursor.
_TEXT, _OBJECT, _ARRAY, _BOOLEAN, _LONG = 0x02, 0x03, 0x04, 0x08, 0x12


async def read_ids(
    collection: Collection,
    pipeline: Sequence[Mapping[str, Any]],
    *,
    hint: Any = None,
    limit_ms: int = QUERY_LIMIT_MS,
) -> list[ObjectId]:
    """The ids that the pipeline yields, in its order, within the time limit."""
    command: Document = {
        "aggregate": collection.name,
        "pipeline": [*pipeline, {"$project": {"_id": 1}}],
        "cursor": {"batchSize": _AT_ONCE},
        "allowDiskUse": True,
        "maxTimeMS": limit_ms,
    }
    batches = _batches(collection, command, "_id", hint)
    return [ObjectId(each) async for batch in batches for each in batch]


async def read_distinct(
    collection: Collection,
    match: Mapping[str, Any],
    field: str,
    limit: int,
    *,
    hint: Any = None,
) -> set[bytes]:
    """The ids that stand in a field, which every document has, each once, as they are
    stored; when there are more than `limit`, some more than that."""
    command: Document = {
        "find": collection.name,
        "filter": match,
        "projection": {"_id": 0, field: 1},
        "batchSize": _AT_ONCE,
        "maxTimeMS": QUERY_LIMIT_MS,
    }
    found: set[bytes] = set()
    async with aclosing(_batches(collection, command, field, hint)) as batches:
        async for batch in batches:
            found.update(batch)
            if len(found) > limit:
                break
    return found


async def is_multikey(
    collection: Collection, match: Mapping[str, Any], hint: Mapping[str, Any]
) -> bool:
    """Whether the index has an entry for each item of some list, so that it cannot
    tell a list from a value."""
    asked = {"find": collection.name, "filter": match, "hint": hint}
    told = await collection.database.command(
        {"explain": asked, "verbosity": "queryPlanner"}
    )
    return '"isMultiKey": true' in json_util.dumps(told)


async def _batches(
    collection: Collection, command: Document, field: str, hint: Any
) -> AsyncGenerator[list[bytes], None]:
    """The ids of documents that have one in `field` and nothing else."""
    database = collection.database
    if hint is not None:
        command["hint"] = hint
    if collection.read_concern.level is not None:
        command["readConcern"] = collection.read_concern.document
    async with await session_of(database.client) as session:
        number = 0
        try:
            while True:
                answer = await database.command(
                    command, codec_options=_RAW, session=session
                )
                number, batch = _cut(bytes(answer["cursor"].raw), field)
                yield batch
                if not number:
                    return
                command = {"getMore": number, "collection": collection.name}
                command["batchSize"] = _AT_ONCE
        finally:
            if number:
                await _end(collection, number, session)


async def _end(collection: Collection, number: int, session: Session) -> None:
    with suppress(OperationFailure):  # it has ended by itself
        ended = {"killCursors": collection.name, "cursors": [number]}
        await collection.database.command(ended, session=session)


def _cut(cursor: bytes, field: str) -> tuple[int, list[bytes]]:
    """The cursor's number, 0 at its end, and the ids of its batch."""
    number, ids = 0, []
    at = 4
    while kind := cursor[at]:
        end = cursor.index(0, at)
        name, at = cursor[at + 1 : end], end + 1
        if kind == _LONG:
            if name == b"id":
                (number,) = unpack_from("<q", cursor, at)
            at += 8
        elif kind == _BOOLEAN:
            at += 1
        elif kind in (_OBJECT, _ARRAY):
            (size,) = unpack_from("<i", cursor, at)
            if kind == _ARRAY:
                ids = _ids(cursor, at + 4, at + size - 1, field)
            at += size
        elif kind == _TEXT:
            at += 4 + unpack_from("<i", cursor, at)[0]
        else:
            raise ValueError(f"A cursor with {name!r} of type {kind} is not known.")
    return number, ids


def _ids(cursor: bytes, at: int, end: int, field: str) -> list[bytes]:
    """The ids of an array's documents. Its elements are alike but for their numbers,
    which are texts: a type, the number, a zero, and the document, that is a length, a
    type, the field's name, a zero, the id and a zero."""
    found: list[bytes] = []
    header = 4 + 1 + len(field) + 1
    digits = 1
    while at < end:
        before = 1 + digits + 1 + header
        size = before + _ID + 1
        count = min(10**digits - 10 ** (digits - 1) * (digits > 1), (end - at) // size)
        after = at + count * size
        found += [
            cursor[start : start + _ID] for start in range(at + before, after, size)
        ]
        if not count:
            raise ValueError("A batch has other documents than ids.")
        at = after
        digits += 1
    return found
