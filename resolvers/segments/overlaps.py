"""How many people segments have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bson import ObjectId

from audience.errors import InvalidInput, NotFound
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.segments.answers import all_settled
from resolvers.segments.questions import segment_questions
from resolvers.segments.records import segments_by_id

MOST = 5


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many people are in all of the segments."""

    segments: tuple[Document, ...]
    size: int


async def segment_overlap(
    db: Database,
    ids: Sequence[str | ObjectId],
    now: datetime,
    zone: tzinfo = UTC,
    path: tuple[str, ...] = ("segmentIds",),
) -> list[Overlap]:
    """For every combination of the segments, single ones first, how many people are in
    all of it: one command, in which each segment is answered once."""
    if not 2 <= len(ids) <= MOST:
        raise InvalidInput(f"Give 2 to {MOST} segments, not {len(ids)}.", path)
    segments: list[Document] = []
    for number, segment in enumerate(await segments_by_id(db, ids)):
        if segment is None:
            raise NotFound("There is no such segment.", (*path, str(number)))
        if segment in segments:
            raise InvalidInput("This segment is named twice.", (*path, str(number)))
        segments.append(segment)
    asked = await segment_questions(db, segments, now, zone)
    questions = await all_settled(db, asked)
    branches: list[list[Document]] = [
        [*asked.stages, {"$addFields": {"in": {"$literal": 1 << number}}}]
        for number, asked in enumerate(questions)
    ]
    rows = await aggregate(
        db.profiles,
        [
            *united("profiles", branches),
            {"$group": {"_id": "$_id", "in": {"$sum": "$in"}}},
            {"$group": {"_id": "$in", "n": {"$sum": 1}}},
        ],
    )
    exact = {row["_id"]: int(row["n"]) for row in rows}
    combined = sorted(range(1, 1 << len(segments)), key=int.bit_count)
    return [
        Overlap(
            tuple(it for place, it in enumerate(segments) if wanted >> place & 1),
            sum(n for among, n in exact.items() if among & wanted == wanted),
        )
        for wanted in combined
    ]
