"""Klaviyo's date filters as timeframes and comparisons of dates."""

from typing import Any

from audience.klaviyo.reading import Json, Refused, known

_UNITS = {it: it.upper() for it in ("minute", "hour", "day", "week", "month", "year")}

_LENGTH = ("quantity", "unit")
_FIELDS: dict[str, tuple[str, ...]] = {
    "alltime": (),
    "after": ("date",),
    "before": ("date",),
    "between-static": ("start", "end"),
    "in-the-last": _LENGTH,
    "at-least": _LENGTH,
    "in-the-next": _LENGTH,
    "anniversary": (),
    "anniversary-month": (),
    "anniversary-next": _LENGTH,
    "anniversary-last": _LENGTH,
    "calendar-month": ("value",),
    "between": ("start", "end", "unit"),
}


def timeframe(filter: Any, *path: str) -> Json | None:
    """When; None for all time."""
    operator = filter.get("operator") if isinstance(filter, dict) else None
    if isinstance(operator, str) and operator in _FIELDS:
        known(filter, "operator", *_FIELDS[operator], under=path)
    match operator:
        case "alltime":
            return None
        case "after" | "before":
            return {operator: filter.get("date")}
        case "between-static":
            return {"between": {"from": filter.get("start"), "to": filter.get("end")}}
        case "in-the-last":
            return {"inTheLast": _span(filter, "quantity", path)}
        case "at-least":
            return {"notInTheLast": _span(filter, "quantity", path)}
        case "in-the-next":
            return {"inTheNext": _span(filter, "quantity", path)}
        case "anniversary":
            return {"anniversary": {"today": True}}
        case "anniversary-month":
            return {"anniversary": {"thisMonth": True}}
        case "anniversary-next":
            return {"anniversary": {"inTheNext": _days(filter, path)}}
        case "anniversary-last":
            return {"anniversary": {"inTheLast": _days(filter, path)}}
        case "calendar-month":
            return {"anniversary": {"month": filter.get("value")}}
        case "between":
            ends = (_span(filter, name, path) for name in ("start", "end"))
            near, far = sorted(ends, key=lambda it: float(it["amount"]))
            return {"inTheLastBetween": {"from": near, "to": far}}
    raise Refused(f"{operator!r:.40} has no equal here.", *path, "operator")


def date_timeframe(filter: Any, *path: str) -> Json:
    """How a date has to be."""
    found = timeframe(filter, *path)
    if found is None:
        raise Refused("'alltime' has no equal here.", *path, "operator")
    return found


def _span(filter: Json, name: str, path: tuple[str, ...]) -> Json:
    amount, unit = filter.get(name), filter.get("unit")
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise Refused("A whole number is expected.", *path, name)
    if not isinstance(unit, str) or unit not in _UNITS:
        raise Refused(f"{unit!r:.40} is no unit of time here.", *path, "unit")
    return {"amount": amount, "unit": _UNITS[unit]}


def _days(filter: Any, path: tuple[str, ...]) -> Json:
    span = _span(filter, "quantity", path)
    if span["unit"] in ("MINUTE", "HOUR"):
        raise Refused("An anniversary is a whole day here.", *path, "unit")
    return span
