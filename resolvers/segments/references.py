"""What definitions refer to: metrics, lists and other segments."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bson import ObjectId

from audience.conditions import Definition, count_conditions, limits, parse
from audience.conditions.tree import (
    DistanceCondition,
    EventCondition,
    ListCondition,
    MetricRef,
    PostalCode,
    SegmentCondition,
)
from audience.conditions.walking import Path, conditions_of, metrics_of
from audience.errors import (
    Conflict,
    InvalidInput,
    TooLarge,
)
from audience.plan import References
from audience.plan.tree import Metric
from resolvers.branches import united
from resolvers.db import Database, Document, Session, aggregate, find
from resolvers.places import are_known, places_of

NO_CODES = "This server has no postal codes yet: run scripts/places."


async def references_of(
    db: Database,
    *definitions: Definition,
    metrics: Mapping[MetricRef, Document] | None = None,
) -> References:
    """Everything that the definitions refer to, other segments' references too.
    `metrics`: those that have been read."""
    segments = await referred_segments(db, definitions)
    every = [*definitions, *segments.values()]
    refs = {metric for each in every for _, metric in metrics_of(each)}
    documents = dict(metrics or {})
    documents |= await metrics_by_ref(db, refs - documents.keys())
    timed = _timed_metrics(every)
    latest = await _latest(db, {documents[it]["_id"] for it in timed & set(documents)})
    found = {
        ref: Metric(str(row["_id"]), row["key"], latest.get(row["_id"]))
        for ref, row in documents.items()
    }
    lists = {
        condition.list_id: str(list_id)
        for each in every
        for _, condition in conditions_of(each)
        if isinstance(condition, ListCondition)
        and (list_id := read_id(condition.list_id, "lst_"))
    }
    codes = {code for each in every for _, code in postal_codes(each)}
    if codes and not are_known():
        # Nobody is taken for far away because this server cannot tell.
        raise InvalidInput(NO_CODES)
    return References(found, lists, segments, await places_of(db, codes))


async def referred_segments(
    db: Database,
    definitions: Iterable[Definition],
    session: Session | None = None,
) -> dict[str, Definition]:
    """The definitions of the segments referred to, by the ids used for them, and of
    those that they refer to in turn. Conflict when that never ends."""
    found: dict[str, Definition] = {}
    frontier = set().union(*map(segment_ids_of, definitions))
    for _ in range(limits.REFERENCES):
        if not frontier:
            break
        ids = {read_id(it, "seg_") for it in frontier - found.keys()} - {None}
        wanted = {"_id": {"$in": list(ids)}}
        rows = (
            await find(db.segments, wanted, {"definition": 1}, session=session)
            if ids
            else []
        )
        by_id = {row["_id"]: parse(row["definition"]) for row in rows}
        for name in frontier - found.keys():
            segment_id = read_id(name, "seg_")
            if segment_id in by_id:
                found[name] = by_id[segment_id]
        frontier = set().union(
            *(segment_ids_of(found[it]) for it in frontier if it in found)
        )
    if frontier:
        raise Conflict(
            "Segments refer to each other in a circle, or more than "
            f"{limits.REFERENCES} deep."
        )
    _check_size(definitions, found)
    return found


async def names_in(db: Database, definition: Definition) -> dict[str, str]:
    """The names of the lists, segments and metrics that the definition refers to by
    their ids, by those ids."""
    lists = {
        condition.list_id
        for _, condition in conditions_of(definition)
        if isinstance(condition, ListCondition)
    }
    metrics = {ref.id for _, ref in metrics_of(definition) if ref.id is not None}
    wanted = (
        (db.lists, lists, "lst_"),
        (db.segments, segment_ids_of(definition), "seg_"),
        (db.metrics, metrics, "met_"),
    )
    names: dict[str, str] = {}
    for collection, refs, prefix in wanted:
        if refs:
            ids = {read_id(ref, prefix): ref for ref in refs}
            match = {"_id": {"$in": list(ids)}}
            for row in await find(collection, match, {"name": 1}):
                names[ids[row["_id"]]] = row["name"]
    return names


def segment_ids_of(definition: Definition) -> set[str]:
    """The segments that the definition itself names."""
    return {
        condition.segment_id
        for _, condition in conditions_of(definition)
        if isinstance(condition, SegmentCondition)
    }


def read_id(text: str, prefix: str) -> ObjectId | None:
    """The stored id in a global id with this prefix, or by itself."""
    stored = text.removeprefix(prefix)
    return ObjectId(stored) if ObjectId.is_valid(stored) else None


def _check_size(
    definitions: Iterable[Definition], segments: Mapping[str, Definition]
) -> None:
    def size(definition: Definition) -> int:
        inside = (
            condition.segment_id
            for _, condition in conditions_of(definition)
            if isinstance(condition, SegmentCondition)
        )
        own = count_conditions(definition)
        return own + sum(size(segments[it]) for it in inside if it in segments)

    largest = max(map(size, definitions), default=0)
    if largest > limits.ALL_CONDITIONS:
        raise TooLarge(
            f"With the segments that it refers to there are {largest} conditions; at "
            f"most {limits.ALL_CONDITIONS} are allowed."
        )


async def metrics_by_ref(
    db: Database, refs: set[MetricRef], session: Session | None = None
) -> dict[MetricRef, Document]:
    """Those of the metrics that there are."""
    if not refs:
        return {}
    ids = [read_id(ref.id, "met_") for ref in refs if ref.id is not None]
    names = [ref.name for ref in refs if ref.name is not None]
    either = {"$or": [{"_id": {"$in": ids}}, {"name": {"$in": names}}]}
    rows = await find(db.metrics, either, {"name": 1, "key": 1}, session=session)
    by_id = {row["_id"]: row for row in rows}
    by_name = {row["name"]: row for row in rows}
    found = {
        ref: by_name.get(ref.name)
        if ref.id is None
        else by_id.get(read_id(ref.id, "met_"))
        for ref in refs
    }
    return {ref: row for ref, row in found.items() if row is not None}


def _timed_metrics(definitions: Sequence[Definition]) -> set[MetricRef]:
    return {
        condition.metric
        for each in definitions
        for _, condition in conditions_of(each)
        if isinstance(condition, EventCondition) and condition.during is not None
    }


async def _latest(db: Database, metric_ids: set[ObjectId]) -> dict[ObjectId, Any]:
    """The time of each metric's latest event: one step in the index for each."""
    if not metric_ids:
        return {}
    branches: list[list[Document]] = [
        [
            {"$match": {"metric_id": metric_id}},
            {"$sort": {"metric_id": 1, "timestamp": -1}},
            {"$limit": 1},
            {"$project": {"_id": 0, "metric_id": 1, "timestamp": 1}},
        ]
        for metric_id in metric_ids
    ]
    rows = await aggregate(db.events, united("events", branches))
    return {row["metric_id"]: row["timestamp"] for row in rows}


def postal_codes(
    definition: Definition, path: Path = ()
) -> Iterator[tuple[Path, PostalCode]]:
    """Every postal code with its path."""
    for here, condition in conditions_of(definition, path):
        if isinstance(condition, DistanceCondition) and isinstance(
            condition.of, PostalCode
        ):
            yield (*here, "of", "postalCode"), condition.of
