"""The members of lists and segments as rows of a CSV file."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from bson import ObjectId

from audience.conditions import parse
from audience.consent import Channel
from audience.errors import NotFound, TooLarge
from audience.rows import csv_line, property_header
from resolvers.consent import state_of
from resolvers.db import Database, Document, aggregate, find
from resolvers.ids import object_id
from resolvers.lists import live_list, membership_in
from resolvers.segments import filter_stages, segments_by_id

PART = 1_000
IDS = 50_000  # of a segment's members, found at once
CHANNELS = (Channel.EMAIL, Channel.SMS)
MAX_COLUMNS = 500  # of custom properties
NAMES_LIMIT_MS = 300_000

Parts = Callable[[], AsyncIterator[list[Document]]]

_PLACES = (
    ("Address", "address1"),
    ("Address 2", "address2"),
    ("City", "city"),
    ("State / Region", "region"),
    ("Country", "country"),
    ("Zip Code", "zip"),
    ("Timezone", "timezone"),
)
_FIELDS = (
    ("Email", "email"),
    ("Phone Number", "phone_number"),
    ("External ID", "external_id"),
    ("First Name", "first_name"),
    ("Last Name", "last_name"),
    ("Organization", "organization"),
    ("Title", "title"),
    ("Locale", "locale"),
)
_PROJECTION: Document = dict.fromkeys(
    (
        *(stored for _, stored in _FIELDS),
        *("location", "consent", "lists", "properties", "created_at"),
    ),
    1,
)


async def list_export(db: Database, list_id: str | ObjectId) -> AsyncIterator[bytes]:
    """The members of a list, the longest known first, in parts. NotFound, before the
    first of them, when there is no such list."""
    wanted: ObjectId = (await live_list(db, list_id, ("id",)))["_id"]

    async def parts() -> AsyncIterator[list[Document]]:
        after = None
        while True:
            match: Document = {"lists.list_id": wanted}
            if after is not None:
                match["_id"] = {"$gt": after}
            rows = await find(
                db.profiles, match, _PROJECTION, sort={"_id": 1}, limit=PART
            )
            if not rows:
                return
            yield rows
            after = rows[-1]["_id"]

    names = await _property_names(db, [{"$match": {"lists.list_id": wanted}}])
    return _written(parts, names, wanted)


async def segment_export(
    db: Database, segment_id: str | ObjectId, now: datetime, zone: tzinfo = UTC
) -> AsyncIterator[bytes]:
    """The people who meet a segment's conditions at `now`, in parts."""
    (segment,) = await segments_by_id(db, [object_id(segment_id)])
    if segment is None:
        raise NotFound("There is no such segment.", ("id",))
    stages = await filter_stages(db, parse(segment["definition"]), now, zone)

    async def parts() -> AsyncIterator[list[Document]]:
        after = None
        while True:
            beyond: list[Document] = (
                [{"$match": {"_id": {"$gt": after}}}] if after else []
            )
            ids = await aggregate(
                db.profiles,
                [
                    *stages,
                    *beyond,
                    {"$sort": {"_id": 1}},
                    {"$limit": IDS},
                    {"$project": {"_id": 1}},
                ],
            )
            for start in range(0, len(ids), PART):
                wanted = [row["_id"] for row in ids[start : start + PART]]
                match = {"_id": {"$in": wanted}}
                yield await find(db.profiles, match, _PROJECTION, sort={"_id": 1})
            if len(ids) < IDS:
                return
            after = ids[-1]["_id"]

    return _written(parts, await _property_names(db, stages), None)


async def _written(
    parts: Parts, names: Sequence[str], list_id: ObjectId | None
) -> AsyncIterator[bytes]:
    yield csv_line(_header(names, list_id)).encode()
    async for rows in parts():
        yield "".join(csv_line(_cells(row, names, list_id)) for row in rows).encode()


async def _property_names(db: Database, stages: Sequence[Document]) -> list[str]:
    """The custom properties that any of the people has, as columns of the file."""
    keys = {"$map": {"input": {"$objectToArray": "$properties"}, "in": "$$this.k"}}
    rows = await aggregate(
        db.profiles,
        [
            *stages,
            {"$project": {"_id": 0, "key": keys}},
            {"$unwind": "$key"},
            {"$group": {"_id": "$key"}},
            {"$sort": {"_id": 1}},
            {"$limit": MAX_COLUMNS + 1},
        ],
        limit_ms=NAMES_LIMIT_MS,
    )
    if len(rows) > MAX_COLUMNS:
        raise TooLarge(
            f"These people have more than {MAX_COLUMNS} different custom properties; a "
            "file has no room for so many columns.",
            ("id",),
        )
    return [row["_id"] for row in rows]


def _header(names: Sequence[str], list_id: ObjectId | None) -> list[str]:
    fixed = [
        *(title for title, _ in _FIELDS),
        *(title for title, _ in _PLACES),
        *(
            title
            for channel in CHANNELS
            for title in (
                f"{_shown(channel)} Marketing Consent",
                f"{_shown(channel)} Marketing Consent Timestamp",
                f"{_shown(channel)} Suppression",
            )
        ),
    ]
    joined = ["Joined"] if list_id else []
    return [*fixed, *joined, *map(property_header, names)]


def _shown(channel: Channel) -> str:
    return "Email" if channel is Channel.EMAIL else channel.value


def _cells(
    profile: Document, names: Sequence[str], list_id: ObjectId | None
) -> list[str]:
    location = profile.get("location", {})
    properties = profile.get("properties", {})
    cells = [
        *(profile.get(stored) or "" for _, stored in _FIELDS),
        *(location.get(place) or "" for _, place in _PLACES),
    ]
    for channel in CHANNELS:
        state = state_of(profile, channel)
        held = state.suppression
        cells += [state.status, _text(state.consented_at), held.reason if held else ""]
    if list_id is not None:
        cells.append(_text((membership_in(profile, list_id) or {}).get("joined_at")))
    cells += [_text(properties.get(name)) for name in names]
    return cells


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case _:
            return str(value)
