"""Why people are in a segment, or not: each condition asked by itself, with what is
known of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from bson import ObjectId

from audience.conditions import Definition, parse
from audience.conditions.tree import (
    Condition,
    EventCondition,
    Group,
    SequenceCondition,
)
from audience.plan import Node, References, measured, plan
from audience.plan.tree import EventFact, Leaf, SequenceFact
from audience.words import words_of
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.pipelines.events import event_filter, measure_stages
from resolvers.pipelines.sequences import step_filter
from resolvers.segments.among import question_among
from resolvers.segments.known import actual, expected
from resolvers.segments.references import names_in, references_of

SHOWN_EVENTS = 10


@dataclass(frozen=True, slots=True)
class ExplainedCondition:
    """One condition of one profile. `events`: the newest that it counts."""

    matches: bool
    words: str
    actual: Any
    expected: Any
    events: list[Document] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The conditions of each group; one is enough in each."""

    groups: list[list[ExplainedCondition]]

    @property
    def matches(self) -> bool:
        return all(any(it.matches for it in group) for group in self.groups)


async def explain_profiles(
    db: Database,
    segment: Document,
    profiles: Sequence[Document],
    now: datetime,
    zone: tzinfo = UTC,
) -> list[Explanation]:
    """Why each of the profiles is in the segment, or not; in their order."""
    definition = parse(segment["definition"])
    references = await references_of(db, definition)
    conditions = [it for group in definition.groups for it in group.any_of]
    ids = [profile["_id"] for profile in profiles]
    members = await _members(db, conditions, ids, now, zone, references)
    histories = await _histories(db, conditions, ids, now, zone, references)
    names = await names_in(db, definition)
    explained = []
    for profile in profiles:
        place = iter(range(len(conditions)))
        groups = []
        for group in definition.groups:
            rows = []
            for condition in group.any_of:
                number = next(place)
                history = histories.get((number, profile["_id"]), {})
                matches = profile["_id"] in members[number]
                known = actual(
                    condition,
                    profile,
                    history.get("m"),
                    matches=matches,
                    references=references,
                )
                rows.append(
                    ExplainedCondition(
                        matches=matches,
                        words=words_of(condition, names),
                        actual=known,
                        expected=expected(condition),
                        events=history.get("events", []),
                    )
                )
            groups.append(rows)
        explained.append(Explanation(groups))
    return explained


async def _members(
    db: Database,
    conditions: Sequence[Condition],
    ids: Sequence[ObjectId],
    now: datetime,
    zone: tzinfo,
    references: References,
) -> list[set[ObjectId]]:
    """For each condition those of the profiles that meet it."""
    branches: list[list[Document]] = []
    for number, condition in enumerate(conditions):
        node = plan(
            Definition((Group((condition,)),)),
            now=now,
            zone=zone,
            references=references,
        )
        asked = await question_among(db, node, {"_id": {"$in": list(ids)}})
        branches.append([*asked.stages, {"$addFields": {"c": number}}])
    members: list[set[ObjectId]] = [set() for _ in conditions]
    for row in await aggregate(db.profiles, united("profiles", branches)):
        members[row["c"]].add(row["_id"])
    return members


async def _histories(
    db: Database,
    conditions: Sequence[Condition],
    ids: Sequence[ObjectId],
    now: datetime,
    zone: tzinfo,
    references: References,
) -> dict[tuple[int, ObjectId], Document]:
    """For each condition on events and each profile the newest events, and the
    measure."""
    branches: list[list[Document]] = []
    mine = {"$match": {"profile_id": {"$in": list(ids)}}}
    shown = {
        "$topN": {
            "n": SHOWN_EVENTS,
            "sortBy": {"timestamp": -1, "_id": -1},
            "output": "$$ROOT",
        }
    }
    for number, condition in enumerate(conditions):
        looked_at: Document | None = None
        if isinstance(condition, EventCondition):
            fact = measured(condition, now=now, zone=zone, references=references)
            if fact is not None:
                marked = {"$addFields": {"c": number}}
                branches.append([mine, *measure_stages(fact), marked])
                looked_at = event_filter(fact)
        elif isinstance(condition, SequenceCondition):
            alone = Definition((Group((condition,)),))
            node = plan(alone, now=now, zone=zone, references=references)
            looked_at = _steps(node)
        if looked_at is not None:
            newest = {"$group": {"_id": "$profile_id", "events": shown}}
            marked = {"$addFields": {"c": number}}
            branches.append([mine, {"$match": looked_at}, newest, marked])
    if not branches:
        return {}
    found: dict[tuple[int, ObjectId], Document] = {}
    for row in await aggregate(db.events, united("events", branches)):
        found[row["c"], row["_id"]] = found.get((row["c"], row["_id"]), {}) | row
    return found


def _steps(node: Node) -> Document | None:
    """The events that a sequence looks at."""
    match node:
        case Leaf(fact=SequenceFact() as fact):
            return {"$or": [step_filter(fact, step) for step in fact.steps]}
        case Leaf(fact=EventFact() as fact):
            return event_filter(fact)
    return None
