"""Writes one block of rows. Everybody who is new is inserted at once, whole, with
their list and consent; those who are known go the way of every change.

A new profile's id follows from the import and the row, and so do those of its lines
in the consent trail: a block that has to be done again finds what it has done.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from pymongo.errors import BulkWriteError

from audience.consent import (
    Channel,
    Evidence,
    Method,
    Statement,
    Status,
    check_said,
)
from audience.errors import AudienceError, ConsentRequired
from audience.lists import MembershipSource
from audience.profiles import search_words
from audience.rows import Person, Rejection, csv_line, limits
from resolvers.consent import (
    ConsentChange,
    Draft,
    change_consents,
    changed_fields,
    say,
    state_of,
)
from resolvers.db import Database, Document, at_once, find
from resolvers.imports.starting import KEPT, StatedConsent
from resolvers.lists import (
    check_still_there,
    join_list_many,
    membership,
    membership_in,
)
from resolvers.profiles import Upserted, upsert_profiles
from resolvers.profiles.reads import having

_DUPLICATE = 11000
_STORED = {"email": "email", "phoneNumber": "phone_number", "externalId": "external_id"}
_IDENTIFIERS = tuple(_STORED.values())
_ANYBODY = ObjectId("0" * 24)

Agreed = tuple[tuple[Channel, datetime | None], ...]
# What consent a new profile begins with, and the lines about it without ids.
Beginning = tuple[Document, list[Document]]


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every row of an import."""

    id: ObjectId
    list_id: ObjectId | None
    consent: dict[Channel, StatedConsent]
    headers: dict[str, str]
    profile_prefix: bytes
    line_prefixes: dict[Channel, bytes]

    def profile_id(self, row: int) -> ObjectId:
        """The id of the profile that the row makes if it is new."""
        return ObjectId(self.profile_prefix + row.to_bytes(3, "big"))

    def row_of(self, profile_id: ObjectId) -> int | None:
        """The row that has made the profile, if this import has."""
        if profile_id.binary[:9] != self.profile_prefix:
            return None
        return int.from_bytes(profile_id.binary[9:], "big")


def job_of(document: Document) -> Job:
    """The job of a stored import."""
    import_id: ObjectId = document["_id"]

    def prefix(of: str) -> bytes:
        digest = hashlib.sha256(import_id.binary + of.encode()).digest()
        return import_id.binary[:4] + digest[:5]

    consent = {
        Channel(each["channel"]): StatedConsent(
            Channel(each["channel"]),
            each["source"],
            each.get("at"),
            each.get("consent_text"),
            each.get("when"),
        )
        for each in document["consent"]
    }
    headers = {
        each["target"]: each["header"]
        for each in document["columns"]
        if "target" in each
    }
    return Job(
        import_id,
        document.get("list_id"),
        consent,
        headers,
        prefix("profile"),
        {channel: prefix(channel) for channel in consent},
    )


async def write_block(
    db: Database,
    job: Job,
    number: int,
    people: Sequence[Person],
    rejected: Sequence[list[Rejection]],
    now: datetime,
    *,
    is_replay: bool,
) -> dict[str, int]:
    """Writes the people and the rejections; what happened, counted. NotFound when the
    list is gone. With `is_replay` the block may have been written before, in part."""
    counts: dict[str, int] = {"read": len(people) + len(rejected)}
    refused = list(rejected)
    if any(stated.when for stated in job.consent.values()):
        people = _with_likely_times(job, people, now, refused)
    made = await _made_before(db, job, people) if is_replay else set[ObjectId]()
    fresh, others = await _divided(db, job, people, made)

    beginnings: dict[tuple[Agreed, bool, bool], Beginning | AudienceError] = {}
    documents: list[Document] = []
    lines: list[Document] = []
    inserting: list[tuple[Person, Document, list[Document]]] = []
    for person in fresh:
        begun = _beginning(job, person, now, beginnings)
        if isinstance(begun, AudienceError):
            refused.append([Rejection(person.line, "", "", str(begun))])
            continue
        document = _profile(job, person, begun[0], now)
        theirs = _lines(job, person, document["_id"], begun[1])
        if document["_id"] in made:
            lines += theirs
            _count_made(counts, job, theirs)
        else:
            documents.append(document)
            inserting.append((person, document, theirs))
    lost = await _insert(db, documents)
    for place, (person, _, theirs) in enumerate(inserting):
        if place in lost:
            others.append(person)
        else:
            lines += theirs
            _count_made(counts, job, theirs)
    await _insert_lines(db, lines)
    if job.list_id is not None:
        joined = [document["_id"] for document in documents]
        await check_still_there(db, job.list_id, [*joined, *made])
    others.sort(key=lambda person: person.row)
    refused += await _change_known(db, job, others, now, counts, is_replay=is_replay)
    if refused:
        _add(counts, "rejected", len(refused))
        await _keep_rejected(db, job, number, refused, now)
    return counts


def _with_likely_times(
    job: Job, people: Sequence[Person], now: datetime, refused: list[list[Rejection]]
) -> list[Person]:
    """Those whose agreements are neither of the future nor too old to be true."""
    kept = []
    for person in people:
        try:
            for change in _changes(job, person, _ANYBODY):
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


async def _divided(
    db: Database, job: Job, people: Sequence[Person], made: set[ObjectId]
) -> tuple[list[Person], list[Person]]:
    """Those who are new, and all others: known, or twice in the block."""
    values: dict[str, list[str]] = {name: [] for name in _IDENTIFIERS}
    for person in people:
        for name in _IDENTIFIERS:
            if name in person.fields:
                values[name].append(person.fields[name])
    branches = [having(name, some) for name, some in values.items() if some]
    taken: dict[str, set[str]] = {name: set() for name in _IDENTIFIERS}
    if branches:
        match = branches[0] if len(branches) == 1 else {"$or": branches}
        for row in await find(db.profiles, match, dict.fromkeys(_IDENTIFIERS, 1)):
            if row["_id"] in made:
                continue
            for name in _IDENTIFIERS:
                if name in row:
                    taken[name].add(row[name])
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
            for change in _changes(job, person, _ANYBODY):
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


def _changes(job: Job, person: Person, profile_id: ObjectId) -> list[ConsentChange]:
    """What the row says of consent. A channel for which it has no address is passed
    over."""
    changes = []
    for channel, at in person.agreed:
        address = "email" if channel is Channel.EMAIL else "phone_number"
        if address not in person.fields:
            continue
        stated = job.consent[channel]
        said = Statement(
            channel,
            Status.SUBSCRIBED,
            Method.IMPORT,
            stated.source,
            at or stated.at,
        )
        proof = Evidence(consent_text=stated.consent_text)
        changes.append(ConsentChange(profile_id, said, proof, job.list_id))
    return changes


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


async def _insert(db: Database, documents: Sequence[Document]) -> set[int]:
    """The places of those whom another writer has made in the meantime. The import's
    own checkpoint waits for the majority."""
    if not documents:
        return set()
    try:
        await at_once(db.profiles).insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return _duplicates(error)
    return set()


async def _insert_lines(db: Database, lines: Sequence[Document]) -> None:
    """A line that is there already is the same line."""
    if not lines:
        return
    try:
        await at_once(db.consent_changes).insert_many(lines, ordered=False)
    except BulkWriteError as error:
        _duplicates(error)


def _duplicates(error: BulkWriteError) -> set[int]:
    failures = error.details["writeErrors"]
    if any(failure["code"] != _DUPLICATE for failure in failures):
        raise error
    return {failure["index"] for failure in failures}


async def _change_known(
    db: Database,
    job: Job,
    people: Sequence[Person],
    now: datetime,
    counts: dict[str, int],
    *,
    is_replay: bool,
) -> list[list[Rejection]]:
    """Changes people who are known already; the rows that cannot be."""
    if not people:
        return []
    outcomes = await upsert_profiles(db, [each.change() for each in people], now)
    refused: list[list[Rejection]] = []
    profiles: dict[ObjectId, Document] = {}
    found: list[tuple[Person, Document]] = []
    for person, outcome in zip(people, outcomes, strict=True):
        if not isinstance(outcome, Upserted):
            refused.append(_rejections(job, person, outcome))
            continue
        profile = outcome.profile
        row = job.row_of(profile["_id"])
        if outcome.created:
            _add(counts, "created", 1)
        elif row is not None and row < person.row:
            _add(counts, "repeated", 1)
        else:
            _add(counts, "updated", 1)
        profiles.setdefault(profile["_id"], profile)
        found.append((person, profile))
    recorded = set[tuple[ObjectId, str]]()
    if is_replay and job.consent:
        recorded = await _recorded_before(db, list(profiles), now)
    changes: list[ConsentChange] = []
    for person, profile in found:
        changes += _lawful(job, person, profile, counts, recorded)
    if job.list_id is not None:
        members = [(profile_id, now) for profile_id in profiles]
        for profile in profiles.values():
            known = membership_in(profile, job.list_id)
            if known is None or (is_replay and known["joined_at"] == now):
                _add(counts, "joined", 1)
        await join_list_many(db, job.list_id, members, MembershipSource.IMPORT, now=now)
    for done in await change_consents(db, changes, now):
        if done is True:
            _add(counts, "consented", 1)
        elif isinstance(done, ConsentRequired):
            _add(counts, "kept_unsubscribed", 1)
    return refused


def _lawful(
    job: Job,
    person: Person,
    profile: Document,
    counts: dict[str, int],
    recorded: set[tuple[ObjectId, str]],
) -> list[ConsentChange]:
    """The agreements that may be recorded of someone who is known: only where they
    never gave an answer, and nothing stands against it."""
    found = []
    for change in _changes(job, person, profile["_id"]):
        channel = change.said.channel
        state = state_of(profile, channel)
        if (profile["_id"], channel) in recorded:
            recorded.discard((profile["_id"], channel))
            _add(counts, "consented", 1)
        elif state.suppression is not None:
            _add(counts, "kept_suppressed", 1)
        elif state.status is Status.UNSUBSCRIBED:
            _add(counts, "kept_unsubscribed", 1)
        elif state.status is Status.PENDING:
            _add(counts, "kept_pending", 1)
        elif state.status is Status.NEVER_SUBSCRIBED:
            found.append(change)
    return found


async def _recorded_before(
    db: Database, profile_ids: Sequence[ObjectId], now: datetime
) -> set[tuple[ObjectId, str]]:
    """The agreements that this block has recorded when it was first begun."""
    lines = await find(
        db.consent_changes,
        {
            "profile_id": {"$in": profile_ids},
            "method": Method.IMPORT,
            "recorded_at": now,
        },
        {"profile_id": 1, "channel": 1},
    )
    return {(line["profile_id"], line["channel"]) for line in lines}


def _rejections(job: Job, person: Person, error: AudienceError) -> list[Rejection]:
    found = []
    for problem in error.problems[: limits.REJECTED_CELLS]:
        target = ".".join(problem.path)
        value = str(person.fields.get(_STORED.get(target, ""), ""))
        found.append(
            Rejection(person.line, job.headers.get(target, ""), value, problem.message)
        )
    return found


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


def _count_made(counts: dict[str, int], job: Job, lines: Sequence[Document]) -> None:
    _add(counts, "created", 1)
    if lines:
        _add(counts, "consented", len(lines))
    if job.list_id is not None:
        _add(counts, "joined", 1)


def _add(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count
