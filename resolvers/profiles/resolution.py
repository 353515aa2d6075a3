"""Finds or makes the profiles of many identities at once.

All identities of a batch are looked up in one read and matched in memory; what is
missing is written in one or two commands. The unique indexes decide between
concurrent writers: whoever loses reads again.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import bson
from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from audience.errors import AudienceError, NotFound, TooLarge
from audience.identity import Identity
from audience.profiles import (
    PROFILE_PROPERTIES_BYTES,
    PROPERTY_KEYS,
    ProfileChange,
    search_words,
)
from resolvers.db import Database, Document, find
from resolvers.ids import object_id
from resolvers.merges import merge_profiles
from resolvers.places.points import COORDINATES, point_of
from resolvers.profiles.matching import SEARCHED, Directory, Known, Later, place
from resolvers.profiles.reads import having

ATTEMPTS = 20

_DUPLICATE = 11000
_PROJECTION: Document = dict.fromkeys(
    (
        *(*SEARCHED, "anonymous_ids", "merged_ids", "epoch"),
        *(f"location.{name}" for name in COORDINATES),
    ),
    1,
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The profile of an identity, and the epoch of its summary as it was read."""

    id: ObjectId
    epoch: str | None
    created: bool


@dataclass(frozen=True, slots=True)
class Request:
    """Someone to find or make, and what to change about them."""

    identity: Identity
    change: ProfileChange | None = None
    replaces: bool = False
    is_trusted: bool = True


async def resolve_profiles(
    db: Database,
    identities: Sequence[Identity],
    now: datetime,
    *,
    is_trusted: bool = True,
) -> list[Resolved | AudienceError]:
    """The profiles of these identities, in order; made where they are new.

    An identifier that the profile lacks is added to it when nobody has it; one that
    it has is never changed. An anonymous profile joins the person that the same
    identity names. Conflict when the identifiers belong to different people.

    A caller who is not trusted, such as a visitor's browser, cannot add an e-mail
    address, phone number or external id to a person who is known.
    """
    distinct = list(dict.fromkeys(identities))
    requests = [Request(one, is_trusted=is_trusted) for one in distinct]
    settled = await settle_requests(db, requests, now)
    outcomes = dict(zip(distinct, settled, strict=True))
    return [outcomes[identity] for identity in identities]


async def settle_requests(
    db: Database, requests: Sequence[Request], now: datetime
) -> list[Resolved | AudienceError]:
    """Finds or makes everyone, and writes what is to change, in order for each
    person. One outcome per request; an error among them stops no other."""
    outcomes: dict[int, Resolved | AudienceError] = {}
    waiting: list[int] = []
    for index, request in enumerate(requests):
        try:
            if request.identity.id is not None:
                object_id(request.identity.id)
            waiting.append(index)
        except AudienceError as error:
            outcomes[index] = error
    merged: dict[ObjectId, ObjectId] = {}
    for attempt in range(ATTEMPTS):
        if not waiting:
            break
        if attempt > 1:
            await asyncio.sleep(random.uniform(0, 0.005) * attempt)  # noqa: S311
        directory = await _read_directory(
            db,
            [requests[index].identity for index in waiting],
            # What was refused for its size is told apart from what was overtaken.
            with_properties=attempt > 1,
        )
        places, later = _place(requests, waiting, directory, now, outcomes)
        lost = await _write(db, [known for known, _ in places], now)
        for known, indices in places:
            if known.id in lost:
                later += indices
                continue
            epoch = known.document.get("epoch")
            for nth, index in enumerate(indices):
                created = known.is_new and nth == 0
                outcomes[index] = Resolved(known.id, epoch, created)
            for anonymous_id in known.merges:
                if await _take_in(db, anonymous_id, known.id, now):
                    merged[anonymous_id] = known.id
        waiting = sorted(later)
    if waiting:
        raise RuntimeError(f"Profiles kept changing for {ATTEMPTS} attempts.")
    return [_follow(outcomes[index], merged) for index in range(len(requests))]


def _place(
    requests: Sequence[Request],
    waiting: Sequence[int],
    directory: Directory,
    now: datetime,
    outcomes: dict[int, Resolved | AudienceError],
) -> tuple[list[tuple[Known, list[int]]], list[int]]:
    """The profile of every request with the requests that share it, and the requests
    that must wait. Errors go to the outcomes."""
    places: dict[ObjectId, tuple[Known, list[int]]] = {}
    later: list[int] = []
    for index in waiting:
        request = requests[index]
        try:
            known = place(
                directory,
                request.identity,
                now,
                replaces=request.replaces,
                is_trusted=request.is_trusted,
                check=partial(_refuse_oversized, request.change),
            )
            if request.change is not None:
                _apply(known, request.change)
        except Later:
            later.append(index)
        except AudienceError as error:
            outcomes[index] = error
        else:
            places.setdefault(known.id, (known, []))[1].append(index)
    return list(places.values()), later


async def _read_directory(
    db: Database, identities: Sequence[Identity], *, with_properties: bool
) -> Directory:
    """Every profile that one of the identities points to, in one read (two when an
    id is given that is of no living profile)."""
    ids: set[ObjectId] = set()
    values: dict[str, set[str]] = {}
    for identity in identities:
        if identity.id is not None:
            ids.add(object_id(identity.id))
        for name, value in identity.known():
            values.setdefault(name, set()).add(value)
        if identity.anonymous_id is not None:
            values.setdefault("anonymous_ids", set()).add(identity.anonymous_id)
    branches = [having(name, list(some)) for name, some in values.items()]
    if ids:
        branches.append({"_id": {"$in": list(ids)}})
    projection = _PROJECTION | ({"properties": 1} if with_properties else {})
    documents = await find(
        db.profiles,
        branches[0] if len(branches) == 1 else {"$or": branches},
        projection,
    )
    missing = ids - {document["_id"] for document in documents}
    if missing:
        documents += await find(
            db.profiles, having("merged_ids", list(missing)), projection
        )
    return Directory(list({each["_id"]: each for each in documents}.values()))


async def _write(db: Database, places: Sequence[Known], now: datetime) -> set[ObjectId]:
    """Makes and updates the profiles; answers those that another writer overtook."""
    lost: set[ObjectId] = set()
    made = [known for known in places if known.is_new]
    if made:
        documents = [_made(known) for known in made]
        try:
            await db.profiles.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            lost |= {made[index].id for index in _duplicates(error)}
    changed = [
        known
        for known in places
        if not known.is_new and (known.sets or known.unsets or known.anonymous_ids)
    ]
    if changed:
        updates = [_update(known, now) for known in changed]
        try:
            result = await db.profiles.bulk_write(updates, ordered=False)
            matched = result.matched_count
        except BulkWriteError as error:
            failed = _duplicates(error)
            lost |= {changed[index].id for index in failed}
            matched = error.details["nMatched"] + len(failed)
        if matched < len(changed):
            # Which of them is not told; to do it again does no harm.
            lost |= {known.id for known in changed}
    return lost


def _duplicates(error: BulkWriteError) -> list[int]:
    failures = error.details["writeErrors"]
    if any(failure["code"] != _DUPLICATE for failure in failures):
        raise error
    return [failure["index"] for failure in failures]


def _made(known: Known) -> Document:
    document = dict(known.document)
    for path, value in known.sets.items():
        parent, _, name = path.partition(".")
        if name:
            document[parent] = {**document.get(parent, {}), name: value}
        else:
            document[path] = value
    point = point_of(document.get("location", {}))
    if point is not None:
        document["point"] = point
    return document | {"search": search_words(document)}


def _update(known: Known, now: datetime) -> UpdateOne:
    sets = known.sets | {"updated_at": now}
    match: Document = {"_id": known.id}
    if not known.unsets.isdisjoint(SEARCHED) or not sets.keys().isdisjoint(SEARCHED):
        match |= known.guard
        sets["search"] = search_words(known.document)
    given = _under("properties.", sets)
    if given:
        match["$expr"] = _within_limits(known, given)
    unsets = set(known.unsets)
    location = _under("location.", sets)
    if "location" in unsets and location:
        # Cleared, then given again in the same batch: one path, so one operator.
        sets = {path: sets[path] for path in sets if not path.startswith("location.")}
        sets["location"] = location
        unsets.discard("location")
    if _moves(known):
        # Holds while the coordinates are as they were read.
        before = known.document.get("location", {})
        match |= {f"location.{name}": before.get(name) for name in COORDINATES}
        point = point_of(_location_after(known, before))
        if point is None:
            unsets.add("point")
        else:
            sets = sets | {"point": point}
    change: Document = {"$set": sets}
    if unsets:
        change["$unset"] = dict.fromkeys(unsets, "")
    if known.anonymous_ids:
        change["$addToSet"] = {"anonymous_ids": {"$each": known.anonymous_ids}}
    return UpdateOne(match, change)


def _moves(known: Known) -> bool:
    """Whether the coordinates may change."""
    paths = {"location", *(f"location.{name}" for name in COORDINATES)}
    return not paths.isdisjoint(known.unsets | known.sets.keys())


def _location_after(known: Known, before: Document) -> Document:
    kept = {} if "location" in known.unsets else before
    gone = {path.removeprefix("location.") for path in known.unsets}
    after = {name: value for name, value in kept.items() if name not in gone}
    return after | _under("location.", known.sets)


def _apply(known: Known, change: ProfileChange) -> None:
    for name, value in change.attributes.items():
        if name == "location":
            for path in _under("location.", known.sets):
                del known.sets[f"location.{path}"]
            known.unsets -= {path for path in known.unsets if "location." in path}
        if name in SEARCHED and value is not None:
            known.document[name] = value
        elif name in SEARCHED:
            known.document.pop(name, None)
        _change(known, name, value, clears=value is None)
    for part, place_value in (change.location or {}).items():
        _change(known, f"location.{part}", place_value, clears=place_value is None)
    for name, given in change.properties.items():
        _change(known, f"properties.{name}", given, clears=False)
    for name in change.unset_properties:
        _change(known, f"properties.{name}", None, clears=True)


def _change(known: Known, path: str, value: object, *, clears: bool) -> None:
    """Adds one change to those before it; the last one of a path stands."""
    parent = path.partition(".")[0]
    if clears and not known.is_new and parent not in known.unsets:
        known.sets.pop(path, None)
        known.unsets.add(path)
    elif clears:
        known.sets.pop(path, None)
    else:
        known.unsets.discard(path)
        known.sets[path] = value


def _under(parent: str, sets: Document) -> Document:
    """The values set under a parent, by what follows it in their paths."""
    return {
        path.removeprefix(parent): value
        for path, value in sets.items()
        if path.startswith(parent)
    }


def _within_limits(known: Known, given: Document) -> Document:
    """Holds when the profile's properties keep their limits after the change."""
    gone = [path.partition(".")[2] for path in known.unsets if "properties." in path]
    keys = {
        "$map": {"input": {"$objectToArray": "$properties"}, "in": "$$this.k"},
    }
    after = {
        "$setUnion": [
            {"$setDifference": [keys, {"$literal": gone}]},
            {"$literal": list(given)},
        ]
    }
    size = {"$bsonSize": {"$mergeObjects": ["$properties", {"$literal": given}]}}
    return {
        "$and": [
            {"$lte": [{"$size": after}, PROPERTY_KEYS]},
            {"$lte": [size, PROFILE_PROPERTIES_BYTES]},
        ]
    }


def _refuse_oversized(change: ProfileChange | None, known: Known) -> None:
    properties = known.document.get("properties")
    if change is None or not change.properties or properties is None:
        return
    before = {**properties, **_under("properties.", known.sets)}
    after = {**before, **change.properties}
    size = len(bson.encode(after))
    if len(after.keys() - set(change.unset_properties)) > PROPERTY_KEYS:
        raise TooLarge(
            f"The profile would have more than {PROPERTY_KEYS} properties: unset some.",
            ("properties",),
        )
    if size > PROFILE_PROPERTIES_BYTES:
        raise TooLarge(
            f"The profile's properties would take {size:,} bytes; "
            f"{PROFILE_PROPERTIES_BYTES:,} are allowed.",
            ("properties",),
        )


async def _take_in(
    db: Database, anonymous_id: ObjectId, known_id: ObjectId, now: datetime
) -> bool:
    """Merges an anonymous profile into a person's, unless it has been merged or has
    become somebody's in the meantime."""
    try:
        await merge_profiles(db, anonymous_id, known_id, now, only_anonymous=True)
    except NotFound:
        return False
    return True


def _follow(
    outcome: Resolved | AudienceError, merged: dict[ObjectId, ObjectId]
) -> Resolved | AudienceError:
    if isinstance(outcome, Resolved) and outcome.id in merged:
        return Resolved(merged[outcome.id], outcome.epoch, outcome.created)
    return outcome
