"""What a keeper's process remembers between its passes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from bson import ObjectId

from resolvers.db import Database, Document, Session, lasting
from resolvers.keeper.builds import START
from resolvers.keeper.commits import commit
from resolvers.keeper.kept import Index, Kept, Reading
from resolvers.keeper.shares import share_of
from resolvers.keeper.sides import Cause, Writes
from resolvers.keeper.stream import Change, Stream


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
    sessions: list[Session] = field(default_factory=list)  # its own, one for each share
    token: Document | None = None
    segments: dict[ObjectId, Kept] = field(default_factory=dict)
    index: Index = field(default_factory=lambda: Index({}, {}))
    reading: Reading = field(default_factory=Reading)
    asked_at: dict[tuple[ObjectId, ObjectId], datetime] = field(default_factory=dict)
    ticked: dict[ObjectId, datetime] = field(default_factory=dict)
    gone: set[ObjectId] = field(default_factory=set)
    postponed: dict[ObjectId, datetime] = field(default_factory=dict)
    true_at: datetime | None = None
    is_building: bool = False  # the last pass worked on memberships
    # By the monotonic clock.
    renewed: float | None = None
    read: float | None = None
    recorded: float | None = None

    def __post_init__(self) -> None:
        # What the log tells is there to stay; what is read because of it must be too.
        self.db = lasting(self.db)


def present(keeper: Keeper) -> datetime:
    """The time, never before an instant that upkeep has reached already."""
    read = keeper.clock()
    now = read.replace(microsecond=read.microsecond // 1000 * 1000)
    return max([now, *keeper.ticked.values()])


def true_until(keeper: Keeper) -> datetime | None:
    """Up to when what was written is known to be kept; None before the first pass of
    all."""
    if keeper.true_at is not None:
        return keeper.true_at
    instants = [share["at"] for share in keeper.shares.values() if "at" in share]
    return min(instants, default=None)


def is_scanning(keeper: Keeper, kept: Kept) -> bool:
    until = keeper.postponed.get(kept.id)
    if until is not None and until > present(keeper):
        return False
    entries = [share["segments"].get(str(kept.id)) for share in keeper.shares.values()]
    return any(
        entry is not None
        and entry["g"] == kept.generation
        and entry.get("scan") is not None
        for entry in entries
    )


def touched(
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
        concerned = everything if names is None else keeper.index.touched(names)
        for segment_id in concerned:
            wanted.setdefault(segment_id, set()).add(profile_id)
    return wanted, gone


async def scan_again(
    keeper: Keeper, since: Mapping[ObjectId, datetime | None], cause: Cause
) -> None:
    """Looks everybody through once more for these segments, which were true until the
    instants given. A look that has begun is carried to its end first, but for a first
    one that has missed a change: that begins again, and nothing is shown before."""
    sets: dict[int, Document] = {}
    for number, share in keeper.shares.items():
        for segment_id, until in since.items():
            entry = share["segments"].get(str(segment_id))
            if entry is None or entry.get("scan") == START:
                continue
            fields: Document
            if entry.get("scan") is None:
                fields = {"scan": START, "seen": 0, "from": until, "why": cause}
            elif entry.get("b") != entry["g"] and cause == "CHANGE":
                fields = {"scan": START, "seen": 0}
            elif entry.get("again") is None:
                fields = {"again": {"from": until, "why": cause}}
            else:
                continue
            entry |= fields
            sets.setdefault(number, {}).update(
                {f"segments.{segment_id}.{name}": it for name, it in fields.items()}
            )
    await commit(keeper.db, keeper.shares, Writes(), sets)
