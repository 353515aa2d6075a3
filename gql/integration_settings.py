"""What integrations are set to, by their kind."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from audience.integrations.kinds import (
    KINDS,
    IntegrationKind,
    MessageProvider,
    Proof,
)
from gql.enums import Channel, Movement, expose
from gql.execution import FromDocument, plain
from gql.ids import Kind, global_id
from resolvers.db import Document

__all__ = ["IntegrationSettings", "MessageProvider", "Proof", "typed"]

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
    erases_customers: bool = plain(
        "erases_customers",
        default=False,
        description="Whether a customer whom the shop wants to be erased is erased "
        "here, by the topic customers/redact.",
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


def typed(settings: Document) -> Document:
    """The settings with the name of their GraphQL type."""
    field = KINDS[IntegrationKind(settings["kind"])].field
    return {**settings, "__typename": f"{field[0].upper()}{field[1:]}Settings"}
