"""Asks segments about a few profiles, and writes what has changed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from bson import ObjectId
from pymongo.errors import OperationFailure

from audience.errors import AudienceError
from resolvers.db import Document
from resolvers.keeper.commits import Finding, commit, portions, rows_of, writes_of
from resolvers.keeper.evaluation import among, members_among
from resolvers.keeper.kept import Kept
from resolvers.keeper.sides import Cause
from resolvers.keeper.state import Keeper, present, scan_again

POSTPONED = timedelta(seconds=30)

_log = structlog.get_logger("audience.keeper")


async def ask(
    keeper: Keeper,
    wanted: Mapping[ObjectId, set[ObjectId]],
    cause: Cause,
    gone: Iterable[ObjectId] = (),
) -> None:
    """Asks each segment about its profiles, and writes what has changed."""
    now = present(keeper)
    lost = frozenset(gone)
    asked = [
        (keeper.segments[segment_id], among(sorted(ids)))
        for segment_id, ids in wanted.items()
    ]
    members = await _members(keeper, asked, now)
    findings = [
        Finding(
            kept, frozenset(wanted[kept.id]), frozenset(members[kept.id]), cause, lost
        )
        for kept, _ in asked
        if kept.id in members
    ]
    for part in portions(findings):
        writes = writes_of(part, await rows_of(keeper.db, part), now)
        if writes.rows:
            await commit(keeper.db, keeper.shares, writes, {})
    for finding in findings:
        if finding.kept.moves:
            for profile_id in finding.asked:
                keeper.asked_at[finding.kept.id, profile_id] = now


async def _members(
    keeper: Keeper, asked: Sequence[tuple[Kept, Document]], now: datetime
) -> dict[ObjectId, set[ObjectId]]:
    """The members of each segment; one that cannot be asked is left out, and looked
    at as a whole later, so that it keeps no other from being kept."""
    try:
        return await members_among(keeper.db, asked, now, keeper.zone)
    except (AudienceError, OperationFailure):
        _log.warning("segments are asked one by one", exc_info=True)
    found: dict[ObjectId, set[ObjectId]] = {}
    for each in asked:
        try:
            found |= await members_among(keeper.db, [each], now, keeper.zone)
        except (AudienceError, OperationFailure):
            _log.exception("a segment cannot be kept", segment=str(each[0].id))
            keeper.postponed[each[0].id] = now + POSTPONED
            await scan_again(keeper, [each[0].id])
    return found
