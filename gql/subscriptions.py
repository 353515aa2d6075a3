"""What can be followed as it happens."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import strawberry

from audience.errors import NotFound
from gql.context import Context, Info
from gql.events import Event
from gql.ids import Kind, stored_id
from gql.segments.kept import SegmentChange
from resolvers.db import Document
from resolvers.following import Hub, What, follow
from resolvers.ids import object_id
from resolvers.profiles import profiles_by_id
from resolvers.segments import segments_by_id

Since: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        description="First what was recorded from this instant on, such as when the "
        "connection was lost; some of it may be a little older. Told apart by its `id`."
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


async def _follow(
    context: Context, what: What, found: Document, since: datetime | None
) -> AsyncIterator[Any]:
    hub = context.hub or Hub(context.db)
    rows = follow(hub, what, found["_id"], since)
    try:
        async for row in rows:
            yield row
    finally:
        await rows.aclose()
