"""Who of a few profiles is in which segments: the plan that answers everybody else,
restricted to them."""

from collections.abc import Sequence
from datetime import datetime, tzinfo

from bson import ObjectId

from audience.plan import Node, plan
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.keeper.kept import Kept
from resolvers.pipelines import Question, Strategy, Unsuitable, question
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
        stages = [{"$match": match}] if match else []
        stages += _question(node).stages
        marked = {"$project": {"_id": 1, "s": {"$literal": kept.id}}}
        branches.append([*stages, marked])
    for start in range(0, len(branches), _TOGETHER):
        some = branches[start : start + _TOGETHER]
        rows = await aggregate(db.profiles, united(db.profiles.name, some))
        for row in rows:
            found[row["s"]].add(row["_id"])
    return found


def among(ids: Sequence[ObjectId]) -> Document:
    """The filter for these profiles."""
    return {"_id": {"$in": list(ids)}}


def _question(node: Node) -> Question:
    """By documents alone, or by the events of each candidate; nobody else's are
    read."""
    try:
        return question(node, Strategy.MATCH)
    except Unsuitable:
        pass
    try:
        return question(node, Strategy.CANDIDATES)
    except Unsuitable:
        return question(node)
