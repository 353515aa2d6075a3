"""The lists themselves: their names, how people enter them, and their end.

A list that is being deleted is marked first; from then on nobody enters, and nobody
sees it. Whoever was entering at that moment looks again afterwards and takes the
membership back.
"""

import re
from datetime import datetime

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from audience.errors import LimitReached, NotAllowed, NotFound, Taken
from audience.lists import MAX_LISTS, OptIn, check_name, name_key
from resolvers.db import Database, Document, find
from resolvers.ids import object_id
from resolvers.lists.lookups import LIVE
from resolvers.lists.members import end_memberships
from resolvers.pages import Order, Page, PageRequest, read_page

BY_NAME = Order("name_key", always_there=True)

_BATCH = 1_000


async def list_page(
    db: Database, page: PageRequest, *, search: str | None = None
) -> Page:
    """Lists by name; with `search`, those whose name contains it."""
    return await read_page(
        db.lists, _matching(search), BY_NAME, page, scope=_matching(search)
    )


async def count_lists(db: Database, *, search: str | None = None) -> int:
    """How many lists `list_page` leads through."""
    return await db.lists.count_documents(_matching(search))


async def create_list(
    db: Database, name: str, opt_in: OptIn = OptIn.DOUBLE, *, now: datetime
) -> Document:
    """A new, empty list. Taken when the name is, whatever its case."""
    shown = check_name(name)
    created: Document = {
        "_id": ObjectId(),
        "name": shown,
        "name_key": name_key(shown),
        "opt_in": opt_in,
        "created_at": now,
        "updated_at": now,
    }
    if await db.lists.count_documents(LIVE) >= MAX_LISTS:
        raise _full()
    try:
        await db.lists.insert_one(created)
    except DuplicateKeyError:
        raise _taken(shown) from None
    # Others may have created theirs since the count: whoever sees too many steps back.
    if await db.lists.count_documents(LIVE) > MAX_LISTS:
        await db.lists.delete_one({"_id": created["_id"]})
        raise _full()
    return created


async def update_list(
    db: Database,
    list_id: str | ObjectId,
    *,
    now: datetime,
    name: str | None = None,
    opt_in: OptIn | None = None,
) -> Document:
    """The list after the change. Sign-ups that wait for confirmation stay waiting."""
    wanted = object_id(list_id)
    changes: Document = {"updated_at": now}
    if name is not None:
        shown = check_name(name)
        changes |= {"name": shown, "name_key": name_key(shown)}
    if opt_in is not None:
        changes["opt_in"] = opt_in
    try:
        updated = await db.lists.find_one_and_update(
            {"_id": wanted, **LIVE},
            {"$set": changes},
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:
        raise _taken(changes["name"]) from None
    if updated is None:
        raise NotFound("There is no such list.", ("id",))
    return updated


async def delete_list(
    db: Database, list_id: str | ObjectId, *, now: datetime
) -> ObjectId:
    """The id of the list that is no more, nor any membership in it.

    NotAllowed while a form or an integration leads people into it.
    Consent stays: it belongs to the person and the channel. Interrupted, the list is
    gone for everybody, and `finish_deletions` or the same call again does the rest.
    """
    wanted = object_id(list_id)
    form = await db.forms.find_one({"list_id": wanted}, {"name": 1})
    if form is not None:
        raise NotAllowed(
            f"The form {form['name']} signs people up to this list: delete the form, "
            "or give it another list, first.",
            ("id",),
        )
    integration = await db.integrations.find_one({"list_ids": wanted}, {"name": 1})
    if integration is not None:
        raise NotAllowed(
            f"The integration {integration['name']} puts people into this list: delete "
            "the integration, or give it another list, first.",
            ("id",),
        )
    marked = await db.lists.find_one_and_update(
        {"_id": wanted},
        # The name is free at once.
        {"$set": {"deleted_at": now, "name_key": f"\0{wanted}"}},
    )
    if marked is None:
        raise NotFound("There is no such list.", ("id",))
    await _empty(db, wanted)
    await db.lists.delete_one({"_id": wanted})
    return wanted


async def finish_deletions(db: Database) -> int:
    """How many deletions, interrupted earlier, were brought to their end."""
    left = await find(db.lists, {"deleted_at": {"$ne": None}}, {"_id": 1})
    for each in left:
        await _empty(db, each["_id"])
        await db.lists.delete_one({"_id": each["_id"]})
    return len(left)


async def _empty(db: Database, list_id: ObjectId) -> None:
    """Ends every membership, a batch at a time, then what waits for confirmation, and
    that people have left."""
    inside = {"lists.list_id": list_id}
    while batch := await find(db.profiles, inside, {"_id": 1}, limit=_BATCH):
        await end_memberships(db, list_id, [each["_id"] for each in batch])
    left = f"left.{list_id}"
    await db.profiles.update_many(
        {"$or": [{"pending.list_id": list_id}, {left: {"$exists": True}}]},
        {"$pull": {"pending": {"list_id": list_id}}, "$unset": {left: ""}},
    )


def _matching(search: str | None) -> Document:
    text = name_key(search or "")
    if not text:
        return LIVE
    return {**LIVE, "name_key": {"$regex": re.escape(text)}}


def _taken(name: str) -> Taken:
    return Taken(f"There is a list with the name {name} already.", ("name",))


def _full() -> LimitReached:
    return LimitReached(
        f"There are {MAX_LISTS:,} lists, which is the most; delete one first.", ()
    )
