"""Rows about people who are known already: changed like everybody else, consent only
where they never gave an answer."""

from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId

from audience.consent import Method, Status
from audience.errors import AudienceError, ConsentRequired
from audience.lists import MembershipSource
from audience.rows import Person, Rejection, limits
from resolvers.consent import ConsentChange, change_consents, state_of
from resolvers.db import Database, Document, find
from resolvers.imports.jobs import Job, add, consent_changes
from resolvers.lists import join_list_many, membership_in
from resolvers.profiles import Upserted, upsert_profiles

STORED = {"email": "email", "phoneNumber": "phone_number", "externalId": "external_id"}


async def change_known(
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
            add(counts, "created", 1)
        elif row is not None and row < person.row:
            add(counts, "repeated", 1)
        else:
            add(counts, "updated", 1)
        profiles.setdefault(profile["_id"], profile)
        found.append((person, profile))
    recorded = set[tuple[ObjectId, str]]()
    if is_replay and job.consent:
        others = [each for each in profiles if job.row_of(each) is None]
        recorded = await _recorded_before(db, others, now)
    changes: list[ConsentChange] = []
    for person, profile in found:
        changes += _lawful(job, person, profile, counts, recorded)
    if job.list_id is not None:
        members = [(profile_id, now) for profile_id in profiles]
        for profile in profiles.values():
            known = membership_in(profile, job.list_id)
            is_again = is_replay and job.row_of(profile["_id"]) is None
            if known is None or (is_again and known["joined_at"] == now):
                add(counts, "joined", 1)
        await join_list_many(db, job.list_id, members, MembershipSource.IMPORT, now=now)
    for done in await change_consents(db, changes, now):
        if done is True:
            add(counts, "consented", 1)
        elif isinstance(done, ConsentRequired):
            add(counts, "kept_unsubscribed", 1)
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
    for change in consent_changes(job, person, profile["_id"]):
        channel = change.said.channel
        state = state_of(profile, channel)
        if (profile["_id"], channel) in recorded:
            recorded.discard((profile["_id"], channel))
            add(counts, "consented", 1)
        elif state.suppression is not None:
            add(counts, "kept_suppressed", 1)
        elif state.status is Status.UNSUBSCRIBED:
            add(counts, "kept_unsubscribed", 1)
        elif state.status is Status.PENDING:
            add(counts, "kept_pending", 1)
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
        value = str(person.fields.get(STORED.get(target, ""), ""))
        found.append(
            Rejection(person.line, job.headers.get(target, ""), value, problem.message)
        )
    return found
