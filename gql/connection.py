"""Pages as Relay connections, and the arguments that ask for them.

A connection's source is a document: its edges, its page info and how to count what
all pages together hold. Counting waits until `totalCount` is selected, and then
counts for every connection of a level at once.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import strawberry

from audience.errors import InvalidInput
from audience.identity import is_plain
from gql.context import Context
from gql.execution import batch, plain
from resolvers.db import Document
from resolvers.pages import MAXIMUM_PAGE, Page, PageRequest, page_request

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=f"At most this many, from the start or after `after`: 0 to "
        f"{MAXIMUM_PAGE}; 20 when neither `first` nor `last` is given."
    ),
]
After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Only what comes after this cursor: an edge's `cursor`, or "
        "`pageInfo.endCursor`."
    ),
]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=f"At most this many, from the end or before `before`, in the same "
        f"order: 0 to {MAXIMUM_PAGE}. Not together with `first`."
    ),
]
Before: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Only what comes before this cursor: an edge's `cursor`, or "
        "`pageInfo.startCursor`."
    ),
]

MAX_SEARCH = 200

CountMany = Callable[[Context, Any, Sequence[Any]], Awaitable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Count:
    """How the rows behind a connection are counted.

    `many(context, shared, ones)` answers a number for each of `ones`; connections
    with the same `many` and an equal `shared` are counted together.
    """

    many: CountMany
    shared: Any
    one: Any


def _cursor(place: tuple[Callable[[Document], str], Document]) -> str:
    """Made when it is read: most requests select few cursors or none."""
    make, row = place
    return make(row)


def _edge_cursor(edge: Document) -> str:
    made: str = edge["cursor"](edge["row"] if "row" in edge else edge["node"])
    return made


@strawberry.type(description="Where a page lies among all that was asked for.")
class PageInfo:
    has_next_page: bool = plain(
        "has_next_page",
        description="Whether more follows the page: ask with `after: endCursor`.",
    )
    has_previous_page: bool = plain(
        "has_previous_page",
        description="Whether something precedes it: ask with `before: startCursor`.",
    )
    start_cursor: str | None = plain(
        "start",
        read=_cursor,
        description="The first edge's cursor; null on an empty page.",
    )
    end_cursor: str | None = plain(
        "end",
        read=_cursor,
        description="The last edge's cursor; null on an empty page.",
    )


def _itself(connection: Document) -> Hashable:
    return id(connection)


@strawberry.type(description="A page; the base of every connection.")
class Connection:
    page_info: PageInfo = plain(
        "page_info", description="What lies before and after the page."
    )

    @batch(
        description="How many there are on all pages together. Counted only when "
        "selected.",
        key=_itself,
    )
    @staticmethod
    async def total_count(parents: list[Document], context: Context) -> list[int]:
        totals = [0] * len(parents)
        waiting = list(range(len(parents)))
        while waiting:
            count: Count = parents[waiting[0]]["count"]
            together = [
                place for place in waiting if _alike(parents[place]["count"], count)
            ]
            ones = [parents[place]["count"].one for place in together]
            found = await count.many(context, count.shared, ones)
            for place, total in zip(together, found, strict=True):
                totals[place] = total
            counted = set(together)
            waiting = [place for place in waiting if place not in counted]
        return totals


@strawberry.type(description="One item of a page; the base of every edge.")
class Edge:
    cursor: str = plain(
        "",
        needs=("cursor", "row", "node"),
        read=_edge_cursor,
        description="The item's place, for `after`/`before`.",
    )


def asked_page(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> PageRequest:
    """The page asked for by the four arguments, checked."""
    return page_request(first, after, last, before)


def searched(text: str | None) -> str | None:
    """What is searched for, checked."""
    if text is not None and not (len(text) <= MAX_SEARCH and is_plain(text)):
        raise InvalidInput(
            f"search has at most {MAX_SEARCH} characters, none of them a control "
            "character.",
            ("search",),
        )
    return text


def connection(
    page: Page, count: Count, edge: Callable[[Document], Document] | None = None
) -> Any:
    """The source of a connection. `edge` tells what an edge has beside the cursor;
    without it the row is the edge's node."""
    cursor, rows = page.cursor, page.rows
    return {
        "edges": [{"node": row, "cursor": cursor} for row in rows]
        if edge is None
        else [{**edge(row), "row": row, "cursor": cursor} for row in rows],
        "page_info": {
            "has_next_page": page.has_next,
            "has_previous_page": page.has_previous,
            "start": (cursor, rows[0]) if rows else None,
            "end": (cursor, rows[-1]) if rows else None,
        },
        "count": count,
    }


def _alike(one: Count, other: Count) -> bool:
    return one.many is other.many and bool(one.shared == other.shared)
