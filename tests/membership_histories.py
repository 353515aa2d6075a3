"""Generated histories: writes of all kinds, definitions that change, and a clock that
moves; after every step the kept memberships are compared with what is answered on
demand. `python -m tests.membership_histories --histories 500` for more."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from bson import ObjectId

from audience.consent import Channel, Status
from audience.errors import AudienceError
from audience.events import NewEvent
from audience.identity import Identity
from audience.lists import MembershipSource
from audience.profiles import ProfileChange
from resolvers.collections import INDEXES, prepare
from resolvers.consent import set_consent
from resolvers.db import Database, aggregate, close, connect, find
from resolvers.erasures import erase_profile, finish_erasures
from resolvers.events import track_events
from resolvers.keeper import Keeper, keep_once, stop
from resolvers.keeper.sides import shown_rows
from resolvers.lists import remove_from_list
from resolvers.lists.members import join_list_many
from resolvers.merges import merge_profiles
from resolvers.metrics import ensure_metrics
from resolvers.profiles import upsert_profile
from resolvers.segments import (
    create_segment,
    delete_segment,
    segment_questions,
    update_segment,
)
from server.mongod import running_mongod
from tests.oracle import World
from tests.segment_definitions import LISTS, METRICS, definition_of
from tests.segment_worlds import NOWS, VALUES, ZONES

PEOPLE = 12
JUMPS = (
    *((0.001, 0.2, 1, 30, 60, 61, 3_600, 7_200, 86_399, 86_400, 2 * 86_400)),
    *((7 * 86_400, 29 * 86_400, 31 * 86_400, 92 * 86_400, 366 * 86_400)),
)

Members = dict[ObjectId, set[ObjectId]]


@dataclass
class Course:
    """One history under way."""

    db: Database
    random: Random
    now: datetime
    zone: ZoneInfo
    metrics: dict[str, Any] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def world(self) -> World:
        return World([], [], self.metrics, self.now, self.zone)


def keeper_of(db: Database, clock: Callable[[], datetime], zone: ZoneInfo) -> Keeper:
    return Keeper(db, uuid4().hex[:8], zone, clock)


@asynccontextmanager
async def keeping(
    db: Database, clock: Callable[[], datetime], zone: ZoneInfo
) -> AsyncIterator[Keeper]:
    """A keeper for the time of a test."""
    keeper = keeper_of(db, clock, zone)
    try:
        yield keeper
    finally:
        await stop(keeper)


async def catch_up(keeper: Keeper) -> None:
    """Passes until nothing is left to do."""
    for _ in range(500):
        if not await keep_once(keeper, 5, at_leisure=False):
            return
    raise AssertionError("The keeper always finds more to do.")


async def shown(db: Database) -> Members:
    """The members of every segment as readers see them kept."""
    found: Members = {}
    for segment in await find(db.segments, {}):
        rows = []
        if "kept" in segment:
            match = {"segment_id": segment["_id"]}
            rows = await find(
                db.segment_members, match | shown_rows(segment["kept"]["generation"])
            )
        found[segment["_id"]] = {row["profile_id"] for row in rows}
    return found


async def true_members(db: Database, now: datetime, zone: ZoneInfo) -> Members:
    """The members of every segment, asked for now."""
    segments = await find(db.segments, {})
    questions = await segment_questions(db, segments, now, zone)
    return {
        segment["_id"]: {
            row["_id"] for row in await aggregate(db.profiles, asked.stages)
        }
        for segment, asked in zip(segments, questions, strict=True)
    }


async def logged(db: Database) -> Members:
    """The members of every segment, from the log of who entered and left. Nobody
    enters or leaves twice in a row; but lines of somebody erased stand together with
    those of whom had been merged into them."""
    found: dict[ObjectId, Counter[ObjectId]] = {
        row["_id"]: Counter() for row in await find(db.segments, {})
    }
    people = {row["_id"] for row in await find(db.profiles, {}, {"_id": 1})}
    for line in await find(db.segment_changes, {}, sort={"_id": 1}):
        inside = found.setdefault(line["segment_id"], Counter())
        inside[line["profile_id"]] += 1 if line["kind"] == "ENTERED" else -1
        most = 1 if line["profile_id"] in people else PEOPLE
        assert 0 <= inside[line["profile_id"]] <= most, line
    return {key: set(+inside) for key, inside in found.items()}


async def sizes(db: Database) -> dict[ObjectId, int]:
    """The counted numbers of members."""
    found: dict[ObjectId, int] = {row["_id"]: 0 for row in await find(db.segments, {})}
    for share in await find(db.keeper_shares, {}):
        for segment_id, entry in share["segments"].items():
            found[ObjectId(segment_id)] += entry["n"]
    return found


async def assert_true(db: Database, now: datetime, zone: ZoneInfo) -> None:
    """What is kept, logged and counted agrees with what is asked for now."""
    true = await true_members(db, now, zone)
    assert await shown(db) == true
    assert await logged(db) == true
    assert await sizes(db) == {key: len(ids) for key, ids in true.items()}
    assert await db.segment_members.count_documents({"staged": {"$exists": True}}) == 0


async def begin(db: Database, seed: int) -> Course:
    """An empty database, some people, and some segments."""
    for name in INDEXES:
        await getattr(db, name).delete_many({})
    random = Random(seed)
    now = datetime.fromisoformat(random.choice(NOWS))
    course = Course(db, random, now, ZoneInfo(random.choice(ZONES)))
    made = await ensure_metrics(db, METRICS, now)
    course.metrics = {name: row["_id"] for name, row in made.items()}
    await db.lists.insert_many(
        [
            {
                "_id": ObjectId(each),
                "name": each,
                "name_key": each,
                "opt_in": "SINGLE",
                "created_at": now,
                "updated_at": now,
            }
            for each in LISTS
        ]
    )
    for _ in range(6):
        await change_profile(course)
        await happen(course)
    for _ in range(4):
        await make_segment(course)
    return course


async def step(course: Course) -> None:
    """Something happens, or time passes."""
    kinds = (
        *(happen, happen, happen, happen, change_profile, change_profile, move, move),
        *(move, agree, join, leave, merge, erase, make_segment, redefine, redefine),
        *(end_segment, end_erasures),
    )
    kind = course.random.choice(kinds)
    course.done.append(kind.__name__)
    try:
        await kind(course)
    except AudienceError as error:
        course.done.append(str(error))


async def move(course: Course) -> None:
    course.now += timedelta(seconds=course.random.choice(JUMPS))


async def happen(course: Course) -> None:
    """Events of now, of the past and of the future."""
    random = course.random
    events = []
    for _ in range(random.choice((1, 1, 2, 5, 24))):
        away = random.choice((0, 0, 0, 1, -1)) * random.choice(JUMPS)
        at = course.now + timedelta(seconds=away)
        events.append(
            NewEvent(
                _someone(random),
                random.choice(METRICS),
                at.replace(microsecond=at.microsecond // 1000 * 1000),
                random.choice((None, 0, 1, 2.5, 5, -1)),
                random.choice((None, "EUR")),
                {
                    "mixed": random.choice(VALUES),
                    "birthday": _date(course),
                },
                str(random.randrange(1_000)),
            )
        )
    await track_events(course.db, events, course.now)


async def change_profile(course: Course) -> None:
    random = course.random
    change = ProfileChange(
        _someone(random),
        random.choice(({}, {"first_name": random.choice(("Ada", "gold", None))})),
        random.choice((None, {"city": "Paris", "country": random.choice(["A", "DE"])})),
        {
            name: random.choice((*VALUES[1:], _date(course), {"on": _date(course)}))
            for name in random.sample(("mixed", "tags", "a b", "birthday"), 2)
        },
        random.choice(((), ("other",))),
    )
    await upsert_profile(course.db, change, course.now)


async def agree(course: Course) -> None:
    random = course.random
    profile = await _profile(course)
    status = random.choice((Status.SUBSCRIBED, Status.UNSUBSCRIBED))
    await set_consent(
        course.db,
        profile,
        Channel.EMAIL,
        status,
        now=course.now,
        method=random.choice(("FORM", "API")),
        source="shop",
    )


async def join(course: Course) -> None:
    joined = course.now - timedelta(seconds=course.random.choice((0, 60, 86_400)))
    await join_list_many(
        course.db,
        course.random.choice(LISTS),
        [(await _profile(course), joined)],
        MembershipSource.API,
        now=course.now,
    )


async def leave(course: Course) -> None:
    profile = await _profile(course)
    chosen = course.random.choice(LISTS)
    await remove_from_list(course.db, chosen, [profile], now=course.now)


async def merge(course: Course) -> None:
    one, other = await _profile(course), await _profile(course)
    await merge_profiles(course.db, one, other, course.now)


async def erase(course: Course) -> None:
    profile = await _profile(course)
    await erase_profile(course.db, profile, course.now, method="API")


async def end_erasures(course: Course) -> None:
    await finish_erasures(course.db, course.now, timedelta())


async def make_segment(course: Course) -> None:
    name = uuid4().hex
    definition = await _definition(course)
    await create_segment(course.db, name, definition, now=course.now)


async def redefine(course: Course) -> None:
    segment = await _segment(course)
    definition = await _definition(course)
    await update_segment(course.db, segment, now=course.now, definition=definition)


async def end_segment(course: Course) -> None:
    if await course.db.segments.count_documents({}) > 3:
        await delete_segment(course.db, await _segment(course))


async def _definition(course: Course) -> Any:
    definition = definition_of(course.random, course.world())
    if course.random.random() < 0.3 and await course.db.segments.find_one({}):
        is_member = course.random.random() < 0.5
        said = {"segmentId": f"seg_{await _segment(course)}", "isMember": is_member}
        group = course.random.choice(definition["groups"])
        group["anyOf"].append({"segment": said})
    return definition


async def _segment(course: Course) -> ObjectId:
    rows = await find(course.db.segments, {}, {"_id": 1}, sort={"_id": 1})
    chosen: ObjectId = course.random.choice(rows)["_id"]
    return chosen


async def _profile(course: Course) -> ObjectId:
    rows = await find(course.db.profiles, {}, {"_id": 1}, sort={"_id": 1})
    if not rows:
        await change_profile(course)
        return await _profile(course)
    chosen: ObjectId = course.random.choice(rows)["_id"]
    return chosen


def _someone(random: Random) -> Identity:
    return Identity(email=f"p{random.randrange(PEOPLE)}@gold.example")


def _date(course: Course) -> str:
    away = course.random.choice((1, -1)) * course.random.choice(JUMPS)
    at = course.now + timedelta(seconds=away)
    return course.random.choice((at.isoformat(), at.date().isoformat()))


async def run(db: Database, seed: int, steps: int) -> None:
    """One history, compared after every step."""
    course = await begin(db, seed)
    async with keeping(db, course.clock, course.zone) as keeper:
        await catch_up(keeper)
        await assert_true(db, course.now, course.zone)
        for _ in range(steps):
            await step(course)
            await catch_up(keeper)
            await assert_true(db, course.now, course.zone)


async def _main(histories: int, first: int, steps: int) -> int:
    wrong = 0
    causes: Counter[tuple[str, str]] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="audience-test-") as folder,
        running_mongod(Path(folder), cache_gb=0.25) as mongod,
    ):
        db = connect(mongod.uri, "histories")
        await prepare(db)
        for seed in range(first, first + histories):
            try:
                await run(db, seed, steps)
            except Exception as error:  # noqa: BLE001 - counted, and told
                wrong += 1
                sys.stdout.write(
                    f"seed {seed}: {type(error).__name__} {str(error)[:300]}\n"
                )
            for line in await find(db.segment_changes, {}):
                causes[line["kind"], line["cause"]] += 1
        await close(db)
    sys.stdout.write(
        f"{histories} histories of {steps} steps, {wrong} wrong; {dict(causes)}\n"
    )
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=30)
    given = parser.parse_args()
    sys.exit(bool(asyncio.run(_main(given.histories, given.first, given.steps))))
