"""Consent per channel with its audit trail, and the mutations that change it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from audience.consent import can_receive
from audience.evidence import evidence
from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.enums import Channel, Status, SuppressionReason
from gql.errors import Payload
from gql.execution import batch, plain
from gql.ids import Kind, stored_id
from gql.mutations import accepted, given, mutation
from resolvers.consent import (
    consent_history_counts,
    consent_history_of_profiles,
    set_consent,
    state_of,
    suppress,
    unsuppress,
)
from resolvers.db import Document

if TYPE_CHECKING:
    from gql.profiles import Profile


@strawberry.type(description="Nothing may be sent on the channel.")
class Suppression:
    reason: SuppressionReason = plain("reason", description="Why.")
    at: datetime = plain("at", description="Since when.")


@strawberry.type(description="One change of consent. Never changed, never removed.")
class ConsentChange:
    channel: Channel = plain("channel", description="Which channel.")
    from_: Status = plain("from", name="from", description="The status before.")
    to: Status = plain("to", description="The status after.")
    at: datetime = plain("at", description="When the person said so.")
    method: str = plain(
        "method",
        description="How: FORM, API, IMPORT, QUICK_ADD, CONFIRMATION, PREFERENCE_PAGE, "
        "or what the caller gave.",
    )
    source: str | None = plain(
        "source", description="Where: a form's, list's or import's name, for example."
    )
    ip: str | None = plain("ip", description="The address that the request came from.")
    user_agent: str | None = plain(
        "user_agent", description="The browser that the request came from."
    )
    consent_text: str | None = plain(
        "consent_text", description="The text that the person agreed to."
    )
    suppressed: SuppressionReason | None = plain(
        "suppressed",
        description="The suppression that began; the status may be as it was.",
    )
    lifted: SuppressionReason | None = plain(
        "lifted", description="The suppression that ended."
    )


@strawberry.type(description="A change of consent on a page.")
class ConsentChangeEdge(Edge):
    node: ConsentChange = plain("node", description="The change.")


@strawberry.type(description="A page of changes of consent, newest first.")
class ConsentChangeConnection(Connection):
    edges: list[ConsentChangeEdge] = plain("edges", description="The page's changes.")


def _place(channel: Document) -> tuple[Any, Channel]:
    return channel["profile_id"], Channel(channel["channel"])


@strawberry.type(description="What a person has agreed to on one channel.")
class ChannelConsent:
    channel: Channel = plain("channel", description="Which channel.")
    status: Status = plain(
        "state.status",
        default=Status.NEVER_SUBSCRIBED.value,
        description="What the person has said.",
    )
    can_receive_marketing: bool = plain(
        "",
        read=lambda source: can_receive(
            state_of(source["profile"], Channel(source["channel"]))
        ),
        description="Whether marketing may be sent: SUBSCRIBED and not suppressed.",
    )
    consented_at: datetime | None = plain(
        "state.consented_at",
        description="When the agreement in force was given; null unless SUBSCRIBED.",
    )
    updated_at: datetime | None = plain(
        "state.updated_at", description="When the status last changed."
    )
    method: str | None = plain(
        "state.method",
        description="How it last changed: FORM, API, IMPORT, CONFIRMATION, "
        "PREFERENCE_PAGE, DEVICE, or what the caller gave.",
    )
    source: str | None = plain(
        "state.source",
        description="Where it last changed: a form's, list's or import's name, or what "
        "the caller gave.",
    )
    double_opt_in: bool = plain(
        "state.double_opt_in",
        default=False,
        description="Whether the person confirmed the agreement in force.",
    )
    suppression: Suppression | None = plain(
        "state.suppression",
        description="Why nothing may be sent whatever the status; null when nothing "
        "stands against it.",
    )

    @batch(
        description="Every change of the status, newest first. Append-only.", key=_place
    )
    @staticmethod
    async def history(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
    ) -> list[ConsentChangeConnection]:
        places = [_place(channel) for channel in parents]
        pages = await consent_history_of_profiles(
            context.db, places, asked_page(first, after)
        )
        rows: list[Any] = [
            connection(page, Count(_count, None, place))
            for place, page in zip(places, pages, strict=True)
        ]
        return rows


def _channel(channel: Channel) -> Any:
    """Reads the source of one channel's consent from a profile."""
    name = channel.value.lower()

    def read(profile: Document) -> Document:
        return {
            "channel": channel.value,
            "profile_id": profile["_id"],
            "profile": profile,
            "state": (profile.get("consent") or {}).get(name),
        }

    return read


@strawberry.type(description="What a person has agreed to, channel by channel.")
class Consent:
    email: ChannelConsent = plain(
        "", read=_channel(Channel.EMAIL), description="E-mail."
    )
    sms: ChannelConsent = plain(
        "", read=_channel(Channel.SMS), description="Text messages."
    )
    push: ChannelConsent = plain(
        "", read=_channel(Channel.PUSH), description="Push notifications."
    )
    whatsapp: ChannelConsent = plain(
        "", read=_channel(Channel.WHATSAPP), description="WhatsApp."
    )


@strawberry.input(
    description="What someone has said about a channel, and how it is known."
)
class SetConsentInput:
    profile_id: strawberry.ID = strawberry.field(description="Whose consent.")
    channel: Channel = strawberry.field(description="Which channel.")
    status: Status = strawberry.field(
        description="What the person said. A yes after a no needs `method` and "
        "`source`; NEVER_SUBSCRIBED is refused once there was an answer."
    )
    at: strawberry.Maybe[datetime | None] = strawberry.field(
        default=None,
        description="When it was said; now when absent. What was said before the last "
        "change does not override it.",
    )
    method: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="How, in capitals, such as PAPER_FORM: at most 64 characters. API "
        "when absent.",
    )
    source: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Where, such as the name of a fair: at most 200 characters.",
    )
    consent_text: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The text that the person agreed to: at most 5,000 characters.",
    )


@strawberry.input(description="On which channel nothing may be sent any more, and why.")
class SuppressInput:
    profile_id: strawberry.ID = strawberry.field(description="To whom.")
    channel: Channel = strawberry.field(description="On which channel.")
    reason: SuppressionReason = strawberry.field(
        default=SuppressionReason.USER_SUPPRESSED,
        description="Why. A weaker reason does not replace a stronger one.",
    )
    source: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Where it is known from: at most 200 characters."
    )
    at: strawberry.Maybe[datetime | None] = strawberry.field(
        default=None, description="Since when; now when absent."
    )


@strawberry.input(description="Which suppression to lift.")
class UnsuppressInput:
    profile_id: strawberry.ID = strawberry.field(description="Whose suppression.")
    channel: Channel = strawberry.field(description="On which channel.")
    reason: strawberry.Maybe[SuppressionReason | None] = strawberry.field(
        default=None,
        description="The reason in force. Needed to lift HARD_BOUNCE and "
        "INVALID_ADDRESS; SPAM_COMPLAINT is never lifted here.",
    )
    source: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="How the address was mended. Needed to lift HARD_BOUNCE and "
        "INVALID_ADDRESS.",
    )


@strawberry.type(description="The answer of `setConsent`.")
class SetConsentPayload(Payload):
    profile: Annotated["Profile", strawberry.lazy("gql.profiles")] | None = plain(
        "profile", description="The profile after the change; null when refused."
    )


@strawberry.type(description="The answer of `suppress`.")
class SuppressPayload(Payload):
    profile: Annotated["Profile", strawberry.lazy("gql.profiles")] | None = plain(
        "profile", description="The profile after the change; null when refused."
    )


@strawberry.type(description="The answer of `unsuppress`.")
class UnsuppressPayload(Payload):
    profile: Annotated["Profile", strawberry.lazy("gql.profiles")] | None = plain(
        "profile", description="The profile after the change; null when refused."
    )


@strawberry.type
class ConsentMutation:
    @mutation(
        SetConsentPayload,
        "profiles:write",
        description="Records what someone has said about a channel elsewhere. The "
        "same again changes nothing.",
    )
    @staticmethod
    async def set_consent(context: Context, input: SetConsentInput) -> Document:
        profile = await set_consent(
            context.db,
            stored_id(input.profile_id, Kind.PROFILE, "profileId"),
            input.channel,
            input.status,
            now=context.now(),
            method=given(input.method),
            source=given(input.source),
            at=given(input.at),
            evidence=evidence(consent_text=given(input.consent_text)),
        )
        return accepted(profile=profile)

    @mutation(
        SuppressPayload,
        "profiles:write",
        description="Stops all sending to someone on a channel, whatever they have "
        "agreed to. Their consent stays as it is.",
    )
    @staticmethod
    async def suppress(context: Context, input: SuppressInput) -> Document:
        profile = await suppress(
            context.db,
            stored_id(input.profile_id, Kind.PROFILE, "profileId"),
            input.channel,
            input.reason,
            now=context.now(),
            source=given(input.source),
            at=given(input.at),
        )
        return accepted(profile=profile)

    @mutation(
        UnsuppressPayload,
        "profiles:write",
        description="Lifts a suppression: what the person has agreed to holds again.",
    )
    @staticmethod
    async def unsuppress(context: Context, input: UnsuppressInput) -> Document:
        profile = await unsuppress(
            context.db,
            stored_id(input.profile_id, Kind.PROFILE, "profileId"),
            input.channel,
            now=context.now(),
            reason=given(input.reason),
            source=given(input.source),
        )
        return accepted(profile=profile)


async def _count(context: Context, shared: None, ones: Sequence[Any]) -> Sequence[int]:
    return await consent_history_counts(context.db, ones)
