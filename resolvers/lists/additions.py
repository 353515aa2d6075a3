"""Quick Add: people, new or known, put into a list by someone of the account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from audience.consent import Channel, Method, Statement, Status, check_said
from audience.errors import AudienceError, InvalidInput, Problem
from audience.evidence import NO_EVIDENCE, Evidence, evidence
from audience.lists import MembershipSource, check_people
from audience.profiles import ProfileChange
from resolvers.consent import ConsentChange, change_consents
from resolvers.db import Database, Document
from resolvers.lists.lookups import live_list
from resolvers.lists.members import join_list_many
from resolvers.profiles import profiles_by_id, upsert_profiles


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the people who are added agreed to a channel."""

    channel: Channel
    source: str
    at: datetime | None = None
    consent_text: str | None = None


@dataclass(frozen=True, slots=True)
class AddedPerson:
    """What became of one of the people.

    With a profile, they are in the list, and the problems say which agreement was
    not recorded; without one, the problems say why they were not added.
    """

    profile: Document | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """What became of everybody, in order."""

    list: Document
    added: int
    already_members: int
    people: Sequence[AddedPerson]


async def add_to_list(
    db: Database,
    list_id: str | ObjectId,
    people: Sequence[ProfileChange | AudienceError],
    agreements: Sequence[Agreement] = (),
    *,
    now: datetime,
    evidence: Evidence = NO_EVIDENCE,
    source: MembershipSource = MembershipSource.QUICK_ADD,
) -> Added:
    """Puts people into the list, at once even where sign-ups must be confirmed.

    Their profiles are made or changed as by an upsert. What cannot be stops nobody
    else: an error in place of a person is handed on. Without agreements consent is
    not touched. An agreement is recorded only for those who never gave an answer:
    who unsubscribed, or has yet to confirm, joins the list and stays as they are, and
    whoever is suppressed stays suppressed.
    """
    check_people(len(people), ("profiles",))
    found = await live_list(db, list_id)
    _check_agreements(agreements, now)

    changes = [each for each in people if isinstance(each, ProfileChange)]
    upserts = iter(await upsert_profiles(db, changes, now) if changes else [])
    results: list[ObjectId | AudienceError] = []
    for each in people:
        outcome = next(upserts) if isinstance(each, ProfileChange) else each
        if isinstance(outcome, AudienceError):
            results.append(outcome)
        else:
            results.append(outcome.profile["_id"])
    joining = [each for each in results if isinstance(each, ObjectId)]
    members = [(profile_id, now) for profile_id in dict.fromkeys(joining)]
    added = await join_list_many(db, found["_id"], members, source, now=now)

    refused = await _agree(db, joining, agreements, evidence, found["_id"], now)
    profiles = iter(await profiles_by_id(db, joining))
    outcomes: list[AddedPerson] = []
    for index, result in enumerate(results):
        if isinstance(result, AudienceError):
            problems = result.under("profiles", str(index)).problems
            outcomes.append(AddedPerson(None, problems))
        else:
            problems = tuple(refused.get(result, ()))
            outcomes.append(AddedPerson(next(profiles), problems))
    return Added(found, added, len(joining) - added, outcomes)


async def _agree(
    db: Database,
    profile_ids: Sequence[ObjectId],
    agreements: Sequence[Agreement],
    evidence: Evidence,
    list_id: ObjectId,
    now: datetime,
) -> dict[ObjectId, list[Problem]]:
    """Why agreements were not recorded, by profile; the path leads to the agreement."""
    asked = [
        (profile_id, index, agreement)
        for profile_id in dict.fromkeys(profile_ids)
        for index, agreement in enumerate(agreements)
    ]
    changes = [
        ConsentChange(
            profile_id,
            Statement(
                agreement.channel,
                Status.SUBSCRIBED,
                Method.QUICK_ADD,
                agreement.source,
                agreement.at,
            ),
            Evidence(evidence.ip, evidence.user_agent, agreement.consent_text),
            list_id,
        )
        for profile_id, _, agreement in asked
    ]
    outcomes = await change_consents(db, changes, now)
    refused: dict[ObjectId, list[Problem]] = {}
    for (profile_id, index, _), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, AudienceError):
            refused.setdefault(profile_id, []).extend(
                Problem(problem.code, problem.message, ("consent", str(index)))
                for problem in outcome.problems
            )
    return refused


def _check_agreements(agreements: Sequence[Agreement], now: datetime) -> None:
    channels: set[Channel] = set()
    for index, each in enumerate(agreements):
        path = ("consent", str(index))
        if not each.source.strip():
            raise InvalidInput(
                "Say where the agreement was given, for example the event or the paper"
                " form.",
                (*path, "source"),
            )
        if each.channel in channels:
            raise InvalidInput(
                f"{each.channel} is given twice; state one agreement per channel.",
                (*path, "channel"),
            )
        channels.add(each.channel)
        said = Statement(
            each.channel, Status.SUBSCRIBED, Method.QUICK_ADD, each.source, each.at
        )
        try:
            check_said(said, now)
            evidence(consent_text=each.consent_text)
        except AudienceError as error:
            raise error.under(*path) from None
