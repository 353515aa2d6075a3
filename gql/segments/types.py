"""Segments and previews, and who is in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from audience.memberships import Interval
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
from gql.enums import Channel
from gql.execution import batch, plain
from gql.ids import Kind, global_id
from gql.node import Node
from gql.scalars import JSON
from gql.segments.definitions import SegmentDefinition
from gql.segments.kept import (
    AsOf,
    SegmentChangeConnection,
    SegmentFreshness,
    SizePoint,
    freshnesses_of,
    histories_of,
    members_of,
    size_histories_of,
    sizes_of,
)
from gql.segments.reading import require_lists
from resolvers.db import Document
from resolvers.segments import (
    Preview,
    count_members,
    dependants,
    extended_json,
    segment_questions,
    versions_of,
)
from resolvers.segments.records import KEPT_VERSIONS

if TYPE_CHECKING:
    from gql.profiles import Profile, ProfileConnection


@strawberry.type(description="Someone in a segment, on a page.")
class SegmentMemberEdge(Edge):
    node: Annotated["Profile", strawberry.lazy("gql.profiles")] = plain(
        "node", description="The member."
    )
    entered_at: datetime | None = plain(
        "entered_at",
        description="In the segment since; null until its membership is first built.",
    )


@strawberry.type(description="A page of a segment's members, the longest known first.")
class SegmentMemberConnection(Connection):
    edges: list[SegmentMemberEdge] = plain("edges", description="The page's members.")


@strawberry.type(description="A segment's definition, as it was for a time.")
class SegmentVersion:
    version: int = plain("version", description="1 for the first definition.")
    definition: SegmentDefinition = plain("definition", description="Who was meant.")
    created_at: datetime = plain("at", description="Since when.")
    created_by: str | None = plain(
        "by", description="The name of the API key with which it was written."
    )


@strawberry.type(
    description="A question about people, kept under a name. Its members are those of "
    "whom the definition holds; they are kept true as people and time move on."
)
class Segment(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.SEGMENT), description="Starts with seg_."
    )
    name: str = plain("name", description="Unique, whatever its case.")
    definition: SegmentDefinition = plain("definition", description="Who is meant.")
    is_starred: bool = plain("is_starred", description="Marked as important.")
    version: int = plain(
        "version", description="1, and one more with every change of the definition."
    )
    created_at: datetime = plain("created_at", description="When it was made.")
    updated_at: datetime = plain("updated_at", description="When it was last changed.")

    @batch(
        description=f"The definitions that it has had, the present one first: at most "
        f"{KEPT_VERSIONS}."
    )
    @staticmethod
    async def versions(
        parents: list[Document], context: Context
    ) -> list[list[SegmentVersion]]:
        found = await versions_of(context.db, [row["_id"] for row in parents])
        rows: list[Any] = [found[row["_id"]] for row in parents]
        return rows

    @batch(description="Who is in the segment, or was. Needs the scope profiles:read.")
    @staticmethod
    async def members(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        as_of: AsOf = None,
    ) -> list[SegmentMemberConnection]:
        context.require("profiles:read")
        page = asked_page(first, after, last, before)
        return await members_of(parents, context, page, as_of)

    @batch(description="How many people are in it, or were.")
    @staticmethod
    async def size(
        parents: list[Document], context: Context, as_of: AsOf = None
    ) -> list[int]:
        return await sizes_of(parents, context, as_of)

    @batch(description="Up to which instant the members that are shown are true.")
    @staticmethod
    async def freshness(
        parents: list[Document], context: Context
    ) -> list[SegmentFreshness]:
        return await freshnesses_of(parents, context)

    @batch(description="Who entered and who left, newest first.")
    @staticmethod
    async def history(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
    ) -> list[SegmentChangeConnection]:
        return await histories_of(parents, context, first, after)

    @batch(description="How many members there were over time.")
    @staticmethod
    async def size_history(
        parents: list[Document],
        context: Context,
        since: Annotated[datetime, strawberry.argument(description="The first point.")],
        interval: Annotated[
            Interval, strawberry.argument(description="From one point to the next.")
        ],
        until: Annotated[
            datetime | None,
            strawberry.argument(
                description="No point after it; now when not given. An instant of the "
                "future is refused."
            ),
        ] = None,
    ) -> list[list[SizePoint]]:
        return await size_histories_of(parents, context, since, until, interval)

    @batch(
        description="The aggregation stages on the profiles that find its members now "
        "in one command, as MongoDB Extended JSON. Where the events have to be read, "
        "the server may take several commands, which is faster; `members` and `size` "
        "are kept."
    )
    @staticmethod
    async def pipeline(parents: list[Document], context: Context) -> list[list[JSON]]:
        questions = await segment_questions(
            context.db, parents, context.now(), context.zone
        )
        return [extended_json(asked.stages) for asked in questions]

    @batch(
        description="Segments whose definitions refer to this one. They keep it from "
        "being deleted."
    )
    @staticmethod
    async def dependants(
        parents: list[Document], context: Context
    ) -> list[list[Annotated["Segment", strawberry.lazy("gql.segments.types")]]]:
        found = await dependants(context.db, [row["_id"] for row in parents])
        rows: list[Any] = [found[row["_id"]] for row in parents]
        return rows


@strawberry.type(description="A segment on a page.")
class SegmentEdge(Edge):
    node: Segment = plain("node", description="The segment.")


@strawberry.type(description="A page of segments, by name.")
class SegmentConnection(Connection):
    edges: list[SegmentEdge] = plain("edges", description="The page's segments.")


@strawberry.type(description="How many people some segments have in common.")
class SegmentOverlap:
    segments: list[Segment] = plain("segments", description="The segments.")
    size: int = plain("size", description="How many people are in all of them.")


@strawberry.type(description="How many people can be reached on a channel.")
class ChannelReach:
    channel: Channel = plain("channel", description="The channel.")
    count: int = plain(
        "count", description="How many have agreed to it and are not suppressed."
    )


def _itself(source: Document) -> int:
    return id(source)


@strawberry.type(
    description="Whom a definition means at the moment; nothing of it is stored."
)
class SegmentPreview:
    @batch(description="How many people there are.", key=_itself)
    @staticmethod
    async def count(parents: list[Document], context: Context) -> list[int]:
        return [await _preview(row).count(context.db) for row in parents]

    @batch(
        description="How many of them can receive marketing, for each channel.",
        key=_itself,
    )
    @staticmethod
    async def reachable(
        parents: list[Document], context: Context
    ) -> list[list[ChannelReach]]:
        answers: list[Any] = []
        for row in parents:
            found = await _preview(row).reachable(context.db)
            answers.append(
                [{"channel": each, "count": count} for each, count in found.items()]
            )
        return answers

    @batch(
        description="Who they are, in the order in which they became known. Needs the "
        "scope profiles:read.",
        key=_itself,
    )
    @staticmethod
    async def profiles(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
    ) -> list[Annotated["ProfileConnection", strawberry.lazy("gql.profiles")]]:
        context.require("profiles:read")
        page = asked_page(first, after)
        answers: list[Any] = []
        for row in parents:
            found = await _preview(row).page(context.db, page)
            answers.append(
                connection(found, Count(count_of_members, None, found.scope))
            )
        return answers

    @batch(
        description="How it is answered: the `strategy`; the `estimatedSize` from a "
        "sample of the profiles and their summaries, and the `actualSize`; the "
        "`indexes` used, none where everybody is looked at; and for each condition its "
        "words and its `source`, PROFILE (which keeps a summary of the events) or "
        "EVENTS. Where a condition asks about a list, it takes the scope lists:read.",
        key=_itself,
    )
    @staticmethod
    async def explain(parents: list[Document], context: Context) -> list[JSON]:
        found: list[Any] = []
        for preview in map(_preview, parents):
            require_lists(context, preview.definition)
            found.append(await preview.explain(context.db))
        return found

    pipeline: list[JSON] = plain(
        "preview",
        read=lambda preview: preview.pipeline,
        description="Aggregation stages on the profiles that answer it in one command, "
        "as MongoDB Extended JSON. What only events tell may be read in several "
        "commands, which is faster: `explain` says so.",
    )


def _preview(source: Document) -> Preview:
    preview: Preview = source["preview"]
    return preview


async def count_of_members(
    context: Context, shared: None, ones: Sequence[Any]
) -> Sequence[int]:
    """How many people each of the questions finds."""
    return await count_members(context.db, ones)
