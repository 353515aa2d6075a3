"""Calls of integrations that wait and are about somebody who is erased: worked on
later, they would make the person again."""

from collections.abc import Collection, Sequence

import structlog
from bson import ObjectId

from audience.errors import AudienceError
from audience.identity import PATHS, Identity
from audience.integrations.calls import reference
from audience.integrations.reading import named_in
from audience.integrations.stored import settings_of
from resolvers.db import Database, Document, find

_log = structlog.get_logger("audience")


async def forget_waiting_calls(
    db: Database,
    theirs: Collection[tuple[str, str]],
    profile_ids: Sequence[ObjectId],
    earlier: Document,
) -> None:
    """Forgets the calls that wait, with ids that are `earlier`, and name the person
    when they are read as they would be worked on: by one of the identifiers in
    `theirs`, or by what an integration knows one of the profiles as. What cannot be
    read makes nobody, and goes when it is refused."""
    waiting = {"next_at": {"$exists": True}, "_id": earlier}
    if await db.integration_calls.find_one(waiting, {"_id": 1}) is None:
        return
    known = await find(
        db.integration_people, {"profile_id": {"$in": list(profile_ids)}}, {"_id": 1}
    )
    references = {each["_id"] for each in known}
    integrations = {each["_id"]: each for each in await find(db.integrations, {})}
    async for call in db.integration_calls.find(waiting):
        integration = integrations.get(call["integration_id"])
        if integration is None:
            continue
        who, known_as = _named_in(integration, call)
        named = {
            (name, value) for name in PATHS if (value := getattr(who, name)) is not None
        }
        is_known = (
            known_as is not None
            and reference(integration["_id"], known_as) in references
        )
        if is_known or not named.isdisjoint(theirs):
            await db.integration_calls.delete_one({"_id": call["_id"]})


def _named_in(integration: Document, call: Document) -> tuple[Identity, str | None]:
    try:
        return named_in(
            settings_of(integration["settings"]),
            call["topic"],
            bytes(call.get("body", b"")),
            call["received_at"],
        )
    except AudienceError:
        return Identity(), None
    except Exception as fault:  # noqa: BLE001 - no call keeps somebody from being erased
        _log.error("fault", call=str(call["_id"]), exc_info=fault)
        return Identity(), None
