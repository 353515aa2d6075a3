"""Consent of profiles: lawful changes, each with a line in the append-only trail.

A profile and its trail change in one transaction. A change by someone else in the
meantime makes the transaction run again on the new state, so every line says truly
from which status it led.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from bson import ObjectId
from pymongo import UpdateOne

from audience.consent import (
    Channel,
    ConsentState,
    Method,
    Statement,
    Status,
    Suppress,
    Suppression,
    SuppressionReason,
    Unsuppress,
    check_address,
    check_said,
    decide,
    suppressed,
    unsuppressed,
)
from audience.errors import AudienceError, NotFound
from audience.evidence import NO_EVIDENCE, Evidence
from resolvers.branches import MAX_BRANCHES, united
from resolvers.db import Database, Document, Session, aggregate, find, transaction
from resolvers.ids import object_id
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    both,
    keyset_filter,
    page_of,
    sort_of,
)
from resolvers.profiles.reads import having

NEWEST_FIRST = Order("at", -1, always_there=True)

_PER_TRANSACTION = 500


@dataclass(frozen=True, slots=True)
class ConsentChange:
    """One thing to change about one person's channel.

    With `is_event` a line is written even where the status stays, because something
    else happened that the person agreed to, such as joining a list.
    """

    profile_id: str | ObjectId
    said: Statement | Suppress | Unsuppress
    evidence: Evidence = NO_EVIDENCE
    list_id: ObjectId | None = None
    is_event: bool = False


@dataclass(slots=True)
class Draft:
    """Changes to the consent of one profile that wait to be written."""

    profile: Document
    states: dict[Channel, ConsentState] = field(default_factory=dict)
    lines: list[Document] = field(default_factory=list)

    def state(self, channel: Channel) -> ConsentState:
        """The state as it will be."""
        return self.states.get(channel) or state_of(self.profile, channel)


async def set_consent(
    db: Database,
    profile_id: str | ObjectId,
    channel: Channel,
    status: Status,
    *,
    now: datetime,
    method: str | None = None,
    source: str | None = None,
    at: datetime | None = None,
    evidence: Evidence = NO_EVIDENCE,
) -> Document:
    """The profile after the change; an unlawful one is refused with its reason."""
    said = Statement(channel, status, method, source, at)
    return await _change(db, ConsentChange(profile_id, said, evidence), now)


async def suppress(
    db: Database,
    profile_id: str | ObjectId,
    channel: Channel,
    reason: SuppressionReason = SuppressionReason.USER_SUPPRESSED,
    *,
    now: datetime,
    method: str | None = None,
    source: str | None = None,
    at: datetime | None = None,
) -> Document:
    """The profile, to which nothing may be sent on the channel any more."""
    said = Suppress(channel, reason, method, source, at)
    return await _change(db, ConsentChange(profile_id, said), now)


async def unsuppress(
    db: Database,
    profile_id: str | ObjectId,
    channel: Channel,
    *,
    now: datetime,
    reason: SuppressionReason | None = None,
    method: str | None = None,
    source: str | None = None,
) -> Document:
    """The profile without its suppression; what it agreed to holds again.

    Lifts USER_SUPPRESSED as it is, HARD_BOUNCE and INVALID_ADDRESS when `reason`
    names them and `source` is given, and never SPAM_COMPLAINT.
    """
    said = Unsuppress(channel, reason, method, source)
    return await _change(db, ConsentChange(profile_id, said), now)


async def change_consents(
    db: Database, changes: Sequence[ConsentChange], now: datetime
) -> list[bool | AudienceError]:
    """Whether each change changed anything, or why it was refused, in order.

    One refused change does not stop the others. A change sees those before it. Takes
    four commands for every 500 profiles.
    """
    outcomes: list[bool | AudienceError] = []
    for start in range(0, len(changes), _PER_TRANSACTION):
        part = changes[start : start + _PER_TRANSACTION]

        async def work(
            session: Session, part: Sequence[ConsentChange] = part
        ) -> list[bool | AudienceError]:
            return await _change_in(db, part, now, session)

        outcomes += await transaction(db, work)
    return outcomes


def state_of(profile: Document, channel: Channel) -> ConsentState:
    """What a profile's document says of a channel."""
    kept = profile.get("consent", {}).get(channel.lower())
    if kept is None:
        return ConsentState()
    held = kept.get("suppression")
    return ConsentState(
        status=Status(kept["status"]),
        consented_at=kept.get("consented_at"),
        updated_at=kept.get("updated_at"),
        method=kept.get("method"),
        source=kept.get("source"),
        double_opt_in=kept.get("double_opt_in", False),
        suppression=held and Suppression(SuppressionReason(held["reason"]), held["at"]),
    )


def say(draft: Draft, change: ConsentChange, now: datetime) -> bool:
    """Adds a change to the draft; False when it changes nothing, and an error,
    the draft as it was, when it is not lawful."""
    said = check_said(change.said, now)
    before = draft.state(said.channel)
    match said:
        case Statement():
            after = decide(before, said, now)
            if after is not before and said.status in (
                Status.PENDING,
                Status.SUBSCRIBED,
            ):
                profile = draft.profile
                check_address(
                    said.channel, profile.get("email"), profile.get("phone_number")
                )
            at = after.updated_at if after is not before else said.at
        case Suppress():
            after, at = suppressed(before, said, now), said.at
        case Unsuppress():
            after, at = unsuppressed(before, said), None
        case _:
            assert_never(said)
    if after is before and not change.is_event:
        return False
    draft.states[said.channel] = after
    line: Document = {
        "_id": ObjectId(),
        "profile_id": draft.profile["_id"],
        "channel": said.channel,
        "from": before.status,
        "to": after.status,
        "at": at or now,
        "recorded_at": now,
        "method": said.method or Method.API,
        "source": said.source,
        "ip": change.evidence.ip,
        "user_agent": change.evidence.user_agent,
        "consent_text": change.evidence.consent_text,
        "list_id": change.list_id,
        "suppressed": _reason(after) if _reason(after) != _reason(before) else None,
        "lifted": _reason(before) if _reason(after) != _reason(before) else None,
    }
    draft.lines.append({key: one for key, one in line.items() if one is not None})
    return True


def changed_fields(draft: Draft) -> Document:
    """What to `$set` on the profile."""
    return {
        f"consent.{channel.lower()}": _document(state)
        for channel, state in draft.states.items()
    }


def known_by(ids: Sequence[ObjectId]) -> Document:
    """Profiles by their ids, or by the ids of profiles merged into them."""
    return {"$or": [{"_id": {"$in": ids}}, having("merged_ids", ids)]}


async def consent_history_of_profiles(
    db: Database, pairs: Sequence[tuple[ObjectId, Channel]], page: PageRequest
) -> list[Page]:
    """For each (profile, channel) one page of its trail, newest first, in order.

    One command for all of them: limited reads of the index, one after another.
    """
    narrowed = keyset_filter(NEWEST_FIRST, page)
    found: dict[tuple[ObjectId, str], list[Document]] = {pair: [] for pair in pairs}
    wanted = list(found)
    for start in range(0, len(wanted), MAX_BRANCHES):
        branches: list[list[Document]] = [
            [
                {
                    "$match": both(
                        {"profile_id": profile_id, "channel": channel}, narrowed
                    )
                },
                {"$sort": sort_of(NEWEST_FIRST, page)},
                {"$limit": page.size + 1},
            ]
            for profile_id, channel in wanted[start : start + MAX_BRANCHES]
        ]
        pipeline = united(db.consent_changes.name, branches)
        for line in await aggregate(db.consent_changes, pipeline):
            found[line["profile_id"], line["channel"]].append(line)
    return [page_of(found[pair], NEWEST_FIRST, page, pair) for pair in pairs]


async def consent_history_counts(
    db: Database, pairs: Sequence[tuple[ObjectId, Channel]]
) -> list[int]:
    """How many lines the trail of each (profile, channel) has, in order."""
    match = {
        "profile_id": {"$in": list({profile_id for profile_id, _ in pairs})},
        "channel": {"$in": list({channel for _, channel in pairs})},
    }
    key = {"p": "$profile_id", "c": "$channel"}
    rows = await aggregate(
        db.consent_changes,
        [{"$match": match}, {"$group": {"_id": key, "count": {"$sum": 1}}}],
    )
    counts = {(row["_id"]["p"], row["_id"]["c"]): row["count"] for row in rows}
    return [counts.get(pair, 0) for pair in pairs]


async def _change(db: Database, change: ConsentChange, now: datetime) -> Document:
    async def work(session: Session) -> Document:
        (outcome,) = await _change_in(db, [change], now, session)
        if isinstance(outcome, AudienceError):
            raise outcome
        known = known_by([object_id(change.profile_id, ("profileId",))])
        profile = await db.profiles.find_one(known, session=session)
        assert profile is not None  # noqa: S101 - just read in this transaction
        return profile

    return await transaction(db, work)


async def _change_in(
    db: Database, changes: Sequence[ConsentChange], now: datetime, session: Session
) -> list[bool | AudienceError]:
    ids: list[ObjectId | AudienceError] = [_id_of(change) for change in changes]
    wanted = [one for one in ids if isinstance(one, ObjectId)]
    fields = {"consent": 1, "email": 1, "phone_number": 1, "merged_ids": 1}
    profiles = await find(db.profiles, known_by(wanted), fields, session=session)
    every = [Draft(profile) for profile in profiles]
    drafts = {
        each: draft
        for draft in every
        for each in (*draft.profile.get("merged_ids", ()), draft.profile["_id"])
    }
    outcomes: list[bool | AudienceError] = []
    for change, profile_id in zip(changes, ids, strict=True):
        if isinstance(profile_id, AudienceError):
            outcomes.append(profile_id)
        elif profile_id not in drafts:
            outcomes.append(
                NotFound("There is no profile with this id.", ("profileId",))
            )
        else:
            try:
                outcomes.append(say(drafts[profile_id], change, now))
            except AudienceError as error:
                outcomes.append(error)
    await _write(db, [draft for draft in every if draft.lines], now, session)
    return outcomes


async def _write(
    db: Database, drafts: Sequence[Draft], now: datetime, session: Session
) -> None:
    if not drafts:
        return
    updates = [
        UpdateOne(
            {"_id": draft.profile["_id"]},
            {"$set": changed_fields(draft), "$max": {"updated_at": now}},
        )
        for draft in drafts
    ]
    await db.profiles.bulk_write(updates, ordered=False, session=session)
    lines = [line for draft in drafts for line in draft.lines]
    await db.consent_changes.insert_many(lines, ordered=False, session=session)


def _id_of(change: ConsentChange) -> ObjectId | AudienceError:
    try:
        return object_id(change.profile_id, ("profileId",))
    except AudienceError as error:
        return error


def _reason(state: ConsentState) -> SuppressionReason | None:
    return state.suppression.reason if state.suppression else None


def _document(state: ConsentState) -> Document:
    held = state.suppression
    kept: dict[str, Any] = {
        "status": state.status,
        "consented_at": state.consented_at,
        "updated_at": state.updated_at,
        "method": state.method,
        "source": state.source,
        "double_opt_in": state.double_opt_in,
        "suppression": {"reason": held.reason, "at": held.at} if held else None,
    }
    return {key: value for key, value in kept.items() if value is not None}
