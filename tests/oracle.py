"""Who is in a segment, worked out the slow way, in memory, from docs/segments.md alone.

Shares no code with what answers the API: definitions are read as the JSON that they
are, one person at a time.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from hashlib import sha256
from math import asin, cos, dist, radians, sin
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]

MISSING = object()

# Where the data say that these codes are.
POSTAL_CODES: dict[str, Json] = {
    "10001": {"latitude": 40.7506, "longitude": -73.9973},
    "10115": {"latitude": 52.5321, "longitude": 13.3847},
    "SW1A 1AA": {"latitude": 51.4735, "longitude": -0.1466},
    "6011": {"latitude": -41.2883, "longitude": 174.7775},
}


@dataclass
class World:
    """Everyone and everything that happened. Metrics by name, segments by id."""

    profiles: list[Json]
    events: list[Json]
    metrics: dict[str, Any]
    now: datetime
    zone: ZoneInfo
    segments: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_profile: dict[Any, list[Json]] = {}
        for event in self.events:
            self.by_profile.setdefault(event["profile_id"], []).append(event)


def members(definition: Json, world: World) -> set[Any]:
    """The ids of the profiles that the definition means."""
    return {
        profile["_id"]
        for profile in world.profiles
        if holds(definition, profile, world)
    }


def holds(definition: Json, profile: Json, world: World) -> bool:
    return all(
        any(condition_holds(condition, profile, world) for condition in group["anyOf"])
        for group in definition["groups"]
    )


def condition_holds(condition: Json, profile: Json, world: World) -> bool:
    ((kind, said),) = condition.items()
    match kind:
        case "event":
            return event_holds(said, profile, world)
        case "property":
            filter = said["filter"]
            value = value_at(profile, profile_path(filter["path"]))
            return filter_holds(filter, value, world)
        case "consent":
            return consent_holds(said, profile, world)
        case "list":
            return list_holds(said, profile, world) is said.get("isMember", True)
        case "segment":
            inner = holds(world.segments[said["segmentId"]], profile, world)
            return inner is said.get("isMember", True)
        case "region":
            return region_holds(said, profile) is said.get("isWithin", True)
        case "distance":
            return distance_holds(said, profile) is said.get("isWithin", True)
        case "sample":
            return sample_holds(said, str(profile["_id"]))
        case "sequence":
            return sequence_holds(said, profile, world) is said.get("isCompleted", True)
        case "all":
            return holds(said, profile, world)
        case "not":
            return not holds(said, profile, world)
    raise AssertionError(kind)


def event_holds(said: Json, profile: Json, world: World) -> bool:
    events = list(
        events_of(profile, said["metric"], said.get("where"), said.get("during"), world)
    )
    path = event_path(said.get("of") or "value")
    values = [value_at(event, path) for event in events]
    numbers = [value for value in values if is_number(value)]
    measured: float | None
    match said.get("measure", "COUNT"):
        case "COUNT":
            measured = len(events)
        case "SUM":
            measured = sum(numbers)
        case "AVERAGE":
            measured = sum(numbers) / len(numbers) if numbers else None
        case "MIN":
            measured = min(numbers, default=None)
        case "MAX":
            measured = max(numbers, default=None)
        case _:
            kinds = (str, int, float, bool, datetime)
            measured = len(
                {
                    (isinstance(value, bool), isinstance(value, str), value)
                    for value in values
                    if isinstance(value, kinds)
                }
            )
    if measured is None:
        return "notEquals" in said["compare"]
    added_up = said.get("measure") in ("SUM", "AVERAGE")
    return number_holds(said["compare"], measured, added_up=added_up)


def events_of(
    profile: Json, metric: Json, where: Any, during: Any, world: World
) -> Iterator[Json]:
    wanted = metric.get("id", "").removeprefix("met_") or world.metrics[metric["name"]]
    for event in world.by_profile.get(profile["_id"], []):
        if str(event["metric_id"]) != str(wanted):
            continue
        if during and not in_timeframe(event["timestamp"], during, world):
            continue
        if all(
            filter_holds(one, value_at(event, event_path(one["path"])), world)
            for one in where or []
        ):
            yield event


def consent_holds(said: Json, profile: Json, world: World) -> bool:
    state = profile.get("consent", {}).get(said["channel"].lower(), {})
    status = state.get("status", "NEVER_SUBSCRIBED")
    reason = state.get("suppression", {}).get("reason")
    able = status == "SUBSCRIBED" and reason is None
    if said.get("canReceiveMarketing") not in (None, able):
        return False
    if said.get("status") and status not in said["status"]:
        return False
    if said.get("changed"):
        changed = state.get("updated_at")
        if changed is None or not in_timeframe(changed, said["changed"], world):
            return False
    for name in ("method", "source"):
        if said.get(name):
            known = state.get(name)
            if known is None or not any(same_text(known, it) for it in said[name]):
                return False
    if said.get("isDoubleOptIn") not in (None, state.get("double_opt_in", False)):
        return False
    if said.get("suppressed"):
        began = state.get("suppression", {}).get("at")
        if began is None or not in_timeframe(began, said["suppressed"], world):
            return False
    return not said.get("suppression") or reason in said["suppression"]


def list_holds(said: Json, profile: Json, world: World) -> bool:
    list_id = said["listId"].removeprefix("lst_")
    return any(
        str(membership["list_id"]) == list_id
        and (
            not said.get("joined")
            or in_timeframe(membership["joined_at"], said["joined"], world)
        )
        for membership in profile.get("lists", [])
    )


def region_holds(said: Json, profile: Json) -> bool:
    country = profile.get("location", {}).get("country", "").lower()
    if said["region"] == "UNITED_STATES":
        return country in ("us", "usa", "united states", "united states of america")
    return country in ("de", "deu", "germany", "fr", "fra", "france")


def distance_holds(said: Json, profile: Json) -> bool:
    location = profile.get("location", {})
    place = said["of"].get("coordinates")
    if "latitude" not in location or "longitude" not in location:
        return False
    if place is None:
        place = POSTAL_CODES[said["of"]["postalCode"]["code"]]

    def direction(point: Json) -> tuple[float, float, float]:
        lat, lon = radians(point["latitude"]), radians(point["longitude"])
        return cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)

    chord = dist(direction(location), direction(place))
    kilometres = 2 * 6371.0088 * asin(min(1, chord / 2))
    wanted = said["within"] * (1.609344 if said.get("unit") == "MILE" else 1)
    return bool(kilometres <= wanted)


def sample_holds(said: Json, profile_id: str) -> bool:
    p = 2_147_483_647
    digest = sha256(said.get("seed", "").encode()).hexdigest()
    k = [int(digest[at : at + 12], 16) % (p - 1) + 1 for at in range(0, 60, 12)]
    t, c = int(profile_id[:8], 16), int(profile_id[18:], 16)
    a = (c * k[0] + t * k[1] + k[2]) % p
    number = pow(a * a * k[3] + k[4], 2, p)
    return bool(number < said["percent"] / 100 * p)


def sequence_holds(said: Json, profile: Json, world: World) -> bool:
    steps = [
        [
            event["timestamp"]
            for event in events_of(
                profile, step["metric"], step.get("where"), said.get("during"), world
            )
        ]
        for step in said["steps"]
    ]
    happens = [step.get("happened", True) for step in said["steps"]]
    within = None
    if said.get("within"):
        hours = {"HOUR": 1, "DAY": 24, "WEEK": 168, "MONTH": 720, "YEAR": 8760}
        unit, amount = said["within"]["unit"], said["within"]["amount"]
        within = timedelta(hours=amount * hours.get(unit, 1 / 60))

    @cache
    def completes(place: int, first: datetime, before: datetime) -> bool:
        """Whether the steps from `place` on can follow."""
        if place == len(steps):
            return True
        if happens[place]:
            following = [time for time in steps[place] if time > before]
            return any(
                (within is None or time - first <= within)
                and completes(place + 1, first, time)
                for time in set(following)
            )
        unwanted = [time for time in steps[place] if time > before]
        if place == len(steps) - 1:
            return not any(within is None or it - before <= within for it in unwanted)
        return any(
            (within is None or time - first <= within)
            and not any(it < time for it in unwanted)
            and completes(place + 2, first, time)
            for time in set(steps[place + 1])
            if time > before
        )

    return any(completes(1, time, time) for time in set(steps[0]))


def filter_holds(filter: Json, value: Any, world: World) -> bool:
    ((kind, said),) = filter["is"].items()
    missing = value is MISSING or value is None
    if kind == "exists":
        return missing is not said
    opposite = False
    if kind in ("text", "items", "number"):
        ((operator, wanted),) = said.items()
        if operator.startswith("not") or operator == "phoneCountryNotIn":
            opposite = True
            plain = operator[3:4].lower() + operator[4:]
            if operator == "phoneCountryNotIn":
                plain = "phoneCountryIn"
            said = {plain: wanted}
    if missing and filter.get("whenMissing") is not None:
        return bool(filter["whenMissing"])
    tests: dict[str, Callable[[], bool]] = {
        "text": lambda: isinstance(value, str) and text_holds(said, value),
        "number": lambda: is_number(value) and number_holds(said, value),
        "boolean": lambda: isinstance(value, bool) and value is said,
        "date": lambda: date_holds(said, value, world),
        "items": lambda: isinstance(value, list) and items_hold(said, value),
    }
    return (not missing and tests[kind]()) is not opposite


def text_holds(said: Json, text: str) -> bool:
    ((operator, wanted),) = said.items()
    match operator:
        case "equals":
            return same_text(text, wanted)
        case "in":
            return any(same_text(text, each) for each in wanted)
        case "contains":
            return bool(re.search(re.escape(wanted), text, re.IGNORECASE))
        case "startsWith":
            return bool(re.match(re.escape(wanted), text, re.IGNORECASE))
        case "endsWith":
            return bool(re.search(re.escape(wanted) + r"\Z", text, re.IGNORECASE))
        case "matches":
            pattern = wanted.replace(r"\w", "[A-Za-z0-9_]")
            pattern = pattern.replace(r"\bm", "(?<![A-Za-z0-9_])m")
            return bool(re.search(pattern, text, re.IGNORECASE))
        case "phoneCountryIn":
            codes = {"DE": "+49", "FR": "+33", "AT": "+43", "CH": "+41"}
            return any(text.startswith(codes[country]) for country in wanted)
    raise AssertionError(operator)


def items_hold(said: Json, items: list[Any]) -> bool:
    ((operator, wanted),) = said.items()
    match operator:
        case "contains":
            return any(same_item(item, wanted) for item in items)
        case "containsAny":
            return any(same_item(item, each) for item in items for each in wanted)
        case "containsAll":
            return all(any(same_item(item, each) for item in items) for each in wanted)
        case "containsText":
            return any(
                isinstance(item, str) and text_holds({"contains": wanted}, item)
                for item in items
            )
        case "containsPrefix" | "containsSuffix":
            plain = "startsWith" if operator == "containsPrefix" else "endsWith"
            texts = [item for item in items if isinstance(item, str)]
            return any(text_holds({plain: wanted}, text) for text in texts)
        case "count":
            return number_holds(wanted, len(items))
    raise AssertionError(operator)


def same_item(item: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return isinstance(item, str) and same_text(item, wanted)
    if isinstance(wanted, bool):
        return item is wanted
    return is_number(item) and item == wanted


def same_text(one: str, other: str) -> bool:
    return bool(re.fullmatch(re.escape(other), one, re.IGNORECASE))


def number_holds(said: Json, number: float, *, added_up: bool = False) -> bool:
    ((operator, wanted),) = said.items()
    if added_up:
        ends = wanted.values() if operator == "between" else (wanted,)
        for end in ends:
            if abs(number - end) <= max(1e-9, abs(end) * 1e-12):
                number = end
    match operator:
        case "equals":
            return bool(number == wanted)
        case "notEquals":
            return bool(number != wanted)
        case "greaterThan":
            return bool(number > wanted)
        case "atLeast":
            return bool(number >= wanted)
        case "lessThan":
            return bool(number < wanted)
        case "atMost":
            return bool(number <= wanted)
        case "between":
            return bool(wanted["from"] <= number <= wanted["to"])
    raise AssertionError(operator)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def date_holds(said: Json, value: Any, world: World) -> bool:
    moment = moment_of(value, world.zone)
    if moment is None:
        return False
    return in_timeframe(moment, said.get("during", said), world)


def on_anniversary(moment: datetime, said: Json, world: World) -> bool:
    local = moment.astimezone(world.zone).date()
    today = world.now.astimezone(world.zone).date()
    ((kind, wanted),) = said.items()
    match kind:
        case "thisMonth":
            return local.month == today.month
        case "today":
            return is_kept_on(local, today)
        case "month":
            return bool(local.month == wanted)
        case "inTheNext":
            first, last = today, day_away(today, wanted, 1)
        case _:
            first, last = day_away(today, wanted, -1), today
    days = min((last - first).days, 3000)
    return any(is_kept_on(local, first + timedelta(each)) for each in range(days + 1))


def is_kept_on(anniversary: date, day: date) -> bool:
    wanted = (anniversary.month, anniversary.day)
    if wanted == (2, 29) and not isleap(day.year):
        wanted = (2, 28)
    return (day.month, day.day) == wanted


def moment_of(value: Any, zone: ZoneInfo) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        return None
    try:
        if re.fullmatch(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}", value):
            return midnight(date.fromisoformat(value), zone)
        if re.fullmatch(
            r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
            r"(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})",
            value,
        ):
            if value[-1] != "Z" and value[-5:] > "14:00":
                return None
            seconds, fraction = re.match(r"(.{19})\.?([0-9]*)", value).groups()  # type: ignore[union-attr]
            moment = datetime.fromisoformat(seconds + value[19:].lstrip(".0123456789"))
            thousandths = int((fraction + "000")[:3])
            return moment.astimezone(UTC) + timedelta(milliseconds=thousandths)
    except ValueError:
        return None
    return None


def in_timeframe(moment: datetime, said: Json, world: World) -> bool:
    ((kind, wanted),) = said.items()
    now, zone = world.now, world.zone
    match kind:
        case "inTheLast":
            return away(now, wanted, -1, zone) <= moment <= now
        case "notInTheLast":
            return moment < away(now, wanted, -1, zone)
        case "inTheLastBetween":
            far, near = (away(now, wanted[end], -1, zone) for end in ("to", "from"))
            return far <= moment <= near
        case "inTheNext":
            return now <= moment <= away(now, wanted, 1, zone)
        case "anniversary":
            return on_anniversary(moment, wanted, world)
        case "before":
            return moment < datetime.fromisoformat(wanted)
        case "after":
            return moment > datetime.fromisoformat(wanted)
        case "on":
            day = date.fromisoformat(wanted)
            tomorrow = midnight(day + timedelta(days=1), zone)
            return midnight(day, zone) <= moment < tomorrow
        case "between":
            start, end = (datetime.fromisoformat(wanted[it]) for it in ("from", "to"))
            return start <= moment <= end
    raise AssertionError(kind)


def away(moment: datetime, span: Json, sign: int, zone: ZoneInfo) -> datetime:
    amount = span["amount"] * sign
    if amount == 0:
        return moment
    if span["unit"] == "MINUTE":
        return moment + timedelta(minutes=amount)
    if span["unit"] == "HOUR":
        return moment + timedelta(hours=amount)
    local = moment.astimezone(zone)
    day = day_away(local.date(), span, sign)
    return at_local(day, local.time().replace(fold=0), zone)


def day_away(day: date, span: Json, sign: int) -> date:
    amount = span["amount"] * sign
    if span["unit"] == "DAY":
        return day + timedelta(days=amount)
    if span["unit"] == "WEEK":
        return day + timedelta(days=7 * amount)
    months = amount * (12 if span["unit"] == "YEAR" else 1)
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month in (0, 13):
            year += 1 if month == 13 else -1
            month = 1 if month == 13 else 12
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return at_local(day, time(), zone)


def at_local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first instant at which the local clock shows this, or has just skipped it."""
    wall = datetime.combine(day, clock)
    offsets = {
        datetime.combine(day, clock, tzinfo=zone).replace(fold=fold).utcoffset()
        for fold in (0, 1)
    }
    instants = sorted(
        (wall - it).replace(tzinfo=UTC) for it in offsets if it is not None
    )
    showing = [
        at for at in instants if at.astimezone(zone).replace(tzinfo=None) == wall
    ]
    return showing[0] if showing else instants[-1]


def value_at(document: Any, path: list[str]) -> Any:
    """The value on the path; below a list, the list of what its items have there."""
    if not path:
        return document
    if isinstance(document, dict):
        return value_at(document.get(path[0], MISSING), path[1:])
    if isinstance(document, list):
        inner = [value_at(item, path) for item in document if isinstance(item, dict)]
        return [value for value in inner if value is not MISSING]
    return MISSING


def profile_path(path: str) -> list[str]:
    snake = {
        "phoneNumber": "phone_number",
        "externalId": "external_id",
        "firstName": "first_name",
        "lastName": "last_name",
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "lastEventAt": "last_event_at",
    }
    return path.split(".") if path not in snake else [snake[path]]


def event_path(path: str) -> list[str]:
    snake = {"valueCurrency": "currency", "uniqueId": "unique_id"}
    return path.split(".") if path not in snake else [snake[path]]
