"""How a question is answered: what was expected of it, and which indexes it uses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audience.plan.tree import Fact
from resolvers.collections import HISTORIES
from resolvers.db import Collection, Database, Document, aggregate
from resolvers.pipelines import Question, Strategy
from resolvers.pipelines.steps import open_facts, possible_members, reading, undecided
from resolvers.segments.estimates import Way, best_way, sample_events
from resolvers.segments.sets import by_way, stages_and_hint

Hint = Mapping[str, Any] | None

_SAMPLE = 500
_SMALL = 20 * _SAMPLE  # people; a larger sample of them would be sorted as a whole


async def estimated_size(db: Database, asked: Question) -> int:
    """About how many members there may be as far as the profiles tell, from a sample
    of them; of few people, counted."""
    people = await db.profiles.estimated_document_count()
    match = {"$match": asked.match or possible_members(asked)}
    stages: list[Document] = [match, {"$count": "n"}]
    if people > _SMALL:
        stages.insert(0, {"$sample": {"size": _SAMPLE}})
    rows = await aggregate(db.profiles, stages)
    found = rows[0]["n"] if rows else 0
    return round(found * people / _SAMPLE) if people > _SMALL else int(found)


async def indexes_used(db: Database, asked: Question, answer: Question) -> list[str]:
    """The names of the indexes, each after its collection, in which `answer` looks for
    what `asked` asks. Without them everything is read."""
    reads: list[tuple[Collection, Sequence[Document], Hint]]
    if answer.strategy is Strategy.PROFILES_FIRST:
        reads = [
            (db.events, reading(fact, []), HISTORIES) for fact in open_facts(asked)
        ]
        reads.append((db.profiles, [{"$match": undecided(asked)}], None))
    elif answer.strategy is Strategy.EVENTS_FIRST:
        return await _indexes_of_sets(db, open_facts(asked))
    else:
        reads = [(db.profiles, answer.stages, None)]
    found: dict[str, None] = {}
    for collection, stages, hint in reads:
        found |= dict.fromkeys(await _indexes(db, collection, stages, hint))
    return list(found)


async def _indexes_of_sets(db: Database, facts: Sequence[Fact]) -> list[str]:
    sample = await sample_events(db)
    found: dict[str, None] = {}
    for fact in facts:

        async def asked(way: Way, fact: Fact = fact) -> list[str]:
            return await _indexes(db, db.events, *stages_and_hint(fact, way))

        names = await by_way(db, best_way(sample, fact), asked)
        found |= dict.fromkeys(names)
    return list(found)


async def _indexes(
    db: Database,
    collection: Collection,
    stages: Sequence[Document],
    hint: Hint,
) -> list[str]:
    asked: Document = {"aggregate": collection.name, "pipeline": list(stages)}
    asked |= {"cursor": {}} | ({} if hint is None else {"hint": hint})
    database = db.client.get_database(db.name)
    told = await database.command({"explain": asked, "verbosity": "queryPlanner"})
    return list(_named(told, collection.name))


def _named(told: Any, collection: str) -> Iterator[str]:
    """Every index of the plans that won, after its collection."""
    match told:
        case dict():
            collection = told.get("namespace", collection).rpartition(".")[2]
            if isinstance(union := told.get("$unionWith"), dict):
                collection = union.get("coll", collection)
            if "indexName" in told:
                yield f"{collection}.{told['indexName']}"
            for name, inner in told.items():
                if name not in ("rejectedPlans", "command"):
                    yield from _named(inner, collection)
        case list():
            for inner in told:
                yield from _named(inner, collection)
