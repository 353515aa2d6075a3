"""Loads a year of a real shop's customers, the Complete Journey, through the same
write path as the API. A load that was cut short goes on where it stopped, and one
that is repeated changes nothing."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from bson import ObjectId
from pymongo import ReturnDocument

from audience.consent import Channel, Method, Statement
from audience.errors import AudienceError
from audience.events import MAX_BATCH, NewEvent
from audience.identity import Identity
from audience.lists import MembershipSource, OptIn, name_key
from resolvers.consent import ConsentChange, change_consents
from resolvers.db import Database, Document, find
from resolvers.events import Tracked, track_events
from resolvers.lists import create_list, join_list_many
from resolvers.metrics import ensure_metrics
from resolvers.profiles import upsert_profiles
from resolvers.summaries import rebuild
from server.seeds.household import (
    METRICS,
    Setting,
    answers_of,
    change_of,
    events_of,
    external_id,
)
from server.seeds.source import Journey, SeedFailed, open_journey
from server.seeds.starters import make_starters

NAME = "complete-journey"
SOURCE = "Complete Journey"
DEMO_HOUSEHOLDS = 250

# Households that are marked as loaded together; what a kill may cost.
TOGETHER = 25
# Batches under way at once: one is built while the database writes others.
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load has done so far."""

    households: int = 0
    households_before: int = 0
    households_wanted: int = 0
    events: int = 0
    duplicates: int = 0
    events_wanted: int = 0
    lines: int = 0
    seconds: float = 0.0


Watch = Callable[[Loaded], None]


class Open(Protocol):
    """How the households are read, from which one on and up to which."""

    def __call__(
        self, folder: Path, *, skip: int, households: int | None
    ) -> AbstractAsyncContextManager[Journey]: ...


async def load(
    db: Database,
    *,
    households: int | None,
    now: datetime,
    environment: Path,
    watch: Watch = lambda loaded: None,
    open_source: Open = open_journey,
) -> Loaded:
    """Loads the first so many households (all when None) that are not there yet.

    The data set is installed into `environment` first, when it is not there.
    `watch` is told after every batch. SeedFailed says what went wrong.
    """
    started = time.monotonic()
    seed = await db.seeds.find_one({"_id": NAME}) or {}
    before = seed.get("households", 0)
    every = seed.get("every_household", math.inf)
    if before >= min(households or math.inf, every):
        return Loaded(households_before=before, households_wanted=before)
    async with open_source(environment, skip=before, households=households) as journey:
        setting = Setting(
            shift_days=await _shift_days(db, journey.last_day, now),
            now=now,
            products=journey.products,
            campaigns={campaign.number: campaign for campaign in journey.campaigns},
        )
        lists = await _lists(db, journey, now)
        await ensure_metrics(db, METRICS, now)
        loaded = Loaded(
            households_before=before,
            households_wanted=before + journey.households,
            events_wanted=journey.events,
            lines=journey.lines,
        )
        async for rows in _groups(journey.rows):
            people = await _people(db, rows, setting, lists)

            overlapping: set[ObjectId] = set()

            def tell(
                tracked: Sequence[Tracked], overlapping: set[ObjectId] = overlapping
            ) -> None:
                nonlocal loaded
                overlapping |= _known(tracked)
                loaded = _more(loaded, tracked, time.monotonic() - started)
                watch(loaded)

            events = chain.from_iterable(
                events_of(row, who, setting)
                for row, who in zip(rows, people, strict=True)
            )
            await _track(db, events, now, tell)
            for profile_id in overlapping:
                # An earlier load may have ended between events and their summary.
                await rebuild(db, profile_id)
            loaded = replace(loaded, households=loaded.households + len(rows))
            await db.seeds.update_one(
                {"_id": NAME},
                {
                    "$set": {"every_household": journey.every_household},
                    "$max": {"households": before + loaded.households},
                },
            )
        await make_starters(db, now)
    return replace(loaded, seconds=time.monotonic() - started)


async def _track(
    db: Database,
    events: Iterator[NewEvent],
    now: datetime,
    tell: Callable[[Sequence[Tracked]], None],
) -> None:
    async def worker() -> None:
        while batch := list(islice(events, MAX_BATCH)):
            tracked = await track_events(db, batch, now)
            for one in tracked:
                if one.error is not None:
                    raise one.error
            tell(tracked)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(worker())
    except ExceptionGroup as failed:
        error = failed.exceptions[0]
        if isinstance(error, AudienceError):
            raise SeedFailed(f"An event was refused: {error}") from None
        raise error from None


async def _people(
    db: Database,
    rows: Sequence[dict[str, Any]],
    setting: Setting,
    lists: dict[int, ObjectId],
) -> list[Identity]:
    """Makes the profiles with what they agreed to and the lists they are in; answers
    by what their events find them."""
    found = await _profiles(db, rows, setting.now)
    said = [
        ConsentChange(
            profile["_id"],
            Statement(Channel.EMAIL, status, Method.IMPORT, SOURCE, at),
        )
        for row, profile in zip(rows, found, strict=True)
        # What is said there already, by an earlier load or by the person, stays.
        if "email" not in profile.get("consent", {})
        for status, at in answers_of(row, setting)
    ]
    for outcome in await change_consents(db, said, setting.now):
        if isinstance(outcome, AudienceError):
            raise SeedFailed(f"A consent was refused: {outcome}")
    for number, list_id in lists.items():
        members = [
            (profile["_id"], setting.time(setting.campaigns[number].start))
            for row, profile in zip(rows, found, strict=True)
            if number in row["campaigns"]
        ]
        await join_list_many(
            db, list_id, members, MembershipSource.IMPORT, now=setting.now
        )
    return [Identity(id=str(profile["_id"])) for profile in found]


async def _profiles(
    db: Database, rows: Sequence[dict[str, Any]], now: datetime
) -> list[Document]:
    """The households' profiles, made where they are new; those that are there already
    are left as they are."""
    ids = [external_id(row["household"]) for row in rows]
    known = await find(db.profiles, {"external_id": {"$in": ids}})
    profiles = {profile["external_id"]: profile for profile in known}
    new = [change_of(row) for row in rows]
    new = [change for change in new if change.identity.external_id not in profiles]
    for upserted in await upsert_profiles(db, new, now):
        if isinstance(upserted, AudienceError):
            raise SeedFailed(f"A profile was refused: {upserted}")
        profiles[upserted.profile["external_id"]] = upserted.profile
    return [profiles[each] for each in ids]


async def _lists(db: Database, journey: Journey, now: datetime) -> dict[int, ObjectId]:
    """The list of each campaign, by the campaign's number."""
    lists = {}
    for campaign in journey.campaigns:
        known = await db.lists.find_one({"name_key": name_key(campaign.name)})
        if known is None:
            known = await create_list(db, campaign.name, OptIn.SINGLE, now=now)
        lists[campaign.number] = known["_id"]
    return lists


async def _shift_days(db: Database, last_day: date, now: datetime) -> int:
    """By how many days all times move so that the last one is yesterday: of the day
    of the first load, so that every later one moves them alike."""
    shift = (now.date() - timedelta(days=1) - last_day).days
    seed: Document | None = await db.seeds.find_one_and_update(
        {"_id": NAME},
        {"$setOnInsert": {"shift_days": shift, "started_at": now}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert seed is not None  # noqa: S101 - just made
    kept: int = seed["shift_days"]
    return kept


async def _groups(
    rows: AsyncIterator[dict[str, Any]],
) -> AsyncIterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    async for row in rows:
        group.append(row)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _known(tracked: Sequence[Tracked]) -> set[ObjectId]:
    """The profiles of events that were there already."""
    return {
        one.event["profile_id"] for one in tracked if one.is_duplicate and one.event
    }


def _more(loaded: Loaded, tracked: Sequence[Tracked], seconds: float) -> Loaded:
    known = sum(one.is_duplicate for one in tracked)
    return replace(
        loaded,
        events=loaded.events + len(tracked) - known,
        duplicates=loaded.duplicates + known,
        seconds=seconds,
    )
