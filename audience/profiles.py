"""What may be said about someone: the attributes and custom properties of a
profile, their rules and limits, and the words by which it is found."""

import ipaddress
import math
import re
import unicodedata
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from audience.errors import AudienceError, Code, InvalidInput, Problem, TooLarge
from audience.identity import Identity, identity, is_plain

TEXT_LENGTH = 255
URL_LENGTH = 2_048

PROPERTY_DEPTH = 10
PROPERTY_KEYS = 500  # at the top of one profile or event
KEY_LENGTH = 128
STRING_BYTES = 100_000
PROPERTIES_BYTES = 200_000  # keys and texts in UTF-8, and 8 for every other value
PROFILE_PROPERTIES_BYTES = 400_000  # of one profile, as MongoDB keeps them
MAX_UNSET = 500
MAX_PROBLEMS = 50

SEARCH_WORDS = 32
SEARCH_WORD_LENGTH = 100

_INTEGERS = range(-(2**63), 2**63)
_LOCALE = re.compile(
    r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?"
    r"((?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
)
_WORDS = re.compile(r"[^\s@._+\-,;/()'\"]+")


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What to change about whom, already checked. Keys are the stored names.

    An attribute or part of the location that is None is cleared; `location` None
    leaves it alone, and `attributes["location"]` None clears all of it.
    """

    identity: Identity
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    location: Mapping[str, str | float | None] | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    unset_properties: tuple[str, ...] = ()


def profile_change(given: Mapping[str, Any]) -> ProfileChange:
    """The checked change from what a caller said, under the API's names.

    A missing key leaves the value alone, None clears it; identifiers that are None
    count as not given. Every problem is reported at once, with its path.
    """
    problems: list[Problem] = []
    who = Identity()
    try:
        who = identity(
            id=given.get("id"),
            email=given.get("email"),
            phone_number=given.get("phoneNumber"),
            external_id=given.get("externalId"),
            anonymous_id=given.get("anonymousId"),
        )
    except AudienceError as error:
        problems.extend(error.problems)
    attributes: dict[str, Any] = _checked(given, _ATTRIBUTES, (), problems)
    location: dict[str, Any] | None = None
    if "location" in given:
        if given["location"] is None:
            attributes["location"] = None
        else:
            location = _checked(given["location"], _LOCATION, ("location",), problems)
    properties: dict[str, Any] = {}
    if given.get("properties") is not None:
        problems.extend(property_problems(given["properties"], ("properties",)))
        properties = given["properties"]
    unset = tuple(given.get("unsetProperties") or ())
    problems.extend(_unset_problems(unset, properties))
    if problems:
        raise InvalidInput.of(problems[:MAX_PROBLEMS])
    return ProfileChange(who, attributes, location, dict(properties), unset)


def check_properties(
    value: Any, path: tuple[str, ...] = ("properties",)
) -> dict[str, Any]:
    """The custom properties as given, when they keep the rules; otherwise an error
    with every problem, each with its path."""
    problems = property_problems(value, path)
    if problems:
        # TooLarge when nothing else is wrong.
        kinds = {problem.code for problem in problems}
        kind = TooLarge if kinds == {Code.TOO_LARGE} else InvalidInput
        raise kind.of(problems[:MAX_PROBLEMS])
    checked: dict[str, Any] = value
    return checked


def property_problems(value: Any, path: tuple[str, ...]) -> list[Problem]:
    """All that is wrong with custom properties; empty when they keep the rules."""
    if not isinstance(value, dict):
        return [
            Problem(Code.INVALID, "Custom properties are given as an object.", path)
        ]
    problems: list[Problem] = []
    if len(value) > PROPERTY_KEYS:
        message = f"There are {len(value)} properties; {PROPERTY_KEYS} are allowed."
        problems.append(Problem(Code.TOO_LARGE, message, path))
    size = _walk(value, path, 1, problems)
    if size > PROPERTIES_BYTES:
        message = (
            f"These properties take {size:,} bytes; {PROPERTIES_BYTES:,} are allowed."
        )
        problems.append(Problem(Code.TOO_LARGE, message, path))
    return problems


def search_words(profile: Mapping[str, Any]) -> list[str]:
    """The folded words whose beginnings find the profile: the e-mail address, the parts
    of its local part, the names, phone number and external id; none that another
    begins with."""
    words: list[str] = []
    email = profile.get("email")
    if email:
        words += [email, *_WORDS.findall(email.partition("@")[0])]
    for name in (profile.get("first_name"), profile.get("last_name")):
        if name:
            words += _WORDS.findall(name)
    phone = profile.get("phone_number")
    if phone:
        words += [phone, phone.removeprefix("+")]
    if profile.get("external_id"):
        words.append(profile["external_id"])
    folded = dict.fromkeys(fold(word)[:SEARCH_WORD_LENGTH] for word in words)
    # In order, what begins with a word stands right behind it.
    following = dict(pairwise([*sorted(folded), ""]))
    kept = [word for word in folded if word and not following[word].startswith(word)]
    return kept[:SEARCH_WORDS]


def search_terms(text: str) -> list[str]:
    """The folded words that someone searches for."""
    words = (fold(word)[:SEARCH_WORD_LENGTH] for word in text.split())
    return list(dict.fromkeys(word for word in words if word))[:SEARCH_WORDS]


def fold(text: str) -> str:
    """Without regard to case and accents: "Zoé" and "ZOE" fold alike."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(mark for mark in apart if not unicodedata.combining(mark))


def key_problem(key: Any) -> str | None:
    """What is wrong with a property's name, or None."""
    if not isinstance(key, str) or not key:
        return "A property's name is a text that is not empty."
    if key[0] == "$":
        return "A property's name does not start with $."
    if "." in key or "\0" in key:
        return "A property's name has no full stop and no NUL character."
    if len(key) > KEY_LENGTH:
        return f"A property's name has at most {KEY_LENGTH} characters."
    if not key.isascii() and not _is_unicode(key):
        return "A property's name is Unicode without lone surrogates."
    return None


def _walk(
    value: Any, path: tuple[str, ...], depth: int, problems: list[Problem]
) -> int:
    """Collects what is wrong in `value`; answers its size."""
    if isinstance(value, str):
        return _text_size(value, path, problems)
    if value is None or isinstance(value, bool):
        return 8
    if isinstance(value, int | float):
        if not (value in _INTEGERS if isinstance(value, int) else math.isfinite(value)):
            message = "Numbers are finite, and integers have at most 64 bits."
            problems.append(Problem(Code.INVALID, message, path))
        return 8
    inner: Iterable[tuple[str, Any]]
    size = 8
    if isinstance(value, dict):
        for key in value:
            wrong = key_problem(key)
            if wrong is None:
                size += len(key)
            else:
                problems.append(Problem(Code.INVALID, wrong, (*path, _shown(key))))
        inner = ((_shown(key), one) for key, one in value.items())
    elif isinstance(value, list):
        inner = ((str(index), one) for index, one in enumerate(value))
    else:
        message = "Properties are JSON: texts, numbers, booleans, null, lists, objects."
        problems.append(Problem(Code.INVALID, message, path))
        return size
    if depth > PROPERTY_DEPTH:
        message = f"Properties nest at most {PROPERTY_DEPTH} levels deep."
        problems.append(Problem(Code.TOO_LARGE, message, path))
        return size
    for step, one in inner:
        # Short texts and numbers are nearly everything: no call for them.
        if type(one) is str and len(one) < 100 and one.isascii():
            size += len(one)
        elif len(problems) < MAX_PROBLEMS:
            size += _walk(one, (*path, step), depth + 1, problems)
    return size


def _text_size(value: str, path: tuple[str, ...], problems: list[Problem]) -> int:
    if not _is_unicode(value):
        message = "Texts are Unicode without lone surrogates."
        problems.append(Problem(Code.INVALID, message, path))
        return len(value)
    size = len(value.encode())
    if size > STRING_BYTES:
        message = f"This text takes {size:,} bytes; {STRING_BYTES:,} are allowed."
        problems.append(Problem(Code.TOO_LARGE, message, path))
    return size


def _unset_problems(
    unset: Sequence[Any], properties: Mapping[str, Any]
) -> Iterator[Problem]:
    if len(unset) > MAX_UNSET:
        message = f"At most {MAX_UNSET} properties can be unset at once."
        yield Problem(Code.TOO_LARGE, message, ("unsetProperties",))
        return
    for index, key in enumerate(unset):
        wrong = key_problem(key)
        if wrong is None and isinstance(properties, dict) and key in properties:
            wrong = "The same property is given and unset."
        if wrong is not None:
            yield Problem(Code.INVALID, wrong, ("unsetProperties", str(index)))


def _checked(
    given: Any,
    rules: Mapping[str, tuple[str, Callable[[Any], Any]]],
    path: tuple[str, ...],
    problems: list[Problem],
) -> dict[str, Any]:
    """The given values under their stored names; an empty text clears like None."""
    found: dict[str, Any] = {}
    if not isinstance(given, Mapping):
        problems.append(Problem(Code.INVALID, "This is given as an object.", path))
        return found
    for name, (stored, rule) in rules.items():
        if name not in given:
            continue
        value = given[name]
        if isinstance(value, str):
            value = value.strip() or None
        try:
            found[stored] = None if value is None else rule(value)
        except ValueError as error:
            problems.append(Problem(Code.INVALID, str(error), (*path, name)))
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or not is_plain(value):
        raise ValueError("This is a text without control characters.")
    if len(value) > TEXT_LENGTH:
        raise ValueError(f"This has at most {TEXT_LENGTH} characters.")
    return unicodedata.normalize("NFC", value)


def _image(value: Any) -> str:
    if (
        not isinstance(value, str)
        or not value.startswith(("https://", "http://"))
        or len(value) > URL_LENGTH
        or not value.isprintable()
        or " " in value
    ):
        raise ValueError(
            f"An image is an http or https address of at most {URL_LENGTH} characters."
        )
    return value


def _locale(value: Any) -> str:
    found = _LOCALE.fullmatch(_text(value).replace("_", "-"))
    if found is None:
        raise ValueError("A locale is a BCP 47 language tag such as en-GB or zh-Hant.")
    language, script, region, variants = found.groups()
    tag: str = language.lower()
    if script:
        tag += f"-{script.title()}"
    if region:
        tag += f"-{region.upper()}"
    return tag + variants.lower()


def _country(value: Any) -> str:
    """A name, or a code of ISO 3166: those are kept in upper case."""
    text = _text(value)
    return text.upper() if len(text) in (2, 3) and text.isascii() else text


def _timezone(value: Any) -> str:
    if value not in _timezones():
        raise ValueError("A timezone is a name such as Europe/Berlin.")
    name: str = value
    return name


@cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _latitude(value: Any) -> float:
    return _coordinate(value, 90)


def _longitude(value: Any) -> float:
    return _coordinate(value, 180)


def _coordinate(value: Any, most: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"This is a number from -{most} to {most}.")
    if not -most <= value <= most:
        raise ValueError(f"This is {value}; it must be from -{most} to {most}.")
    return float(value)


def _ip(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError("An IP address looks like 192.0.2.1 or 2001:db8::1.") from None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(key: Any) -> str:
    """A key as part of a path: bounded, and printable whatever it holds."""
    text = str(key)[:KEY_LENGTH]
    return text if _is_unicode(text) else ascii(text)


_ATTRIBUTES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "firstName": ("first_name", _text),
    "lastName": ("last_name", _text),
    "organization": ("organization", _text),
    "title": ("title", _text),
    "image": ("image", _image),
    "locale": ("locale", _locale),
}

_LOCATION: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "address1": ("address1", _text),
    "address2": ("address2", _text),
    "city": ("city", _text),
    "region": ("region", _text),
    "country": ("country", _country),
    "zip": ("zip", _text),
    "timezone": ("timezone", _timezone),
    "latitude": ("latitude", _latitude),
    "longitude": ("longitude", _longitude),
    "ip": ("ip", _ip),
}
