"""What a file's columns mean: suggested from their names and first rows, chosen by the
uploader."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from audience.consent import Channel
from audience.errors import AudienceError, InvalidInput, Problem
from audience.profiles import fold, key_problem
from audience.rows.files import header_name

IDENTIFIERS = ("email", "phoneNumber", "externalId")
ATTRIBUTES = ("firstName", "lastName", "organization", "title", "image", "locale")
PLACES = (
    "address1",
    "address2",
    "city",
    "region",
    "country",
    "zip",
    "timezone",
    "latitude",
    "longitude",
    "ip",
)
TARGETS = (*IDENTIFIERS, *ATTRIBUTES, *(f"location.{place}" for place in PLACES))
PROPERTY = "properties."
OWN = " (property)"


class ValueType(StrEnum):
    """What the cells of a custom property's column are kept as."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"


@dataclass(frozen=True, slots=True)
class ConsentHint:
    """What a column seems to tell of consent: whether it was given, or when."""

    channel: Channel
    tells: Literal["IF", "AT"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column and where its cells go; nowhere when `target` is None.

    A cell that is not of a declared type rejects its row; where the type was inferred,
    the cell stays a text.
    """

    header: str
    target: str | None
    type: ValueType = ValueType.TEXT
    is_declared: bool = False
    consent: ConsentHint | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The uploader's word on one column."""

    column: str
    target: str | None
    type: ValueType | None = None


def suggested_columns(
    header: Sequence[str], samples: Sequence[Sequence[str]]
) -> tuple[Column, ...]:
    """What the columns seem to mean. A column that is not known by its name becomes
    a custom property; so does a second one that means the same."""
    is_export = not _OF_EXPORTS.isdisjoint(map(_plain, header))
    ignored = _IGNORED | {_JOINED} if is_export else _IGNORED
    taken: set[str] = set()
    columns = []
    for place, name in enumerate(header):
        column = _suggested(name, taken, ignored)
        if column.target and column.target.startswith(PROPERTY):
            key = column.target.removeprefix(PROPERTY)
            cells = [row[place].strip() for row in samples if place < len(row)]
            column = replace(column, type=_inferred(key, [c for c in cells if c]))
        columns.append(column)
    return tuple(columns)


def property_header(name: str) -> str:
    """The name of a custom property's column, by which an import knows it again: with
    ` (property)` behind a name that would mean something else."""
    plain = _plain(name)
    means_another = plain in _KNOWN or plain in _CONSENT or plain in _IGNORED
    return (
        f"{name}{OWN}" if means_another or plain == _JOINED or _is_own(name) else name
    )


def chosen_columns(
    header: Sequence[str],
    samples: Sequence[Sequence[str]],
    choices: Sequence[Choice] = (),
) -> tuple[Column, ...]:
    """The suggestion with the uploader's choices in it. InvalidInput for a choice that
    cannot be, and when no column identifies people."""
    suggested = {column.header: column for column in suggested_columns(header, samples)}
    problems: list[Problem] = []
    chosen: dict[str, Column] = {}
    targets: dict[str, str] = {}
    for place, choice in enumerate(choices):
        try:
            column = _chosen(choice, header)
            if column.header in chosen:
                raise InvalidInput("The column is given twice.", ("column",))
            if column.target is not None and column.target in targets:
                raise InvalidInput(
                    f"The column {targets[column.target]!r} goes there already.",
                    ("target",),
                )
        except AudienceError as error:
            problems += error.under("columns", str(place)).problems
            continue
        if column.target is not None:
            targets[column.target] = column.header
            kept = suggested[column.header]
            if choice.type is None and column.target.startswith(PROPERTY):
                column = replace(column, type=kept.type)
        chosen[column.header] = column
    if problems:
        raise InvalidInput.of(problems)
    columns = tuple(
        chosen.get(column.header) or _unless_taken(column, targets)
        if column.header
        else column
        for column in suggested_columns(header, samples)
    )
    if not any(column.target in IDENTIFIERS for column in columns):
        names = ", ".join(repr(name) for name in header[:10])
        raise InvalidInput(
            "No column identifies people: one must be an e-mail address, a phone "
            f"number or an external id. The columns are {names}.",
            ("columns",),
        )
    return columns


def _unless_taken(column: Column, targets: dict[str, str]) -> Column:
    if column.target not in targets:
        return column
    return replace(column, target=None)


def _chosen(choice: Choice, header: Sequence[str]) -> Column:
    name = header_name(choice.column)
    if not name or name not in header:
        raise InvalidInput(f"The file has no column {name!r:.140}.", ("column",))
    target = choice.target
    if target is not None and target.startswith(PROPERTY):
        wrong = key_problem(target.removeprefix(PROPERTY))
        if wrong is not None:
            raise InvalidInput(wrong, ("target",))
    elif target is not None and target not in TARGETS:
        raise InvalidInput(
            f"{target!r:.140} is no target: use {', '.join(TARGETS)}, or "
            "properties.<name>.",
            ("target",),
        )
    elif choice.type is not None:
        raise InvalidInput("Only custom properties are given a type.", ("type",))
    return Column(
        name, target, choice.type or ValueType.TEXT, is_declared=choice.type is not None
    )


def _suggested(name: str, taken: set[str], ignored: frozenset[str]) -> Column:
    plain = _plain(name)
    if not plain and not name:
        return Column(name, None)
    if plain in _CONSENT:
        return Column(name, None, consent=_CONSENT[plain])
    if plain in ignored:
        return Column(name, None)
    target = _KNOWN.get(plain)
    if target is None or target in taken:
        own = name[: -len(OWN)] if _is_own(name) else name
        key = own.lstrip("$").replace(".", "_").strip()
        target = f"{PROPERTY}{key}" if key_problem(key) is None else None
        if target in taken:
            target = None
    if target is not None:
        taken.add(target)
    return Column(name, target)


def _is_own(name: str) -> bool:
    return name.endswith(OWN)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, fold(name)))


_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?", re.ASCII)
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
_NAMES_NUMBER = re.compile(r"(id|code|zip|postal|phone|number|no|nr|sku|key)$")


def _inferred(name: str, cells: Sequence[str]) -> ValueType:
    """The type that every cell of the sample has beyond doubt. Numbers that only
    name something, such as a customer's, stay texts."""
    if not cells:
        return ValueType.TEXT
    if all(cell.lower() in ("true", "false") for cell in cells):
        return ValueType.BOOLEAN
    if all(map(_DATE.fullmatch, cells)):
        return ValueType.DATE
    if not _NAMES_NUMBER.search(_plain(name)) and all(map(_NUMBER.fullmatch, cells)):
        return ValueType.NUMBER
    return ValueType.TEXT


def _table(rows: dict[str, str]) -> dict[str, str]:
    return {
        _plain(name): target
        for target, names in rows.items()
        for name in names.split("|")
    }


# Headers of Klaviyo's, Mailchimp's and Shopify's exports, and what people write.
_KNOWN = _table(
    {
        "email": "email|email address|e-mail address|mail|mail address|contact email|"
        "customer email|subscriber|subscriber email|primary email",
        "phoneNumber": "phone number|phone|mobile|mobile phone|mobile number|"
        "cell|cell phone|telephone|tel|sms phone number|"
        "contact phone|sms",
        "externalId": "external id|customer id|user id|contact id|member id|"
        "client id|external_id|customer number|crm id",
        "firstName": "first name|firstname|given name|forename|fname|name first",
        "lastName": "last name|lastname|surname|family name|lname|name last",
        "organization": "organization|organisation|company|company name|"
        "default address company|employer|business",
        "title": "title|job title|position|role",
        "image": "image|image url|avatar|picture|photo",
        "locale": "locale|language|lang|preferred language",
        "location.address1": "address|address 1|address line 1|street|"
        "street address|default address address1",
        "location.address2": "address 2|address line 2|default address address2",
        "location.city": "city|town|default address city",
        "location.region": "region|state|province|state region|state province|county|"
        "default address province code|province code|state code",
        "location.country": "country|country code|country region|cc|"
        "default address country code|country name",
        "location.zip": "zip|zip code|zipcode|postal code|postcode|post code|"
        "default address zip",
        "location.timezone": "timezone|time zone|tz",
        "location.latitude": "latitude|lat",
        "location.longitude": "longitude|lng|lon|long",
        "location.ip": "ip|ip address|last known ip",
    }
)


def _hints(
    rows: Iterable[tuple[Channel, Literal["IF", "AT"], str]],
) -> dict[str, ConsentHint]:
    return {
        _plain(name): ConsentHint(channel, tells)
        for channel, tells, names in rows
        for name in names.split("|")
    }


_CONSENT = _hints(
    (
        (
            Channel.EMAIL,
            "IF",
            "accepts email marketing|accepts marketing|email marketing consent|"
            "email consent|email opt in|newsletter opt in|email marketing status",
        ),
        (
            Channel.EMAIL,
            "AT",
            "confirm time|optin time|email marketing consent timestamp|"
            "email consent timestamp|email marketing consent time",
        ),
        (
            Channel.SMS,
            "IF",
            "accepts sms marketing|sms marketing consent|sms consent|sms opt in",
        ),
        (
            Channel.SMS,
            "AT",
            "sms marketing consent timestamp|sms consent timestamp|"
            "sms marketing consent time",
        ),
    )
)

# Of use to the program that wrote them alone, or no fact about the person.
_IGNORED = frozenset(
    _table(
        {
            "": "klaviyo id|leid|euid|optin ip|confirm ip|gmtoff|dstoff|member rating|"
            "last changed|email suppressions|email suppressions timestamp|"
            "sms suppressions|first active|last active|profile created on|date added|"
            "email suppression|sms suppression|"
            "last open|last click|unsub time|unsub campaign title|"
            "unsub campaign id|unsub reason|unsub reason other|clean time|"
            "clean campaign title|clean campaign id"
        }
    )
)

# Our own exports, in which somebody's joining is no fact about the person either.
_OF_EXPORTS = frozenset(map(_plain, ("Email Suppression", "SMS Suppression")))
_JOINED = _plain("Joined")
