"""Global ids: a prefix that tells the kind of object, then the stored id."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import cast

import strawberry

from audience.errors import InvalidInput


class Kind(StrEnum):
    """The prefixes, one for each type that is a Node."""

    PROFILE = "prf"
    EVENT = "evt"
    METRIC = "met"
    LIST = "lst"
    SEGMENT = "seg"
    IMPORT = "imp"
    API_KEY = "key"
    FORM = "frm"
    INTEGRATION = "int"
    DELIVERY = "msg"

    @property
    def noun(self) -> str:
        """The kind in a sentence."""
        return _NOUNS[self]


_NOUNS = {
    Kind.PROFILE: "a profile",
    Kind.EVENT: "an event",
    Kind.METRIC: "a metric",
    Kind.LIST: "a list",
    Kind.SEGMENT: "a segment",
    Kind.IMPORT: "an import",
    Kind.API_KEY: "an API key",
    Kind.FORM: "a form",
    Kind.INTEGRATION: "an integration",
    Kind.DELIVERY: "a webhook message",
}
_GLOBAL_ID = re.compile(r"([a-z]{3})_([0-9a-f]{24})", re.ASCII)


def global_id(kind: Kind) -> Callable[[object], strawberry.ID]:
    """How the stored ids of `kind` are written."""
    prefix = f"{kind.value}_"

    def write(stored: object) -> str:
        return prefix + str(stored)

    return cast("Callable[[object], strawberry.ID]", write)


def read_id(value: str) -> tuple[Kind, str] | None:
    """The kind and the stored id; None when the text is no id of this API."""
    found = _GLOBAL_ID.fullmatch(value)
    if found is None or found[1] not in set(Kind):
        return None
    return Kind(found[1]), found[2]


def stored_id(value: str, kind: Kind, *path: str) -> str:
    """The stored id in a global id of `kind`; InvalidInput for anything else."""
    found = read_id(value)
    if found is None:
        raise InvalidInput(
            f"{value!r:.60} is not an id: the id of {kind.noun} looks like "
            f"{kind.value}_0123456789abcdef01234567.",
            path or ("id",),
        )
    given, stored = found
    if given is not kind:
        raise InvalidInput(
            f"{value} is the id of {given.noun}; the id of {kind.noun} is wanted here, "
            f"which starts with {kind.value}_.",
            path or ("id",),
        )
    return stored
