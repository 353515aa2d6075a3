"""Asks those whom time may have moved, when it is due."""

from contextlib import suppress
from datetime import datetime

import structlog
from bson import ObjectId
from pymongo.errors import OperationFailure

from audience.errors import AudienceError
from audience.plan import References
from resolvers.keeper.asking import ask
from resolvers.keeper.crossings import COARSE, FINE, crossed
from resolvers.keeper.kept import POSTPONED, Kept
from resolvers.keeper.shares import share_of
from resolvers.keeper.state import Keeper, present, scan_again
from resolvers.segments.references import references_of

_log = structlog.get_logger("audience.keeper")


async def tick(keeper: Keeper, *, at_leisure: bool) -> bool:
    """Asks those whom time may have moved. At leisure: at events every few seconds,
    and one at a time of the segments for which profiles have to be looked through."""
    now = present(keeper)
    due: list[Kept] = []
    coarse: list[tuple[datetime, Kept]] = []
    for kept in keeper.segments.values():
        since = keeper.ticked.get(kept.id, now)
        if not kept.moves or since >= now:
            continue
        if not at_leisure:
            due.append(kept)
        elif kept.is_costly:
            if now - since >= COARSE:
                coarse.append((since, kept))
        elif now - since >= FINE:
            due.append(kept)
    if coarse:
        due.append(min(coarse, key=lambda one: one[0])[1])
    if not due:
        return False
    shared: References | None = None
    with suppress(AudienceError):
        shared = await references_of(keeper.db, *(kept.definition for kept in due))
    wanted: dict[ObjectId, set[ObjectId]] = {}
    again: dict[ObjectId, datetime | None] = {}
    for kept in due:
        since = keeper.ticked[kept.id]
        try:
            references = shared or await references_of(keeper.db, kept.definition)
            found = await crossed(
                keeper.db, kept.parts, since, now, keeper.zone, references
            )
        except (AudienceError, OperationFailure):
            _log.exception("time cannot be told", segment=str(kept.id))
            keeper.postponed[kept.id] = now + POSTPONED
            found = None
        if found is None:
            again[kept.id] = since
            continue
        ids = {
            one.profile_id
            for one in found
            if share_of(one.profile_id) in keeper.shares
            and not _is_known(keeper, kept.id, one.profile_id, one.arrived)
        }
        if ids:
            wanted[kept.id] = ids
    if again:
        await scan_again(keeper, again, "TIME")
    if wanted:
        await ask(keeper, wanted, "TIME")
    for kept in due:
        keeper.ticked[kept.id] = now
    oldest = min(keeper.ticked[kept.id] for kept in due)
    keeper.asked_at = {
        key: at for key, at in keeper.asked_at.items() if at >= oldest - COARSE
    }
    return bool(wanted or again)


def _is_known(
    keeper: Keeper, segment_id: ObjectId, profile_id: ObjectId, at: datetime | None
) -> bool:
    asked = keeper.asked_at.get((segment_id, profile_id))
    return at is not None and asked is not None and asked >= at
