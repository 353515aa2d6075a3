"""Integrations, and what they have received."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from audience.integrations.instructions import INSTRUCTIONS
from audience.integrations.kinds import IntegrationKind, IntegrationStatus
from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.enums import expose
from gql.execution import batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.integration_settings import IntegrationSettings, typed
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
        "settings", read=typed, description="What it is set to."
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
