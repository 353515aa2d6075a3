"""Profiles: the people, with everything that is known about them."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any

import strawberry

from gql.connection import (
    After,
    Before,
    Connection,
    Edge,
    First,
    Last,
    asked_page,
)
from gql.consent import Consent
from gql.context import Context
from gql.events import EventConnection, Filter, events_of
from gql.execution import batch, plain
from gql.ids import Kind, global_id
from gql.memberships import ListMembershipConnection, lists_of
from gql.metrics import Metric
from gql.node import Node
from gql.push_tokens import PushToken
from gql.scalars import JSON
from gql.segments.explanations import SegmentExplanation, explanations_of
from gql.segments.kept import SegmentMembershipConnection, memberships_of
from resolvers.db import Document
from resolvers.metrics import metrics_by_key
from resolvers.profiles import count_profiles


@strawberry.type(description="Where someone is, as far as it is known.")
class Location:
    address1: str | None = plain("address1", description="Street and number.")
    address2: str | None = plain(
        "address2", description="What else the address needs, such as the floor."
    )
    city: str | None = plain("city", description="City.")
    region: str | None = plain("region", description="State, province or county.")
    country: str | None = plain("country", description="Country.")
    zip: str | None = plain("zip", description="Postal code.")
    timezone: str | None = plain(
        "timezone", description="Time zone, such as Europe/Berlin."
    )
    latitude: float | None = plain("latitude", description="Degrees north.")
    longitude: float | None = plain("longitude", description="Degrees east.")
    ip: str | None = plain("ip", description="The IP address last seen.")


@strawberry.type(description="What someone did of one metric, all events together.")
class ProfileMetric:
    metric: Metric = plain("metric", description="The metric.")
    count: int = plain("n", description="How many events.")
    sum: float = plain("s", description="The sum of their values.")
    first_at: datetime = plain("f", description="When the first one happened.")
    last_at: datetime = plain("l", description="When the last one happened.")


@strawberry.type(
    description="A person. Found by e-mail address, phone number, external id or "
    "anonymous id, each of which belongs to one profile only."
)
class Profile(Node):
    id: strawberry.ID = plain(
        "_id",
        read=global_id(Kind.PROFILE),
        description="Starts with prf_. The ids of profiles that were merged into this "
        "one find it too.",
    )
    email: str | None = plain("email", description="E-mail address, in lower case.")
    phone_number: str | None = plain(
        "phone_number", description="Phone number in E.164, such as +14155550132."
    )
    external_id: str | None = plain("external_id", description="Your own id.")
    anonymous_ids: list[str] = plain(
        "anonymous_ids",
        default=[],
        description="The ids under which the person was seen before they were known: "
        "at most 100.",
    )
    first_name: str | None = plain("first_name", description="First name.")
    last_name: str | None = plain("last_name", description="Last name.")
    organization: str | None = plain(
        "organization", description="Company or organization."
    )
    title: str | None = plain("title", description="Job title.")
    image: str | None = plain("image", description="Address of a picture.")
    locale: str | None = plain(
        "locale", description="Language as BCP 47 tag, such as en-GB."
    )
    location: Location | None = plain("location", description="Where the person is.")
    properties: JSON = plain(
        "properties", default={}, description="Custom properties, an object."
    )
    created_at: datetime = plain("created_at", description="When the profile was made.")
    updated_at: datetime = plain(
        "updated_at", description="When something about it last changed."
    )
    last_event_at: datetime | None = plain(
        "last_event_at", description="When the latest event happened."
    )
    consent: Consent = plain(
        "",
        needs=("consent",),
        description="What the person has agreed to, channel by channel.",
    )
    push_tokens: list[PushToken] = plain(
        "push_tokens",
        default=[],
        description="The devices on which the person can get push notifications, the "
        "one seen last at the end: at most 20.",
    )

    @batch(
        description="The lists that the person is in, newest membership first. Needs "
        "the scope lists:read.",
        needs=("lists",),
    )
    @staticmethod
    async def lists(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
    ) -> list[ListMembershipConnection]:
        return await lists_of(parents, context, asked_page(first).size, after)

    @batch(
        description="The segments that the person is in, the oldest segment first; "
        "without those whose members are being found for the first time. Needs the "
        "scope segments:read."
    )
    @staticmethod
    async def segments(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
    ) -> list[SegmentMembershipConnection]:
        return await memberships_of(parents, context, first, after)

    @batch(
        description="The activity log: what the person did, newest first. Needs the "
        "scope events:read.",
        needs=(),
    )
    @staticmethod
    async def events(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Filter = None,
    ) -> list[EventConnection]:
        page = asked_page(first, after, last, before)
        return await events_of(parents, context, page, filter)

    @batch(
        description="What the person did, summed up per metric, the latest first. "
        "Needs the scope events:read.",
        needs=("summary",),
    )
    @staticmethod
    async def metrics(
        parents: list[Document], context: Context
    ) -> list[list[ProfileMetric]]:
        context.require("events:read")
        summaries = [profile.get("summary") or {} for profile in parents]
        keys = list(dict.fromkeys(key for summary in summaries for key in summary))
        found = await metrics_by_key(context.db, keys) if keys else []
        metrics = {metric["key"]: metric for metric in found if metric is not None}
        rows: list[Any] = [
            sorted(
                (
                    {**entry, "metric": metrics[key]}
                    for key, entry in summary.items()
                    if key in metrics
                ),
                key=itemgetter("l"),
                reverse=True,
            )
            for summary in summaries
        ]
        return rows

    @batch(
        description="Why this person is in a segment, or not: each condition in words, "
        "with what was found and what was wanted. Where a condition asks about a list, "
        "it takes the scope lists:read, too. Needs the scopes segments:read and "
        "events:read."
    )
    @staticmethod
    async def explain_segment(
        parents: list[Document],
        context: Context,
        segment_id: Annotated[
            strawberry.ID, strawberry.argument(description="The segment's id, seg_...")
        ],
    ) -> list[SegmentExplanation]:
        context.require("events:read")
        return await explanations_of(parents, context, segment_id)


@strawberry.type(description="A profile on a page.")
class ProfileEdge(Edge):
    node: Profile = plain("node", description="The profile.")


@strawberry.type(description="A page of profiles.")
class ProfileConnection(Connection):
    edges: list[ProfileEdge] = plain("edges", description="The page's profiles.")


async def count_of_profiles(
    context: Context, shared: Document, ones: Sequence[None]
) -> Sequence[int]:
    """How many profiles a page's scope has."""
    total = await count_profiles(context.db, **shared)
    return [total for _ in ones]
