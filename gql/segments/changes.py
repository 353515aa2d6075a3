"""The mutations for segments."""

import strawberry

from audience.conditions import limits
from gql.context import Context
from gql.errors import Payload
from gql.execution import plain
from gql.ids import Kind, global_id, stored_id
from gql.mutations import accepted, given, mutation
from gql.scalars import JSON
from gql.segments.condition_inputs import SegmentDefinitionInput
from gql.segments.reading import input_json
from gql.segments.types import Segment
from resolvers.db import Document
from resolvers.segments import (
    MAX_SEGMENTS,
    create_segment,
    delete_segment,
    import_segment,
    names_of,
    update_segment,
)

_STORED = f"At most {limits.BYTES:,} bytes."


@strawberry.input(description="A segment to make.")
class CreateSegmentInput:
    name: str = strawberry.field(
        description="1 to 200 characters; unique, whatever its case."
    )
    definition: SegmentDefinitionInput = strawberry.field(
        description=f"Who is meant. {_STORED}"
    )
    is_starred: bool = strawberry.field(
        default=False, description="Marked as important."
    )


@strawberry.input(description="Changes to a segment. What is absent stays as it is.")
class UpdateSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")
    name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="1 to 200 characters; unique, whatever its case."
    )
    definition: strawberry.Maybe[SegmentDefinitionInput | None] = strawberry.field(
        default=None,
        description="Who is meant from now on. The definition in force makes no new "
        f"version. {_STORED}",
    )
    is_starred: strawberry.Maybe[bool | None] = strawberry.field(
        default=None, description="Marked as important."
    )


@strawberry.input(
    description="A segment to make of a definition that was written for Klaviyo."
)
class ImportSegmentInput:
    document: JSON = strawberry.field(
        description="What Klaviyo's API answers for a segment, or its definition "
        "alone: an object with condition_groups."
    )
    name: str | None = strawberry.field(
        default=None,
        description="1 to 200 characters; the document's name when absent.",
    )
    metrics: JSON | None = strawberry.field(
        default=None,
        description="The metrics in the document: an object of their ids there, each "
        "with the metric's name here.",
    )
    groups: JSON | None = strawberry.field(
        default=None,
        description="The lists and segments in the document: an object of their ids "
        "there, each with the id here, lst_... or seg_...",
    )


@strawberry.input(description="Which segment to delete.")
class DeleteSegmentInput:
    id: strawberry.ID = strawberry.field(description="Which segment.")


@strawberry.type(description="The answer of `createSegment`.")
class CreateSegmentPayload(Payload):
    segment: Segment | None = plain(
        "segment", description="The segment; null when refused."
    )


@strawberry.type(description="The answer of `importSegment`.")
class ImportSegmentPayload(Payload):
    segment: Segment | None = plain(
        "segment", description="The segment; null when refused."
    )


@strawberry.type(description="The answer of `updateSegment`.")
class UpdateSegmentPayload(Payload):
    segment: Segment | None = plain(
        "segment", description="The segment; null when refused."
    )


@strawberry.type(description="The answer of `deleteSegment`.")
class DeleteSegmentPayload(Payload):
    deleted_id: strawberry.ID | None = plain(
        "deleted_id",
        read=global_id(Kind.SEGMENT),
        description="The id of the segment that is no more; null when refused.",
    )


@strawberry.type
class SegmentMutation:
    @mutation(
        CreateSegmentPayload,
        "segments:write",
        description=f"Makes a segment; there are at most {MAX_SEGMENTS:,}.",
    )
    @staticmethod
    async def create_segment(context: Context, input: CreateSegmentInput) -> Document:
        made = await create_segment(
            context.db,
            input.name,
            input_json(input.definition),
            now=context.now(),
            is_starred=input.is_starred,
            by=_author(context),
        )
        return accepted(segment=made)

    @mutation(
        ImportSegmentPayload,
        "segments:write",
        description="Makes a segment of a definition that was written for Klaviyo. "
        "What has no equal here is refused, each with its path into the document.",
    )
    @staticmethod
    async def import_segment(context: Context, input: ImportSegmentInput) -> Document:
        made = await import_segment(
            context.db,
            input.document,
            names_of(input.metrics or {}, input.groups or {}),
            now=context.now(),
            name=input.name,
            by=_author(context),
        )
        return accepted(segment=made)

    @mutation(UpdateSegmentPayload, "segments:write", description="Changes a segment.")
    @staticmethod
    async def update_segment(context: Context, input: UpdateSegmentInput) -> Document:
        definition = given(input.definition)
        changed = await update_segment(
            context.db,
            stored_id(input.id, Kind.SEGMENT),
            now=context.now(),
            name=given(input.name),
            definition=None if definition is None else input_json(definition),
            is_starred=given(input.is_starred),
            by=_author(context),
        )
        return accepted(segment=changed)

    @mutation(
        DeleteSegmentPayload,
        "segments:write",
        description="Deletes a segment; refused while other segments refer to it.",
    )
    @staticmethod
    async def delete_segment(context: Context, input: DeleteSegmentInput) -> Document:
        stored = stored_id(input.id, Kind.SEGMENT)
        return accepted(deleted_id=await delete_segment(context.db, stored))


def _author(context: Context) -> str:
    return context.require_key().name
