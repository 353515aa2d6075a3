"""Which values a filter may look at: the fields of profiles and events by their names
in the API, and the dotted paths of custom properties."""

from dataclasses import dataclass
from enum import StrEnum

from audience.conditions import limits


class Kind(StrEnum):
    """What a field holds; ANY for custom properties, whose type is each value's own."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is kept, and what it can be."""

    parts: tuple[str, ...]
    kind: Kind

    @property
    def is_custom(self) -> bool:
        return self.kind is Kind.ANY


class UnknownPath(ValueError):
    """The path names nothing that can be looked at; says what would be right."""


_PROFILE_FIELDS = {
    "email": ("email", Kind.TEXT),
    "phoneNumber": ("phone_number", Kind.TEXT),
    "externalId": ("external_id", Kind.TEXT),
    "firstName": ("first_name", Kind.TEXT),
    "lastName": ("last_name", Kind.TEXT),
    "organization": ("organization", Kind.TEXT),
    "title": ("title", Kind.TEXT),
    "image": ("image", Kind.TEXT),
    "locale": ("locale", Kind.TEXT),
    "createdAt": ("created_at", Kind.DATE),
    "updatedAt": ("updated_at", Kind.DATE),
    "lastEventAt": ("last_event_at", Kind.DATE),
}
_LOCATION_FIELDS = {
    "address1": Kind.TEXT,
    "address2": Kind.TEXT,
    "city": Kind.TEXT,
    "region": Kind.TEXT,
    "country": Kind.TEXT,
    "zip": Kind.TEXT,
    "timezone": Kind.TEXT,
    "latitude": Kind.NUMBER,
    "longitude": Kind.NUMBER,
    "ip": Kind.TEXT,
}
_EVENT_FIELDS = {
    "value": ("value", Kind.NUMBER),
    "valueCurrency": ("currency", Kind.TEXT),
    "timestamp": ("timestamp", Kind.DATE),
    "uniqueId": ("unique_id", Kind.TEXT),
}


def profile_place(path: str) -> Place:
    """Where a profile keeps what `path` names; UnknownPath otherwise."""
    if path in _PROFILE_FIELDS:
        name, kind = _PROFILE_FIELDS[path]
        return Place((name,), kind)
    first, _, rest = path.partition(".")
    if first == "location" and rest in _LOCATION_FIELDS:
        return Place(("location", rest), _LOCATION_FIELDS[rest])
    if first == "properties":
        return _custom(path)
    raise UnknownPath(
        f"{path!r:.60} is no field of a profile: give one of "
        f"{', '.join(_PROFILE_FIELDS)}, location. and one of "
        f"{', '.join(_LOCATION_FIELDS)}, or properties. and a custom property's path."
    )


def event_place(path: str) -> Place:
    """Where an event keeps what `path` names; UnknownPath otherwise."""
    if path in _EVENT_FIELDS:
        name, kind = _EVENT_FIELDS[path]
        return Place((name,), kind)
    if path.partition(".")[0] == "properties":
        return _custom(path)
    raise UnknownPath(
        f"{path!r:.60} is no field of an event: give one of "
        f"{', '.join(_EVENT_FIELDS)}, or properties. and a property's path."
    )


def _custom(path: str) -> Place:
    parts = tuple(path.split("."))
    if len(path) > limits.PATH or len(parts) > limits.PATH_PARTS + 1:
        raise UnknownPath(
            f"The path is too long: at most {limits.PATH} characters and "
            f"{limits.PATH_PARTS} names after properties."
        )
    if len(parts) < 2 or not all(parts):
        raise UnknownPath(
            f"{path!r:.60} names no property: write properties.colour, or "
            "properties.favourite.colour for what lies inside an object."
        )
    if any(part.startswith("$") or "\0" in part for part in parts):
        raise UnknownPath(
            "The names in a property's path cannot begin with $ or contain NUL."
        )
    return Place(parts, Kind.ANY)
