"""Generated people, events and definitions; each definition is answered by every
strategy and by the oracle. For more, and to see what they cover:

    python -m tests.segment_cases --cases 20000 --processes 2
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from bson import ObjectId

from audience.conditions import parse
from audience.plan import plan
from resolvers.collections import prepare
from resolvers.db import Database, aggregate, close, connect
from resolvers.pipelines import Question, Strategy, Unsuitable, question
from resolvers.places.points import give_points
from resolvers.segments import references_of
from resolvers.segments.answers import settled
from server.mongod import running_mongod
from tests.oracle import World, away, members
from tests.pipeline_rules import faults_of
from tests.segment_coverage import Feature, features_of, report

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
POINTS = (
    *((0, 0), (0.5, 179.9), (0, -179.9), (90, 0), (-90, 12), (5, 5.5), (-5, -174.5)),
    *((40.7, -74.0), (40.9, -73.0), (52.52, 13.405), (52.4, 13.1), (21, 2.5)),
)
CODES = (("US", "10001"), ("DE", "10115"), ("uk", "SW1A 1AA"), ("NZ", "6011"))
METRICS = ("Placed Order", "Opened Email", "Viewed.Product", "$where")
LISTS = tuple(f"5f000000000000000000000{number}" for number in range(3))
SEGMENTS = ("5f0000000000000000000008", "5f0000000000000000000009")
VALUES: tuple[Any, ...] = (
    *(None, "", "gold", "GOLD", "Gold member", "gold\n", "5", 5, 5.0, 5.5, 0, -1, 1),
    *(True, False, [], ["gold", 5], [None], [["gold"], "x"], ["Silver", True, 1.0]),
    *({"colour": "Blue"}, [{"colour": "blue"}, {"colour": ["BLUE", 7]}, 3]),
    *({"colour": [{"shade": "dark"}, {"shade": None}]}, [[{"colour": "red"}]]),
    *({"colour": None}, {}, {"colour": {"0": "zero", "shade": "Dark"}}, ["été", "a.c"]),
    *("Straße", "STRASSE", "ÉTÉ", "été", "a.c", "abc", "$gt", "σίσυφος", "ΣΊΣΥΦΟΣ"),
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
TEXTS = (
    *(
        "gold",
        "GOLD",
        "old",
        "g",
        "é",
        "straße",
        "Σίσυφος",
        "a.c",
        ".",
        "$gt",
        "5",
        "\n",
    ),
    *("blue", "dark", "Gold Member", "silver", "\\z", "a|b", "(", "[", "été"),
)
PATTERNS = ("^g.*d$", "o.d", "gold|silver", r"^\w+$", "[^a]c", "é", r"\bm", "a{2}|b")
NUMBERS = (0, 1, 2, 3, 5, 5.5, -1, 2.5, 20, 21)
PATHS = (
    *("properties.mixed", "properties.tags", "properties.mixed.colour"),
    *("properties.mixed.colour.shade", "properties.mixed.0", "properties.absent"),
    *("properties.tags.colour", "properties.mixed.colour.0", "properties.a b"),
)
EVENT_PATHS = ("properties.mixed", "properties.tags.colour", "properties.mixed.colour")
SPANS = (
    *((1, "MINUTE"), (1, "HOUR"), (24, "HOUR"), (1, "DAY"), (2, "DAY"), (30, "DAY")),
    *((1, "WEEK"), (1, "MONTH"), (3, "MONTH"), (1, "YEAR"), (5, "YEAR"), (366, "DAY")),
)


def world_of(random: Random, people: int = 40) -> World:
    """People and events, many of them at the ends of what definitions ask for."""
    zone = ZoneInfo(random.choice(ZONES))
    now = datetime.fromisoformat(random.choice(NOWS))
    times = _times(random, now, zone)
    metrics = {name: ObjectId() for name in METRICS}
    profiles = [_profile(random, times) for _ in range(people)]
    events = [
        _event(random, profile["_id"], metrics[name], times, number)
        for profile in profiles
        for name in METRICS[: random.choice((0, 2, 3))]
        for number in range(random.choice((0, 1, 1, 2, 3, 4, 24)))
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


async def differences(db: Database, world: World, definition: Json) -> list[str]:
    """The strategies whose members are not the oracle's; empty when all agree."""
    expected = members(definition, world)
    share = "some" if 0 < len(expected) < len(world.profiles) else "none or all"
    FEATURES["answer", share] += 1
    parsed = parse(definition)
    references = await references_of(db, parsed)
    node = plan(parsed, now=world.now, zone=world.zone, references=references)
    wrong = []
    for strategy in (None, *Strategy):
        for use_summaries in (True, False):
            try:
                asked = question(node, strategy, use_summaries=use_summaries)
            except Unsuitable:
                continue
            STRATEGIES[asked.strategy, use_summaries] += 1
            wrong += [
                f"{asked.strategy}: {fault} is not legal"
                for fault in faults_of(asked.stages)
            ]
            found = {row["_id"] for row in await aggregate(db.profiles, asked.stages)}
            if found != expected:
                wrong.append(_difference(asked, use_summaries, found, expected))
    asked = question(node)
    if asked.match is None:
        for way in (Strategy.PROFILES_FIRST, Strategy.EVENTS_FIRST):
            answer = await settled(db, asked, way)
            STRATEGIES[answer.strategy, True] += 1
            wrong += [
                f"{way}: {fault} is not legal" for fault in faults_of(answer.stages)
            ]
            found = {row["_id"] for row in await aggregate(db.profiles, answer.stages)}
            if answer.ids is not None and set(answer.ids) != found:
                wrong.append(f"{way}: {answer.ids} are not {found}")
            if found != expected:
                wrong.append(_difference(answer, True, found, expected))
    return wrong


def _difference(
    asked: Question, use_summaries: bool, found: set[ObjectId], expected: set[ObjectId]
) -> str:
    return (
        f"{asked.strategy} (summaries: {use_summaries}): "
        f"too many {found - expected}, too few {expected - found}"
    )


# What was asked so far, by which strategies.
STRATEGIES: Counter[tuple[Strategy, bool]] = Counter()
FEATURES: Counter[Feature] = Counter()


def definition_of(random: Random, world: World, depth: int = 1) -> Json:
    return {
        "groups": [
            {
                "anyOf": [
                    _condition(random, world, depth)
                    for _ in range(random.choice((1, 1, 2)))
                ]
            }
            for _ in range(random.choice((1, 1, 2, 3) if depth == 1 else (1, 2)))
        ]
    }


def _condition(random: Random, world: World, depth: int) -> Json:
    kinds = ["event"] * 5 + ["property"] * 5 + ["sequence"] * 2
    kinds += ["consent", "consent", "list", "list", "region", "sample", "distance"]
    kinds += ["segment"] if world.segments else []
    if depth < 3:
        kinds += ["all", "not"]
    kind = random.choice(kinds)
    match kind:
        case "event":
            return {"event": _event_condition(random, world)}
        case "property":
            return {"property": {"filter": _profile_filter(random, world)}}
        case "consent":
            return {"consent": _consent(random, world)}
        case "sequence":
            return {"sequence": _sequence(random, world)}
        case "list":
            said = {"listId": f"lst_{random.choice(LISTS)}", "isMember": _coin(random)}
            if _coin(random):
                said["joined"] = _timeframe(random, world)
            return {"list": said}
        case "segment":
            segment = random.choice([*world.segments])
            return {"segment": {"segmentId": segment, "isMember": _coin(random)}}
        case "distance":
            country, code = random.choice(CODES)
            place: Json = {"postalCode": {"country": country, "code": code}}
            if random.random() < 0.8:
                latitude, longitude = random.choice(POINTS)
                point = {"latitude": latitude, "longitude": longitude}
                place = {"coordinates": point}
            said = {"of": place, "within": random.choice((1, 120, 700.5, 9000, 30000))}
            said["unit"] = random.choice(("KILOMETRE", "MILE"))
            said["isWithin"] = _coin(random)
            return {"distance": said}
        case "sample":
            said = {"percent": random.choice((0, 12.5, 50, 100))}
            if _coin(random):
                said["seed"] = random.choice(("spring", "été"))
            return {"sample": said}
        case "region":
            regions = ("EUROPEAN_UNION", "UNITED_STATES")
            said = {"region": random.choice(regions), "isWithin": _coin(random)}
            return {"region": said}
    return {kind: definition_of(random, world, depth + 1)}


def _event_condition(random: Random, world: World) -> Json:
    name = random.choice(METRICS)
    metric = {"id": f"met_{world.metrics[name]}"}
    said: Json = {"metric": random.choice((metric, {"name": name}))}
    measures = ("COUNT",) * 5 + (
        "SUM",
        "SUM",
        "AVERAGE",
        "MIN",
        "MAX",
        "COUNT_DISTINCT",
    )
    said["measure"] = random.choice(measures)
    if said["measure"] != "COUNT" and _coin(random):
        said["of"] = random.choice(EVENT_PATHS)
    if said["measure"] == "COUNT_DISTINCT" and _coin(random):
        said["of"] = random.choice(("value", "valueCurrency", "timestamp"))
    said["compare"] = _number(random)
    if random.random() < 0.7:
        said["during"] = _timeframe(random, world)
    if random.random() < 0.3:
        said["where"] = [
            _event_filter(random, world) for _ in range(random.choice((1, 1, 2)))
        ]
    return said


def _sequence(random: Random, world: World) -> Json:
    steps: list[Json] = []
    for _ in range(random.choice((2, 2, 3, 3, 4, 5))):
        step: Json = {"metric": {"name": random.choice(METRICS[:3])}}
        if steps and steps[-1].get("happened", True) and random.random() < 0.4:
            step["happened"] = False
        elif _coin(random):
            step["happened"] = True
        if random.random() < 0.2:
            step["where"] = [_event_filter(random, world)]
        steps.append(step)
    said: Json = {"steps": steps, "isCompleted": _coin(random)}
    if _coin(random):
        said["within"] = _span(random)
    if random.random() < 0.4:
        said["during"] = _timeframe(random, world)
    return said


def _consent(random: Random, world: World) -> Json:
    said: Json = {"channel": random.choice(("EMAIL", "SMS"))}
    options: Json = {
        "canReceiveMarketing": _coin(random),
        "status": random.sample(("SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED"), 2),
        "changed": _timeframe(random, world),
        "method": ["form"],
        "source": random.choice((["spring FAIR"], ["a", "été"])),
        "isDoubleOptIn": _coin(random),
        "suppression": ["HARD_BOUNCE"],
        "suppressed": _timeframe(random, world),
    }
    for name in random.sample(list(options), random.choice((1, 1, 2))):
        said[name] = options[name]
    return said


def _profile_filter(random: Random, world: World) -> Json:
    roll = random.random()
    if roll < 0.12:
        path = random.choice(("createdAt", "lastEventAt"))
        return _filter(random, path, {"date": _date(random, world)})
    if roll < 0.24:
        path = random.choice(("firstName", "location.city", "phoneNumber", "email"))
        return _filter(random, path, {"text": _text(random)})
    if roll < 0.3:
        return _filter(random, "location.latitude", {"number": _number(random)})
    if roll < 0.5:
        path = random.choice(("properties.birthday", "properties.mixed.on"))
        return _filter(random, path, {"date": _date(random, world)})
    return _custom_filter(random, world, random.choice(PATHS))


def _event_filter(random: Random, world: World) -> Json:
    roll = random.random()
    if roll < 0.2:
        return _filter(random, "value", {"number": _number(random)})
    if roll < 0.3:
        return _filter(random, "valueCurrency", {"text": {"equals": "eur"}})
    if roll < 0.4:
        return _filter(random, "timestamp", {"date": _date(random, world)})
    if roll < 0.5:
        return _filter(random, "properties.birthday", {"date": _date(random, world)})
    return _custom_filter(random, world, random.choice(EVENT_PATHS))


def _custom_filter(random: Random, world: World, path: str) -> Json:
    comparisons: Json = {
        "exists": _coin(random),
        "text": _text(random),
        "number": _number(random),
        "boolean": _coin(random),
        "items": _items(random),
        "date": _date(random, world),
    }
    kind = random.choice([*comparisons, "text", "items"])
    return _filter(random, path, {kind: comparisons[kind]})


def _filter(random: Random, path: str, comparison: Json) -> Json:
    filter: Json = {"path": path, "is": comparison}
    if random.random() < 0.25 and "exists" not in comparison:
        filter["whenMissing"] = _coin(random)
    return filter


def _text(random: Random) -> Json:
    singles = ("equals", "contains", "startsWith", "endsWith", "matches")
    operator = random.choice((*singles, "in", "phoneCountryIn"))
    value: Any = random.choice(TEXTS)
    if operator == "matches":
        value = random.choice(PATTERNS)
    if operator == "in":
        value = random.sample(TEXTS, 3)
    if operator == "phoneCountryIn":
        value = random.sample(("DE", "FR", "AT"), 2)
    if _coin(random):
        opposites = {"in": "notIn", "phoneCountryIn": "phoneCountryNotIn"}
        operator = opposites.get(operator, f"not{operator[0].upper()}{operator[1:]}")
    return {operator: value}


def _number(random: Random) -> Json:
    operator = random.choice(
        (
            "equals",
            "notEquals",
            "greaterThan",
            "atLeast",
            "lessThan",
            "atMost",
            "between",
        )
    )
    if operator != "between":
        return {operator: random.choice(NUMBERS)}
    low, high = sorted((random.choice(NUMBERS), random.choice(NUMBERS)))
    return {"between": {"from": low, "to": high}}


def _items(random: Random) -> Json:
    pool = ("gold", "SILVER", "Blue", "x", 5, 7.0, True, 1, False, "", "été", "dark")
    operator = random.choice(
        (
            *("contains", "containsAny", "containsAll", "containsText"),
            *("count", "count", "count"),
            *("containsPrefix", "containsSuffix"),
        )
    )
    if operator == "count":
        return {"count": _number(random)}
    value: Any = random.choice(pool)
    if operator.endswith(("Text", "Prefix", "Suffix")):
        value = random.choice(("ol", "SIL", "x", "a.c", "."))
    elif operator != "contains":
        value = random.sample(pool, random.choice((1, 2, 3)))
    if _coin(random):
        operator = f"notC{operator[1:]}"
    return {operator: value}


def _date(random: Random, world: World) -> Json:
    return random.choice(
        (
            {"during": _timeframe(random, world)},
            {"inTheNext": _span(random)},
            {"anniversary": _anniversary(random)},
        )
    )


def _anniversary(random: Random) -> Json:
    days = {"amount": random.choice((1, 7, 31, 365, 400)), "unit": "DAY"}
    months = {"amount": random.choice((1, 11, 12)), "unit": "MONTH"}
    return random.choice(
        (
            {"today": True},
            {"thisMonth": True},
            {"inTheNext": random.choice((days, months))},
            {"inTheLast": random.choice((days, months))},
            {"month": random.choice((1, 2, 12))},
        )
    )


def _timeframe(random: Random, world: World) -> Json:
    instants = [moment.isoformat() for moment in _times(random, world.now, world.zone)]
    one, other = sorted(random.sample(instants, 2), key=datetime.fromisoformat)
    day = random.choice(
        (
            world.now.astimezone(world.zone).date().isoformat(),
            "2026-03-29",
            "2018-11-04",
        )
    )
    near, far = random.choice(
        (
            ((0, "DAY"), (1, "DAY")),
            ((1, "DAY"), (1, "MONTH")),
            ((1, "HOUR"), (2, "DAY")),
        )
    )
    return random.choice(
        (
            {"inTheLast": _span(random)},
            {"inTheLast": _span(random)},
            {"inTheLast": _span(random)},
            {"notInTheLast": _span(random)},
            {"inTheLastBetween": {"from": _as_span(*near), "to": _as_span(*far)}},
            {"inTheNext": _span(random)},
            {"anniversary": _anniversary(random)},
            {"before": one},
            {"after": one},
            {"on": day},
            {"between": {"from": one, "to": other}},
        )
    )


def _span(random: Random) -> Json:
    return _as_span(*random.choice(SPANS))


def _as_span(amount: int, unit: str) -> Json:
    return {"amount": amount, "unit": unit}


def _times(random: Random, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Instants at, just before and just after the ends of spans."""
    tick = timedelta(milliseconds=1)
    ends = [away(now, _span(random), random.choice((-1, -1, -1, 1)), zone)]
    ends += [now, away(now, _as_span(1, "DAY"), -1, zone)]
    ends += [away(now, _as_span(*span), -1, zone) for span in random.sample(SPANS, 4)]
    local = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    ends.append(local.astimezone(UTC))
    return [end + random.choice((-tick, 0 * tick, tick)) for end in ends for _ in "ab"]


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
    if _coin(random):
        document["properties"]["birthday"] = _some_date(random, times)
    if random.random() < 0.2:
        on = random.choice((_some_date(random, times), [_some_date(random, times)]))
        document["properties"]["mixed"] = {"on": on, "0": "gold"}
    for name in ("first_name", "phone_number", "email", "last_event_at"):
        if _coin(random):
            document[name] = {
                "first_name": random.choice(("Ada", "ÉTÉ", "gold", "")),
                "phone_number": f"+{random.choice((4930, 331, 431))}{_id}",
                "email": f"{_id}@gold.example",
                "last_event_at": random.choice(times),
            }[name]
    if _coin(random):
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
        if _coin(random)
    }
    return document


def _consent_state(random: Random, times: Sequence[datetime]) -> Json:
    state: Json = {"status": random.choice(("SUBSCRIBED", "UNSUBSCRIBED", "PENDING"))}
    if _coin(random):
        state |= {"method": "FORM", "updated_at": random.choice(times)}
    if _coin(random):
        state["source"] = random.choice(("Spring Fair", "ÉTÉ", "a.c"))
    if _coin(random):
        state["double_opt_in"] = _coin(random)
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
        event["value"] = random.choice((0, 1, 2.5, 5, 5.25, -1))
        event["currency"] = random.choice(("EUR", "USD"))
    for name in ("mixed", "tags"):
        if _coin(random):
            event["properties"][name] = random.choice(VALUES)
    if _coin(random):
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
                "s": float(sum(event.get("value", 0) for event in mine)),
                "t": times[:20],
            }
    return summary


def _coin(random: Random) -> bool:
    return random.random() < 0.5


async def run(db: Database, cases: int, seed: int, per_world: int = 50) -> list[str]:
    """Runs so many cases; what was wrong, each with what makes it again."""
    wrong: list[str] = []
    random = Random(seed)
    for start in range(0, cases, per_world):
        world = world_of(random)
        await store(db, world)
        for number in range(start, min(start + per_world, cases)):
            definition = definition_of(random, world)
            FEATURES.update(features_of(definition))
            if found := await differences(db, world, definition):
                where = f"seed {seed}, case {number}, {world.now}, {world.zone}"
                wrong.append("\n  ".join((where, repr(definition), *found)))
    return wrong


Counts = tuple[list[str], Counter[tuple[Strategy, bool]], Counter[Feature]]


def _process(uri: str, cases: int, seed: int) -> Counts:
    """The cases of one process, in a database of its own."""

    async def ask() -> list[str]:
        db = connect(uri, f"cases_{uuid4().hex[:8]}")
        await prepare(db)
        wrong = await run(db, cases, seed)
        await db.client.drop_database(db.name)
        await close(db)
        return wrong

    return asyncio.run(ask()), STRATEGIES, FEATURES


def _main(cases: int, seed: int, processes: int) -> int:
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_mongod(Path(folder)) as mongod,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        each = -(-cases // processes)
        seeds = range(seed, seed + processes)
        jobs = [pool.submit(_process, mongod.uri, each, it) for it in seeds]
        answers = [job.result() for job in jobs]
    wrong = [it for found, _, _ in answers for it in found]
    ways = sum((counts for _, counts, _ in answers), Counter())
    features = sum((counts for _, _, counts in answers), Counter())
    runs = ", ".join(
        f"{strategy}{'' if summaries else ' without summaries'} {count:,}"
        for (strategy, summaries), count in sorted(ways.items())
    )
    seconds = time.perf_counter() - started
    print(report(features))  # noqa: T201
    for one in wrong[:20]:
        print(one)  # noqa: T201
    print(  # noqa: T201
        f"{each * processes:,} cases in {seconds:.0f} s, {len(wrong)} wrong. {runs}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    raise SystemExit(_main(arguments.cases, arguments.seed, arguments.processes))
