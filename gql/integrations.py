"""Integrations: what they are set to, and what they have received."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from audience.integrations.instructions import INSTRUCTIONS
from audience.integrations.kinds import (
    KINDS,
    IntegrationKind,
    IntegrationStatus,
    MessageProvider,
    Proof,
)
from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.enums import Channel, Movement, expose
from gql.execution import FromDocument, batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.integrations import Outcome as CallOutcome
from resolvers.integrations import (
    count_integrations,
    integration_page,
    integrations_by_id,
    logs_of_integrations,
)

__all__ = [
    "Integration",
    "IntegrationKind",
    "IntegrationQuery",
    "IntegrationStatus",
    "MessageProvider",
    "Proof",
]

SCOPE = "integrations:read"

expose(
    IntegrationKind,
    name="IntegrationKind",
    description="Which tool an integration speaks with.",
    values={
        "SHOPIFY": "A Shopify shop calls: orders, customers, checkouts.",
        "WOOCOMMERCE": "A WooCommerce shop calls: orders and customers.",
        "STRIPE": "Stripe calls: charges, checkouts, customers, invoices, "
        "subscriptions.",
        "TYPEFORM": "A Typeform calls with each answer.",
        "INBOUND_WEBHOOK": "Any tool that can send JSON calls, as it is mapped.",
        "TEXT_MESSAGES": "A provider of text messages calls with each message that "
        "people send: they join lists by keywords, and stop.",
        "OUTBOUND_WEBHOOK": "An address is told who enters segments and who leaves "
        "them, as the Standard Webhooks specification has it.",
    },
)
expose(
    IntegrationStatus,
    name="IntegrationStatus",
    description="Whether an integration works.",
    values={
        "ACTIVE": "Yes.",
        "PAUSED": "No. Calls are refused with the status 503, so that most tools send "
        "them again later; what an outbound webhook is to be told waits, for 30 days "
        "at most.",
    },
)
expose(
    CallOutcome,
    name="IntegrationCallOutcome",
    description="What became of a call.",
    values={
        "ACCEPTED": "It was written down.",
        "IGNORED": "It says nothing that is kept.",
        "DUPLICATE": "It had come before, and changed nothing.",
        "REFUSED": "It was not verified, or could not be used.",
        "WAITING": "It is stored, and worked on again later.",
    },
)
expose(
    Proof,
    name="WebhookProof",
    description="How a call shows that it may come in.",
    values={
        "TOKEN": "It carries the secret: as `Authorization: Bearer <secret>`, or as "
        "`?token=<secret>` where the tool can set no header.",
        "HMAC_SHA256": "A header has the HMAC with SHA-256 of the body under the "
        "secret, in hexadecimal digits or base64, `sha256=` before it or not.",
    },
)
expose(
    MessageProvider,
    name="MessageProvider",
    description="Who brings text messages.",
    values={
        "TWILIO": "Twilio, which signs its calls and sends the answer on.",
        "OTHER": "Another, which sends JSON with the secret as a token; it finds the "
        "reply in the answer.",
    },
)


def _segment_ids(stored: Sequence[str]) -> list[strawberry.ID]:
    return [global_id(Kind.SEGMENT)(each) for each in stored]


@strawberry.type(description="Which value of a call fills which part of the profile.")
class FieldMapping:
    target: str = plain(
        "target", description="The part, such as firstName or properties.size."
    )
    path: str = plain("path", description="Where the value stands.")


@strawberry.type(description="Which value of a call becomes a property of the event.")
class PropertyMapping:
    name: str = plain("target", description="The property's name.")
    path: str = plain("path", description="Where the value stands.")


@strawberry.type(description="Where a call states consent to a channel.")
class AgreementMapping:
    channel: Channel = plain("channel", description="The channel.")
    path: str = plain("path", description="Where the answer stands.")
    text: str = plain("text", description="The words that people agree to.")


@strawberry.type(description="What a Shopify integration is set to.")
class ShopifySettings(FromDocument):
    list_id: strawberry.ID | None = plain(
        "list_id",
        read=global_id(Kind.LIST),
        description="The list that people join who accept marketing.",
    )


@strawberry.type(description="What a WooCommerce integration is set to.")
class WooCommerceSettings(FromDocument):
    list_id: strawberry.ID | None = plain(
        "list_id",
        read=global_id(Kind.LIST),
        description="The list that people join who agree.",
    )
    agreements: list[AgreementMapping] = plain(
        "agreements", description="Paths are keys of the order's or customer's meta."
    )


@strawberry.type(description="What a Stripe integration is set to.")
class StripeSettings(FromDocument):
    list_id: strawberry.ID | None = plain(
        "list_id",
        read=global_id(Kind.LIST),
        description="The list that people join who accept promotions.",
    )


@strawberry.type(description="What a Typeform integration is set to.")
class TypeformSettings(FromDocument):
    list_id: strawberry.ID | None = plain(
        "list_id",
        read=global_id(Kind.LIST),
        description="The list that people join.",
    )
    mappings: list[FieldMapping] = plain(
        "mappings", description="Paths are the refs of questions."
    )
    agreements: list[AgreementMapping] = plain(
        "agreements", description="Paths are the refs of questions."
    )


@strawberry.type(description="What an inbound webhook is set to. Paths are JSONPath.")
class InboundWebhookSettings(FromDocument):
    proof: Proof = plain("proof", description="How a call shows that it may come in.")
    signature_header: str | None = plain(
        "signature_header", description="The header of the signature."
    )
    mappings: list[FieldMapping] = plain(
        "mappings", description="Who it is about, and what it says of them."
    )
    metric: str | None = plain(
        "metric", description="The metric of the event that each call records."
    )
    value: str | None = plain("value", description="Where the event's value stands.")
    currency: str | None = plain(
        "currency", description="Where the value's currency stands."
    )
    timestamp: str | None = plain("timestamp", description="Where the time stands.")
    unique_id: str | None = plain(
        "unique_id", description="Where the call's own id stands."
    )
    properties: list[PropertyMapping] = plain(
        "properties", description="The event's properties; empty: the whole body."
    )
    list_id: strawberry.ID | None = plain(
        "list_id", read=global_id(Kind.LIST), description="The list that people join."
    )
    agreements: list[AgreementMapping] = plain(
        "agreements", description="Where a call states consent."
    )


@strawberry.type(description="A word by which people join a list.")
class Keyword:
    word: str = plain("word", description="The word, whatever its case.")
    list_id: strawberry.ID = plain(
        "list_id", read=global_id(Kind.LIST), description="The list that people join."
    )
    consent_text: str = plain(
        "consent_text", description="The words that people agree to by texting it."
    )
    reply: str = plain("reply", description="What they are answered.")


@strawberry.type(description="Where a provider's call has the message: JSONPath.")
class MessagePaths:
    sender: str = plain("sender", description="Who sent it: a phone number.")
    body: str = plain("body", description="What it says.")
    id: str | None = plain("id", description="The message's own id.")


@strawberry.type(description="What an integration for text messages is set to.")
class TextMessagesSettings(FromDocument):
    provider: MessageProvider = plain("provider", description="Who brings messages.")
    keywords: list[Keyword] = plain("keywords", description="Words by which to join.")
    help_text: str = plain("help_text", description="What HELP is answered.")
    paths: MessagePaths | None = plain(
        "paths", description="The shape of another provider's call; null for Twilio."
    )


@strawberry.type(description="What an outbound webhook is set to.")
class OutboundWebhookSettings(FromDocument):
    url: str = plain("url", description="The address that is called.")
    segment_ids: list[strawberry.ID] = plain(
        "segment_ids",
        read=_segment_ids,
        description="The segments. What is said of one that was deleted is nothing.",
    )
    movements: list[Movement] = plain("movements", description="What it is told of.")


@strawberry.type(description="What was wrong with a call: nothing of what it said.")
class IntegrationProblem:
    at: datetime = plain("at", description="When it came.")
    outcome: CallOutcome = plain("outcome", description="What became of it.")
    topic: str | None = plain(
        "topic",
        read=lambda topic: topic or None,
        description="What the tool says it is about, such as orders/create.",
    )
    message: str = plain("message", description="What was wrong, or left out.")


@strawberry.type(
    description="What an integration has received, so that it shows why something does "
    "not arrive."
)
class IntegrationLog:
    last_received_at: datetime | None = plain(
        "last_received_at", description="When the last call came; null before any."
    )
    last_accepted_at: datetime | None = plain(
        "last_accepted_at", description="When one was last written down."
    )
    accepted: int = plain(
        "counts.ACCEPTED", default=0, description="How many were written down."
    )
    ignored: int = plain(
        "counts.IGNORED",
        default=0,
        description="How many say nothing that is kept, such as other topics.",
    )
    duplicates: int = plain(
        "counts.DUPLICATE",
        default=0,
        description="How many had come before, within seven days; they changed "
        "nothing.",
    )
    refused: int = plain(
        "counts.REFUSED",
        default=0,
        description="How many were not verified, or could not be used.",
    )
    waiting: int = plain(
        "waiting",
        description="How many are stored, and are worked on again within minutes to "
        "hours: after a fault, or because another call has to come first.",
    )
    problems: list[IntegrationProblem] = plain(
        "problems", description="The last 20 problems, the newest first."
    )


IntegrationSettings = Annotated[
    ShopifySettings
    | WooCommerceSettings
    | StripeSettings
    | TypeformSettings
    | InboundWebhookSettings
    | TextMessagesSettings
    | OutboundWebhookSettings,
    strawberry.union(
        "IntegrationSettings",
        description="What an integration is set to, by its kind.",
    ),
]


def _typed(settings: Document) -> Document:
    field = KINDS[IntegrationKind(settings["kind"])].field
    return {**settings, "__typename": f"{field[0].upper()}{field[1:]}Settings"}


@strawberry.type(
    description="A connection with another tool. Its secret is kept sealed, and never "
    "shown again."
)
class Integration(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.INTEGRATION), description="Starts with int_."
    )
    name: str = plain(
        "name",
        description="Unique, whatever its case. The source of each agreement.",
    )
    kind: IntegrationKind = plain("kind", description="Which tool; never changes.")
    status: IntegrationStatus = plain("status", description="Whether it works.")
    settings: IntegrationSettings = plain(
        "settings", read=_typed, description="What it is set to."
    )
    secret_hint: str | None = plain(
        "secret_hint",
        description="How the secret ends; null until one is given, and no call can be "
        "verified before that.",
    )
    created_at: datetime = plain("created_at", description="When it was made.")
    updated_at: datetime = plain("updated_at", description="When it was last changed.")

    @batch(description="What it has received.")
    @staticmethod
    async def log(parents: list[Document], context: Context) -> list[IntegrationLog]:
        found = await logs_of_integrations(
            context.db, [each["_id"] for each in parents]
        )
        rows: list[Any] = found
        return rows

    @batch(
        description="What to do in the tool, in a few steps; null for a kind that is "
        "not called."
    )
    @staticmethod
    async def instructions(
        parents: list[Document], context: Context
    ) -> list[str | None]:
        return [INSTRUCTIONS.get(IntegrationKind(each["kind"])) for each in parents]

    @batch(
        description="The address to paste into the tool; null for a kind that is not "
        "called."
    )
    @staticmethod
    async def url(parents: list[Document], context: Context) -> list[str | None]:
        return [
            f"{context.address}/in/{each['key']}" if "key" in each else None
            for each in parents
        ]


@strawberry.type(description="An integration on a page.")
class IntegrationEdge(Edge):
    node: Integration = plain("node", description="The integration.")


@strawberry.type(description="A page of integrations, by name.")
class IntegrationConnection(Connection):
    edges: list[IntegrationEdge] = plain(
        "edges", description="The page's integrations."
    )


async def _count(
    context: Context, shared: IntegrationKind | None, ones: Sequence[None]
) -> Sequence[int]:
    total = await count_integrations(context.db, kind=shared)
    return [total for _ in ones]


@strawberry.type
class IntegrationQuery:
    @query(
        Integration | None,
        SCOPE,
        description="An integration; null when there is none with this id.",
    )
    @staticmethod
    async def integration(
        context: Context,
        id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with int_.")
        ],
    ) -> Document | None:
        stored = stored_id(id, Kind.INTEGRATION)
        (found,) = await integrations_by_id(context.db, [stored])
        return found

    @query(IntegrationConnection, SCOPE, description="Every integration, by name.")
    @staticmethod
    async def integrations(
        context: Context,
        first: First = None,
        after: After = None,
        kind: Annotated[
            IntegrationKind | None,
            strawberry.argument(description="Only integrations of this kind."),
        ] = None,
    ) -> Document:
        page = await integration_page(context.db, asked_page(first, after), kind=kind)
        found: Any = connection(page, Count(_count, kind, None))
        answer: Document = found
        return answer
