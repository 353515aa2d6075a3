"""Writes one block of rows. Everybody who is new is inserted at once, whole, with
their list and consent; those who are known go the way of every change.

A new profile's id follows from the import and the row, and so do those of its lines
in the consent trail: a block that has to be done again finds what it has done.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId
from pymongo.errors import BulkWriteError

from audience.consent import (
    Channel,
    check_said,
)
from audience.errors import AudienceError
from audience.lists import MembershipSource
from audience.profiles import search_words
from audience.rows import Person, Rejection, csv_line, limits
from resolvers.consent import (
    Draft,
    changed_fields,
    say,
)
from resolvers.db import Collection, Database, Document, at_once, find
from resolvers.imports.jobs import Job, add, consent_changes
from resolvers.imports.known import STORED, change_known
from resolvers.imports.starting import KEPT
from resolvers.lists import (
    check_still_there,
    membership,
)
from resolvers.places.points import point_of
from resolvers.profiles.reads import having

PARTS = 4  # of a block's new people, written side by side

_DUPLICATE = 11000
_IDENTIFIERS = tuple(STORED.values())
_ANYBODY = ObjectId("0" * 24)

Agreed = tuple[tuple[Channel, datetime | None], ...]
# What consent a new profile begins with, and the lines about it without ids.
Beginning = tuple[Document, list[Document]]


async def write_block(
    db: Database,
    job: Job,
    number: int,
    people: Sequence[Person],
    rejected: Sequence[list[Rejection]],
    now: datetime,
    *,
    is_replay: bool,
    looks_up: bool,
) -> dict[str, int]:
    """Writes the people and the rejections; what happened, counted. NotFound when the
    list is gone. With `is_replay` the block may have been written before, in part.
    Without `looks_up` everybody is taken to be new until the database refuses them:
    less work where nearly all are.
    """
    counts: dict[str, int] = {"read": len(people) + len(rejected)}
    refused = list(rejected)
    if any(stated.when for stated in job.consent.values()):
        people = _with_likely_times(job, people, now, refused)
    made = await _made_before(db, job, people) if is_replay else set[ObjectId]()
    taken = await _taken(db, people, made) if looks_up or made else _nobody()
    fresh, others = _divided(job, people, made, taken)

    beginnings: dict[tuple[Agreed, bool, bool], Beginning | AudienceError] = {}
    ready: list[tuple[Person, Beginning]] = []
    for person in fresh:
        begun = _beginning(job, person, now, beginnings)
        if isinstance(begun, AudienceError):
            refused.append([Rejection(person.line, "", "", str(begun))])
        else:
            ready.append((person, begun))
    # While the database works on one part, the next is got ready.
    size = max(1, -(-len(ready) // PARTS))
    parts = [ready[start : start + size] for start in range(0, len(ready), size)]
    for lost in await asyncio.gather(
        *(_make(db, job, part, now, made, counts) for part in parts)
    ):
        others += lost
    if job.list_id is not None and ready:
        joined = [job.profile_id(person.row) for person, _ in ready]
        await check_still_there(db, job.list_id, joined)
    others.sort(key=lambda person: person.row)
    refused += await change_known(db, job, others, now, counts, is_replay=is_replay)
    if refused:
        add(counts, "rejected", len(refused))
        await _keep_rejected(db, job, number, refused, now)
    return counts


def _with_likely_times(
    job: Job, people: Sequence[Person], now: datetime, refused: list[list[Rejection]]
) -> list[Person]:
    """Those whose agreements are neither of the future nor too old to be true."""
    kept = []
    for person in people:
        try:
            for change in consent_changes(job, person, _ANYBODY):
                check_said(change.said, now)
        except AudienceError as error:
            refused.append([_with_wrong_time(job, person, error)])
        else:
            kept.append(person)
    return kept


def _with_wrong_time(job: Job, person: Person, error: AudienceError) -> Rejection:
    for channel, at in person.agreed:
        column = job.consent[channel].when
        if at is not None and column is not None:
            return Rejection(person.line, column, at.isoformat(), str(error))
    return Rejection(person.line, "", "", str(error))


async def _made_before(
    db: Database, job: Job, people: Sequence[Person]
) -> set[ObjectId]:
    if not people:
        return set()
    first, last = job.profile_id(people[0].row), job.profile_id(people[-1].row)
    rows = await find(db.profiles, {"_id": {"$gte": first, "$lte": last}}, {"_id": 1})
    return {row["_id"] for row in rows}


def _nobody() -> dict[str, set[str]]:
    return {name: set() for name in _IDENTIFIERS}


async def _taken(
    db: Database, people: Sequence[Person], made: set[ObjectId]
) -> dict[str, set[str]]:
    """The identifiers of these people that somebody has."""
    branches = []
    for name in _IDENTIFIERS:
        values = [each.fields[name] for each in people if name in each.fields]
        if values:
            branches.append(having(name, values))
    taken = _nobody()
    if not branches:
        return taken
    match = branches[0] if len(branches) == 1 else {"$or": branches}
    for row in await find(db.profiles, match, dict.fromkeys(_IDENTIFIERS, 1)):
        if row["_id"] in made:
            continue
        for name in _IDENTIFIERS:
            if name in row:
                taken[name].add(row[name])
    return taken


def _divided(
    job: Job,
    people: Sequence[Person],
    made: set[ObjectId],
    taken: dict[str, set[str]],
) -> tuple[list[Person], list[Person]]:
    """Those who are new, and all others: known, or twice in the block."""
    fresh: list[Person] = []
    others: list[Person] = []
    for person in people:
        fields = person.fields
        is_known = any(
            name in fields and fields[name] in taken[name] for name in _IDENTIFIERS
        )
        if is_known and (not made or job.profile_id(person.row) not in made):
            others.append(person)
            continue
        fresh.append(person)
        for name in _IDENTIFIERS:
            if name in fields:
                taken[name].add(fields[name])
    return fresh, others


def _profile(job: Job, person: Person, consent: Document, now: datetime) -> Document:
    document: Document = {
        "_id": job.profile_id(person.row),
        **person.fields,
        "properties": person.properties,
        "consent": consent,
        "lists": [],
        "summary": {},
        "created_at": now,
        "updated_at": now,
    }
    if person.location:
        document["location"] = person.location
        point = point_of(person.location)
        if point is not None:
            document["point"] = point
    if job.list_id is not None:
        document["lists"] = [membership(job.list_id, now, MembershipSource.IMPORT)]
    document["search"] = search_words(document)
    return document


def _beginning(
    job: Job,
    person: Person,
    now: datetime,
    beginnings: dict[tuple[Agreed, bool, bool], Beginning | AudienceError],
) -> Beginning | AudienceError:
    """The consent of someone new, as the rules of every other change make it."""
    has_email, has_phone = "email" in person.fields, "phone_number" in person.fields
    key = (person.agreed, has_email, has_phone)
    found = beginnings.get(key)
    if found is None:
        draft = Draft({"_id": _ANYBODY})
        if has_email:
            draft.profile["email"] = "given"
        if has_phone:
            draft.profile["phone_number"] = "given"
        try:
            for change in consent_changes(job, person, _ANYBODY):
                say(draft, change, now)
        except AudienceError as error:
            found = error
        else:
            consent = {
                path.removeprefix("consent."): value
                for path, value in changed_fields(draft).items()
            }
            found = consent, draft.lines
        beginnings[key] = found
    return found


def _lines(
    job: Job, person: Person, profile_id: ObjectId, begun: Sequence[Document]
) -> list[Document]:
    suffix = person.row.to_bytes(3, "big")
    return [
        {
            **line,
            "_id": ObjectId(job.line_prefixes[line["channel"]] + suffix),
            "profile_id": profile_id,
        }
        for line in begun
    ]


async def _make(
    db: Database,
    job: Job,
    people: Sequence[tuple[Person, Beginning]],
    now: datetime,
    made: set[ObjectId],
    counts: dict[str, int],
) -> list[Person]:
    """Makes new people, then their lines in the trail. Those whom another writer has
    made in the meantime are answered."""
    documents = [
        _profile(job, person, begun[0], now)
        for person, begun in people
        if job.profile_id(person.row) not in made
    ]
    failed = await _insert(db.profiles, documents)
    lost = {documents[place]["_id"] for place in failed}
    others: list[Person] = []
    lines: list[Document] = []
    for person, begun in people:
        profile_id = job.profile_id(person.row)
        if profile_id in lost:
            others.append(person)
        else:
            lines += _lines(job, person, profile_id, begun[1])
            _count_made(counts, job, len(begun[1]))
    await _insert(db.consent_changes, lines)
    return others


async def _insert(collection: Collection, documents: Sequence[Document]) -> set[int]:
    """The places of those that another document stands in the way of. The import's
    checkpoint, written later, waits for the majority."""
    if not documents:
        return set()
    try:
        await at_once(collection).insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _duplicates(error)
    return set()


def _duplicates(error: BulkWriteError) -> set[int]:
    failures = error.details["writeErrors"]
    if any(failure["code"] != _DUPLICATE for failure in failures):
        raise error
    # Who has the very id was made by this row, by a worker that was overtaken.
    return {each["index"] for each in failures if each["keyPattern"] != {"_id": 1}}


async def _keep_rejected(
    db: Database,
    job: Job,
    number: int,
    refused: Sequence[list[Rejection]],
    now: datetime,
) -> None:
    cells = sorted(
        (each for row in refused for each in row), key=lambda each: each.line
    )
    written = "".join(
        csv_line(
            (
                str(each.line),
                each.column,
                each.value[: limits.REJECTED_VALUE_LENGTH],
                each.reason,
            )
        )
        for each in cells
    )
    await at_once(db.import_blocks).replace_one(
        {"_id": f"{job.id}/REJECTED/{number}"},
        {
            "import_id": job.id,
            "kind": "REJECTED",
            "number": number,
            "content": written.encode(),
            "expires_at": now + KEPT,
        },
        upsert=True,
    )


def _count_made(counts: dict[str, int], job: Job, lines: int) -> None:
    add(counts, "created", 1)
    if lines:
        add(counts, "consented", lines)
    if job.list_id is not None:
        add(counts, "joined", 1)
