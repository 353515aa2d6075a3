"""How many members questions have."""

import asyncio
from collections.abc import Sequence

from bson import ObjectId

from resolvers.branches import united
from resolvers.db import QUERY_LIMIT_MS, Database, Document, aggregate
from resolvers.id_reads import read_ids
from resolvers.pages import both
from resolvers.pipelines import Question
from resolvers.segments.answers import all_settled

_MANY = 20_000  # people; among fewer, the members of a list are counted in no time
_DRAWN = 99
_GOOD_FOR = 600  # seconds


async def count_members(db: Database, questions: Sequence[Question]) -> list[int]:
    """The number of people that each question finds; once the events are read, all in
    one command."""
    questions = await all_settled(db, questions)
    found = {
        number: len(it.ids) for number, it in enumerate(questions) if it.ids is not None
    }
    without = {
        number: it.outside
        for number, it in enumerate(questions)
        if it.outside is not None
    }
    if without:
        people = await db.profiles.count_documents(
            {}, hint="_id_", maxTimeMS=QUERY_LIMIT_MS
        )
        found |= {
            number: max(people - outside, 0) for number, outside in without.items()
        }
    others = {number: it for number, it in enumerate(questions) if number not in found}
    if len(others) == 1:
        ((number, asked),) = others.items()
        halves = await _halves(db, asked)
        if halves is not None:
            found[number] = await _counted(db, halves)
            others = {}
    branches: list[list[Document]] = [
        [*it.stages, {"$count": "n"}, {"$addFields": {"_id": number}}]
        for number, it in others.items()
    ]
    if branches:
        rows = await aggregate(db.profiles, united("profiles", branches))
        found |= {row["_id"]: int(row["n"]) for row in rows}
    return [found.get(number, 0) for number in range(len(questions))]


async def _halves(db: Database, asked: Question) -> list[Document] | None:
    """Two filters in the place of the question's, which the database can go through
    side by side: of a list's members, whose index goes on by their ids. Anybody else is
    found by going through everybody in their order, which takes longer by ids."""
    if asked.match is None or not _is_of_list(asked.match):
        return None
    people = await db.profiles.estimated_document_count()
    if people < _MANY:
        return None

    async def draw() -> ObjectId:
        drawn: list[Document] = [{"$sample": {"size": _DRAWN}}, {"$sort": {"_id": 1}}]
        ids = await read_ids(db.profiles, drawn)
        return ids[len(ids) // 2]

    middle = await db.recent.read("middle", _GOOD_FOR, draw)
    spans: list[Document] = [{"$lt": middle}, {"$gte": middle}]
    return [both({"_id": span}, asked.match) for span in spans]


def _is_of_list(match: Document) -> bool:
    return any(
        isinstance(part.get("lists.list_id"), ObjectId)
        for part in (match, *match.get("$and", ()))
    )


async def _counted(db: Database, filters: Sequence[Document]) -> int:
    found = await asyncio.gather(
        *(
            aggregate(db.profiles, [{"$match": each}, {"$count": "n"}])
            for each in filters
        )
    )
    return sum(int(row["n"]) for rows in found for row in rows)
