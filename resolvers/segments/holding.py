"""Pages of answers that take long to find: the ids that come after a page are held for
a while, so that the next pages read them instead of asking again.

They are in the database, so any process can go on. Those pages show who was meant when
the first one was asked for. When what was held is used up or gone, the question is
asked anew, from the cursor on.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bson import ObjectId

from resolvers.db import Database, Document, at_once, find
from resolvers.id_reads import read_ids
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    cursor_of,
    held_under,
    keyset_filter,
    page_of,
    sort_of,
)

HELD = 2_000
HELD_FOR = timedelta(minutes=1)

_BYTES = 12


def name_of(*parts: Any) -> str:
    """The same for the same question, whenever it is asked."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


async def held_page(
    db: Database, name: str, order: Order, page: PageRequest, scope: Any = None
) -> Page | None:
    """The page from what is held of the question `name`; None when it is not."""
    held_id, after = held_under(page)
    if held_id is None or after is None:
        return None
    match = {"_id": held_id, "question": name, "expires_at": {"$gt": _now()}}
    rows = await find(db.held_pages, match)
    if not rows:
        return None
    packed: bytes = rows[0]["ids"]
    ids = [
        ObjectId(packed[start : start + _BYTES])
        for start in range(0, len(packed), _BYTES)
    ]
    if after not in ids:
        return None
    rest = ids[ids.index(after) + 1 :]
    if len(rest) <= page.size and not rows[0]["is_whole"]:
        return None
    return await _page(db, order, page, rest[: page.size + 1], scope, held_id)


def _to_hold(page: PageRequest) -> int:
    """How many members to read for the page and for what is held after it."""
    return page.size + 1 if page.backwards else max(HELD, page.size) + 1


async def found_page(
    db: Database,
    name: str,
    order: Order,
    page: PageRequest,
    stages: Sequence[Document],
    scope: Any = None,
) -> Page:
    """The page from the members that the stages find, and what is held after it."""
    beyond = keyset_filter(order, page)
    ids = await read_ids(
        db.profiles,
        [
            *stages,
            *([{"$match": beyond}] if beyond else []),
            {"$sort": sort_of(order, page)},
            {"$limit": _to_hold(page)},
        ],
    )
    return await new_page(db, name, order, page, ids, scope)


async def new_page(
    db: Database,
    name: str,
    order: Order,
    page: PageRequest,
    ids: Sequence[ObjectId],
    scope: Any = None,
    *,
    are_all: bool = True,
) -> Page:
    """The page from the first members in their order; up to HELD of them are held for
    the pages after it. `are_all` is False when others than `ids` may follow these."""
    held_id = None
    if len(ids) > page.size and not page.backwards:
        held_id = ObjectId()
        await at_once(db.held_pages).insert_one(
            {
                "_id": held_id,
                "question": name,
                "ids": b"".join(each.binary for each in ids[:HELD]),
                "is_whole": are_all and len(ids) <= HELD,
                "expires_at": _now() + HELD_FOR,
            }
        )
    return await _page(db, order, page, ids[: page.size + 1], scope, held_id)


async def _page(
    db: Database,
    order: Order,
    page: PageRequest,
    ids: Sequence[ObjectId],
    scope: Any,
    held_id: ObjectId | None,
) -> Page:
    found = await find(db.profiles, {"_id": {"$in": list(ids)}})
    by_id: dict[ObjectId, Document] = {row["_id"]: row for row in found}
    # One who is just being merged into another stays alone with the id.
    made = page_of([by_id.get(it, {"_id": it}) for it in ids], order, page, scope)
    made.rows = [row for row in made.rows if len(row) > 1]
    made.cursor = partial(cursor_of, order=order, held_id=held_id)
    return made


def _now() -> datetime:
    return datetime.now(UTC)
