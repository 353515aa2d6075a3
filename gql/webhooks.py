"""What outbound webhooks were sent, and sending it again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from audience.errors import TooLarge
from audience.memberships import Cause
from audience.webhooks import MAX_ATTEMPTS, DeliveryState, MessageKind
from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.enums import expose
from gql.errors import Payload
from gql.execution import batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.mutations import accepted, given, mutation
from gql.node import Node
from gql.profiles import Profile
from gql.queries import query
from gql.segments.types import Segment
from resolvers.db import Document
from resolvers.deliveries import (
    count_deliveries,
    deliveries_of,
    delivery_page,
    put_test,
    retry_deliveries,
    webhook_named,
)
from resolvers.pages import MAXIMUM_PAGE
from resolvers.profiles import profiles_by_id
from resolvers.segments import segments_by_id

expose(
    DeliveryState,
    name="WebhookDeliveryState",
    description="What has become of a message.",
    values={
        "PENDING": "It waits for its next attempt.",
        "DELIVERED": "The receiver answered with a status from 200 to 299.",
        "DEAD": f"All {MAX_ATTEMPTS} attempts failed, or the receiver wants no more. "
        "`retryWebhookDeliveries` sends it again.",
    },
)
expose(
    MessageKind,
    name="WebhookMessageKind",
    description="What a message tells.",
    values={
        "ENTERED": "Someone entered a segment: `segment.entered`.",
        "LEFT": "Someone left a segment: `segment.left`.",
        "TEST": "Nothing: it was sent by `testWebhook`.",
    },
)


@strawberry.type(
    description="A message to an outbound webhook. Kept for 7 days once it is "
    "delivered; one that waits or is dead goes 30 days after it was made."
)
class WebhookDelivery(Node):
    id: strawberry.ID = plain(
        "_id",
        read=global_id(Kind.DELIVERY),
        description="Starts with msg_. The `webhook-id` of every attempt.",
    )
    kind: MessageKind = plain("kind", read=MessageKind, description="What it tells.")
    state: DeliveryState = plain(
        "state", read=DeliveryState, description="What has become of it."
    )
    at: datetime = plain("at", description="When what it tells happened.")
    cause: Cause | None = plain(
        "cause", read=Cause, description="Why they entered or left; null for TEST."
    )
    attempts: int = plain("attempts", description="How often it was sent.")
    attempted_at: datetime | None = plain(
        "attempted_at", description="When it was last sent."
    )
    next_attempt_at: datetime | None = plain(
        "next_at",
        description="When it is sent next; about one minute ahead while it is being "
        "sent. Null unless it is PENDING.",
    )
    status: int | None = plain(
        "status", description="The HTTP status of the last answer."
    )
    problem: str | None = plain(
        "problem", description="Why the last attempt failed, in a sentence."
    )
    milliseconds: int | None = plain(
        "milliseconds", description="How long the last attempt took."
    )

    @batch(
        description="Which segment; null when it is no more. Needs the scope "
        "segments:read."
    )
    @staticmethod
    async def segment(
        parents: list[Document], context: Context
    ) -> list[Segment | None]:
        context.require("segments:read")
        return await _named(parents, "segment_id", segments_by_id, context)

    @batch(
        description="Who entered or left; null when the profile is no more. Needs the "
        "scope profiles:read."
    )
    @staticmethod
    async def profile(
        parents: list[Document], context: Context
    ) -> list[Profile | None]:
        context.require("profiles:read")
        return await _named(parents, "profile_id", profiles_by_id, context)


@strawberry.type(description="A message on a page.")
class WebhookDeliveryEdge(Edge):
    node: WebhookDelivery = plain("node", description="The message.")


@strawberry.type(description="A page of messages, newest first.")
class WebhookDeliveryConnection(Connection):
    edges: list[WebhookDeliveryEdge] = plain(
        "edges", description="The page's messages."
    )


@strawberry.input(description="Which outbound webhook to try.")
class TestWebhookInput:
    id: strawberry.ID = strawberry.field(description="Its integration; active.")


@strawberry.type(description="The answer of `testWebhook`.")
class TestWebhookPayload(Payload):
    delivery: WebhookDelivery | None = plain(
        "delivery",
        description="The message, PENDING: ask for it again by `node(id:)`. Null when "
        "refused.",
    )


@strawberry.input(description="Which dead messages to send again.")
class RetryWebhookDeliveriesInput:
    integration_id: strawberry.ID = strawberry.field(
        description="The integration whose messages they are."
    )
    ids: Maybe[list[strawberry.ID]] = strawberry.field(
        default=None,
        description=f"At most {MAXIMUM_PAGE} messages; absent: all that are dead.",
    )


@strawberry.type(description="The answer of `retryWebhookDeliveries`.")
class RetryWebhookDeliveriesPayload(Payload):
    retried: int | None = plain(
        "retried",
        description="How many wait again, with all attempts before them; those that "
        "are not dead are left as they are. Null when refused.",
    )


@strawberry.type
class WebhookQuery:
    @query(
        WebhookDeliveryConnection,
        "integrations:read",
        description="The messages to an outbound webhook, newest first; the error "
        "NOT_FOUND where there is no such webhook.",
    )
    @staticmethod
    async def webhook_deliveries(
        context: Context,
        integration_id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with int_.")
        ],
        first: First = None,
        after: After = None,
        state: Annotated[
            DeliveryState | None,
            strawberry.argument(description="Only messages in this state."),
        ] = None,
    ) -> Document:
        stored = stored_id(integration_id, Kind.INTEGRATION, "integrationId")
        await webhook_named(context.db, stored, "integrationId")
        match = deliveries_of(stored, state)
        page = await delivery_page(context.db, match, asked_page(first, after))
        found: Any = connection(page, Count(_count, match, None))
        answer: Document = found
        return answer


@strawberry.type
class WebhookMutation:
    @mutation(
        TestWebhookPayload,
        "integrations:write",
        description="Sends a message of the type `test` to an outbound webhook, once.",
    )
    @staticmethod
    async def test_webhook(context: Context, input: TestWebhookInput) -> Document:
        stored = stored_id(input.id, Kind.INTEGRATION)
        return accepted(delivery=await put_test(context.db, stored, context.now()))

    @mutation(
        RetryWebhookDeliveriesPayload,
        "integrations:write",
        description="Sends dead messages to an outbound webhook again.",
    )
    @staticmethod
    async def retry_webhook_deliveries(
        context: Context, input: RetryWebhookDeliveriesInput
    ) -> Document:
        stored = stored_id(input.integration_id, Kind.INTEGRATION, "integrationId")
        await webhook_named(context.db, stored, "integrationId")
        ids = given(input.ids)
        if ids is not None and len(ids) > MAXIMUM_PAGE:
            raise TooLarge(
                f"There are {len(ids)} ids; give at most {MAXIMUM_PAGE}.", ("ids",)
            )
        wanted = ids and [stored_id(each, Kind.DELIVERY, "ids") for each in ids]
        retried = await retry_deliveries(context.db, stored, wanted, context.now())
        return accepted(retried=retried)


async def _named(
    parents: list[Document], name: str, read: Any, context: Context
) -> list[Any]:
    ids = list({each[name] for each in parents if name in each})
    found = dict(zip(ids, await read(context.db, ids), strict=True)) if ids else {}
    return [found.get(each.get(name)) for each in parents]


async def _count(
    context: Context, shared: Document, ones: Sequence[None]
) -> Sequence[int]:
    total = await count_deliveries(context.db, shared)
    return [total for _ in ones]
