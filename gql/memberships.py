"""The lists that a profile is in, as they are kept in it: newest first."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from audience.errors import InvalidInput
from gql.connection import Connection, Count, Edge, connection
from gql.context import Context
from gql.enums import MembershipSource
from gql.execution import plain
from gql.scalars import date_time_text
from resolvers.db import Document
from resolvers.lists import lists_by_id
from resolvers.pages import Page

if TYPE_CHECKING:
    from gql.lists import List


@strawberry.type(description="That someone is in a list.")
class ListMembership:
    list: Annotated["List", strawberry.lazy("gql.lists")] = plain(
        "list", description="The list."
    )
    joined_at: datetime = plain("joined_at", description="Since when.")
    source: MembershipSource = plain("source", description="How they came in.")


@strawberry.type(description="A membership on a page.")
class ListMembershipEdge(Edge):
    node: ListMembership = plain("node", description="The membership.")


@strawberry.type(description="A page of memberships, newest first.")
class ListMembershipConnection(Connection):
    edges: list[ListMembershipEdge] = plain(
        "edges", description="The page's memberships."
    )


async def lists_of(
    parents: Sequence[Document], context: Context, size: int, after: str | None
) -> list[Any]:
    """A connection with the lists of each of these profiles. The lists are read at
    once, in one command; memberships of deleted lists are left out."""
    context.require("lists:read")
    place = None if after is None else _read_cursor(after)
    kept = [profile.get("lists") or [] for profile in parents]
    ids = {row["list_id"].binary: row["list_id"] for rows in kept for row in rows}
    found = await lists_by_id(context.db, list(ids.values())) if ids else []
    lists = {
        key: {"list": each}
        for key, each in zip(ids, found, strict=True)
        if each is not None
    }
    answers = []
    for rows in kept:
        memberships = [
            row | lists[key] for row in rows if (key := row["list_id"].binary) in lists
        ]
        count = Count(_known, None, len(memberships))
        answers.append(connection(_page(memberships, size, place), count))
    return answers


async def _known(context: Context, shared: None, ones: Sequence[int]) -> Sequence[int]:
    return ones


def _page(
    memberships: list[Document], size: int, after: tuple[str, str] | None
) -> Page:
    if after is not None:
        memberships = [row for row in memberships if _place(row) < after]
    if len(memberships) > 1:
        memberships.sort(key=_instant_and_list, reverse=True)
    return Page(
        rows=memberships[:size],
        cursor=_cursor,
        has_next=len(memberships) > size,
        has_previous=after is not None,
    )


def _instant_and_list(row: Document) -> tuple[datetime, bytes]:
    """In the order of `_place`, without its texts."""
    return row["joined_at"], row["list_id"].binary


def _place(row: Document) -> tuple[str, str]:
    return date_time_text(row["joined_at"]), str(row["list_id"])


def _cursor(row: Document) -> str:
    text = "~".join(_place(row))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        joined_at, _, list_id = (
            base64.b64decode(padded, altchars=b"-_", validate=True)
            .decode()
            .partition("~")
        )
    except (binascii.Error, ValueError):
        joined_at = list_id = ""
    if not list_id:
        raise InvalidInput(
            "after is not a cursor of this connection: pass one of its edges'.",
            ("after",),
        )
    return joined_at, list_id
