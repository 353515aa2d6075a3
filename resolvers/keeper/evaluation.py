"""Who of a few profiles is in which segments: the plan that answers everybody else,
restricted to them."""

from collections.abc import Sequence
from datetime import datetime, tzinfo

from bson import ObjectId

from audience.plan import plan
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.id_reads import read_ids
from resolvers.keeper.kept import Kept
from resolvers.segments.among import question_among
from resolvers.segments.references import references_of

_TOGETHER = 60


async def members_among(
    db: Database,
    asked: Sequence[tuple[Kept, Document]],
    now: datetime,
    zone: tzinfo,
) -> dict[ObjectId, set[ObjectId]]:
    """For each segment, by its id, the members among the profiles that its filter
    matches."""
    if not asked:
        return {}
    found: dict[ObjectId, set[ObjectId]] = {kept.id: set() for kept, _ in asked}
    references = await references_of(db, *(kept.definition for kept, _ in asked))
    branches: list[list[Document]] = []
    for kept, match in asked:
        node = plan(kept.definition, now=now, zone=zone, references=references)
        question = await question_among(db, node, match)
        if question.named:
            # Many ids are a command of their own.
            found[kept.id].update(await read_ids(db.profiles, question.stages))
            continue
        marked = {"$project": {"_id": 1, "s": {"$literal": kept.id}}}
        branches.append([*question.stages, marked])
    for start in range(0, len(branches), _TOGETHER):
        some = branches[start : start + _TOGETHER]
        rows = await aggregate(db.profiles, united(db.profiles.name, some))
        for row in rows:
            found[row["s"]].add(row["_id"])
    return found


def among(ids: Sequence[ObjectId]) -> Document:
    """The filter for these profiles."""
    return {"_id": {"$in": list(ids)}}
