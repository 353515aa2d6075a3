"""Events: what someone did, when, with which value and properties."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from audience.errors import NotFound, TooLarge
from audience.events import metric_name
from gql.connection import (
    After,
    Before,
    Connection,
    Count,
    Edge,
    First,
    Last,
    asked_page,
    connection,
)
from gql.context import Context
from gql.execution import batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.metrics import Metric
from gql.node import Node
from gql.queries import query
from gql.scalars import JSON
from resolvers.db import Document
from resolvers.events import (
    EventFilter,
    count_events,
    event_counts_of_profiles,
    event_page,
    events_of_profiles,
)
from resolvers.ids import bytes_of
from resolvers.metrics import metrics_by_id
from resolvers.pages import PageRequest
from resolvers.profiles import profiles_by_id

if TYPE_CHECKING:
    from gql.profiles import Profile

MAX_FILTERED = 100


@strawberry.type(
    description="Something that someone did, at one moment. Never changed."
)
class Event(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.EVENT), description="Starts with evt_."
    )
    timestamp: datetime = plain("timestamp", description="When it happened.")
    value: float | None = plain(
        "value", description="What it was worth, such as the total of an order."
    )
    value_currency: str | None = plain(
        "currency", description="The currency of `value`, as ISO 4217 code."
    )
    properties: JSON = plain(
        "properties", default={}, description="What else was sent, an object."
    )
    unique_id: str = plain(
        "unique_id",
        description="Unique per profile and metric: an event that is sent again with "
        "it changes nothing. Made by the server when it was not sent.",
    )

    @batch(
        description="What kind of event it is.",
        key=bytes_of("metric_id"),
        needs=("metric_id",),
    )
    @staticmethod
    async def metric(parents: list[Document], context: Context) -> list[Metric]:
        rows: list[Any] = await metrics_by_id(
            context.db, [event["metric_id"] for event in parents]
        )
        return rows

    @batch(
        description="Who did it. Needs the scope profiles:read.",
        key=bytes_of("profile_id"),
        needs=("profile_id",),
    )
    @staticmethod
    async def profile(
        parents: list[Document], context: Context
    ) -> list[Annotated["Profile", strawberry.lazy("gql.profiles")]]:
        context.require("profiles:read")
        found = await profiles_by_id(
            context.db,
            [event["profile_id"] for event in parents],
            projection=context.projection("Profile"),
        )
        gone = NotFound("The profile of this event no longer exists.")
        rows: list[Any] = [gone if row is None else row for row in found]
        return rows


@strawberry.type(description="An event on a page.")
class EventEdge(Edge):
    node: Event = plain("node", description="The event.")


@strawberry.type(description="A page of events, newest first.")
class EventConnection(Connection):
    edges: list[EventEdge] = plain("edges", description="The page's events.")


@strawberry.input(
    name="EventFilter",
    description="Which events: those for which everything given holds.",
)
class EventFilterInput:
    metric_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description=f"Of one of these metrics: at most {MAX_FILTERED}."
    )
    metric_names: list[str] | None = strawberry.field(
        default=None,
        description=f"Of a metric with one of these names: at most {MAX_FILTERED}. A "
        "name that is unknown has no events. Beside `metricIds`: in both.",
    )
    since: datetime | None = strawberry.field(
        default=None, description="At or after this instant."
    )
    until: datetime | None = strawberry.field(
        default=None, description="Before this instant."
    )
    min_value: float | None = strawberry.field(
        default=None, description="With a value of at least this."
    )
    max_value: float | None = strawberry.field(
        default=None, description="With a value of at most this."
    )


Filter: TypeAlias = Annotated[
    EventFilterInput | None,
    strawberry.argument(description="Which events; all of them when absent."),
]


async def events_of(
    parents: list[Document],
    context: Context,
    page: PageRequest,
    filter: EventFilterInput | None,
) -> list[Any]:
    """A connection with the events of each of these profiles, in one command."""
    context.require("events:read")
    narrowed = event_filter(filter)
    ids = [profile["_id"] for profile in parents]
    pages = await events_of_profiles(
        context.db,
        ids,
        page,
        narrowed,
        projection=context.projection("Event", "timestamp"),
    )
    return [
        connection(found, Count(_count_of_profiles, narrowed, stored))
        for stored, found in zip(ids, pages, strict=True)
    ]


def event_filter(given: EventFilterInput | None) -> EventFilter:
    """The filter as the resolvers take it."""
    if given is None:
        return EventFilter()
    ids, names = given.metric_ids, given.metric_names
    for name, values in (("metricIds", ids), ("metricNames", names)):
        if values is not None and len(values) > MAX_FILTERED:
            raise TooLarge(
                f"There are {len(values):,} {name}; give at most {MAX_FILTERED}.",
                ("filter", name),
            )
    return EventFilter(
        metric_ids=None
        if ids is None
        else tuple(
            stored_id(value, Kind.METRIC, "filter", "metricIds", str(place))
            for place, value in enumerate(ids)
        ),
        metric_names=None
        if names is None
        else tuple(
            metric_name(value, ("filter", "metricNames", str(place)))
            for place, value in enumerate(names)
        ),
        since=given.since,
        until=given.until,
        min_value=given.min_value,
        max_value=given.max_value,
    )


async def _count_of_profiles(
    context: Context, shared: EventFilter, ones: Sequence[Any]
) -> Sequence[int]:
    return await event_counts_of_profiles(context.db, ones, shared)


async def _count(
    context: Context, shared: EventFilter, ones: Sequence[None]
) -> Sequence[int]:
    total = await count_events(context.db, shared)
    return [total for _ in ones]


@strawberry.type
class EventQuery:
    @query(
        EventConnection,
        "events:read",
        description="Events of everyone, newest first.",
    )
    @staticmethod
    async def events(
        context: Context,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Filter = None,
    ) -> Document:
        narrowed = event_filter(filter)
        page = asked_page(first, after, last, before)
        found = await event_page(
            context.db,
            page,
            narrowed,
            projection=context.projection("Event", "timestamp"),
        )
        answer: Document = connection(found, Count(_count, narrowed, None))
        return answer
