"""Mutations that tell the server what people do: events, one or many at once."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from audience.errors import AudienceError, InvalidInput, NotAllowed, Problem, TooLarge
from audience.events import MAX_BATCH, NewEvent, new_event
from audience.identity import Identity
from audience.keys import SIGN_UP
from gql.context import Context
from gql.errors import Payload, UserError, problems_of
from gql.events import Event
from gql.execution import plain
from gql.mutations import accepted, given, mutation
from gql.profile_inputs import ProfileIdentityInput, identity_of
from gql.scalars import JSON
from resolvers.db import Document
from resolvers.events import Tracked, UnknownMetric, track_events


@strawberry.input(
    description="Something that someone did. Makes the profile and, with the scope "
    "events:write, the metric when they are new."
)
class TrackEventInput:
    profile: ProfileIdentityInput = strawberry.field(
        description="Who did it. A key without the scope events:write cannot give "
        "`id`, and adds no identifier but `anonymousId` to a person who is known."
    )
    metric: str = strawberry.field(
        description='What kind of event, such as "Placed Order": 1 to 128 characters, '
        "told apart by case. An account has at most 2,000 metrics. For a key without "
        'the scope events:write it must exist, but for "Opened App": NOT_FOUND '
        "otherwise."
    )
    timestamp: strawberry.Maybe[datetime | None] = strawberry.field(
        default=None,
        description="When: from 1990 to one year ahead; now when absent.",
    )
    value: strawberry.Maybe[float | None] = strawberry.field(
        default=None,
        description="What it was worth, such as the total of an order: at most "
        "1,000,000,000,000,000, above or below zero.",
    )
    value_currency: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="The currency of `value`, as ISO 4217 code."
    )
    properties: strawberry.Maybe[JSON | None] = strawberry.field(
        default=None,
        description="What else there is to say, an object. Names have at most 128 "
        "characters, no full stop, and do not start with $; at most 500 properties, "
        "10 levels and 200,000 bytes.",
    )
    unique_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Makes sending it again harmless: of several events with the same "
        "profile, metric and unique id only the first is kept. At most 255 characters; "
        "without it every call is a new event.",
    )


@strawberry.input(description="Many events at once.")
class TrackEventsInput:
    events: list[TrackEventInput] = strawberry.field(
        description=f"1 to {MAX_BATCH:,} events, of anyone and any metric."
    )


@strawberry.type(description="The answer of `trackEvent`.")
class TrackEventPayload(Payload):
    event: Event | None = plain(
        "event",
        description="The event; with a known unique id, the one that is there. Null "
        "when refused, and always for a key without the scope events:write.",
    )


@strawberry.type(description="What became of one event.")
class TrackEventResult:
    event: Event | None = plain(
        "event", description="The event, or the one that is there; null when refused."
    )
    is_duplicate: bool = plain(
        "is_duplicate",
        default=False,
        description="Whether it had arrived before and changed nothing.",
    )
    user_errors: list[UserError] = plain(
        "user_errors", default=[], description="Why it was refused."
    )


@strawberry.type(description="The answer of `trackEvents`.")
class TrackEventsPayload(Payload):
    accepted: int = plain("accepted", default=0, description="How many are new.")
    duplicates: int = plain(
        "duplicates", default=0, description="How many had arrived before."
    )
    results: list[TrackEventResult] = plain(
        "results",
        default=[],
        description="What became of each, in the order given. One bad event does not "
        "stop the others.",
    )


@strawberry.type
class TrackingMutation:
    @mutation(
        TrackEventPayload,
        "events:write",
        SIGN_UP,
        counts="event",
        description="Records something that someone did.",
    )
    @staticmethod
    async def track_event(context: Context, input: TrackEventInput) -> Document:
        event = _checked(input, context.now())
        is_trusted = context.require_key().may("events:write")
        if not is_trusted and event.identity.id is not None:
            raise NotAllowed(
                "A key without the scope events:write names people by email, "
                "phoneNumber, externalId or anonymousId.",
                ("profile", "id"),
            )
        (tracked,) = await track_events(
            context.db, [event], context.now(), is_trusted=is_trusted
        )
        if not is_trusted and not isinstance(tracked.error, UnknownMetric):
            # A public caller learns nothing of who is known, not by a refusal either.
            return accepted(event=None)
        if tracked.error is not None:
            raise tracked.error
        return accepted(event=tracked.event)

    @mutation(
        TrackEventsPayload,
        "events:write",
        description=f"Records up to {MAX_BATCH:,} events at once. Sending a batch "
        "again is harmless where its events have a `uniqueId`.",
    )
    @staticmethod
    async def track_events(context: Context, input: TrackEventsInput) -> Document:
        if not 0 < len(input.events) <= MAX_BATCH:
            kind = TooLarge if input.events else InvalidInput
            raise kind(
                f"There are {len(input.events):,} events; give 1 to {MAX_BATCH:,}.",
                ("events",),
            )
        results = await _track(context, input.events)
        duplicates = sum(result["is_duplicate"] for result in results)
        refused = sum(bool(result["user_errors"]) for result in results)
        return accepted(
            accepted=len(results) - duplicates - refused,
            duplicates=duplicates,
            results=results,
        )


async def _track(context: Context, events: Sequence[TrackEventInput]) -> list[Document]:
    checked: list[NewEvent | AudienceError] = []
    for event in events:
        try:
            checked.append(_checked(event, context.now()))
        except AudienceError as error:
            checked.append(error)
    outcomes = await track_events(context.db, checked, context.now())
    return [_result(place, outcome) for place, outcome in enumerate(outcomes)]


def _result(place: int, outcome: Tracked) -> Document:
    if outcome.error is not None:
        problems = outcome.error.under("events", str(place)).problems
        return {"is_duplicate": False, "user_errors": problems_of(problems)}
    return {
        "event": outcome.event,
        "is_duplicate": outcome.is_duplicate,
        "user_errors": [],
    }


def _checked(said: TrackEventInput, now: datetime) -> NewEvent:
    problems: list[Problem] = []
    who = Identity()
    try:
        who = identity_of(said.profile)
    except AudienceError as error:
        problems.extend(error.under("profile").problems)
    try:
        event = new_event(
            who,
            said.metric,
            now=now,
            timestamp=given(said.timestamp),
            value=given(said.value),
            currency=given(said.value_currency),
            properties=given(said.properties),
            unique_id=given(said.unique_id),
        )
    except AudienceError as error:
        problems.extend(error.problems)
    else:
        if not problems:
            return event
    raise InvalidInput.of(problems)
