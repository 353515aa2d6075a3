"""Keyset pages: a cursor carries the sort value and the id, so that rows which
come or go between two pages are neither repeated nor lost."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import bson
from bson import ObjectId
from bson.errors import BSONError

from audience.errors import InvalidInput
from resolvers.db import Collection, Document, find

DEFAULT_PAGE = 20
MAXIMUM_PAGE = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page: `size` rows, forwards from `after` or backwards from `before`."""

    size: int = DEFAULT_PAGE
    backwards: bool = False
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Sorted by `path`, ties by `_id` in the same direction (1 up, -1 down).

    `always_there` says that no row lacks the value, which makes deep pages cheap.
    """

    path: str = "_id"
    direction: int = 1
    always_there: bool = False


@dataclass(slots=True)
class Page:
    """Rows in the order asked for, what makes a row's cursor, and what lies on both
    sides.

    `scope` is whatever the reader needs to count all rows of the same question.
    """

    rows: list[Document]
    cursor: Callable[[Document], str]
    has_next: bool = False
    has_previous: bool = False
    scope: Any = None

    @property
    def cursors(self) -> list[str]:
        """A cursor for each row. Making one costs more than reading most rows."""
        return [self.cursor(row) for row in self.rows]


def page_request(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    *,
    default: int = DEFAULT_PAGE,
    maximum: int = MAXIMUM_PAGE,
) -> PageRequest:
    """A checked request; InvalidInput names the argument that is wrong."""
    if first is not None and last is not None:
        raise InvalidInput("Give first or last, not both.", ("last",))
    for name, value in (("first", first), ("last", last)):
        if value is not None and not 0 <= value <= maximum:
            raise InvalidInput(
                f"{name} is {value}; it must be between 0 and {maximum}.", (name,)
            )
    for name, cursor in (("after", after), ("before", before)):
        if cursor is not None:
            _decode(cursor, name, None)
    size = first if first is not None else last if last is not None else default
    return PageRequest(size, last is not None, after, before)


async def read_page(
    collection: Collection,
    match: Document,
    order: Order,
    page: PageRequest,
    *,
    projection: Document | None = None,
    scope: Any = None,
) -> Page:
    """One page of `collection` in one command."""
    narrowed = both(match, keyset_filter(order, page))
    rows = await find(
        collection,
        narrowed,
        projection=projection,
        sort=sort_of(order, page),
        limit=page.size + 1,
    )
    return page_of(rows, order, page, scope)


def keyset_filter(order: Order, page: PageRequest) -> Document:
    """What the cursors of `page` leave over; empty without cursors."""
    parts = []
    if page.after is not None:
        parts.append(
            _beyond(order, _decode(page.after, "after", order), order.direction)
        )
    if page.before is not None:
        parts.append(
            _beyond(order, _decode(page.before, "before", order), -order.direction)
        )
    return both(*parts)


def sort_of(order: Order, page: PageRequest) -> dict[str, int]:
    """The sort in which the rows of `page` must be read."""
    direction = -order.direction if page.backwards else order.direction
    if order.path == "_id":
        return {"_id": direction}
    return {order.path: direction, "_id": direction}


def page_of(
    rows: Sequence[Document], order: Order, page: PageRequest, scope: Any = None
) -> Page:
    """The page from up to `size + 1` rows read with `sort_of`."""
    more = len(rows) > page.size
    kept = list(rows[: page.size])
    if page.backwards:
        kept.reverse()
    return Page(
        rows=kept,
        cursor=partial(cursor_of, order=order),
        has_next=page.before is not None if page.backwards else more,
        has_previous=more if page.backwards else page.after is not None,
        scope=scope,
    )


def cursor_of(row: Document, order: Order, held_id: ObjectId | None = None) -> str:
    """The place of `row` in `order`, as an opaque text; with the id of what is held of
    the rows after it."""
    if order.path == "_id":
        key: Document = {"i": row["_id"]}
    else:
        key = {"p": order.path, "v": _value_at(row, order.path), "i": row["_id"]}
    if held_id is not None:
        key["h"] = held_id
    return base64.urlsafe_b64encode(bson.encode(key)).decode().rstrip("=")


def held_under(page: PageRequest) -> tuple[ObjectId | None, ObjectId | None]:
    """The id of what is held of the rows after the page's cursor, and the row's; None
    without such a cursor, and for pages that end at another one."""
    if page.after is None or page.before is not None or page.backwards:
        return None, None
    key = _decode(page.after, "after", None)
    return key.get("h"), key["i"]


def both(*filters: Document) -> Document:
    """The conjunction of filters; empty ones vanish."""
    kept = [one for one in filters if one]
    if len(kept) < 2:
        return kept[0] if kept else {}
    return {"$and": kept}


def _beyond(order: Order, key: Document, direction: int) -> Document:
    operator = "$gt" if direction > 0 else "$lt"
    if order.path == "_id":
        return {"_id": {operator: key["i"]}}
    value = key.get("v")
    ties = {order.path: value, "_id": {operator: key["i"]}}
    if value is None:
        # Missing sorts before everything: nothing lies below it, all else above.
        above = {order.path: {"$ne": None}}
        return {"$or": [ties, above]} if direction > 0 else ties
    branches = [{order.path: {operator: value}}, ties]
    if order.always_there:
        # Implied by the branches, and a bound for the index that they are not.
        return {order.path: {f"{operator}e": value}, "$or": branches}
    if direction < 0:
        branches.append({order.path: None})
    return {"$or": branches}


def _decode(cursor: str, name: str, order: Order | None) -> Document:
    """The key in a cursor; `order` None looks at its form alone."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key: Document = bson.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True),
            bson.CodecOptions(tz_aware=True),
        )
        value = key.get("v")
        if not isinstance(key["i"], ObjectId):
            raise TypeError
        if not (value is None or type(value) is str or isinstance(value, datetime)):
            raise TypeError
        if not isinstance(key.get("h", key["i"]), ObjectId):
            raise TypeError
    except (binascii.Error, BSONError, ValueError, KeyError, TypeError):
        raise InvalidInput(
            f"{name} is not a cursor of this API: pass one from pageInfo or an edge.",
            (name,),
        ) from None
    if order is not None and key.get("p", "_id") != order.path:
        raise InvalidInput(
            f"{name} is a cursor of another order: begin again without it.", (name,)
        )
    return key


def _value_at(row: Document, path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
