"""Metrics: the kinds of events, such as "Placed Order"."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.execution import batch, plain
from gql.ids import Kind, global_id
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.metrics import count_metrics, event_counts_by_metric, metric_page


@strawberry.type(
    description='A kind of event, such as "Placed Order". Tracking an event makes its '
    "metric when the name is new."
)
class Metric(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.METRIC), description="Starts with met_."
    )
    name: str = plain(
        "name",
        description="Unique in the account, told apart by case: at most 128 "
        "characters.",
    )
    integration: str | None = plain(
        "integration",
        description="The integration that sends these events; null for events tracked "
        "through the API.",
    )
    created_at: datetime = plain(
        "created_at", description="When the first event with this name arrived."
    )

    @batch(
        description="How many events of this metric there are. Needs the scope "
        "events:read."
    )
    @staticmethod
    async def event_count(parents: list[Document], context: Context) -> list[int]:
        context.require("events:read")
        ids = [metric["_id"] for metric in parents]
        return await event_counts_by_metric(context.db, ids)


@strawberry.type(description="A metric on a page.")
class MetricEdge(Edge):
    node: Metric = plain("node", description="The metric.")


@strawberry.type(description="A page of metrics.")
class MetricConnection(Connection):
    edges: list[MetricEdge] = plain("edges", description="The page's metrics.")


async def _count(context: Context, shared: None, ones: Sequence[None]) -> Sequence[int]:
    total = await count_metrics(context.db)
    return [total for _ in ones]


@strawberry.type
class MetricQuery:
    @query(
        MetricConnection,
        "events:read",
        description="Every metric, in the order of their names.",
    )
    @staticmethod
    async def metrics(
        context: Context, first: First = None, after: After = None
    ) -> Document:
        page = await metric_page(context.db, asked_page(first, after))
        answer: Document = connection(page, Count(_count, None, None))
        return answer
