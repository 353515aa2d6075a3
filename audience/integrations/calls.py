"""What one call says, whichever tool it comes from: about whom, and what of them."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from audience.consent import EARLIEST, Channel, Status
from audience.errors import AudienceError, InvalidInput
from audience.events import UNIQUE_ID_LENGTH
from audience.identity import Identity, normalise_phone
from audience.profiles import KEY_LENGTH, ProfileChange, profile_change

AGREED = frozenset({"true", "1", "yes", "y", "on", "accepted", "subscribed", "opt_in"})
MAX_ITEMS = 250  # of one order

_MILLISECONDS = 100_000_000_000  # what is larger cannot be seconds since 1970
_CENTS: dict[str, int] = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"),
            *("UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """Something that the person did. The unique id is the source's own."""

    metric: str
    timestamp: datetime
    unique_id: str
    value: float | None = None
    currency: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeardConsent:
    """What the person said of a channel: SUBSCRIBED or UNSUBSCRIBED, and when.
    `is_dated`: the call states when they said it, not only when it was still so."""

    channel: Channel
    status: Status
    at: datetime
    text: str | None = None
    is_dated: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """What a call says.

    `person` has the API's names; `as_of` is the moment of which it is true. Where it
    names nobody, `known_as` is something of the source's that an earlier call told
    the person of; `remember` are those that this call tells. `joined_at`: when the
    person did what makes them join the list without having agreed to anything.
    `is_account`: it is about an account of theirs, whose addresses replace those that
    are known; anybody can type somebody's address into an order.
    """

    person: Mapping[str, Any]
    as_of: datetime
    events: Sequence[HeardEvent] = ()
    consents: Sequence[HeardConsent] = ()
    known_as: str | None = None
    remember: Sequence[str] = ()
    joined_at: datetime | None = None
    is_account: bool = False


@dataclass(frozen=True, slots=True)
class AskedErasure:
    """A call that asks for a person to be erased: who it is by the API's names, and
    what the source calls them."""

    person: Mapping[str, Any]
    known_as: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A call of which there is nothing to keep, and why."""

    reason: str


def checked_person(
    given: Mapping[str, Any],
) -> tuple[ProfileChange | None, tuple[str, ...]]:
    """What can be kept of a person, and the names of what cannot: one odd value does
    not lose the rest. None without any identifier. A phone number without a country
    code is one of the country where the person lives."""
    country = text(mapping(given.get("location")).get("country"))
    region = country if country is not None and len(country) == 2 else None
    person = {name: one for name, one in given.items() if one not in (None, "", {})}
    left_out: list[str] = []
    if "phoneNumber" in person:
        try:
            person["phoneNumber"] = normalise_phone(str(person["phoneNumber"]), region)
        except AudienceError:
            left_out.append("phoneNumber")
            del person["phoneNumber"]
    while person:
        try:
            return profile_change(person), tuple(left_out)
        except AudienceError as error:
            wrong = [problem.path for problem in error.problems if problem.path]
            if not wrong:
                break
            for path in wrong:
                left_out.append(".".join(path[:2]))
                person = _without(person, path)
    return None, tuple(left_out)


def reference(integration_id: object, known_as: str) -> str:
    """Under which id it is kept whom an integration knows by that."""
    return f"{integration_id}:{known_as}"


def known_identity(change: ProfileChange | None) -> Identity | None:
    """The identifiers; None without any."""
    return None if change is None or change.identity == Identity() else change.identity


def instant(value: Any) -> datetime | None:
    """The time in RFC 3339 (UTC when it has no offset), or in seconds or milliseconds
    since 1970; None for anything else, and for what lies before 1990."""
    found: datetime | None = None
    try:
        if isinstance(value, str) and value.strip():
            text = value.strip()
            if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
                return instant(float(text))
            found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
            if found.tzinfo is None:
                found = found.replace(tzinfo=UTC)
            found = found.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1_000 if abs(value) >= _MILLISECONDS else value
            found = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found is not None and found >= EARLIEST else None


def number(value: Any) -> float | None:
    """The number, given as one or as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def money(amount: Any, currency: Any) -> float | None:
    """An amount in the currency's smallest unit, in its main unit."""
    units = number(amount)
    if units is None:
        return None
    digits = _CENTS.get(str(currency).upper(), 2)
    return float(round(units / 10**digits, digits))


def currency_of(value: Any) -> str | None:
    """A code of ISO 4217; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{3}", value.strip()):
        return value.strip().upper()
    return None


def text(value: Any) -> str | None:
    """A text, or a number as one; None for anything else and for nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def agrees(value: Any) -> bool:
    """Whether an answer is a yes."""
    return value is True or (text(value) or "").lower() in AGREED


def mapping(value: Any) -> Mapping[str, Any]:
    """The object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in a list, at most MAX_ITEMS."""
    if isinstance(value, list):
        for each in value[:MAX_ITEMS]:
            if isinstance(each, dict):
                yield each


def told(**properties: Any) -> dict[str, Any]:
    """Properties that have a value, `_` in their names as a blank."""
    return {
        name.replace("_", " "): value
        for name, value in properties.items()
        if value is not None and value not in ("", [])
    }


def property_name(question: str) -> str:
    """A question as the name of a property."""
    plain = re.sub(r"\{\{.*?\}\}|[\x00-\x1f\x7f]", "", question)
    plain = " ".join(plain.replace(".", " ").split()).lstrip("$ ")
    return plain[:KEY_LENGTH].strip() or "Answer"


def unique_id(*parts: Any) -> str:
    """One id of several, short enough to be kept: the end of a longer one gives way to
    a digest of the whole."""
    whole = ":".join(str(part) for part in parts)
    if len(whole) <= UNIQUE_ID_LENGTH:
        return whole
    digest = hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()
    return f"{whole[: UNIQUE_ID_LENGTH - len(digest)]}{digest}"


def wanted(value: str | None, what: str) -> str:
    """The value, or an error that says what a call has to have."""
    if value is None:
        raise InvalidInput(f"The call has no {what}.")
    return value


def _without(person: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    first = path[0]
    inner = person.get(first)
    if len(path) > 1 and isinstance(inner, Mapping) and path[1] in inner:
        left = {name: one for name, one in inner.items() if name != path[1]}
        return {**person, first: left} if left else _but(person, first)
    return _but(person, first)


def _but(person: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {each: one for each, one in person.items() if each != name}
