"""Lists: their names, how people enter them, and where a membership came from."""

from enum import StrEnum

from audience.errors import InvalidInput, TooLarge
from audience.identity import is_plain

MAX_LISTS = 1_000
MAX_NAME = 200
MAX_PEOPLE = 1_000  # in one call that adds or removes members


class OptIn(StrEnum):
    """Whether a sign-up counts at once, or after the person has confirmed it."""

    SINGLE = "SINGLE"
    DOUBLE = "DOUBLE"


class MembershipSource(StrEnum):
    """How someone came into a list."""

    API = "API"
    FORM = "FORM"
    IMPORT = "IMPORT"
    QUICK_ADD = "QUICK_ADD"
    INTEGRATION = "INTEGRATION"


def check_name(name: str, path: tuple[str, ...] = ("name",)) -> str:
    """A name as it is shown: white space trimmed and collapsed, nothing invisible."""
    shown = " ".join(name.split())
    if not shown:
        raise InvalidInput("The name is empty; give it at least one letter.", path)
    if len(shown) > MAX_NAME:
        raise TooLarge(
            f"The name has {len(shown)} characters; at most {MAX_NAME} are kept.", path
        )
    if not is_plain(shown):
        raise InvalidInput("The name has characters that cannot be shown.", path)
    return shown


def name_key(name: str) -> str:
    """What two names share when they count as the same."""
    return " ".join(name.split()).casefold()


def check_people(count: int, path: tuple[str, ...]) -> None:
    """At least one person and at most `MAX_PEOPLE` in one call."""
    if count == 0:
        raise InvalidInput("Name at least one person.", path)
    if count > MAX_PEOPLE:
        raise TooLarge(
            f"{count:,} people in one call; at most {MAX_PEOPLE:,} are taken.", path
        )
