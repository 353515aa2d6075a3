"""Signing up to a list, confirming it, and leaving: what public keys may do. No answer
tells whether someone is known."""

from typing import Any

import strawberry

from audience.addresses import check_address
from audience.evidence import evidence
from audience.keys import SIGN_UP
from audience.signups import SignUp, leaving, sign_up
from gql.context import Context
from gql.enums import Channel, Status
from gql.errors import Payload
from gql.execution import plain
from gql.form_changes import deliver_confirmations
from gql.ids import Kind, stored_id
from gql.mutations import accepted, given, mutation
from gql.scalars import JSON
from resolvers.db import Document
from resolvers.shielding import to_its_end
from resolvers.signups import SignedUp, confirm, subscribe, unsubscribe


@strawberry.input(description="Who signs up to which list, for which channels.")
class SubscribeInput:
    list_id: strawberry.ID = strawberry.field(
        description="Which list. A segment's id is refused: only lists take sign-ups."
    )
    email: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="E-mail address: at most 254 characters. This or a phone number is "
        "needed.",
    )
    phone_number: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Phone number with its country code, such as +14155550132.",
    )
    anonymous_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="The id of the visitor so far, such as a cookie's."
    )
    channels: strawberry.Maybe[list[Channel] | None] = strawberry.field(
        default=None,
        description="What the person agrees to. When absent: EMAIL for an e-mail "
        "address, SMS for a phone number.",
    )
    first_name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="First name: at most 255 characters."
    )
    last_name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Last name: at most 255 characters."
    )
    properties: strawberry.Maybe[JSON | None] = strawberry.field(
        default=None,
        description="Custom properties, an object, merged key by key with those that "
        "are there. Where a profile has no room for them, they are left out, or with "
        "the scope profiles:write refused.",
    )
    custom_source: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Where the person signs up: at most 200 characters. The list's "
        "name when absent.",
    )
    consent_text: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The text that the person was shown and agreed to: at most 5,000 "
        "characters. Kept with the time, address and browser.",
    )


@strawberry.input(description="Which sign-up is confirmed.")
class ConfirmSubscriptionInput:
    token: str = strawberry.field(
        description="The token from the link in the message; works for seven days."
    )


@strawberry.input(
    description="Who leaves what. Either a token, or an e-mail address or phone number."
)
class UnsubscribeInput:
    list_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="Leave this list only. When absent, from the whole channel: "
        "nothing is sent on it any more.",
    )
    email: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="E-mail address."
    )
    phone_number: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Phone number with its country code."
    )
    channels: strawberry.Maybe[list[Channel] | None] = strawberry.field(
        default=None,
        description="Which channels to stop. When absent: EMAIL for an e-mail address, "
        "SMS for a phone number, and for a token what it was made for. Not together "
        "with `listId`.",
    )
    token: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="The token from the link in a message."
    )


@strawberry.type(
    description="The answer of `subscribe`: the same whether or not someone is known."
)
class SubscribePayload(Payload):
    status: Status | None = plain(
        "status",
        description="SUBSCRIBED on a list with single opt-in, PENDING on one with "
        "double opt-in; null when refused. SUBSCRIBED too for those who have "
        "unsubscribed before, and are sent a link to confirm.",
    )


@strawberry.type(description="The answer of `confirmSubscription`.")
class ConfirmSubscriptionPayload(Payload):
    status: Status | None = plain(
        "status",
        description="SUBSCRIBED; UNSUBSCRIBED when the person has left since; null "
        "when refused.",
    )


@strawberry.type(
    description="The answer of `unsubscribe`: the same whether or not someone is known."
)
class UnsubscribePayload(Payload):
    pass


@strawberry.type
class SignUpMutation:
    @mutation(
        SubscribePayload,
        SIGN_UP,
        description="Signs someone up to a list. On a list with double opt-in they are "
        "sent a link to confirm. So are, on any list, those who have unsubscribed or "
        "have yet to confirm, unless the key has the scope profiles:write. Signing up "
        "again changes nothing more.",
    )
    @staticmethod
    async def subscribe(context: Context, input: SubscribeInput) -> Document:
        wanted = sign_up(
            stored_id(input.list_id, Kind.LIST, "listId"),
            _person(input),
            channels=given(input.channels),
            source=given(input.custom_source),
            consent_text=given(input.consent_text),
        )
        is_trusted = context.require_key().may("profiles:write")
        email = wanted.change.identity.email
        if email is not None and not is_trusted:
            check_address(email, context.refused_addresses, ("email",))
        done = await to_its_end(_subscribe(context, wanted, is_trusted=is_trusted))
        return accepted(status=done.status)

    @mutation(
        ConfirmSubscriptionPayload,
        SIGN_UP,
        description="Confirms a sign-up with the token from the message. Again changes "
        "nothing more.",
    )
    @staticmethod
    async def confirm_subscription(
        context: Context, input: ConfirmSubscriptionInput
    ) -> Document:
        done = await confirm(
            context.db,
            input.token,
            now=context.now(),
            tokens=context.require_tokens(),
            evidence=evidence(context.ip, context.user_agent),
        )
        return accepted(status=done.status)

    @mutation(
        UnsubscribePayload,
        SIGN_UP,
        description="Takes someone out of a list, or stops all messages on channels.",
    )
    @staticmethod
    async def unsubscribe(context: Context, input: UnsubscribeInput) -> Document:
        list_id = given(input.list_id)
        wanted = leaving(
            list_id=None
            if list_id is None
            else stored_id(list_id, Kind.LIST, "listId"),
            email=given(input.email),
            phone_number=given(input.phone_number),
            channels=given(input.channels),
            token=given(input.token),
        )
        await unsubscribe(
            context.db,
            wanted,
            now=context.now(),
            tokens=context.require_tokens(),
            evidence=evidence(context.ip, context.user_agent),
        )
        return accepted()


async def _subscribe(context: Context, wanted: SignUp, *, is_trusted: bool) -> SignedUp:
    done = await subscribe(
        context.db,
        wanted,
        now=context.now(),
        tokens=context.require_tokens(),
        evidence=evidence(context.ip, context.user_agent),
        is_trusted=is_trusted,
    )
    deliver_confirmations(context.deliver, done.confirmations, done.list)
    return done


def _person(input: SubscribeInput) -> dict[str, Any]:
    return {
        "email": given(input.email),
        "phoneNumber": given(input.phone_number),
        "anonymousId": given(input.anonymous_id),
        "firstName": given(input.first_name),
        "lastName": given(input.last_name),
        "properties": given(input.properties),
    }
