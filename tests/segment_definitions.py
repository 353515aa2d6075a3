"""Generated definitions, of everything that the language can say."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle import World, away

Json = dict[str, Any]

POINTS = (
    *((0, 0), (0.5, 179.9), (0, -179.9), (90, 0), (-90, 12), (5, 5.5), (-5, -174.5)),
    *((40.7, -74.0), (40.9, -73.0), (52.52, 13.405), (52.4, 13.1), (21, 2.5)),
)
CODES = (("US", "10001"), ("DE", "10115"), ("uk", "SW1A 1AA"), ("NZ", "6011"))
METRICS = ("Placed Order", "Opened Email", "Viewed.Product", "$where")
LISTS = tuple(f"5f000000000000000000000{number}" for number in range(3))
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
NUMBERS = (0, 1, 2, 3, 5, 5.5, -1, 2.5, 20, 21, 40, 41, 0.3, 1.1)
PATHS = (
    *("properties.mixed", "properties.tags", "properties.mixed.colour"),
    *("properties.mixed.colour.shade", "properties.mixed.0", "properties.absent"),
    *("properties.tags.colour", "properties.mixed.colour.0", "properties.a b"),
)
EVENT_PATHS = (
    *("properties.mixed", "properties.tags.colour", "properties.mixed.colour"),
    "properties.plain",
)
SPANS = (
    *((1, "MINUTE"), (1, "HOUR"), (24, "HOUR"), (1, "DAY"), (2, "DAY"), (30, "DAY")),
    *((1, "WEEK"), (1, "MONTH"), (3, "MONTH"), (1, "YEAR"), (5, "YEAR"), (366, "DAY")),
)


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
            said = {"listId": f"lst_{random.choice(LISTS)}", "isMember": coin(random)}
            if coin(random):
                said["joined"] = _timeframe(random, world)
            return {"list": said}
        case "segment":
            segment = random.choice([*world.segments])
            return {"segment": {"segmentId": segment, "isMember": coin(random)}}
        case "distance":
            country, code = random.choice(CODES)
            place: Json = {"postalCode": {"country": country, "code": code}}
            if random.random() < 0.8:
                latitude, longitude = random.choice(POINTS)
                point = {"latitude": latitude, "longitude": longitude}
                place = {"coordinates": point}
            said = {"of": place, "within": random.choice((1, 120, 700.5, 9000, 30000))}
            said["unit"] = random.choice(("KILOMETRE", "MILE"))
            said["isWithin"] = coin(random)
            return {"distance": said}
        case "sample":
            said = {"percent": random.choice((0, 12.5, 50, 100))}
            if coin(random):
                said["seed"] = random.choice(("spring", "été"))
            return {"sample": said}
        case "region":
            regions = ("EUROPEAN_UNION", "UNITED_STATES")
            said = {"region": random.choice(regions), "isWithin": coin(random)}
            return {"region": said}
    return {kind: definition_of(random, world, depth + 1)}


def about_properties(random: Random, world: World) -> Json:
    """A definition whose answer an index on a property of events may be of use for."""
    path = random.choice(EVENT_PATHS)
    said = _event_condition(random, world) | {"metric": {"name": METRICS[0]}}
    if random.random() < 0.7:
        said.pop("during", None)
    if said["measure"] == "COUNT" or coin(random):
        said["where"] = [
            _custom_filter(random, world, path),
            *said.get("where", ())[: random.choice((0, 0, 1))],
        ]
    elif "of" in said:
        said["of"] = path
    groups: list[Json] = [{"anyOf": [{"event": said}]}]
    if random.random() < 0.3:
        groups += definition_of(random, world, depth=2)["groups"]
    return {"groups": groups}


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
    if said["measure"] != "COUNT" and coin(random):
        said["of"] = random.choice(EVENT_PATHS)
    if said["measure"] == "COUNT_DISTINCT" and coin(random):
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
        elif coin(random):
            step["happened"] = True
        if random.random() < 0.2:
            step["where"] = [_event_filter(random, world)]
        steps.append(step)
    said: Json = {"steps": steps, "isCompleted": coin(random)}
    if coin(random):
        said["within"] = _span(random)
    if random.random() < 0.4:
        said["during"] = _timeframe(random, world)
    return said


def _consent(random: Random, world: World) -> Json:
    said: Json = {"channel": random.choice(("EMAIL", "SMS"))}
    options: Json = {
        "canReceiveMarketing": coin(random),
        "status": random.sample(("SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED"), 2),
        "changed": _timeframe(random, world),
        "method": ["form"],
        "source": random.choice((["spring FAIR"], ["a", "été"])),
        "isDoubleOptIn": coin(random),
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
        "exists": coin(random),
        "text": _text(random),
        "number": _number(random),
        "boolean": coin(random),
        "items": _items(random),
        "date": _date(random, world),
    }
    kind = random.choice([*comparisons, "text", "items"])
    return _filter(random, path, {kind: comparisons[kind]})


def _filter(random: Random, path: str, comparison: Json) -> Json:
    filter: Json = {"path": path, "is": comparison}
    if random.random() < 0.25 and "exists" not in comparison:
        filter["whenMissing"] = coin(random)
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
    if coin(random):
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
    if coin(random):
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
    instants = [
        moment.isoformat() for moment in times_at_ends(random, world.now, world.zone)
    ]
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


def times_at_ends(random: Random, now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Instants at, just before and just after the ends of spans."""
    tick = timedelta(milliseconds=1)
    ends = [away(now, _span(random), random.choice((-1, -1, -1, 1)), zone)]
    ends += [now, away(now, _as_span(1, "DAY"), -1, zone)]
    ends += [away(now, _as_span(*span), -1, zone) for span in random.sample(SPANS, 4)]
    local = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    ends.append(local.astimezone(UTC))
    return [end + random.choice((-tick, 0 * tick, tick)) for end in ends for _ in "ab"]


def coin(random: Random) -> bool:
    return random.random() < 0.5
