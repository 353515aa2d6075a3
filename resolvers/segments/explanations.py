"""Why people are in a segment, or not: each condition asked by itself, with what is
known of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from bson import ObjectId

from audience.conditions import Definition, parse
from audience.conditions.comparisons import comparison_json, number_json
from audience.conditions.paths import profile_place
from audience.conditions.tree import (
    Condition,
    ConsentCondition,
    EventCondition,
    Group,
    ListCondition,
    Measure,
    NumberComparison,
    PropertyCondition,
)
from audience.plan import References, measured, plan
from audience.words import words_of
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.pipelines import Strategy, question
from resolvers.pipelines.events import event_filter, measure_stages
from resolvers.segments.references import names_in, read_id, references_of

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
                rows.append(
                    ExplainedCondition(
                        matches=profile["_id"] in members[number],
                        words=words_of(condition, names),
                        actual=_actual(condition, profile, history),
                        expected=_expected(condition),
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
    """For each condition those of the profiles that meet it, in one command."""
    branches: list[list[Document]] = []
    for number, condition in enumerate(conditions):
        node = plan(
            Definition((Group((condition,)),)),
            now=now,
            zone=zone,
            references=references,
        )
        asked = question(node)
        if asked.match is None:
            look_up = Strategy.CANDIDATES if asked.can_look_up else Strategy.FLAGS
            asked = question(node, look_up)
        stages = [{"$match": {"_id": {"$in": list(ids)}}}, *asked.stages]
        branches.append([*stages, {"$addFields": {"c": number}}])
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
    """For each event condition and profile the measure and the newest events."""
    branches: list[list[Document]] = []
    mine = {"$match": {"profile_id": {"$in": list(ids)}}}
    for number, condition in enumerate(conditions):
        if not isinstance(condition, EventCondition):
            continue
        fact = measured(condition, now=now, zone=zone, references=references)
        if fact is None:
            continue
        shown = {
            "$topN": {
                "n": SHOWN_EVENTS,
                "sortBy": {"timestamp": -1, "_id": -1},
                "output": "$$ROOT",
            }
        }
        newest = {"$group": {"_id": "$profile_id", "events": shown}}
        branches.append([mine, *measure_stages(fact), {"$addFields": {"c": number}}])
        branches.append(
            [
                mine,
                {"$match": event_filter(fact)},
                newest,
                {"$addFields": {"c": number}},
            ]
        )
    if not branches:
        return {}
    found: dict[tuple[int, ObjectId], Document] = {}
    for row in await aggregate(db.events, united("events", branches)):
        found[row["c"], row["_id"]] = found.get((row["c"], row["_id"]), {}) | row
    return found


def _actual(condition: Condition, profile: Document, history: Document) -> Any:
    match condition:
        case EventCondition(measure=measure):
            empty = measure in (Measure.COUNT, Measure.SUM, Measure.COUNT_DISTINCT)
            return history.get("m", 0 if empty else None)
        case PropertyCondition(filter=filter):
            return _json(_value(profile, profile_place(filter.path).parts))
        case ConsentCondition(channel=channel):
            state = profile.get("consent", {}).get(channel.lower(), {})
            suppression = state.get("suppression", {}).get("reason")
            status = state.get("status", "NEVER_SUBSCRIBED")
            return {
                "status": status,
                "suppression": suppression,
                "method": state.get("method"),
                "changed": _json(state.get("updated_at")),
            }
        case ListCondition(list_id=list_id):
            wanted = read_id(list_id, "lst_")
            for membership in profile.get("lists", []):
                if membership["list_id"] == wanted:
                    return {"joined": _json(membership["joined_at"])}
    return None


def _expected(condition: Condition) -> Any:
    match condition:
        case EventCondition(compare=compare):
            return _number(compare)
        case PropertyCondition(filter=filter):
            if isinstance(filter.comparison, NumberComparison):
                return _number(filter.comparison)
            return comparison_json(filter.comparison)
    return None


def _number(compare: NumberComparison) -> Any:
    return compare.value if compare.upper is None else number_json(compare)["between"]


def _value(document: Any, parts: Sequence[str]) -> Any:
    for number, part in enumerate(parts):
        if isinstance(document, list):
            inner = (_value(it, parts[number:]) for it in document)
            return [value for value in inner if value is not None]
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
