"""The keeper: keeps the membership of every segment true, a pass at a time.

A pass takes what has changed about profiles and asks the segments that depend on it,
restricted to them; then those whom time may have moved; then a piece of a membership
that is being built. Whatever it finds is written together with how far it has come,
so a pass that is cut off anywhere is as if it had not begun, and the next one, of
whichever process, does it again.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from bson import ObjectId
from pymongo.errors import OperationFailure, PyMongoError

from audience.errors import AudienceError
from resolvers.db import Document, abort, started_session
from resolvers.keeper.asking import ask
from resolvers.keeper.builds import (
    START,
    build_piece,
    forget_piece,
    is_built,
    settle_piece,
    show_complete,
)
from resolvers.keeper.commits import commit
from resolvers.keeper.kept import POSTPONED, Kept, index_of, read_kept
from resolvers.keeper.shares import (
    SHARES,
    LeaseLost,
    ensure_shares,
    hold_shares,
    release_shares,
    renewing,
)
from resolvers.keeper.sides import Writes
from resolvers.keeper.state import (
    Keeper,
    is_scanning,
    present,
    scan_again,
    touched,
    true_until,
)
from resolvers.keeper.stream import (
    HistoryLost,
    close_stream,
    is_cursor_gone,
    next_changes,
    open_stream,
)
from resolvers.keeper.ticking import tick

RENEWAL_SECONDS = 5
READING_SECONDS = 0.25
RECORDING_SECONDS = 1.0
AHEAD = timedelta(minutes=1)
BUILDING_SECONDS = 0.25

_log = structlog.get_logger("audience.keeper")


async def keep_once(
    keeper: Keeper, wait_ms: int = 0, *, at_leisure: bool = True
) -> bool:
    """One pass; whether it found anything to do. Waits so long for changes when there
    are none. LeaseLost when another process has taken a share over meanwhile: start
    again with the next pass. Unless `at_leisure`, nothing is put off until later."""
    try:
        await _take_part(keeper, at_leisure=at_leisure)
        if not keeper.shares:
            return False
        async with renewing(keeper.db, keeper.holder, RENEWAL_SECONDS):
            if not await _read(keeper, at_leisure=at_leisure):
                return True
            worked = await _follow(keeper, wait_ms)
            worked |= await tick(keeper, at_leisure=at_leisure)
            keeper.is_building = await _build(keeper, at_leisure=at_leisure)
            await _record(keeper, at_leisure=at_leisure)
    except LeaseLost:
        await stop(keeper, gives_back=False)
        raise
    except Exception:
        # Nothing that is half known is built upon. Who may be out of reach is told
        # nothing; leases and readers end by themselves.
        await _forget(keeper)
        raise
    return worked or keeper.is_building


async def stop(keeper: Keeper, *, gives_back: bool = True) -> None:
    """Forgets what is remembered; gives the shares back for others to take, with how
    far they have come."""
    if gives_back and keeper.shares:
        try:
            await _record(keeper, at_leisure=False)
        except (LeaseLost, PyMongoError):
            _log.info("what was done last will be done again")
    if keeper.stream is not None:
        try:
            await close_stream(keeper.stream)
        except PyMongoError:
            _log.info("a reader of changes was not closed")
        keeper.stream = None
    await _forget(keeper)
    if gives_back:
        await release_shares(keeper.db, keeper.holder)
        # Not before: who takes over from this lease ends what its sessions do.
        sessions, keeper.sessions = keeper.sessions, []
        for session in sessions:
            await session.end_session()


async def _forget(keeper: Keeper) -> None:
    stream, keeper.stream = keeper.stream, None
    keeper.shares = {}
    keeper.renewed = keeper.read = keeper.recorded = keeper.true_at = None
    keeper.is_building = False
    keeper.asked_at.clear()
    keeper.ticked.clear()
    keeper.gone.clear()
    if stream is not None:
        await stream.session.end_session()
    for session in keeper.sessions:
        await abort(session)


async def _take_part(keeper: Keeper, *, at_leisure: bool) -> None:
    now = keeper.clock()
    if keeper.ticked and present(keeper) > now + AHEAD:
        _log.warning("the clock was ahead, or has been put back")
        await _forget(keeper)
    if keeper.renewed is None:
        await ensure_shares(keeper.db)
        while len(keeper.sessions) < SHARES:
            keeper.sessions.append(await started_session(keeper.db))
    elif at_leisure and _is_within(keeper.renewed, RENEWAL_SECONDS):
        return
    renewed = time.monotonic()
    held = await hold_shares(keeper.db, keeper.holder, keeper.shares, keeper.sessions)
    before = keeper.shares.keys()
    gained = {n: share for n, share in held.items() if n not in before}
    keeper.shares = held
    keeper.renewed = renewed
    if gained:
        await _join(keeper, gained)


async def _join(keeper: Keeper, gained: Mapping[int, Document]) -> None:
    """Goes back to where the shares that are new here have been left."""
    now = keeper.clock()
    early: dict[ObjectId, datetime | None] = {}
    for share in gained.values():
        for segment_id, entry in share["segments"].items():
            key = ObjectId(segment_id)
            if entry["t"] > now + AHEAD:
                # Kept true for an instant that has not come: looked at again for now.
                entry["t"] = early[key] = now
            at = entry["t"]
            keeper.ticked[key] = min(at, keeper.ticked.get(key, at))
    keeper.asked_at.clear()
    keeper.read = None  # they may have been left at generations not known here yet
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
    if early:
        await scan_again(keeper, early, "TIME")
        sets = {
            number: {f"segments.{it}.t": entry["t"] for it, entry in entries.items()}
            for number, share in gained.items()
            if (entries := share["segments"])
        }
        await commit(keeper.db, keeper.shares, Writes(), sets)


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
    ids = {ObjectId(it) for share in keeper.shares.values() for it in share["segments"]}
    await scan_again(keeper, dict.fromkeys(ids, true_until(keeper)), "CHANGE")
    sets: dict[int, Document] = {n: {"cursor": keeper.token} for n in keeper.shares}
    await commit(keeper.db, keeper.shares, Writes(), sets)


async def _read(keeper: Keeper, *, at_leisure: bool) -> bool:
    """Reads the segments now and then, and what has become of their generations.
    False when they changed meanwhile: nothing can be said before they are read
    again."""
    if at_leisure and _is_within(keeper.read, READING_SECONDS):
        return True
    now = present(keeper)
    db, shares = keeper.db, keeper.shares
    found = await read_kept(db, keeper.zone, now, keeper.reading)
    if found is None:
        keeper.read = None
        return False
    keeper.segments = found
    keeper.index = index_of(keeper.segments.values())
    keeper.read = time.monotonic()
    keeper.gone = {
        ObjectId(segment_id)
        for share in shares.values()
        for segment_id in share["segments"]
    } - keeper.reading.rows.keys()
    for segment_id in keeper.gone:
        keeper.ticked.pop(segment_id, None)
    sets: dict[int, Document] = {}
    for kept in keeper.segments.values():
        ticked = now
        if _is_begun(keeper, kept):
            ticked = min(now, keeper.ticked.get(kept.id, now))
        for number, share in shares.items():
            entry = share["segments"].get(str(kept.id))
            if entry is not None and entry["g"] == kept.generation:
                continue
            if entry is not None and entry.get("s") != kept.shown:
                continue  # first what the last change of the definition has left
            begun: Document = {
                "g": kept.generation,
                "s": kept.shown,
                "scan": START,
                "seen": 0,
                "from": None,
                "why": None,
                "again": None,
                "t": ticked,
            }
            share["segments"][str(kept.id)] = begun
            keeper.ticked[kept.id] = ticked
            sets.setdefault(number, {}).update(
                {f"segments.{kept.id}.{name}": it for name, it in begun.items()}
            )
            if entry is None:
                sets[number][f"segments.{kept.id}.n"] = 0
    if sets:
        await commit(db, shares, Writes(), sets)
    # Who can read these looks everybody through for what is not asked of them now.
    unread = keeper.reading.rows.keys() - found.keys()
    await scan_again(keeper, dict.fromkeys(unread, true_until(keeper)), "CHANGE")
    return True


async def _follow(keeper: Keeper, wait_ms: int) -> bool:
    """Takes the changes there are, and asks who is in what because of them."""
    if keeper.stream is None:
        await _open(keeper)
    stream = keeper.stream
    assert stream is not None  # noqa: S101 - just opened
    idle = not keeper.is_building and not any(
        is_scanning(keeper, kept) for kept in keeper.segments.values()
    )
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
    wanted, gone = touched(keeper, changes)
    if wanted:
        await ask(keeper, wanted, "CHANGE", gone)
    keeper.token = stream.token
    keeper.true_at = changes[-1].at or keeper.true_at if changes else began
    return bool(changes)


async def _build(keeper: Keeper, *, at_leisure: bool) -> bool:
    """A piece of work on memberships that are being built, or were just shown; at
    leisure as many as take no longer than changes may wait."""
    db, shares = keeper.db, keeper.shares
    worked = False
    for segment_id in list(keeper.gone)[:1]:
        if await forget_piece(db, shares, segment_id):
            keeper.gone.discard(segment_id)
        worked = True
    for kept in keeper.segments.values():
        unsettled = {
            number: share
            for number, share in shares.items()
            if share["segments"].get(str(kept.id), _settled(kept)).get("s")
            != kept.shown
        }
        if kept.shown is not None and unsettled:
            await settle_piece(db, unsettled, kept, keeper.sessions[0])
            worked = True
    ends = time.monotonic() + (BUILDING_SECONDS if at_leisure else 0)
    while waiting := [it for it in keeper.segments.values() if is_scanning(keeper, it)]:
        kept = waiting[0]
        now = present(keeper)
        try:
            await build_piece(db, shares, kept, now, keeper.zone, keeper.sessions)
        except (AudienceError, OperationFailure):
            _log.exception("a segment cannot be built", segment=str(kept.id))
            keeper.postponed[kept.id] = now + POSTPONED
        worked = True
        if time.monotonic() >= ends:
            break
    unshown = [
        kept
        for kept in keeper.segments.values()
        if kept.shown != kept.generation and _is_built(keeper, kept)
    ]
    if unshown and await show_complete(db, unshown, present(keeper)):
        keeper.read = None
        worked = True
    return worked


async def _record(keeper: Keeper, *, at_leisure: bool) -> None:
    """Notes how far upkeep has come, now and then: what is done twice does no harm."""
    if at_leisure and _is_within(keeper.recorded, RECORDING_SECONDS):
        return
    keeper.recorded = time.monotonic()
    sets: dict[int, Document] = {}
    for number, share in keeper.shares.items():
        fields: Document = {"cursor": keeper.token}
        if keeper.true_at is not None:
            fields["at"] = share["at"] = keeper.true_at
        for kept in keeper.segments.values():
            entry = share["segments"].get(str(kept.id))
            at = keeper.ticked.get(kept.id)
            if kept.moves and entry is not None and at is not None and entry["t"] != at:
                entry["t"] = at
                fields[f"segments.{kept.id}.t"] = at
        sets[number] = fields
    await commit(keeper.db, keeper.shares, Writes(), sets)


def _is_within(since: float | None, seconds: float) -> bool:
    """Whether less time than that has gone by."""
    return since is not None and time.monotonic() - since < seconds


def _is_begun(keeper: Keeper, kept: Kept) -> bool:
    """Whether one of the shares works for the generation; otherwise everybody is yet
    to be asked, and time has brought nobody in or out."""
    entries = (it["segments"].get(str(kept.id)) for it in keeper.shares.values())
    return any(entry is not None and entry["g"] == kept.generation for entry in entries)


def _is_built(keeper: Keeper, kept: Kept) -> bool:
    entries = (it["segments"].get(str(kept.id)) for it in keeper.shares.values())
    return all(is_built(entry, kept.generation) for entry in entries)


def _settled(kept: Kept) -> Document:
    return {"s": kept.shown}
