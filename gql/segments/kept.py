"""What is kept about a segment's members: how fresh, who came and went, how many."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from audience.errors import InvalidInput
from audience.memberships import Cause, Interval, instants_between
from gql.connection import Connection, Count, Edge, asked_page, connection
from gql.context import Context
from gql.enums import Movement, expose
from gql.execution import batch, plain
from resolvers.db import Document
from resolvers.membership_histories import (
    change_counts,
    change_pages,
    size_histories,
)
from resolvers.memberships import (
    freshness_of,
    is_kept,
    kept_members,
    kept_sizes,
    past_members,
    past_sizes,
    segments_of_profiles,
)
from resolvers.pages import PageRequest
from resolvers.profiles import profiles_by_id
from resolvers.segments import count_members, segment_members, segment_sizes

if TYPE_CHECKING:
    from gql.profiles import Profile
    from gql.segments.types import Segment

expose(
    Cause,
    name="SegmentMovementCause",
    description="Why someone entered or left a segment.",
    values={
        "CHANGE": "Something about them changed, or they did something.",
        "TIME": "Time passed: a moving window, or a date.",
        "DEFINITION": "The segment was made, or means others now.",
        "GONE": "The profile was merged into another one, or erased.",
    },
)
expose(
    Interval,
    name="Interval",
    description="How far two points lie apart.",
    values={
        "HOUR": "An hour.",
        "DAY": "A day of the account's time zone.",
        "WEEK": "Seven days.",
        "MONTH": "A calendar month.",
    },
)

_AHEAD = timedelta(minutes=1)  # of callers whose clocks are

AsOf: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        description="At this instant of the past instead of now. It reaches back to "
        "when the segment's membership was first built: before that, and while it is "
        "being built, nobody was in it. An instant of the future is refused."
    ),
]


@strawberry.type(description="How true the kept membership is.")
class SegmentFreshness:
    as_of: datetime | None = plain(
        "as_of",
        description="Everything written before this instant shows in the membership; "
        "null before it was first built.",
    )
    is_building: bool = plain(
        "is_building",
        description="Whether the members of a new or changed definition are being "
        "found. Until that is done, those of the old one are shown; of a new segment "
        "they are found anew for every request.",
    )
    progress: float = plain("progress", description="How far that is, from 0 to 1.")


@strawberry.type(description="That someone entered or left a segment.")
class SegmentChange:
    id: strawberry.ID = plain(
        "_id", read=str, description="The same however often the change is told."
    )
    kind: Movement = plain("kind", read=Movement, description="Entered, or left.")
    cause: Cause = plain("cause", read=Cause, description="Why.")
    at: datetime = plain("at", description="When.")
    version: int = plain(
        "version", description="The version of the segment's definition that said so."
    )

    @batch(
        description="Who; null when the profile is no more. Needs the scope "
        "profiles:read."
    )
    @staticmethod
    async def profile(
        parents: list[Document], context: Context
    ) -> list[Annotated["Profile", strawberry.lazy("gql.profiles")] | None]:
        context.require("profiles:read")
        found: list[Any] = await profiles_by_id(
            context.db, [row["profile_id"] for row in parents]
        )
        return found


@strawberry.type(description="A change on a page.")
class SegmentChangeEdge(Edge):
    node: SegmentChange = plain("node", description="The change.")


@strawberry.type(description="A page of changes, newest first.")
class SegmentChangeConnection(Connection):
    edges: list[SegmentChangeEdge] = plain("edges", description="The page's changes.")


@strawberry.type(description="How many members a segment had at an instant.")
class SizePoint:
    at: datetime = plain("at", description="The instant.")
    size: int = plain("size", description="How many members.")


@strawberry.type(description="That someone is in a segment.")
class SegmentMembership:
    segment: Annotated["Segment", strawberry.lazy("gql.segments.types")] = plain(
        "segment", description="The segment."
    )
    entered_at: datetime = plain("entered_at", description="Since when.")


@strawberry.type(description="A membership on a page.")
class SegmentMembershipEdge(Edge):
    node: SegmentMembership = plain("node", description="The membership.")


@strawberry.type(description="A page of memberships.")
class SegmentMembershipConnection(Connection):
    edges: list[SegmentMembershipEdge] = plain(
        "edges", description="The page's memberships."
    )


async def members_of(
    parents: list[Document], context: Context, page: PageRequest, at: datetime | None
) -> list[Any]:
    """A connection of members for each segment: as kept, or found now where nothing
    is kept yet."""
    _check_past(context, at, "asOf")
    kept = [segment for segment in parents if is_kept(segment)]
    found: dict[Any, Any] = {}
    asked = context.projection("Profile", "created_at")  # that, everybody has
    if kept:
        pages = (
            await kept_members(context.db, kept, page, projection=asked)
            if at is None
            else await past_members(context.db, kept, at, page, projection=asked)
        )
        for segment, each in zip(kept, pages, strict=True):
            count = Count(_count_kept, at, segment)
            found[segment["_id"]] = connection(each, count, _member)
    rest = [segment for segment in parents if not is_kept(segment)]
    if rest:
        pages = (
            await segment_members(
                context.db, rest, page, context.now(), context.zone, projection=asked
            )
            if at is None
            else await past_members(context.db, rest, at, page, projection=asked)
        )
        for segment, each in zip(rest, pages, strict=True):
            count = (
                Count(_count_asked, None, each.scope)
                if at is None
                else Count(_count_kept, at, segment)
            )
            edge = None if at is None else _member
            found[segment["_id"]] = connection(each, count, edge)
    return [found[segment["_id"]] for segment in parents]


async def sizes_of(
    parents: list[Document], context: Context, at: datetime | None
) -> list[int]:
    """The number of members of each segment, likewise."""
    if at is not None:
        _check_past(context, at, "asOf")
        return await past_sizes(context.db, parents, at)
    kept = [segment for segment in parents if is_kept(segment)]
    rest = [segment for segment in parents if not is_kept(segment)]
    sizes: dict[Any, int] = {}
    if kept:
        counts = await kept_sizes(context.db, kept)
        sizes |= {it["_id"]: n for it, n in zip(kept, counts, strict=True)}
    if rest:
        counts = await segment_sizes(context.db, rest, context.now(), context.zone)
        sizes |= {it["_id"]: n for it, n in zip(rest, counts, strict=True)}
    return [sizes[segment["_id"]] for segment in parents]


async def freshnesses_of(parents: list[Document], context: Context) -> list[Any]:
    """How fresh each segment's membership is."""
    return [
        {"as_of": it.as_of, "is_building": it.is_building, "progress": it.progress}
        for it in await freshness_of(context.db, parents)
    ]


async def histories_of(
    parents: list[Document], context: Context, first: int | None, after: str | None
) -> list[Any]:
    """A connection of changes for each segment."""
    pages = await change_pages(context.db, parents, asked_page(first, after))
    return [connection(each, Count(_count_changes, None, each.scope)) for each in pages]


async def size_histories_of(
    parents: list[Document],
    context: Context,
    since: datetime,
    until: datetime | None,
    interval: Interval,
) -> list[Any]:
    """Points for each segment."""
    _check_past(context, until, "until")
    end = context.now() if until is None else min(until, context.now())
    instants = instants_between(since, end, interval, context.zone)
    found = await size_histories(context.db, parents, instants)
    return [[{"at": it.at, "size": it.size} for it in points] for points in found]


async def memberships_of(
    parents: list[Document], context: Context, first: int | None, after: str | None
) -> list[Any]:
    """A connection of the segments that each profile is in."""
    context.require("segments:read")
    pages = await segments_of_profiles(
        context.db, [row["_id"] for row in parents], asked_page(first, after)
    )
    return [connection(each, Count(_known, None, each.scope)) for each in pages]


def _check_past(context: Context, at: datetime | None, name: str) -> None:
    if at is not None and at > context.now() + _AHEAD:
        raise InvalidInput(
            f"{name} lies in the future: give an instant before.", (name,)
        )


def _member(row: Document) -> Document:
    return {"node": row["profile"], "entered_at": row["entered_at"]}


async def _count_kept(
    context: Context, at: datetime | None, ones: Sequence[Any]
) -> Sequence[int]:
    return await sizes_of(list(ones), context, at)


async def _count_asked(
    context: Context, shared: None, ones: Sequence[Any]
) -> Sequence[int]:
    return await count_members(context.db, ones)


async def _count_changes(
    context: Context, shared: None, ones: Sequence[Any]
) -> Sequence[int]:
    return await change_counts(context.db, ones)


async def _known(context: Context, shared: None, ones: Sequence[int]) -> Sequence[int]:
    return ones
