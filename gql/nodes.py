"""Any object by its global id: one read for each kind that is asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from audience.errors import TooLarge
from audience.keys import ADMIN
from gql.context import Context
from gql.ids import Kind, read_id
from gql.node import Node
from gql.queries import query
from resolvers.db import Database, Document
from resolvers.deliveries import deliveries_by_id
from resolvers.events import events_by_id
from resolvers.forms import forms_by_id
from resolvers.imports import imports_by_id
from resolvers.integrations import integrations_by_id
from resolvers.keys import keys_by_id
from resolvers.lists import lists_by_id
from resolvers.metrics import metrics_by_id
from resolvers.pages import MAXIMUM_PAGE
from resolvers.profiles import profiles_by_id
from resolvers.segments import segments_by_id

ReadMany = Callable[[Database, Any], Awaitable[Sequence[Document | None]]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the objects of a kind come from, and which scope reads them."""

    type_name: str
    scope: str
    read: ReadMany


SOURCES: dict[Kind, Source] = {
    Kind.PROFILE: Source("Profile", "profiles:read", profiles_by_id),
    Kind.EVENT: Source("Event", "events:read", events_by_id),
    Kind.METRIC: Source("Metric", "events:read", metrics_by_id),
    Kind.LIST: Source("List", "lists:read", lists_by_id),
    Kind.SEGMENT: Source("Segment", "segments:read", segments_by_id),
    Kind.FORM: Source("Form", "forms:read", forms_by_id),
    Kind.INTEGRATION: Source("Integration", "integrations:read", integrations_by_id),
    Kind.DELIVERY: Source("WebhookDelivery", "integrations:read", deliveries_by_id),
    Kind.IMPORT: Source("Import", "imports:read", imports_by_id),
    Kind.API_KEY: Source("ApiKey", ADMIN, keys_by_id),
}


@strawberry.type
class NodeQuery:
    @query(
        Node | None,
        description="The object with this id, of whatever kind; null when there is "
        "none. Needs the scope that reads its kind.",
    )
    @staticmethod
    async def node(
        context: Context,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(description="An id as any object of this API has it."),
        ],
    ) -> Document | None:
        (found,) = await nodes_by_id(context, [id])
        return found

    @query(
        list[Node | None],
        description="The objects with these ids, in their order; null where there is "
        "none. Needs the scopes that read their kinds.",
    )
    @staticmethod
    async def nodes(
        context: Context,
        ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description=f"At most {MAXIMUM_PAGE}, of any kinds."),
        ],
    ) -> list[Document | None]:
        if len(ids) > MAXIMUM_PAGE:
            raise TooLarge(
                f"There are {len(ids)} ids; give at most {MAXIMUM_PAGE}.", ("ids",)
            )
        return await nodes_by_id(context, ids)


async def nodes_by_id(context: Context, ids: Sequence[str]) -> list[Document | None]:
    """One slot per id, in order; None for what is unknown, or no id at all."""
    wanted: dict[Kind, dict[str, Document | None]] = {}
    asked = [read_id(each) for each in ids]
    for one in asked:
        if one is not None:
            wanted.setdefault(one[0], {})[one[1]] = None
    for kind in wanted:
        context.require(SOURCES[kind].scope)
    await asyncio.gather(
        *(_read(context, SOURCES[kind], slots) for kind, slots in wanted.items())
    )
    return [None if one is None else wanted[one[0]][one[1]] for one in asked]


async def _read(
    context: Context, source: Source, slots: dict[str, Document | None]
) -> None:
    for stored, row in zip(
        slots, await source.read(context.db, list(slots)), strict=True
    ):
        if row is not None:
            slots[stored] = {**row, "__typename": source.type_name}
