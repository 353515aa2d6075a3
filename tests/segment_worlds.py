"""Generated people and events, with what is awkward: missing and mixed values, times at
the ends of what definitions ask for, leap days and nights in which clocks change."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from bson import ObjectId

from audience.events import SUMMARY_TIMES
from resolvers.db import Database
from resolvers.places.points import give_points
from tests.oracle import World
from tests.segment_definitions import (
    LISTS,
    METRICS,
    NUMBERS,
    POINTS,
    coin,
    definition_of,
    times_at_ends,
)

Json = dict[str, Any]

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"),
    *("America/Sao_Paulo", "America/Havana", "Pacific/Apia"),
)
NOWS = (
    "2026-03-29T10:00:00+00:00",
    "2026-03-30T01:30:00+00:00",
    "2026-10-25T00:30:00+00:00",
    "2026-10-26T01:30:00+00:00",
    "2024-02-29T12:00:00+00:00",
    "2025-03-01T00:00:00+00:00",
    "2025-02-28T23:59:59.999+00:00",
    "2026-12-31T23:59:59.999+00:00",
    "2026-03-31T22:15:00.500+00:00",
    "2018-11-05T03:00:00+00:00",
    "2020-11-02T05:00:00+00:00",
)
SEGMENTS = ("5f0000000000000000000008", "5f0000000000000000000009")
VALUES: tuple[Any, ...] = (
    *(None, "", "gold", "GOLD", "Gold member", "gold\n", "5", 5, 5.0, 5.5, 0, -1, 1),
    *(True, False, [], ["gold", 5], [None], [["gold"], "x"], ["Silver", True, 1.0]),
    *({"colour": "Blue"}, [{"colour": "blue"}, {"colour": ["BLUE", 7]}, 3]),
    *({"colour": [{"shade": "dark"}, {"shade": None}]}, [[{"colour": "red"}]]),
    *({"colour": None}, {}, {"colour": {"0": "zero", "shade": "Dark"}}, ["été", "a.c"]),
    *("Straße", "STRASSE", "ÉTÉ", "été", "a.c", "abc", "$gt", "σίσυφος", "ΣΊΣΥΦΟΣ"),
)
MANY = SUMMARY_TIMES + 4  # events of a metric, more than the summary has times of
# No lists: an index on these tells lists from values.
PLAIN: tuple[Any, ...] = (
    *(None, "gold", "GOLD", "5", 5, 5.0, 5.5, True, {}, {"colour": "red"}, "σίσυφος"),
)
DATES = (
    *(
        "2024-02-29",
        "2023-02-29",
        "2000-02-28",
        "1999-12-31",
        "2001-01-01",
        "2026-03-29",
    ),
    *("2026-03-30", "2018-11-04", "2020-11-01", "0999-01-01", "2026-3-1", "2026-04-31"),
    *("2011-12-30", "9999-12-31", "tomorrow", "2026-05-01T24:00:00Z"),
    *("2024-02-29T23:30:00-05:00", "2026-10-25T02:30:00.1239+01:00"),
    *(
        "2026-03-29T10:00:00Z",
        "2026-12-31T23:59:59.999999Z",
        "2025-01-01T00:00:00+14:30",
    ),
    *("2024-02-29t12:00:00z", "2024-02-29T12:00Z", "2024-02-29T12:00:00+14:00"),
)


def world_of(random: Random, people: int = 40) -> World:
    """People and events, many of them at the ends of what definitions ask for."""
    zone = ZoneInfo(random.choice(ZONES))
    now = datetime.fromisoformat(random.choice(NOWS))
    times = times_at_ends(random, now, zone)
    metrics = {name: ObjectId() for name in METRICS}
    profiles = [_profile(random, times) for _ in range(people)]
    events = [
        _event(random, profile["_id"], metrics[name], some, number)
        for profile in profiles
        for name in METRICS[: random.choice((0, 2, 3))]
        # At few instants, so that a window has most of them as often as hardly any.
        for some in (random.sample(times, random.choice((2, 3, len(times)))),)
        for number in range(random.choice((0, 1, 1, 2, 3, 4, MANY)))
    ]
    world = World(profiles, events, metrics, now, zone)
    for segment in SEGMENTS:
        # The second may refer to the first.
        inner = definition_of(random, world, depth=2)
        world.segments[f"seg_{segment}"] = inner
    return world


async def store(db: Database, world: World) -> None:
    """The world as documents, the summaries counted here."""
    keys = {
        metric: f"k{number}" for number, metric in enumerate(world.metrics.values())
    }
    documents = [
        profile | {"summary": _summary(world.by_profile.get(profile["_id"], []), keys)}
        for profile in world.profiles
    ]
    await db.profiles.delete_many({})
    await db.events.delete_many({})
    await db.metrics.delete_many({})
    await db.segments.delete_many({})
    if world.segments:
        await db.segments.insert_many(
            [
                {
                    "_id": ObjectId(segment.removeprefix("seg_")),
                    "name": segment,
                    "name_key": segment,
                    "definition": definition,
                    "created_at": world.now,
                    "updated_at": world.now,
                }
                for segment, definition in world.segments.items()
            ]
        )
    await db.metrics.insert_many(
        [
            {"_id": metric, "name": name, "key": keys[metric], "created_at": world.now}
            for name, metric in world.metrics.items()
        ]
    )
    await db.profiles.insert_many(documents)
    await give_points(db)
    if world.events:
        await db.events.insert_many([dict(event) for event in world.events])


def _profile(random: Random, times: Sequence[datetime]) -> Json:
    _id = ObjectId()
    document: Json = {
        "_id": _id,
        "properties": {},
        "created_at": random.choice(times),
        "updated_at": random.choice(times),
    }
    names = ("mixed", "tags", "a b", "other", "0")
    for name in random.sample(names, random.choice((0, 2, 3, 5))):
        document["properties"][name] = random.choice(VALUES)
    if coin(random):
        document["properties"]["birthday"] = _some_date(random, times)
    if random.random() < 0.2:
        on = random.choice((_some_date(random, times), [_some_date(random, times)]))
        document["properties"]["mixed"] = {"on": on, "0": "gold"}
    for name in ("first_name", "phone_number", "email", "last_event_at"):
        if coin(random):
            document[name] = {
                "first_name": random.choice(("Ada", "ÉTÉ", "gold", "")),
                "phone_number": f"+{random.choice((4930, 331, 431))}{_id}",
                "email": f"{_id}@gold.example",
                "last_event_at": random.choice(times),
            }[name]
    if coin(random):
        document["location"] = {
            "city": random.choice(("Paris", "PARIS", "gold")),
            "country": random.choice(("DE", "France", "usa", "Peru")),
            "latitude": random.choice(NUMBERS),
        }
        if random.random() < 0.8:
            latitude, longitude = random.choice(POINTS)
            document["location"] |= {"latitude": latitude, "longitude": longitude}
    document["lists"] = [
        {
            "list_id": ObjectId(each),
            "joined_at": random.choice(times),
            "source": "API",
        }
        for each in random.sample(LISTS, random.choice((0, 1, 2)))
    ]
    document["consent"] = {
        channel: _consent_state(random, times)
        for channel in ("email", "sms")
        if coin(random)
    }
    return document


def _consent_state(random: Random, times: Sequence[datetime]) -> Json:
    state: Json = {"status": random.choice(("SUBSCRIBED", "UNSUBSCRIBED", "PENDING"))}
    if coin(random):
        state |= {"method": "FORM", "updated_at": random.choice(times)}
    if coin(random):
        state["source"] = random.choice(("Spring Fair", "ÉTÉ", "a.c"))
    if coin(random):
        state["double_opt_in"] = coin(random)
    if random.random() < 0.3:
        state["suppression"] = {"reason": "HARD_BOUNCE", "at": random.choice(times)}
    return state


def _event(
    random: Random,
    profile: ObjectId,
    metric: ObjectId,
    times: Sequence[datetime],
    number: int,
) -> Json:
    event: Json = {
        "_id": ObjectId(),
        "profile_id": profile,
        "metric_id": metric,
        "timestamp": random.choice(times),
        "unique_id": str(number),
        "properties": {},
    }
    if random.random() < 0.7:
        event["value"] = random.choice((0, 1, 2.5, 5, 5.25, -1, 0.1, 0.2))
        event["currency"] = random.choice(("EUR", "USD"))
    for name in ("mixed", "tags"):
        if coin(random):
            event["properties"][name] = random.choice(VALUES)
    if coin(random):
        event["properties"]["plain"] = random.choice(PLAIN)
    if coin(random):
        event["properties"]["birthday"] = _some_date(random, times)
    return event


def _some_date(random: Random, times: Sequence[datetime]) -> Any:
    moment = random.choice(times)
    texts = (moment.date().isoformat(), moment.isoformat(), random.choice(DATES))
    return random.choice((*texts, random.choice(VALUES)))


def _summary(events: Sequence[Json], keys: Json) -> Json:
    summary: Json = {}
    for metric, key in keys.items():
        mine = [event for event in events if event["metric_id"] == metric]
        times = sorted((event["timestamp"] for event in mine), reverse=True)
        if mine:
            summary[key] = {
                "n": len(mine),
                "f": times[-1],
                "l": times[0],
                "s": _added(event.get("value", 0) for event in mine),
                "t": times[:SUMMARY_TIMES],
            }
    return summary


def _added(values: Iterable[float]) -> float:
    """One after another, as MongoDB's $inc does."""
    total = 0.0
    for value in values:
        total += value
    return total
