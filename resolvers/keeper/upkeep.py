"""The keeper: keeps the membership of every segment true, a pass at a time.

A pass takes what has changed about profiles and asks the segments that depend on it,
restricted to them; then those whom time may have moved; then a piece of a membership
that is being built. Whatever it finds is written together with how far it has come,
so a pass that is cut off anywhere is as if it had not begun, and the next one, of
whichever process, does it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

import structlog
from bson import ObjectId
from pymongo.errors import OperationFailure, PyMongoError

from audience.errors import AudienceError
from resolvers.db import Database, Document
from resolvers.keeper.builds import (
    build_piece,
    forget,
    settle_piece,
    show_complete,
)
from resolvers.keeper.commits import Finding, commit, portions, rows_of, writes_of
from resolvers.keeper.crossings import COARSE, FINE, crossed
from resolvers.keeper.evaluation import among, members_among
from resolvers.keeper.kept import Index, Kept, Reading, index_of, read_kept
from resolvers.keeper.shares import (
    LeaseLost,
    ensure_shares,
    hold_shares,
    release_shares,
    share_of,
)
from resolvers.keeper.sides import Cause, Writes
from resolvers.keeper.stream import (
    Change,
    HistoryLost,
    Stream,
    close_stream,
    is_cursor_gone,
    next_changes,
    open_stream,
)
from resolvers.segments.references import references_of

RENEWAL = timedelta(seconds=5)
READING = timedelta(milliseconds=250)
RECORDING = timedelta(seconds=1)
POSTPONED = timedelta(seconds=30)

_log = structlog.get_logger("audience.keeper")


@dataclass(slots=True)
class Keeper:
    """What one process remembers between passes; all that matters is in the shares'
    documents, and read from there when a share is taken."""

    db: Database
    holder: str
    zone: tzinfo
    clock: Callable[[], datetime]
    shares: dict[int, Document] = field(default_factory=dict)
    stream: Stream | None = None
    token: Document | None = None
    segments: dict[ObjectId, Kept] = field(default_factory=dict)
    index: Index = field(default_factory=lambda: Index({}, {}))
    reading: Reading = field(default_factory=lambda: Reading({}))
    asked_at: dict[tuple[ObjectId, ObjectId], datetime] = field(default_factory=dict)
    ticked: dict[ObjectId, datetime] = field(default_factory=dict)
    looked: dict[ObjectId, datetime] = field(default_factory=dict)
    postponed: dict[ObjectId, datetime] = field(default_factory=dict)
    true_at: datetime | None = None
    renewed: datetime | None = None
    read: datetime | None = None
    recorded: datetime | None = None


async def keep_once(
    keeper: Keeper, wait_ms: int = 0, *, at_leisure: bool = True
) -> bool:
    """One pass; whether it found anything to do. Waits so long for changes when there
    are none. LeaseLost when another process has taken a share over meanwhile: start
    again with the next pass. Unless `at_leisure`, nothing is put off until later."""
    now = _present(keeper)
    await _take_part(keeper, now, at_leisure=at_leisure)
    if not keeper.shares:
        return False
    await _read(keeper, now, at_leisure=at_leisure)
    try:
        worked = await _follow(keeper, wait_ms)
        worked |= await _tick(keeper, at_leisure=at_leisure)
        worked |= await _build(keeper)
        await _record(keeper, at_leisure=at_leisure)
    except LeaseLost:
        await stop(keeper, gives_back=False)
        raise
    except PyMongoError:
        # Who cannot be reached is told nothing; leases and readers end by themselves.
        await _forget(keeper)
        raise
    return worked


async def stop(keeper: Keeper, *, gives_back: bool = True) -> None:
    """Forgets what is remembered; gives the shares back for others to take."""
    if keeper.stream is not None:
        try:
            await close_stream(keeper.stream)
        except PyMongoError:
            _log.info("a reader of changes was not closed")
        keeper.stream = None
    await _forget(keeper)
    if gives_back:
        await release_shares(keeper.db, keeper.holder)


async def _forget(keeper: Keeper) -> None:
    stream, keeper.stream = keeper.stream, None
    keeper.shares = {}
    keeper.renewed = keeper.read = keeper.recorded = keeper.true_at = None
    keeper.asked_at.clear()
    keeper.ticked.clear()
    if stream is not None:
        await stream.session.end_session()


def _present(keeper: Keeper) -> datetime:
    """The time, never before an instant that upkeep has reached already."""
    read = keeper.clock()
    now = read.replace(microsecond=read.microsecond // 1000 * 1000)
    return max([now, *keeper.ticked.values()])


async def _take_part(keeper: Keeper, now: datetime, *, at_leisure: bool) -> None:
    if keeper.renewed is not None and at_leisure and now - keeper.renewed < RENEWAL:
        return
    if keeper.renewed is None:
        await ensure_shares(keeper.db, now)
    held = await hold_shares(keeper.db, keeper.holder, keeper.shares, now)
    before = keeper.shares.keys()
    gained = {n: share for n, share in held.items() if n not in before}
    keeper.shares = held
    keeper.renewed = now
    if gained:
        await _join(keeper, gained)


async def _join(keeper: Keeper, gained: Mapping[int, Document]) -> None:
    """Goes back to where the shares that are new here have been left."""
    for share in gained.values():
        for segment_id, entry in share["segments"].items():
            key, at = ObjectId(segment_id), entry["t"]
            keeper.ticked[key] = min(at, keeper.ticked.get(key, at))
    keeper.asked_at.clear()
    tokens = [share.get("cursor") for share in gained.values()]
    if keeper.stream is not None:
        tokens.append(keeper.token)
        await close_stream(keeper.stream)
        keeper.stream = None
    # A token's text grows with its time; a share that has none was never followed.
    known = [token for token in tokens if token is not None]
    keeper.token = (
        min(known, key=lambda token: str(token["_data"]))
        if len(known) == len(tokens)
        else None
    )
    await _open(keeper)


async def _open(keeper: Keeper) -> None:
    try:
        keeper.stream = await open_stream(keeper.db, keeper.token)
    except HistoryLost:
        keeper.token = None
        keeper.stream = await open_stream(keeper.db, None)
    if keeper.token is not None:
        return
    # What was written before is not told: everyone is looked at again.
    keeper.token = keeper.stream.token
    sets: dict[int, Document] = {}
    for number, share in keeper.shares.items():
        sets[number] = {"cursor": keeper.token}
        for segment_id, entry in share["segments"].items():
            entry["scan"] = _START
            sets[number][f"segments.{segment_id}.scan"] = _START
    await commit(keeper.db, keeper.shares, Writes(), sets)


async def _read(keeper: Keeper, now: datetime, *, at_leisure: bool) -> None:
    """Reads the segments now and then, and what has become of their generations."""
    if keeper.read is not None and at_leisure and now - keeper.read < READING:
        return
    db, shares = keeper.db, keeper.shares
    keeper.segments = await read_kept(db, keeper.zone, now, keeper.reading)
    keeper.index = index_of(keeper.segments.values())
    keeper.read = now
    gone = {
        ObjectId(segment_id)
        for share in shares.values()
        for segment_id in share["segments"]
    } - keeper.segments.keys()
    if gone:
        await forget(db, shares, gone)
        for segment_id in gone:
            keeper.ticked.pop(segment_id, None)
    sets: dict[int, Document] = {}
    for kept in keeper.segments.values():
        for number, share in shares.items():
            entry = share["segments"].get(str(kept.id))
            if entry is not None and entry["g"] == kept.generation:
                continue
            if entry is not None and entry.get("s") != kept.shown:
                continue  # first what the last change of the definition has left
            begun: Document = {
                "g": kept.generation,
                "s": kept.shown,
                "scan": _START,
                "seen": 0,
                "t": min(now, keeper.ticked.get(kept.id, now)),
            }
            share["segments"][str(kept.id)] = begun
            keeper.ticked[kept.id] = begun["t"]
            sets.setdefault(number, {}).update(
                {f"segments.{kept.id}.{name}": it for name, it in begun.items()}
            )
            if entry is None:
                sets[number][f"segments.{kept.id}.n"] = 0
    if sets:
        await commit(db, shares, Writes(), sets)


async def _follow(keeper: Keeper, wait_ms: int) -> bool:
    """Takes the changes there are, and asks who is in what because of them."""
    if keeper.stream is None:
        await _open(keeper)
    stream = keeper.stream
    assert stream is not None  # noqa: S101 - just opened
    idle = not any(_scanning(keeper, kept) for kept in keeper.segments.values())
    began = keeper.clock()
    try:
        changes = await next_changes(stream, wait_ms if idle else 0)
    except HistoryLost:
        keeper.token = None
        await close_stream(stream)
        await _open(keeper)
        return True
    except OperationFailure as error:
        if not is_cursor_gone(error):
            raise
        await close_stream(stream)
        await _open(keeper)
        return True
    wanted, gone = _touched(keeper, changes)
    if wanted:
        await _ask(keeper, wanted, "CHANGE", gone)
    keeper.token = stream.token
    keeper.true_at = changes[-1].at or keeper.true_at if changes else began
    return bool(changes)


def _touched(
    keeper: Keeper, changes: Iterable[Change]
) -> tuple[dict[ObjectId, set[ObjectId]], set[ObjectId]]:
    """For each segment the profiles of which something changed that it depends on;
    and the profiles that are gone."""
    fields: dict[ObjectId, set[str] | None] = {}
    gone: set[ObjectId] = set()
    for change in changes:
        if share_of(change.profile_id) not in keeper.shares:
            continue
        if change.is_gone:
            gone.add(change.profile_id)
        before = fields.get(change.profile_id, set())
        if change.fields is None or before is None:
            fields[change.profile_id] = None
        else:
            fields[change.profile_id] = before | change.fields
    wanted: dict[ObjectId, set[ObjectId]] = {}
    everything = set(keeper.segments)
    for profile_id, names in fields.items():
        touched = everything if names is None else keeper.index.touched(names)
        for segment_id in touched:
            wanted.setdefault(segment_id, set()).add(profile_id)
    return wanted, gone


async def _ask(
    keeper: Keeper,
    wanted: Mapping[ObjectId, set[ObjectId]],
    cause: Cause,
    gone: Iterable[ObjectId] = (),
) -> None:
    """Asks each segment about its profiles, and writes what has changed."""
    now = _present(keeper)
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
            await _scan_again(keeper, [each[0].id])
    return found


async def _scan_again(keeper: Keeper, segment_ids: Sequence[ObjectId]) -> None:
    sets: dict[int, Document] = {}
    for number, share in keeper.shares.items():
        for segment_id in segment_ids:
            share["segments"][str(segment_id)]["scan"] = _START
            sets.setdefault(number, {})[f"segments.{segment_id}.scan"] = _START
    await commit(keeper.db, keeper.shares, Writes(), sets)


async def _tick(keeper: Keeper, *, at_leisure: bool) -> bool:
    """Asks those whom time may have moved. At leisure: at events every few seconds,
    and one at a time of the segments for which profiles have to be looked through."""
    now = _present(keeper)
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
    references = await references_of(keeper.db, *(kept.definition for kept in due))
    wanted: dict[ObjectId, set[ObjectId]] = {}
    again: list[ObjectId] = []
    for kept in due:
        since = keeper.ticked[kept.id]
        try:
            found = await crossed(
                keeper.db, kept.parts, since, now, keeper.zone, references
            )
        except (AudienceError, OperationFailure):
            _log.exception("time cannot be told", segment=str(kept.id))
            keeper.postponed[kept.id] = now + POSTPONED
            found = None
        if found is None:
            again.append(kept.id)
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
        await _scan_again(keeper, again)
    if wanted:
        await _ask(keeper, wanted, "TIME")
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


async def _build(keeper: Keeper) -> bool:
    """A piece of work on memberships that are being built, or were just shown."""
    db, shares = keeper.db, keeper.shares
    worked = False
    for kept in keeper.segments.values():
        unsettled = {
            number: share
            for number, share in shares.items()
            if share["segments"].get(str(kept.id), _settled(kept)).get("s")
            != kept.shown
        }
        if kept.shown is not None and unsettled:
            await settle_piece(db, unsettled, kept)
            worked = True
    waiting = [kept for kept in keeper.segments.values() if _scanning(keeper, kept)]
    if waiting:
        kept = waiting[0]
        now = _present(keeper)
        try:
            await build_piece(db, shares, kept, now, keeper.zone)
        except (AudienceError, OperationFailure):
            _log.exception("a segment cannot be built", segment=str(kept.id))
            keeper.postponed[kept.id] = now + POSTPONED
        worked = True
    unshown = [
        kept
        for kept in keeper.segments.values()
        if kept.shown != kept.generation and not _scanning(keeper, kept)
    ]
    if unshown and await show_complete(db, unshown, _present(keeper)):
        keeper.read = None
        worked = True
    return worked


def _scanning(keeper: Keeper, kept: Kept) -> bool:
    until = keeper.postponed.get(kept.id)
    if until is not None and until > _present(keeper):
        return False
    entries = [share["segments"].get(str(kept.id)) for share in keeper.shares.values()]
    return any(
        entry is not None
        and entry["g"] == kept.generation
        and entry.get("scan") is not None
        for entry in entries
    )


async def _record(keeper: Keeper, *, at_leisure: bool) -> None:
    """Notes how far upkeep has come, now and then: what is done twice does no harm."""
    now = _present(keeper)
    if keeper.recorded is not None and at_leisure and now - keeper.recorded < RECORDING:
        return
    keeper.recorded = now
    sets: dict[int, Document] = {}
    for number, share in keeper.shares.items():
        fields: Document = {"cursor": keeper.token}
        if keeper.true_at is not None:
            fields["at"] = keeper.true_at
        for kept in keeper.segments.values():
            entry = share["segments"].get(str(kept.id))
            at = keeper.ticked.get(kept.id)
            if kept.moves and entry is not None and at is not None and entry["t"] != at:
                entry["t"] = at
                fields[f"segments.{kept.id}.t"] = at
        sets[number] = fields
    await commit(keeper.db, keeper.shares, Writes(), sets)


def _settled(kept: Kept) -> Document:
    return {"s": kept.shown}


_START = ObjectId("0" * 24)
