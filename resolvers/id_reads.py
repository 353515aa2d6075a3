"""Reads of many ids and nothing else. They are cut from MongoDB's answers as these
come: made into documents first, each would cost more than finding it."""

from collections.abc import Iterator, Mapping, Sequence
from struct import unpack_from
from typing import Any

from bson import ObjectId, json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from resolvers.db import QUERY_LIMIT_MS, Collection, Document, read_until

_ID = 12
_AT_ONCE = 50_000  # ids in an answer

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
    found: list[ObjectId] = []
    stages = [*pipeline, {"$project": {"_id": 1}}]
    options: Document = {"maxTimeMS": limit_ms, "allowDiskUse": True}
    if hint is not None:
        options["hint"] = hint

    def take(cursor: bytes) -> bool:
        found.extend(map(ObjectId, _cut(cursor, "_id")))
        return True

    await read_until(
        collection.with_options(codec_options=_WHOLE),
        lambda own: own.aggregate(stages, batchSize=_AT_ONCE, **options),
        take,
    )
    return found


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
    found: set[bytes] = set()

    def take(cursor: bytes) -> bool:
        found.update(_cut(cursor, field))
        return len(found) <= limit

    await read_until(
        collection.with_options(codec_options=_WHOLE),
        lambda own: own.find(
            match,
            {"_id": 0, field: 1},
            batch_size=_AT_ONCE,
            max_time_ms=QUERY_LIMIT_MS,
            hint=hint,
        ),
        take,
    )
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


class _Whole(RawBSONDocument):
    """An answer of MongoDB's, which tells the driver that there is one document in its
    batch: the cursor as it came."""

    def __getitem__(self, item: str) -> Any:
        found = super().__getitem__(item)
        if item != "cursor":
            return found
        cursor = bytes(found.raw)
        told = {
            name: unpack_from("<q", cursor, at)[0]
            if kind == _LONG
            else cursor[at + 4 : end - 1].decode()
            for name, kind, at, end in _fields(cursor)
            if kind in (_LONG, _TEXT)
        }
        return told | {"firstBatch": [cursor], "nextBatch": [cursor]}


_WHOLE = CodecOptions(document_class=_Whole)


def _fields(cursor: bytes) -> Iterator[tuple[str, int, int, int]]:
    """The name, type, start and end of each."""
    at = 4
    while kind := cursor[at]:
        end = cursor.index(0, at)
        name, at = cursor[at + 1 : end].decode(), end + 1
        if kind == _LONG:
            end = at + 8
        elif kind == _BOOLEAN:
            end = at + 1
        elif kind in (_OBJECT, _ARRAY):
            end = at + unpack_from("<i", cursor, at)[0]
        elif kind == _TEXT:
            end = at + 4 + unpack_from("<i", cursor, at)[0]
        else:
            raise ValueError(f"A cursor with {name!r} of type {kind} is not known.")
        yield name, kind, at, end
        at = end


def _cut(cursor: bytes, field: str) -> list[bytes]:
    """The ids of a batch of documents that have one in `field` and nothing else."""
    for _, kind, at, end in _fields(cursor):
        if kind == _ARRAY:
            return _ids(cursor, at + 4, end - 1, field)
    raise ValueError("A cursor without a batch is not known.")


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
