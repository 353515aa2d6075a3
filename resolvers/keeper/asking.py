"""Asks segments about a few profiles, and writes what has changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from bson import ObjectId
from pymongo.errors import OperationFailure

from audience.errors import AudienceError
from resolvers.db import Document
from resolvers.keeper.commits import (
    Finding,
    commit,
    gone_among,
    portions,
    rows_of,
    writes_of,
)
from resolvers.keeper.evaluation import among, members_among
from resolvers.keeper.kept import POSTPONED, Kept, as_shown
from resolvers.keeper.sides import Cause
from resolvers.keeper.state import Keeper, present, scan_again, true_until

AT_ONCE = 2_000

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
    findings: list[Finding] = []
    for some in _rounds(wanted):
        asked = [(keeper.segments[one], among(ids)) for one, ids in some.items()]
        members = await _members(keeper, asked, now)
        findings += [
            Finding(kept, frozenset(some[kept.id]), frozenset(found), cause, lost)
            for kept, _ in asked
            if (found := members.get(kept.id)) is not None
        ]
    for part in portions(findings):
        rows = await rows_of(keeper.db, part)
        known = await _with_gone(keeper, part, rows)
        shown = await as_shown(keeper.db, [each.kept for each in known])
        pairs = zip(known, shown, strict=True)
        writes = writes_of([replace(one, kept=it) for one, it in pairs], rows, now)
        if writes.new or writes.rows:
            await commit(keeper.db, keeper.shares, writes, {}, keeper.sessions[0])
    for finding in findings:
        if finding.kept.moves:
            for profile_id in finding.asked:
                keeper.asked_at[finding.kept.id, profile_id] = now


def _rounds(
    wanted: Mapping[ObjectId, set[ObjectId]],
) -> Iterator[dict[ObjectId, list[ObjectId]]]:
    """The same in parts that are not too much for one command."""
    ids = {segment_id: sorted(some) for segment_id, some in wanted.items()}
    for start in range(0, max(map(len, ids.values()), default=0), AT_ONCE):
        part = {key: some[start : start + AT_ONCE] for key, some in ids.items()}
        yield {key: some for key, some in part.items() if some}


async def _with_gone(
    keeper: Keeper, part: Sequence[Finding], rows: Iterable[Document]
) -> list[Finding]:
    """The same; who is in a segment no more may not be there at all."""
    members = {each.kept.id: each.members for each in part}
    gone = await gone_among(
        keeper.db,
        (
            row["profile_id"]
            for row in rows
            if row["profile_id"] not in members[row["segment_id"]]
        ),
    )
    return [replace(each, gone=each.gone | gone) for each in part]


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
            await scan_again(keeper, {each[0].id: true_until(keeper)}, "CHANGE")
    return found
