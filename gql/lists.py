"""Lists, and who is in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

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
    searched,
)
from gql.context import Context
from gql.enums import MembershipSource, OptIn
from gql.execution import batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.lists import (
    count_lists,
    list_page,
    lists_by_id,
    member_counts,
    member_pages,
    membership_in,
)

if TYPE_CHECKING:
    from gql.profiles import Profile


@strawberry.type(description="Someone in a list, on a page.")
class ListMemberEdge(Edge):
    node: Annotated["Profile", strawberry.lazy("gql.profiles")] = plain(
        "node", description="The member."
    )
    joined_at: datetime = plain("joined_at", description="In the list since.")
    source: MembershipSource = plain("source", description="How they came in.")


@strawberry.type(
    description="A page of a list's members, in the order in which they became known."
)
class ListMemberConnection(Connection):
    edges: list[ListMemberEdge] = plain("edges", description="The page's members.")


@strawberry.type(
    description="People who were put together by hand, by sign-up or by import. At "
    "most 1,000 lists."
)
class List(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.LIST), description="Starts with lst_."
    )
    name: str = plain("name", description="Unique, whatever its case.")
    opt_in: OptIn = plain(
        "opt_in", description="Whether sign-ups must be confirmed before they count."
    )
    created_at: datetime = plain("created_at", description="When it was made.")
    updated_at: datetime = plain(
        "updated_at", description="When its name or opt-in was last changed."
    )

    @batch(description="Who is in the list. Needs the scope profiles:read.")
    @staticmethod
    async def members(
        parents: list[Document],
        context: Context,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> list[ListMemberConnection]:
        context.require("profiles:read")
        ids = [row["_id"] for row in parents]
        page = asked_page(first, after, last, before)
        pages = await member_pages(context.db, ids, page)
        rows: list[Any] = [
            connection(found, Count(_count_members, None, list_id), _member_of(list_id))
            for list_id, found in zip(ids, pages, strict=True)
        ]
        return rows


@strawberry.type(description="A list on a page.")
class ListEdge(Edge):
    node: List = plain("node", description="The list.")


@strawberry.type(description="A page of lists, by name.")
class ListConnection(Connection):
    edges: list[ListEdge] = plain("edges", description="The page's lists.")


def _member_of(list_id: Any) -> Any:
    def edge(profile: Document) -> Document:
        membership = membership_in(profile, list_id) or {}
        return {
            "node": profile,
            "joined_at": membership.get("joined_at"),
            "source": membership.get("source"),
        }

    return edge


async def _count_members(
    context: Context, shared: None, ones: Sequence[Any]
) -> Sequence[int]:
    return await member_counts(context.db, ones)


async def _count_lists(
    context: Context, shared: str | None, ones: Sequence[None]
) -> Sequence[int]:
    total = await count_lists(context.db, search=shared)
    return [total for _ in ones]


@strawberry.type
class ListQuery:
    @query(
        List | None,
        "lists:read",
        description="A list; null when there is none with this id.",
    )
    @staticmethod
    async def list(
        context: Context,
        id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with lst_.")
        ],
    ) -> Document | None:
        (found,) = await lists_by_id(context.db, [stored_id(id, Kind.LIST)])
        return found

    @query(
        ListConnection,
        "lists:read",
        description="Every list, by name.",
    )
    @staticmethod
    async def lists(
        context: Context,
        first: First = None,
        after: After = None,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="Only lists whose name contains this, whatever its case: "
                "at most 200 characters."
            ),
        ] = None,
    ) -> Document:
        wanted = searched(search)
        page = await list_page(context.db, asked_page(first, after), search=wanted)
        found: Document = connection(page, Count(_count_lists, wanted, None))
        return found
