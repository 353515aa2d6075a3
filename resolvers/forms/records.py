"""Forms as they are kept: made, changed, published, archived and deleted."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from audience.errors import Conflict, LimitReached, NotAllowed, NotFound, Taken
from audience.forms.definitions import MAX_FORMS, Form, FormStatus, check_form
from audience.forms.stored import form_document, form_of
from audience.lists import name_key
from resolvers.db import Database, Document, find
from resolvers.ids import object_id
from resolvers.lists import lists_by_id, live_list
from resolvers.pages import Order, Page, PageRequest, read_page

BY_NAME = Order("name_key")

# No letters and digits that are easily taken for each other.
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_SHORT_LENGTH = 7
_SHORT = re.compile(rf"[{_LETTERS}]{{{_SHORT_LENGTH}}}")
_ATTEMPTS = 5
_OPTIONAL = ("headline", "body", "redirect_url")


async def forms_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """The form behind each id, in order; None where there is none."""
    wanted = [object_id(each) for each in ids]
    rows = await find(db.forms, {"_id": {"$in": wanted}})
    found = {each["_id"]: each for each in rows}
    return [found.get(each) for each in wanted]


async def form_page(
    db: Database, page: PageRequest, *, status: FormStatus | None = None
) -> Page:
    """Forms by name, of one status or of all."""
    match = _of_status(status)
    return await read_page(db.forms, match, BY_NAME, page, scope=match)


async def count_forms(db: Database, *, status: FormStatus | None = None) -> int:
    """How many forms `form_page` leads through."""
    return await db.forms.count_documents(_of_status(status))


async def live_form(db: Database, key: str) -> Document:
    """The form that takes sign-ups at `key`, which is its id or its short name."""
    match: Document = {"_id": ObjectId(key)} if ObjectId.is_valid(key) else {}
    if _SHORT.fullmatch(key):
        match = {"short": key}
    found = await db.forms.find_one(match) if match else None
    if found is None:
        raise NotFound("There is no such form.", ("formId",))
    if found["status"] != FormStatus.LIVE:
        raise NotAllowed("This form takes no sign-ups at the moment.", ("formId",))
    return found


async def create_form(db: Database, form: Form, *, now: datetime) -> Document:
    """A new form. Taken when the name is, whatever its case; refused for anything
    but a list that is there."""
    checked = check_form(form)
    found = await _list(db, checked.list_id)
    if await db.forms.estimated_document_count() >= MAX_FORMS:
        raise LimitReached(
            f"There are {MAX_FORMS:,} forms, which is the most; delete one first.", ()
        )
    created: Document = {
        "_id": ObjectId(),
        **form_document(checked),
        "name_key": name_key(checked.name),
        "list_id": found["_id"],
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }
    for _ in range(_ATTEMPTS):
        created["short"] = "".join(
            secrets.choice(_LETTERS) for _ in range(_SHORT_LENGTH)
        )
        try:
            await db.forms.insert_one(created)
        except DuplicateKeyError as error:
            if "name_key" in (error.details or {}).get("keyPattern", {}):
                raise _taken(checked.name) from None
            continue
        # The list may have been deleted since it was looked up.
        if await lists_by_id(db, [found["_id"]]) == [None]:
            await db.forms.delete_one({"_id": created["_id"]})
            raise NotFound("There is no such list.", ("listId",))
        return created
    raise Conflict("No short address was free: send it again.")


async def update_form(
    db: Database, form_id: str | ObjectId, changes: Mapping[str, Any], *, now: datetime
) -> Document:
    """The form after the changes, given by the names of Form's fields. What the
    whole would break is refused as a whole."""
    wanted = object_id(form_id)
    for _ in range(_ATTEMPTS):
        kept = await db.forms.find_one({"_id": wanted})
        if kept is None:
            raise NotFound("There is no such form.", ("id",))
        before = form_of(kept)
        checked = check_form(replace(before, **changes))
        found = kept["list_id"]
        if checked.list_id != before.list_id:
            found = (await _list(db, checked.list_id))["_id"]
        document: Document = {
            **form_document(checked),
            "name_key": name_key(checked.name),
            "list_id": found,
            "updated_at": now,
            "version": kept["version"] + 1,
        }
        try:
            updated = await db.forms.find_one_and_update(
                {"_id": wanted, "version": kept["version"]},
                {
                    "$set": document,
                    "$unset": {each: "" for each in _OPTIONAL if each not in document},
                },
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            raise _taken(checked.name) from None
        if updated is not None:
            return updated
    raise Conflict("Others change this form now: send it again.", ("id",))


async def delete_form(db: Database, form_id: str | ObjectId) -> ObjectId:
    """The id of the form that is no more. One that has taken sign-ups is refused:
    people's consent names it as its source."""
    wanted = object_id(form_id)
    gone = await db.forms.find_one_and_delete({"_id": wanted, "submitted_at": None})
    if gone is None:
        if await db.forms.find_one({"_id": wanted}, {"_id": 1}) is None:
            raise NotFound("There is no such form.", ("id",))
        raise NotAllowed(
            "People have signed up through this form, and their consent refers to it:"
            " archive it by the status ARCHIVED instead.",
            ("id",),
        )
    await db.form_events.delete_many({"form_id": wanted})
    return wanted


async def _list(db: Database, list_id: str) -> Document:
    try:
        return await live_list(db, list_id, ("listId",))
    except NotAllowed:
        raise NotAllowed(
            "Segments fill themselves: people are in one because they meet its"
            " conditions. Only a list takes sign-ups.",
            ("listId",),
        ) from None


def _of_status(status: FormStatus | None) -> Document:
    return {} if status is None else {"status": status}


def _taken(name: str) -> Taken:
    return Taken(f"There is a form with the name {name} already.", ("name",))
