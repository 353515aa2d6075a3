"""Definitions whose references lead nowhere, in a circle or too far are refused."""

from collections.abc import Mapping

from bson import ObjectId

from audience.conditions import Definition, parse
from audience.conditions.tree import ListCondition, SegmentCondition
from audience.conditions.walking import Path, conditions_of, metrics_of
from audience.errors import AudienceError, Code, Conflict, Problem, TooLarge
from audience.postal import COUNTRIES, country_of
from resolvers.db import Database, Session, find
from resolvers.places import are_known, places_of
from resolvers.segments.references import (
    NO_CODES,
    metrics_by_ref,
    postal_codes,
    read_id,
    referred_segments,
    segment_ids_of,
)


async def check_references(
    db: Database,
    definition: Definition,
    path: Path,
    *,
    segment_id: ObjectId | None = None,
    session: Session | None = None,
) -> None:
    """AudienceError with every reference to something that does not exist, or to the
    segment `segment_id` itself, by whatever way."""
    problems: list[Problem] = []
    refs = dict(metrics_of(definition, path))
    known = await metrics_by_ref(db, set(refs.values()), session)
    for here, ref in refs.items():
        if ref not in known:
            what = ref.name or ref.id or ""
            problems.append(_missing(here, f"There is no metric {what!r:.80}."))
    lists = {
        (*here, "listId"): read_id(condition.list_id, "lst_")
        for here, condition in conditions_of(definition, path)
        if isinstance(condition, ListCondition)
    }
    wanted = {"_id": {"$in": list(set(lists.values()))}, "deleted_at": None}
    rows = await find(db.lists, wanted, {"_id": 1}, session=session) if lists else []
    live = {row["_id"] for row in rows}
    problems += [
        _missing(here, "There is no such list.")
        for here, list_id in lists.items()
        if list_id not in live
    ]
    codes = dict(postal_codes(definition, path))
    places = await places_of(db, codes.values())
    for here, code in codes.items():
        if country_of(code.country) is None:
            message = f"Postal codes are known of {', '.join(COUNTRIES)}: give one."
            problems.append(Problem(Code.INVALID, message, (*here, "country")))
        elif not are_known():
            problems.append(Problem(Code.INVALID, NO_CODES, here))
        elif code not in places:
            message = f"There is no postal code {code.code!r:.40} there."
            problems.append(_missing((*here, "code"), message))
    problems += await _segment_problems(db, definition, path, segment_id, session)
    if problems:
        raise AudienceError.of(problems)


async def check_dependants(
    db: Database, segment_id: ObjectId, session: Session | None
) -> None:
    """TooLarge or Conflict when a segment that refers to this one, by whatever way,
    has become too large or too deep by what this one says now."""
    seen = {segment_id}
    frontier = [segment_id]
    while frontier:
        wanted = {"refers_to": {"$in": frontier}, "_id": {"$nin": list(seen)}}
        fields = {"name": 1, "definition": 1}
        rows = await find(db.segments, wanted, fields, session=session)
        for row in rows:
            try:
                await referred_segments(db, [parse(row["definition"])], session)
            except (Conflict, TooLarge) as error:
                message = f"The segment {row['name']!r} refers to this one. {error}"
                raise type(error)(message, ("definition",)) from None
        frontier = [row["_id"] for row in rows]
        seen.update(frontier)


async def _segment_problems(
    db: Database,
    definition: Definition,
    path: Path,
    segment_id: ObjectId | None,
    session: Session | None,
) -> list[Problem]:
    problems: list[Problem] = []
    try:
        segments = await referred_segments(db, [definition], session)
    except (Conflict, TooLarge) as error:
        return [Problem(error.code, str(error), path)]
    for here, condition in conditions_of(definition, path):
        if not isinstance(condition, SegmentCondition):
            continue
        where = (*here, "segmentId")
        if condition.segment_id not in segments:
            problems.append(_missing(where, "There is no such segment."))
        elif segment_id in _reached(condition.segment_id, segments):
            message = "A segment cannot refer to itself, not even by way of others."
            problems.append(Problem(Code.CONFLICT, message, where))
    return problems


def _reached(start: str, segments: Mapping[str, Definition]) -> set[ObjectId | None]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in segments:
            waiting.extend(segment_ids_of(segments[name]))
    return {read_id(name, "seg_") for name in reached}


def _missing(path: Path, message: str) -> Problem:
    return Problem(Code.NOT_FOUND, message, path)
