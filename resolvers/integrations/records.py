"""Integrations as they are kept: made, changed, paused and deleted.

A secret is needed in the clear to check a signature, so it is kept sealed rather than
hashed, and never answered: one that this server makes is shown once.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from audience.errors import Conflict, InvalidInput, LimitReached, NotFound, Taken
from audience.integrations.checks import check_integration, check_secret
from audience.integrations.kinds import (
    KINDS,
    MAX_INTEGRATIONS,
    Integration,
    IntegrationKind,
    IntegrationStatus,
    OutboundWebhook,
    Settings,
    kind_of,
    lists_of,
    makes_secret,
)
from audience.integrations.stored import settings_document, settings_of
from audience.lists import name_key
from audience.webhooks import ROTATION, check_webhook_secret, new_secret
from resolvers.db import Database, Document, find
from resolvers.ids import object_id
from resolvers.integrations.calls import forget_calls
from resolvers.lists import live_list
from resolvers.pages import Order, Page, PageRequest, read_page
from resolvers.sealing import seal
from resolvers.segments import segments_by_id

BY_NAME = Order("name_key")

_ATTEMPTS = 5
_SECRET_BYTES = 32
_NEVER: Document = {"secret": 0, "previous_secret": 0}


@dataclass(frozen=True, slots=True)
class NewIntegration:
    """An integration's document, and its secret where this server has just made one:
    the only time that it is shown."""

    document: Document
    secret: str | None


async def integrations_by_id(
    db: Database, ids: Sequence[str | ObjectId]
) -> list[Document | None]:
    """The integration behind each id, in order; None where there is none."""
    wanted = [object_id(each) for each in ids]
    rows = await find(db.integrations, {"_id": {"$in": wanted}}, _NEVER)
    found = {each["_id"]: each for each in rows}
    return [found.get(each) for each in wanted]


async def integration_page(
    db: Database, page: PageRequest, *, kind: IntegrationKind | None = None
) -> Page:
    """Integrations by name, of one kind or of all."""
    match = _of_kind(kind)
    return await read_page(
        db.integrations, match, BY_NAME, page, projection=_NEVER, scope=match
    )


async def count_integrations(
    db: Database, *, kind: IntegrationKind | None = None
) -> int:
    """How many integrations `integration_page` leads through."""
    return await db.integrations.count_documents(_of_kind(kind))


async def create_integration(
    db: Database,
    wanted: Integration,
    *,
    secret: str | None,
    server_secret: str,
    now: datetime,
) -> NewIntegration:
    """A new integration, with the secret that is given or, for kinds whose tool does
    not make it, one of this server's. Taken when the name is, whatever its case."""
    checked = check_integration(wanted)
    kept, shown = _secret(checked.settings, secret, server_secret)
    if await db.integrations.estimated_document_count() >= MAX_INTEGRATIONS:
        raise LimitReached(
            f"There are {MAX_INTEGRATIONS} integrations, which is the most; delete one "
            "first."
        )
    kind = kind_of(checked.settings)
    created: Document = {
        "_id": ObjectId(),
        "name": checked.name,
        "name_key": name_key(checked.name),
        "kind": kind,
        "status": checked.status,
        "settings": settings_document(checked.settings),
        "list_ids": await _lists(db, checked.settings),
        "segment_ids": await _segments(db, checked.settings),
        **kept,
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }
    if KINDS[kind].is_inbound:
        # Nobody finds the address by trying.
        created["key"] = secrets.token_urlsafe(16)
    try:
        await db.integrations.insert_one(created)
    except DuplicateKeyError:
        raise _taken(checked.name) from None
    return NewIntegration(_shown(created), shown)


async def update_integration(
    db: Database,
    integration_id: str | ObjectId,
    changes: Mapping[str, Any],
    *,
    secret: str | None = None,
    renews_secret: bool = False,
    server_secret: str,
    now: datetime,
) -> NewIntegration:
    """The integration after the changes, given by the names of Integration's fields,
    and with another secret: the one given, or a new one where that is asked for. The
    kind stays what it is."""
    wanted = object_id(integration_id)
    for _ in range(_ATTEMPTS):
        before = await db.integrations.find_one({"_id": wanted})
        if before is None:
            raise NotFound("There is no such integration.", ("id",))
        checked = check_integration(replace(_integration(before), **changes))
        kind = kind_of(checked.settings)
        if kind != before["kind"]:
            raise InvalidInput(
                f"This integration is of the kind {before['kind']}, and an "
                "integration's kind never changes: make another one.",
                ("settings",),
            )
        document: Document = {
            "name": checked.name,
            "name_key": name_key(checked.name),
            "status": checked.status,
            "settings": settings_document(checked.settings),
            "list_ids": await _lists(db, checked.settings),
            "segment_ids": await _segments(db, checked.settings),
            "updated_at": now,
            "version": before["version"] + 1,
        }
        shown = None
        if secret is not None or renews_secret:
            kept, shown = _secret(checked.settings, secret, server_secret)
            if not kept:
                raise InvalidInput(
                    "This secret is made by the tool: copy it from there into secret.",
                    ("renewSecret",),
                )
            document |= kept
            if isinstance(checked.settings, OutboundWebhook):
                # Receivers have a day to learn the new one.
                document |= {
                    "previous_secret": before["secret"],
                    "previous_until": now + ROTATION,
                }
        try:
            updated = await db.integrations.find_one_and_update(
                {"_id": wanted, "version": before["version"]},
                {"$set": document},
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            raise _taken(checked.name) from None
        if updated is not None:
            return NewIntegration(_shown(updated), shown)
    raise Conflict("Others change this integration now: send it again.", ("id",))


async def delete_integration(db: Database, integration_id: str | ObjectId) -> ObjectId:
    """The id of the integration that is no more: its address takes no calls from now
    on. What came through it stays."""
    wanted = object_id(integration_id)
    gone = await db.integrations.find_one_and_delete({"_id": wanted})
    if gone is None:
        raise NotFound("There is no such integration.", ("id",))
    await db.deliveries.delete_many({"integration_id": wanted})
    await forget_calls(db, wanted)
    return wanted


async def called_integration(db: Database, key: str) -> Document | None:
    """The integration whose address ends in `key`, with its sealed secret."""
    return await db.integrations.find_one({"key": key})


def _integration(kept: Document) -> Integration:
    return Integration(
        kept["name"], settings_of(kept["settings"]), IntegrationStatus(kept["status"])
    )


def _secret(
    settings: Settings, given: str | None, server_secret: str
) -> tuple[Document, str | None]:
    """What is kept of the secret, and the secret where it was made here."""
    made = None
    if isinstance(settings, OutboundWebhook):
        if given is None:
            given = made = new_secret()
        check_webhook_secret(given)
    elif given is not None:
        given = check_secret(given)
    elif makes_secret(settings):
        given = made = secrets.token_urlsafe(_SECRET_BYTES)
    if given is None:
        return {}, None
    kept = {"secret": seal(server_secret, given), "secret_hint": f"…{given[-4:]}"}
    return kept, made


async def _lists(db: Database, settings: Settings) -> list[ObjectId]:
    """The lists that the settings name, each there."""
    named = lists_of(settings)
    field = KINDS[kind_of(settings)].field
    return [
        (await live_list(db, each, ("settings", field, "listId")))["_id"]
        for each in named
    ]


async def _segments(db: Database, settings: Settings) -> list[ObjectId]:
    """The segments that the settings name, each there."""
    if not isinstance(settings, OutboundWebhook):
        return []
    found = await segments_by_id(db, list(dict.fromkeys(settings.segment_ids)))
    if None in found:
        raise NotFound(
            "One of these segments does not exist.",
            ("settings", "outboundWebhook", "segmentIds"),
        )
    return [each["_id"] for each in found if each is not None]


def _shown(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _NEVER}


def _of_kind(kind: IntegrationKind | None) -> Document:
    return {} if kind is None else {"kind": kind}


def _taken(name: str) -> Taken:
    return Taken(f"There is an integration with the name {name} already.", ("name",))
