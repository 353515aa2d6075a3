"""What can be followed as it happens."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, TypeAlias, cast

import strawberry

from audience.errors import NotFound
from gql.context import Context, Info
from gql.events import Event
from gql.ids import Kind, stored_id
from gql.imports import Import
from gql.segments.kept import SegmentChange
from resolvers.db import Document
from resolvers.following import Hub, Recorded, follow, follow_import
from resolvers.ids import object_id
from resolvers.imports import imports_by_id
from resolvers.profiles import profiles_by_id
from resolvers.segments import segments_by_id

Since: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        description="First what was recorded from this instant on, such as when the "
        "connection was lost, and some of what was within three minutes before: tell "
        "repetitions by the `id`. At most 10,000."
    ),
]


@strawberry.type(
    description="What is told as it happens, over WebSocket (graphql-transport-ws) or "
    "server-sent events. Who does not take what comes is told so and let go."
)
class Subscription:
    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="Someone entered a segment or left it. Needs the scope "
        "segments:read.",
    )
    async def segment_changes(
        self,
        info: Info,
        segment_id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with seg_.")
        ],
        since: Since = None,
    ) -> AsyncIterator[SegmentChange]:
        context = info.context
        context.require("segments:read")
        wanted = object_id(stored_id(segment_id, Kind.SEGMENT, "segmentId"))
        (found,) = await segments_by_id(context.db, [wanted])
        if found is None:
            raise NotFound("There is no such segment.", ("segmentId",))
        async for row in _follow(context, "segment_changes", found, since):
            yield row

    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="Someone did something. Needs the scope events:read.",
    )
    async def profile_activity(
        self,
        info: Info,
        profile_id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with prf_.")
        ],
        since: Since = None,
    ) -> AsyncIterator[Event]:
        context = info.context
        context.require("events:read")
        wanted = object_id(stored_id(profile_id, Kind.PROFILE, "profileId"))
        (found,) = await profiles_by_id(context.db, [wanted])
        if found is None:
            raise NotFound("There is no such profile.", ("profileId",))
        async for row in _follow(context, "events", found, since):
            yield row

    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="An import as it is now, and again after each block of rows and "
        "when its status changes; completes when it has ended. Who takes it slowly is "
        "told less often. Needs the scope imports:read.",
    )
    async def import_progress(
        self,
        info: Info,
        import_id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with imp_.")
        ],
    ) -> AsyncIterator[Import]:
        context = info.context
        context.require("imports:read")
        wanted = object_id(stored_id(import_id, Kind.IMPORT, "importId"))
        (found,) = await imports_by_id(context.db, [wanted])
        if found is None:
            raise NotFound("There is no such import.", ("importId",))
        rows = follow_import(_hub(context), wanted, context.check_key)
        async with aclosing(rows):
            async for row in rows:
                yield cast("Import", row)


async def _follow(
    context: Context, what: Recorded, found: Document, since: datetime | None
) -> AsyncIterator[Any]:
    rows = follow(_hub(context), what, found["_id"], since, context.check_key)
    async with aclosing(rows):
        async for row in rows:
            yield row


def _hub(context: Context) -> Hub:
    return context.hub or Hub(context.db)
