"""The queries for segments."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import strawberry

from gql.connection import After, Count, First, asked_page, connection, searched
from gql.context import Context
from gql.ids import Kind, stored_id
from gql.queries import query
from gql.segments.condition_inputs import SegmentDefinitionInput
from gql.segments.property_indexes import PropertyIndex
from gql.segments.reading import definition_of
from gql.segments.types import (
    Segment,
    SegmentConnection,
    SegmentOverlap,
    SegmentPreview,
)
from resolvers.db import Document
from resolvers.events.indexes import property_indexes
from resolvers.segments import (
    count_segments,
    preview,
    segment_overlap,
    segment_page,
    segments_by_id,
)


@strawberry.type
class SegmentQuery:
    @query(
        Segment | None,
        "segments:read",
        description="A segment; null when there is none with this id.",
    )
    @staticmethod
    async def segment(
        context: Context,
        id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with seg_.")
        ],
    ) -> Document | None:
        (found,) = await segments_by_id(context.db, [stored_id(id, Kind.SEGMENT)])
        return found

    @query(SegmentConnection, "segments:read", description="Every segment, by name.")
    @staticmethod
    async def segments(
        context: Context,
        first: First = None,
        after: After = None,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="Only segments whose name contains this, whatever its "
                "case: at most 200 characters."
            ),
        ] = None,
    ) -> Document:
        words = searched(search)
        page = await segment_page(context.db, asked_page(first, after), search=words)
        found: Document = connection(page, Count(_count_segments, words, None))
        return found

    @query(
        SegmentPreview,
        "segments:read",
        description="Whom a definition means at the moment. Nothing is stored.",
    )
    @staticmethod
    async def segment_preview(
        context: Context,
        definition: Annotated[
            SegmentDefinitionInput, strawberry.argument(description="Who is meant.")
        ],
    ) -> Document:
        parsed = definition_of(definition, "definition")
        found = await preview(context.db, parsed, context.now(), context.zone)
        return {"preview": found}

    @query(
        list[SegmentOverlap],
        "segments:read",
        description="How many people segments have in common: an entry for each "
        "segment by itself, for each two of them, and so on.",
    )
    @staticmethod
    async def segment_overlap(
        context: Context,
        segment_ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description="2 to 5 different segments."),
        ],
    ) -> list[Document]:
        stored = [
            stored_id(one, Kind.SEGMENT, "segmentIds", str(number))
            for number, one in enumerate(segment_ids)
        ]
        found = await segment_overlap(context.db, stored, context.now(), context.zone)
        return [{"segments": [*it.segments], "size": it.size} for it in found]

    @query(
        list[PropertyIndex],
        "segments:read",
        description="The properties of events that stored segments look at, those that "
        "most do first, and whether they have an index.",
    )
    @staticmethod
    async def property_indexes(context: Context) -> list[Document]:
        return [asdict(it) for it in await property_indexes(context.db)]


async def _count_segments(
    context: Context, shared: str | None, ones: Sequence[None]
) -> Sequence[int]:
    total = await count_segments(context.db, search=shared)
    return [total for _ in ones]
