"""Definitions whose references lead nowhere, in a circle or too far are refused."""

import re
from collections.abc import Mapping
from typing import Literal

from bson import ObjectId, Regex

from audience.conditions import Definition, parse
from audience.conditions.tree import (
    Group,
    ListCondition,
    MetricRef,
    SegmentCondition,
)
from audience.conditions.walking import Path, conditions_of, metrics_of
from audience.errors import AudienceError, Code, Conflict, Problem, TooLarge
from audience.postal import COUNTRIES, country_of
from resolvers.db import Database, Document, Session, find
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
) -> dict[MetricRef, Document]:
    """The definition's own metrics. AudienceError with every reference to something
    that does not exist, or to the segment `segment_id` itself, by whatever way."""
    problems: list[Problem] = []
    refs = dict(metrics_of(definition, path))
    known = await metrics_by_ref(db, set(refs.values()), session)
    problems += await _metric_problems(
        db, {here: ref for here, ref in refs.items() if ref not in known}
    )
    lists = {
        (*here, "listId"): condition.list_id
        for here, condition in conditions_of(definition, path)
        if isinstance(condition, ListCondition)
    }
    ids = {read_id(each, "lst_") for each in lists.values()}
    wanted = {"_id": {"$in": list(ids)}, "deleted_at": None}
    rows = await find(db.lists, wanted, {"_id": 1}, session=session) if lists else []
    live = {row["_id"] for row in rows}
    problems += [
        _missing(here, f"There is no such list.{_if_other(list_id, 'segment')}")
        for here, list_id in lists.items()
        if read_id(list_id, "lst_") not in live
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
            message = f"There is no postal code {code.code!r:.40} in {code.country}."
            problems.append(_missing((*here, "code"), message))
    problems += await _segment_problems(db, definition, path, segment_id, session)
    if problems:
        raise AudienceError.of(problems)
    return known


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


async def _metric_problems(
    db: Database, missing: Mapping[Path, MetricRef]
) -> list[Problem]:
    """That there are no such metrics, and which there are with another case."""
    names = [
        Regex(rf"\A{re.escape(ref.name)}\z", "i")
        for ref in missing.values()
        if ref.name
    ]
    wanted = {"name": {"$in": names}}
    rows = await find(db.metrics, wanted, {"name": 1}) if names else []
    there = {row["name"].lower(): row["name"] for row in rows}
    problems = []
    for here, ref in missing.items():
        message = f"There is no metric {ref.name or ref.id!r:.80}."
        if known := there.get((ref.name or "").lower()):
            message += f" There is {known!r:.80}: case matters."
        problems.append(_missing(here, message))
    return problems


async def _segment_problems(
    db: Database,
    definition: Definition,
    path: Path,
    segment_id: ObjectId | None,
    session: Session | None,
) -> list[Problem]:
    problems: list[Problem] = []
    named = [
        ((*here, "segmentId"), condition)
        for here, condition in conditions_of(definition, path)
        if isinstance(condition, SegmentCondition)
    ]
    try:
        segments = await referred_segments(db, [definition], session)
    except (Conflict, TooLarge) as error:
        for where, condition in named:
            alone = Definition((Group((condition,)),))
            try:
                await referred_segments(db, [alone], session)
            except (Conflict, TooLarge) as its_own:
                problems.append(Problem(its_own.code, str(its_own), where))
        return problems or [Problem(error.code, str(error), path)]
    for where, condition in named:
        if condition.segment_id not in segments:
            other = _if_other(condition.segment_id, "list")
            problems.append(_missing(where, f"There is no such segment.{other}"))
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


def _if_other(given: str, noun: Literal["list", "segment"]) -> str:
    """A sentence that helps when it is the id of the other kind."""
    if not given.startswith({"list": "lst_", "segment": "seg_"}[noun]):
        return ""
    return f" This is the id of a {noun}: use the condition {noun}."


def _missing(path: Path, message: str) -> Problem:
    return Problem(Code.NOT_FOUND, message, path)
