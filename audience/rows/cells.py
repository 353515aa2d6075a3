"""One cell at a time: from text to the value that is kept. Each rule is that of the
API; plain cells, which are nearly all, take a short way to the same answer."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from audience.errors import AudienceError, InvalidInput
from audience.identity import (
    ID_LENGTH,
    identity,
    normalise_email,
    normalise_phone,
)
from audience.profiles import STRING_BYTES, TEXT_LENGTH, profile_change
from audience.rows.columns import PROPERTY, Column, ValueType

Rule = Callable[[str], Any]

_REMEMBERED = 20_000
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_INTEGERS = range(-(2**63), 2**63)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_YES = frozenset(
    (
        *("yes", "y", "true", "t", "1", "x", "on", "subscribed", "granted", "agreed"),
        *("accepted", "opted-in", "opted_in", "opted in", "opt-in", "opt in", "optin"),
    )
)
_TRUE = frozenset(("true", "yes", "1", "t", "y"))
_FALSE = frozenset(("false", "no", "0", "f", "n"))


def rule_of(column: Column, region: str | None) -> Rule:
    """What makes the value of a column's cell; raises InvalidInput. `region` is the
    country of phone numbers without a country code."""
    match column.target:
        case "email":
            return normalise_email
        case "phoneNumber":
            return lambda text: normalise_phone(text, region)
        case "externalId":
            return external_id
        case "location.latitude" | "location.longitude":
            return _coordinate(column.target.partition(".")[2])
        case str(target) if target.startswith(PROPERTY):
            return _PROPERTIES[column.type, column.is_declared]
        case str(target):
            return _attribute(target)
        case None:
            raise ValueError(f"The column {column.header!r} goes nowhere.")


def external_id(text: str) -> str:
    """As in every identity. The apostrophe before the digits is Shopify's."""
    if text[0] == "'" and text[1:].isdigit():
        text = text[1:]
    if text.isascii() and text.isprintable() and len(text) <= ID_LENGTH:
        return text
    checked = identity(external_id=text).external_id
    return checked or text


def agrees(text: str) -> bool:
    """Whether a cell says that consent was given."""
    return text.strip().lower() in _YES


def instant(text: str) -> datetime:
    """The instant of an ISO 8601 text; UTC where it has no offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            "This is not a time such as 2026-03-01 or 2026-03-01T09:30:00Z."
        ) from None
    zoned = read if read.tzinfo else read.replace(tzinfo=UTC)
    try:
        utc = zoned.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("This time is out of range.") from None
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


@cache
def _attribute(target: str) -> Rule:
    place = target.removeprefix("location.")
    is_place = place != target

    @lru_cache(_REMEMBERED)
    def checked(text: str) -> Any:
        given = {"externalId": "x"} | (
            {"location": {place: text}} if is_place else {target: text}
        )
        try:
            change = profile_change(given)
        except AudienceError as error:
            raise InvalidInput(str(error)) from None
        values = change.location if is_place else change.attributes
        return next(iter((values or {}).values()), None)

    if place in ("image", "locale", "country", "timezone", "ip"):
        return checked

    def plain(text: str) -> Any:
        if text.isascii() and text.isprintable() and len(text) <= TEXT_LENGTH:
            return text
        return checked(text)

    return plain


def _coordinate(place: str) -> Rule:
    def coordinate(text: str) -> float:
        value = float(_number(text))
        change = profile_change({"externalId": "x", "location": {place: value}})
        return float((change.location or {})[place] or 0)

    return coordinate


def _text(text: str) -> str:
    if len(text) > STRING_BYTES // 4 and len(text.encode()) > STRING_BYTES:
        raise InvalidInput(f"This text is longer than {STRING_BYTES:,} bytes.")
    return text


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise InvalidInput("This is not a number such as 12 or -3.50.")
    if text.lstrip("+-").isdigit() and (whole := int(text[:30])) in _INTEGERS:
        return whole
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise InvalidInput("This number is too large.")
    return value


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise InvalidInput("This is neither true nor false (yes and no will do, 1 and 0).")


def _date(text: str) -> str:
    """A day, or an instant in UTC, as segments compare them."""
    read = instant(text)
    if _DAY.fullmatch(text):
        return text
    return read.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _or_text(rule: Rule) -> Rule:
    def lenient(text: str) -> Any:
        try:
            return rule(text)
        except AudienceError:
            return _text(text)

    return lenient


_PROPERTIES: dict[tuple[ValueType, bool], Rule] = {
    (kind, declared): rule if declared or rule is _text else _or_text(rule)
    for kind, rule in (
        (ValueType.TEXT, _text),
        (ValueType.NUMBER, _number),
        (ValueType.BOOLEAN, _boolean),
        (ValueType.DATE, _date),
    )
    for declared in (True, False)
}
