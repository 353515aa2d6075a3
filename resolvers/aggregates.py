"""Figures of a metric's events: how many, of how many people, and what their values
come to; all together, apart by a value, and step by step in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from bson import ObjectId

from audience.aggregates import LABELS, Aggregate, Bucket
from audience.conditions import Definition
from audience.memberships import Interval
from audience.plan.filters import event_filter
from audience.plan.tree import every
from resolvers.db import MAX_NAMED, Collection, Database, Document, aggregate
from resolvers.id_reads import read_ids
from resolvers.pipelines.dates import window_operators
from resolvers.pipelines.filters import filter_of
from resolvers.segments import preview

_KINDS = ["string", "int", "long", "double", "decimal", "bool", "date"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of some events: how many, of how many profiles, and the sum, the average, the
    least and the greatest of the numbers, None without any."""

    count: int
    profiles: int
    sum: float
    average: float | None
    min: float | None
    max: float | None


NOTHING = Figures(0, 0, 0.0, None, None, None)


@dataclass(frozen=True, slots=True)
class Figured:
    """The figures of the events with one value, None for those without."""

    value: Any
    figures: Figures


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events are meant: stages that begin a pipeline on `collection`."""

    collection: Collection
    stages: list[Document]
    asked: Aggregate


async def scope_of(
    db: Database,
    metric_id: ObjectId,
    asked: Aggregate,
    among: Definition | None,
    now: datetime,
    zone: tzinfo,
    *,
    many: int = MAX_NAMED,
) -> Scope:
    """The events that are meant, of everybody or of whom `among` means: up to `many`
    of these are named, of more the events are looked up."""
    match: Document = {"metric_id": metric_id}
    if during := window_operators(asked.window):
        match["timestamp"] = during
    if asked.where:
        match["$and"] = [
            filter_of(every(event_filter(it, now, zone) for it in asked.where))
        ]
    if among is None:
        return Scope(db.events, [{"$match": match}], asked)
    people = await preview(db, among, now, zone, ("input", "among"))
    found = await read_ids(db.profiles, [*people.asked.stages, {"$limit": many + 1}])
    if len(found) <= many:
        named = {"profile_id": {"$in": found}}
        return Scope(db.events, [{"$match": {**match, **named}}], asked)
    look_up = {
        "from": db.events.name,
        "localField": "_id",
        "foreignField": "profile_id",
        "pipeline": [{"$match": match}],
        "as": "event",
    }
    stages: list[Document] = [
        *people.asked.stages,
        {"$project": {"_id": 1}},
        {"$lookup": look_up},
        {"$unwind": "$event"},
        {"$replaceRoot": {"newRoot": "$event"}},
    ]
    return Scope(db.profiles, stages, asked)


async def figures_by_value(scope: Scope, first: int) -> tuple[list[Figured], int]:
    """The `first` values with the most events, and how many values there are. Without
    a value to tell them apart by: one, even where there are no events."""
    value = _value(scope.asked)
    top = [{"$sort": {"count": -1, "_id.g": 1}}, {"$limit": max(first, 1)}]
    parts = {"top": top, "all": [{"$count": "n"}]}
    stages = [*scope.stages, *_grouped({"g": value}, scope.asked), {"$facet": parts}]
    (answer,) = await aggregate(scope.collection, stages)
    found = [Figured(row["_id"].get("g"), _figures(row)) for row in answer["top"]]
    if not found and scope.asked.by is None:
        return [Figured(None, NOTHING)], 1
    number = answer["all"][0]["n"] if answer["all"] else 0
    return found[:first], number


async def figures_over_time(
    scope: Scope,
    values: Sequence[Any],
    steps: Sequence[Bucket],
    interval: Interval,
    zone: tzinfo,
) -> list[list[Figures]]:
    """For each of the values, the figures of each step."""
    local = UTC if interval is Interval.HOUR else zone
    label = {
        "date": "$timestamp",
        "format": LABELS[interval],
        "timezone": str(local),
    }
    value = _value(scope.asked)
    group = {"g": value, "b": {"$dateToString": label}}
    stages = [*scope.stages]
    if scope.asked.by is not None:
        chosen = {"$in": [value, {"$literal": list(values)}]}
        stages.append({"$match": {"$expr": chosen}})
    stages += _grouped(group, scope.asked)
    rows = await aggregate(scope.collection, stages)
    found = {(_key(row["_id"].get("g")), row["_id"]["b"]): row for row in rows}
    return [
        [
            NOTHING if row is None else _figures(row)
            for step in steps
            for row in [found.get((_key(each), step.label))]
        ]
        for each in values
    ]


def _value(asked: Aggregate) -> Any:
    if asked.by is None:
        return None
    path = f"${'.'.join(asked.by)}"
    return {"$cond": [{"$in": [{"$type": path}, _KINDS]}, path, None]}


def _grouped(group: Document, asked: Aggregate) -> list[Document]:
    """Stages that give each group its figures. People are told apart before they are
    counted, for a set of them might not fit a document."""
    path = f"${'.'.join(asked.of)}"
    number = {"$cond": [{"$isNumber": path}, path, None]}
    by_person = {
        "_id": {**group, "p": "$profile_id"},
        "count": {"$sum": 1},
        "numbers": {"$sum": {"$cond": [{"$isNumber": path}, 1, 0]}},
        "sum": {"$sum": number},
        "min": {"$min": number},
        "max": {"$max": number},
    }
    together = {
        "_id": {name: f"$_id.{name}" for name in group},
        "profiles": {"$sum": 1},
        "count": {"$sum": "$count"},
        "numbers": {"$sum": "$numbers"},
        "sum": {"$sum": "$sum"},
        "min": {"$min": "$min"},
        "max": {"$max": "$max"},
    }
    return [{"$group": by_person}, {"$group": together}]


def _figures(row: Document) -> Figures:
    numbers = row["numbers"]
    return Figures(
        count=row["count"],
        profiles=row["profiles"],
        sum=float(row["sum"]),
        average=row["sum"] / numbers if numbers else None,
        min=None if row["min"] is None else float(row["min"]),
        max=None if row["max"] is None else float(row["max"]),
    )


def _key(value: Any) -> tuple[bool, Any]:
    """True and 1 are different values here, as they are in the database."""
    return isinstance(value, bool), value
