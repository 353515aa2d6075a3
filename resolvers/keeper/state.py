"""What a keeper's process remembers between its passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from bson import ObjectId

from resolvers.db import Database, Document
from resolvers.keeper.commits import commit
from resolvers.keeper.kept import Index, Kept, Reading
from resolvers.keeper.sides import Writes
from resolvers.keeper.stream import Stream

START = ObjectId("0" * 24)


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


def present(keeper: Keeper) -> datetime:
    """The time, never before an instant that upkeep has reached already."""
    read = keeper.clock()
    now = read.replace(microsecond=read.microsecond // 1000 * 1000)
    return max([now, *keeper.ticked.values()])


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


async def scan_again(keeper: Keeper, segment_ids: Sequence[ObjectId]) -> None:
    sets: dict[int, Document] = {}
    for number, share in keeper.shares.items():
        for segment_id in segment_ids:
            share["segments"][str(segment_id)]["scan"] = START
            sets.setdefault(number, {})[f"segments.{segment_id}.scan"] = START
    await commit(keeper.db, keeper.shares, Writes(), sets)
