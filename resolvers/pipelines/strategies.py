"""Whole pipelines on the profiles that yield the ids of a plan's members.

Every strategy gives the same members:

- MATCH: one filter, when the profile documents tell everything.
- FLAGS: the candidates, and the sets of profiles that the events give, joined by
  `$unionWith`; grouped by profile, each set becomes a flag, and one filter over the
  flags decides, so that "not in the set" holds for people without any event.
- SETS: the same without reading all candidates, driven by sets that everyone in the
  segment is in; the profiles are looked up at the end, where they have to tell more.
- CANDIDATES: the events of each candidate are looked up.

Two more take several commands (`steps.py`): PROFILES_FIRST and EVENTS_FIRST.

All of them run on a sharded cluster: `$unionWith`, `$group` and `$lookup` may read
sharded collections, and nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bson import ObjectId

from audience.plan.tree import (
    EVERYONE,
    EventFact,
    Every,
    Fact,
    Leaf,
    Node,
    SequenceFact,
    Some,
    every,
    facts_of,
    some,
)
from resolvers.db import Document
from resolvers.pages import both
from resolvers.pipelines.events import event_stages, summary_filter
from resolvers.pipelines.filters import NOBODY, fact_filter, filter_of
from resolvers.pipelines.sequences import sequence_stages, sequence_summary_filter

EVERY_ID: Document = {"_id": {"$gte": ObjectId("0" * 24)}}

_FLAG = {"$literal": True}


class Strategy(StrEnum):
    """How the members are found."""

    MATCH = "MATCH"
    FLAGS = "FLAGS"
    SETS = "SETS"
    CANDIDATES = "CANDIDATES"
    PROFILES_FIRST = "PROFILES_FIRST"
    EVENTS_FIRST = "EVENTS_FIRST"


class Unsuitable(Exception):
    """The plan cannot be answered in the way that was asked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A plan as stages on the profiles that yield `_id` and nothing else.

    `match` is given when it says everything by itself. `can_look_up`: CANDIDATES would
    do.
    `node` is what the stages ask, and `among` the filter besides. `ids`: the members,
    where they are known; `outside`: how many are none, where that is; `named`: how many
    ids the filter names. `is_settled`: nothing more is to be read beforehand.
    """

    strategy: Strategy
    stages: list[Document]
    match: Document | None
    node: Node
    among: Document
    can_look_up: bool = False
    ids: Sequence[ObjectId] | None = None
    outside: int | None = None
    named: int = 0
    is_settled: bool = False


def question(
    node: Node,
    strategy: Strategy | None = None,
    *,
    use_summaries: bool = True,
    among: Document | None = None,
) -> Question:
    """The plan as a pipeline; Unsuitable when `strategy` cannot answer it. Without
    `strategy` the best that always works: MATCH, else SETS, else FLAGS. `among`: a
    filter that the profiles have to pass, too."""
    told = Told(use_summaries)
    if strategy in (Strategy.PROFILES_FIRST, Strategy.EVENTS_FIRST):
        raise Unsuitable("That takes more than one command.")
    if told.by_document(node):
        match = both(told.filter(node), among or {})
        if strategy in (None, Strategy.MATCH):
            stages = [*_matching(match), {"$project": {"_id": 1}}]
            return Question(Strategy.MATCH, stages, match, node, among or {})
    elif strategy is Strategy.MATCH:
        raise Unsuitable("The events have to be read.")
    parts = node.parts if isinstance(node, Every) else (node,)
    narrow = every(part for part in parts if told.by_document(part))
    rest = every(part for part in parts if not told.by_document(part))
    if strategy is None:
        driven = _is_positive(told, rest)
        strategy = Strategy.SETS if driven else Strategy.FLAGS
    narrowed = both(told.filter(narrow), among or {})
    stages = _STAGES[strategy](told, narrowed, rest)
    can_look_up = not any(isinstance(it, SequenceFact) for it in facts_of(rest))
    return Question(strategy, stages, None, node, among or {}, can_look_up)


@dataclass(frozen=True, slots=True)
class Told:
    """What one profile document tells by itself, and how it is asked."""

    use_summaries: bool

    def fact(self, fact: Fact) -> Document | None:
        if isinstance(fact, EventFact):
            return summary_filter(fact) if self.use_summaries else None
        if isinstance(fact, SequenceFact):
            return sequence_summary_filter(fact) if self.use_summaries else None
        return fact_filter(fact)

    def by_document(self, node: Node) -> bool:
        return all(self.fact(fact) is not None for fact in facts_of(node))

    def filter(self, node: Node) -> Document:
        return filter_of(node, lambda fact: self.fact(fact) or NOBODY)


def _flags(told: Told, narrowed: Document, rest: Node) -> list[Document]:
    rest = _gathered(told, rest)
    names: dict[Node, str] = {}
    decision = _decision(told, rest, names)
    # By the index alone, unless the profiles have to tell something.
    stages = _matching(narrowed or EVERY_ID)
    stages.append({"$project": {"_id": 1, "p": _FLAG}})
    stages += [_union(told, node, name) for node, name in names.items()]
    stages.append(_by_profile(["p", *names.values()]))
    stages.append({"$match": {"$and": [{"p": True}, decision]}})
    return [*stages, {"$project": {"_id": 1}}]


def _sets(told: Told, narrowed: Document, rest: Node) -> list[Document]:
    driving = [
        part
        for part in (rest.parts if isinstance(rest, Every) else (rest,))
        if _is_positive(told, part)
    ]
    if not driving:
        raise Unsuitable("There is no set that everyone in the segment is in.")
    names: dict[Node, str] = {}
    decision = _decision(told, rest, names, inline=True)
    relaxed = _relaxed(told, rest)
    possible = _decision(told, relaxed, names)
    stages: list[Document] = [{"$match": NOBODY}]
    stages += [_union(told, node, name) for node, name in names.items()]
    stages.append(_by_profile(list(names.values())))
    stages.append({"$match": possible})
    if not narrowed and relaxed == rest:
        # Every event is somebody's: there is nothing more to ask of their profiles.
        return [*stages, {"$project": {"_id": 1}}]
    look_up = {
        "from": "profiles",
        "localField": "_id",
        "foreignField": "_id",
        "pipeline": _matching(narrowed),
        "as": "profile",
    }
    stages += [{"$lookup": look_up}, {"$match": {"profile": {"$ne": []}}}]
    if relaxed != rest:
        flags = {name: f"${name}" for name in names.values()}
        merged = {"$mergeObjects": [{"$first": "$profile"}, flags]}
        stages.append({"$replaceRoot": {"newRoot": merged}})
        stages.append({"$match": decision})
    return [*stages, {"$project": {"_id": 1}}]


def _candidates(told: Told, narrowed: Document, rest: Node) -> list[Document]:
    names: dict[Node, str] = {}
    decision = _decision(told, rest, names, inline=True, flag={"$ne": []})
    stages = _matching(narrowed)
    for node, name in names.items():
        if isinstance(node, Leaf) and isinstance(node.fact, SequenceFact):
            raise Unsuitable("Sequences are not looked up one by one.")
        found = [*set_stages(node), {"$limit": 1}, {"$project": {"_id": 1}}]
        look_up = {
            "from": "events",
            "localField": "_id",
            "foreignField": "profile_id",
            "pipeline": found,
            "as": name,
        }
        stages.append({"$lookup": look_up})
    return [*stages, {"$match": decision}, {"$project": {"_id": 1}}]


_STAGES = {
    Strategy.FLAGS: _flags,
    Strategy.SETS: _sets,
    Strategy.CANDIDATES: _candidates,
}


def _matching(match: Document) -> list[Document]:
    return [{"$match": match}] if match else []


def _decision(
    told: Told,
    node: Node,
    names: dict[Node, str],
    *,
    inline: bool = False,
    flag: Document | bool = True,
) -> Document:
    """The node as a filter over flags, whose names are noted in `names`; `inline`:
    what the profile tells stands in it directly."""
    if told.by_document(node) and (inline or node == EVERYONE):
        return told.filter(node)
    match node:
        case Every(parts=parts) if not told.by_document(node):
            inner = [
                _decision(told, it, names, inline=inline, flag=flag) for it in parts
            ]
            return {"$and": inner}
        case Some(parts=parts) if not told.by_document(node):
            inner = [
                _decision(told, it, names, inline=inline, flag=flag) for it in parts
            ]
            return {"$or": inner}
        case Leaf(fact=fact, holds=holds) if not told.by_document(node):
            name = names.setdefault(Leaf(fact), f"_s{len(names)}")
            return {name: flag} if holds else {"$nor": [{name: flag}]}
    name = names.setdefault(node, f"_s{len(names)}")
    return {name: flag}


def _gathered(told: Told, node: Node) -> Node:
    """The same with the parts that the profile tells joined into one."""
    if not isinstance(node, Every | Some) or told.by_document(node):
        return node
    kind, join = (Every, every) if isinstance(node, Every) else (Some, some)
    pure = tuple(part for part in node.parts if told.by_document(part))
    others = tuple(
        _gathered(told, part) for part in node.parts if not told.by_document(part)
    )
    if len(pure) < 2:
        return kind((*pure, *others))
    return kind((join(pure), *others))


def _relaxed(told: Told, node: Node) -> Node:
    """What holds of everyone of whom the node holds, and only events tell."""
    if told.by_document(node):
        return EVERYONE
    match node:
        case Every(parts=parts):
            return every(_relaxed(told, part) for part in parts)
        case Some(parts=parts):
            return some(_relaxed(told, part) for part in parts)
    return node


def _is_positive(told: Told, node: Node) -> bool:
    """Whether everyone of whom it holds is in one of the sets of events."""
    if told.by_document(node):
        return False
    match node:
        case Leaf(holds=holds):
            return holds
        case Every(parts=parts):
            return any(_is_positive(told, part) for part in parts)
        case Some(parts=parts):
            return all(_is_positive(told, part) for part in parts)
    return False


def _union(told: Told, node: Node, name: str) -> Document:
    flag = {"$project": {"_id": 1, name: _FLAG}}
    if told.by_document(node):
        pipeline = [*_matching(told.filter(node)), flag]
        return {"$unionWith": {"coll": "profiles", "pipeline": pipeline}}
    return {"$unionWith": {"coll": "events", "pipeline": [*set_stages(node), flag]}}


def set_stages(node: Node) -> list[Document]:
    """Stages on the events: the profiles of whom the node holds, as `_id`."""
    match node:
        case Leaf(fact=EventFact() as fact):
            return event_stages(fact)
        case Leaf(fact=SequenceFact() as sequence):
            return sequence_stages(sequence)
    raise TypeError(f"{type(node).__name__} is no set of profiles")


def _by_profile(names: list[str]) -> Document:
    return {"$group": {"_id": "$_id"} | {name: {"$max": f"${name}"} for name in names}}
