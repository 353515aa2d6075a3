"""How a document is read: what has no equal here is refused with its path."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """What has no equal here, and where in the document it stands."""

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.path = path

    def under(self, *path: str) -> "Refused":
        return Refused(str(self), *path, *self.path)


def known(said: Any, *names: str, under: tuple[str, ...] = ()) -> None:
    """Refuses what is no object, or has other fields than `type` and `names`."""
    if not isinstance(said, dict):
        raise Refused("An object is expected.", *under)
    for name, value in said.items():
        if name != "type" and name not in names and value is not None:
            raise Refused(f"{name!r:.40} has no equal here.", *under, name)


def named(said: Json, name: str, equals: Mapping[str, str], *path: str) -> str:
    """What the value of a field is here."""
    value = said.get(name)
    if not isinstance(value, str) or value not in equals:
        raise Refused(
            f"{value!r:.60} has no equal here; {', '.join(equals)} have.", *path, name
        )
    return equals[value]


def items(said: Json, name: str, *path: str) -> list[Any]:
    """A list; without it, an empty one."""
    found = said.get(name) or []
    if not isinstance(found, list):
        raise Refused("A list is expected.", *path, name)
    return found


def object_in(said: Json, name: str, *path: str) -> Json:
    """An object; without it, an empty one."""
    found = said.get(name) or {}
    if not isinstance(found, dict):
        raise Refused("An object is expected.", *path, name)
    return found
