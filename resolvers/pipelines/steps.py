"""Plans answered in several commands: sets of profiles are read from the events, and
then the profile documents decide.

- PROFILES_FIRST: the profiles of whom the summary leaves it open are read first, and
  then the events of those alone.
- EVENTS_FIRST: the sets are read from everybody's events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bson import ObjectId

from audience.plan.tree import (
    Always,
    EventFact,
    Every,
    Fact,
    Leaf,
    Node,
    SequenceFact,
    Some,
    facts_of,
)
from resolvers.db import Document
from resolvers.pages import both
from resolvers.pipelines.bounds import certain, possible
from resolvers.pipelines.filters import NOBODY, distinct
from resolvers.pipelines.strategies import Question, Strategy, Told, set_stages

Sets = Mapping[Fact, Sequence[ObjectId]]

# With more of all profiles than one in so many, reading them in the order of the
# collection is faster than one by one.
_DENSE = 4


def open_facts(asked: Question, *, use_summaries: bool = True) -> list[Fact]:
    """The facts that only the events tell, each once."""
    told = Told(use_summaries)
    return [it for it in facts_of(asked.node) if told.fact(it) is None]


def possible_members(asked: Question) -> Document:
    """The profiles that may be members as far as they and their summaries tell."""
    upper = _bound(asked.node, upper=True)
    return NOBODY if upper is None else both(asked.among, upper)


def undecided(asked: Question) -> Document:
    """The profiles of whom the summary leaves open whether they are members."""
    lower = _bound(asked.node, upper=False)
    without = {"$nor": [lower]} if lower is not None else {}
    return both(possible_members(asked), without)


def reading(fact: Fact, among: Sequence[ObjectId] | None = None) -> list[Document]:
    """Stages on the events: the profiles, or those among some, of whom it holds."""
    stages = set_stages(Leaf(fact))
    return stages if among is None else _among(stages, among)


def by_profiles(
    asked: Question, candidates: Sequence[ObjectId], sets: Sets
) -> Question:
    """The answer when the sets have been read for the candidates, who are all of whom
    the summary leaves it open."""
    found = {fact: (_id_in(ids), True) for fact, ids in sets.items()}
    mine = both(_id_in(candidates), _with_sets(asked.node, found))
    lower = _bound(asked.node, upper=False)
    match = mine if lower is None else {"$or": [lower, mine]}
    named = len(candidates) + _named(asked.node, sets)
    match = both(asked.among, match)
    return _decided(asked, Strategy.PROFILES_FIRST, match, named)


def by_events(asked: Question, sets: Sets, people: int) -> Question:
    """The answer when the sets have been read for everybody, of so many people."""
    if not asked.among:
        combined = _combined(asked.node, {it: set(ids) for it, ids in sets.items()})
        if combined is not None:
            members, are_inside = combined
            if are_inside:
                ids = sorted(members)
                asked = replace(asked, ids=ids)
                return _decided(asked, Strategy.EVENTS_FIRST, _id_in(ids), len(ids))
            # Every event is somebody's.
            asked = replace(asked, outside=len(members))
    found = {
        fact: (_id_in(ids), len(ids) * _DENSE < people) for fact, ids in sets.items()
    }
    match = both(asked.among, _with_sets(asked.node, found))
    named = _named(asked.node, sets)
    return _decided(asked, Strategy.EVENTS_FIRST, match, named)


def _decided(
    asked: Question, strategy: Strategy, match: Document, named: int
) -> Question:
    stages = [{"$match": match}, {"$project": {"_id": 1}}]
    return replace(
        asked,
        strategy=strategy,
        stages=stages,
        match=match,
        named=named,
    )


def _named(node: Node, sets: Sets) -> int:
    """How many ids stand in the filter: those of a set wherever its fact occurs."""
    match node:
        case Leaf(fact=fact):
            return len(sets.get(fact, ()))
        case Every(parts=parts) | Some(parts=parts):
            return sum(_named(part, sets) for part in parts)
    return 0


def _id_in(ids: Sequence[ObjectId]) -> Document:
    return {"_id": {"$in": list(ids)}}


def _read_through(match: Document) -> Document:
    """The same for every profile, for each has a time of creation; but of no use for an
    index, in which so many steps cost more than reading everybody."""
    return {"$or": [match, {"created_at": {"$exists": False}}]}


def _outside(match: Document) -> Document:
    """The opposite; of no use for an index either."""
    return {"$nor": [match | {"created_at": {"$exists": True}}]}


def _among(stages: Sequence[Document], ids: Sequence[ObjectId]) -> list[Document]:
    found: list[Document] = [{"$match": {"profile_id": {"$in": list(ids)}}}]
    for stage in stages:
        if "$unionWith" in stage:
            union = stage["$unionWith"]
            inner = _among(union["pipeline"], ids)
            found.append({"$unionWith": union | {"pipeline": inner}})
        else:
            found.append(stage)
    return found


def _with_sets(node: Node, sets: Mapping[Fact, tuple[Document, bool]]) -> Document:
    """The plan as a filter, with sets for what only the events tell, and whether an
    index is of use for them."""
    told = Told(use_summaries=True)
    match node:
        case Leaf(fact=fact, holds=holds) if fact in sets:
            inside, is_sparse = sets[fact]
            if not holds:
                return _outside(inside)
            return inside if is_sparse else _read_through(inside)
        case Every(parts=parts):
            return {"$and": distinct(_with_sets(part, sets) for part in parts)}
        case Some(parts=parts):
            return {"$or": distinct(_with_sets(part, sets) for part in parts)}
    return told.filter(node)


def _bound(node: Node, *, upper: bool) -> Document | None:
    """Who is a member as far as the summary tells: with `upper` who may be, without
    who certainly is. None: nobody."""
    told = Told(use_summaries=True)
    match node:
        case Always(holds=False):
            return None
        case Leaf(fact=EventFact() | SequenceFact() as fact, holds=holds) if (
            told.fact(fact) is None
        ):
            told_of = possible(fact) if holds == upper else certain(fact)
            if holds:
                return None if told_of == NOBODY else told_of
            return {} if told_of == NOBODY else {"$nor": [told_of]}
        case Every(parts=parts):
            bounds = [_bound(part, upper=upper) for part in parts]
            if any(bound is None for bound in bounds):
                return None
            return both(*(bound for bound in bounds if bound is not None))
        case Some(parts=parts):
            options = [
                bound
                for part in parts
                if (bound := _bound(part, upper=upper)) is not None
            ]
            if not options:
                return None
            return {} if {} in options else {"$or": distinct(options)}
    return told.filter(node)


def _combined(
    node: Node, sets: Mapping[Fact, set[ObjectId]]
) -> tuple[set[ObjectId], bool] | None:
    """The members, or with False all who are none of them; None where the profiles
    have to tell something."""
    match node:
        case Leaf(fact=fact, holds=holds) if fact in sets:
            return sets[fact], holds
        case Every(parts=parts) | Some(parts=parts):
            inner = [_combined(part, sets) for part in parts]
            known = [it for it in inner if it is not None]
            if len(known) < len(inner):
                return None
            is_every = isinstance(node, Every)
            # Of the parts the other way round, the rest is made (De Morgan).
            inside = [ids for ids, holds in known if holds is is_every]
            outside = [ids for ids, holds in known if holds is not is_every]
            without = set().union(*outside)
            if not inside:
                return without, not is_every
            return set.intersection(*inside) - without, is_every
    return None
