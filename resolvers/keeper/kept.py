"""The segments as the keeper sees them: what each asks, what it depends on, and which
generation of its membership is shown, or being built."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import structlog
from bson import ObjectId

from audience.conditions import Definition, parse
from audience.conditions.paths import profile_place
from audience.conditions.tree import MetricRef
from audience.errors import AudienceError
from audience.plan import dependencies_of
from resolvers.db import Database, Document, find
from resolvers.keeper.crossings import is_costly
from resolvers.segments.references import read_id, references_of, segment_ids_of

POSTPONED = timedelta(seconds=30)

_DEFINED = ("definition", "refers_to", "created_at")

_log = structlog.get_logger("audience.keeper")


@dataclass(frozen=True, slots=True)
class Kept:
    """A segment to keep. `shown` is the generation that readers see, None before the
    first one is complete, and `shown_version` the definition that it is of;
    `generation` and `version` are those that upkeep works for."""

    id: ObjectId
    version: int
    definition: Definition
    parts: tuple[Definition, ...]  # itself and every segment it refers to
    triggers: frozenset[str]
    moves: bool
    is_costly: bool
    fingerprint: str
    generation: int
    shown: int | None
    shown_version: int | None
    since: datetime

    @property
    def is_staging(self) -> bool:
        """Whether readers must not see yet what is found for the new generation."""
        return self.shown is not None and self.shown != self.generation


@dataclass(frozen=True, slots=True)
class Index:
    """Which segments depend on a dotted path of the profile."""

    exact: Mapping[str, frozenset[ObjectId]]
    inside: Mapping[str, frozenset[ObjectId]]

    def touched(self, fields: Iterable[str]) -> set[ObjectId]:
        """The segments that depend on what was written at one of `fields`, on a part
        of it, or on what it is a part of."""
        found: set[ObjectId] = set()
        for name in fields:
            found |= self.inside.get(name, frozenset())
            found |= self.exact.get(name, frozenset())
            while "." in name:
                name = name.rpartition(".")[0]
                found |= self.exact.get(name, frozenset())
        return found


@dataclass(slots=True)
class Reading:
    """What was read and parsed before; and what could not be, until when that is
    put off."""

    known: dict[tuple[ObjectId, str], Kept] = field(default_factory=dict)
    rows: dict[ObjectId, Document] = field(default_factory=dict)
    fingerprints: dict[ObjectId, str] = field(default_factory=dict)
    unread: dict[tuple[ObjectId, str], datetime] = field(default_factory=dict)


async def read_kept(
    db: Database, zone: tzinfo, now: datetime, reading: Reading
) -> dict[ObjectId, Kept] | None:
    """Every segment, those that others refer to first. Where the definition, or one
    that it refers to, is another than that which is kept, a new generation begins.
    None when one of them was changed, or begun by another process, at this moment.
    One that this process cannot read, such as a newer release's, is left out."""
    rows = await _rows(db, zone, reading)
    found: dict[ObjectId, Kept] = {}
    known: dict[tuple[ObjectId, str], Kept] = {}
    for row in rows.values():
        fingerprint = reading.fingerprints[row["_id"]]
        before = reading.known.get((row["_id"], fingerprint))
        if before is None:
            before = await _parsed_or_left(db, row, reading, now)
        if before is None:
            continue
        target = row.get("target")
        if target is None or target["fingerprint"] != fingerprint:
            target = await _begin(db, row, fingerprint, now)
            if target is None:
                return None
        elif target["version"] != row["version"]:
            await _confirm(db, row)
        kept = _with_generations(before, row, target)
        known[row["_id"], fingerprint] = kept
        found[row["_id"]] = kept
    reading.known = known
    return dict(sorted(found.items(), key=lambda item: len(item[1].parts)))


async def as_shown(db: Database, segments: Sequence[Kept]) -> list[Kept]:
    """The same, in order, as readers see them at this moment: another process may have
    shown a new generation since."""
    building = [it.id for it in segments if it.shown != it.generation]
    if not building:
        return list(segments)
    rows = await find(db.segments, {"_id": {"$in": building}}, {"kept": 1})
    shown = {row["_id"]: row.get("kept", {}) for row in rows}
    return [_showing(it, shown[it.id]) if it.id in shown else it for it in segments]


async def _rows(
    db: Database, zone: tzinfo, reading: Reading
) -> dict[ObjectId, Document]:
    """The segments; their definitions are read again only when one has changed."""
    small = dict.fromkeys(("version", "kept", "target"), 1)
    rows = {row["_id"]: row for row in await find(db.segments, {}, small)}
    before = reading.rows
    if {key: row["version"] for key, row in rows.items()} == {
        key: row["version"] for key, row in before.items()
    }:
        reading.rows = {
            key: {name: before[key][name] for name in _DEFINED} | row
            for key, row in rows.items()
        }
        return reading.rows
    fields = small | dict.fromkeys(_DEFINED, 1)
    rows = {row["_id"]: row for row in await find(db.segments, {}, fields)}
    reading.fingerprints = {
        key: _fingerprint((rows[it] for it in _closure(key, rows)), zone)
        for key in rows
    }
    reading.rows = rows
    return rows


def index_of(segments: Iterable[Kept]) -> Index:
    """The triggers of all segments, ready to be looked up."""
    exact: dict[str, set[ObjectId]] = {}
    inside: dict[str, set[ObjectId]] = {}
    for segment in segments:
        for trigger in segment.triggers:
            exact.setdefault(trigger, set()).add(segment.id)
            above = trigger
            while "." in above:
                above = above.rpartition(".")[0]
                inside.setdefault(above, set()).add(segment.id)
    return Index(
        {path: frozenset(ids) for path, ids in exact.items()},
        {path: frozenset(ids) for path, ids in inside.items()},
    )


def triggers_of(
    definitions: Iterable[Definition], keys: Mapping[MetricRef, str]
) -> frozenset[str]:
    """The dotted paths of the profile whose change can change the answer."""
    found: set[str] = set()
    for definition in definitions:
        needs = dependencies_of(definition)
        found |= {f"summary.{keys[it]}" for it in needs.metrics if it in keys}
        found |= {".".join(profile_place(path).parts) for path in needs.fields}
        found |= {f"consent.{channel.lower()}" for channel in needs.channels}
        if needs.lists:
            found.add("lists")
    return frozenset(found)


async def _parsed_or_left(
    db: Database, row: Document, reading: Reading, now: datetime
) -> Kept | None:
    fingerprint = reading.fingerprints[row["_id"]]
    reading.unread = {it: at for it, at in reading.unread.items() if at > now}
    if (row["_id"], fingerprint) in reading.unread:
        return None
    closure = [reading.rows[it] for it in _closure(row["_id"], reading.rows)]
    try:
        return await _parsed(db, row, closure, fingerprint)
    except AudienceError:
        _log.exception("a segment cannot be read", segment=str(row["_id"]))
        reading.unread[row["_id"], fingerprint] = now + POSTPONED
        return None


async def _parsed(
    db: Database, row: Document, closure: Sequence[Document], fingerprint: str
) -> Kept:
    parts = tuple(parse(each["definition"]) for each in closure)
    references = await references_of(db, *parts)
    keys = {ref: metric.key for ref, metric in references.metrics.items()}
    return Kept(
        id=row["_id"],
        version=row["version"],
        definition=parts[0],
        parts=parts,
        triggers=triggers_of(parts, keys),
        moves=any(dependencies_of(part).time for part in parts),
        is_costly=is_costly(parts),
        fingerprint=fingerprint,
        generation=0,
        shown=None,
        shown_version=None,
        since=row["created_at"],
    )


def _with_generations(kept: Kept, row: Document, target: Document) -> Kept:
    working = replace(
        kept,
        version=row["version"],
        generation=target["generation"],
        since=target["at"],
    )
    return _showing(working, row.get("kept", {}))


def _showing(kept: Kept, shown: Document) -> Kept:
    return replace(
        kept, shown=shown.get("generation"), shown_version=shown.get("version")
    )


async def _begin(
    db: Database, row: Document, fingerprint: str, now: datetime
) -> Document | None:
    before: Document | None = row.get("target")
    number = before["generation"] if before else 0
    target: Document = {
        "generation": number + 1,
        "fingerprint": fingerprint,
        "at": now,
        "version": row["version"],
    }
    begun = await db.segments.update_one(
        {
            "_id": row["_id"],
            "version": row["version"],
            "target.generation": number or None,
        },
        {"$set": {"target": target}},
    )
    return target if begun.matched_count else None


async def _confirm(db: Database, row: Document) -> None:
    """Notes that the generation is of this version, too: it was changed, and back."""
    same = {
        "_id": row["_id"],
        "version": row["version"],
        "target.generation": row["target"]["generation"],
    }
    version = {"$set": {"target.version": row["version"]}}
    await db.segments.update_one(same, version)


def _closure(start: ObjectId, rows: Mapping[ObjectId, Document]) -> list[ObjectId]:
    found: dict[ObjectId, None] = {}
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if each not in found and each in rows:
            found[each] = None
            waiting += _referred(rows[each])
    return list(found)


def _referred(row: Document) -> list[ObjectId]:
    if not row["refers_to"]:
        return []
    try:
        definition = parse(row["definition"])
    except AudienceError:
        return []  # as whoever asks for it is told
    named = (read_id(it, "seg_") for it in segment_ids_of(definition))
    return [it for it in named if it is not None]


def _fingerprint(rows: Iterable[Document], zone: tzinfo) -> str:
    definitions: list[Any] = [[str(row["_id"]), row["definition"]] for row in rows]
    text = json.dumps([str(zone), definitions], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
