"""Who someone is: the identifiers by which a profile is found, in their one
normal form. Whether they are free is for the database to say."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from audience.errors import AudienceError, InvalidInput, Problem

EMAIL_LENGTH = 254
PHONE_LENGTH = 40
ID_LENGTH = 255
MAX_ANONYMOUS_IDS = 100

_SUBJECT = re.compile(r"^(An|The) email address ")
_ORDINARY = re.compile(r"[a-z0-9_+-]+(\.[a-z0-9_+-]+)*", re.ASCII)
_LOCAL_LENGTH = 64

# The API's names of the identifiers, the strongest first.
PATHS = {
    "id": "id",
    "external_id": "externalId",
    "email": "email",
    "phone_number": "phoneNumber",
    "anonymous_id": "anonymousId",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The identifiers given for one person, each in its normal form."""

    id: str | None = None
    email: str | None = None
    phone_number: str | None = None
    external_id: str | None = None
    anonymous_id: str | None = None

    def known(self) -> Iterator[tuple[str, str]]:
        """The identifiers that name a person, the strongest first, without the id."""
        if self.external_id is not None:
            yield "external_id", self.external_id
        if self.email is not None:
            yield "email", self.email
        if self.phone_number is not None:
            yield "phone_number", self.phone_number


def identity(
    *,
    id: str | None = None,
    email: str | None = None,
    phone_number: str | None = None,
    external_id: str | None = None,
    anonymous_id: str | None = None,
    region: str | None = None,
) -> Identity:
    """The checked identity; InvalidInput carries every problem with its path.

    `region` is the country (ISO 3166, two letters) of phone numbers that have no
    country code; without it they are refused.
    """
    problems: list[Problem] = []
    found = Identity(
        id=id,
        email=_checked(problems, email, normalise_email),
        phone_number=_checked(problems, phone_number, normalise_phone, region),
        external_id=_checked(problems, external_id, _plain_id, "externalId"),
        anonymous_id=_checked(problems, anonymous_id, _plain_id, "anonymousId"),
    )
    if problems:
        raise InvalidInput.of(problems)
    if found == _NOBODY:
        raise InvalidInput(
            "Say who it is: give an id, email, phoneNumber, externalId or anonymousId."
        )
    return found


_NOBODY = Identity()


def _checked(
    problems: list[Problem],
    text: str | None,
    rule: Callable[..., str],
    *arguments: str | None,
) -> str | None:
    """What the rule makes of the text; None, and the problems told, if it refuses."""
    if text is None:
        return None
    try:
        return rule(text, *arguments)
    except AudienceError as error:
        problems.extend(error.problems)
        return None


def normalise_email(text: str, path: tuple[str, ...] = ("email",)) -> str:
    """The whole address in lower case after Unicode's NFC. Nothing is looked up."""
    trimmed = text.strip()
    if len(trimmed) > EMAIL_LENGTH:
        raise InvalidInput(
            f"An e-mail address has at most {EMAIL_LENGTH} characters.", path
        )
    # Of ordinary addresses, which are nearly all, only the domain has to be known.
    local, _, domain = (lowered := trimmed.lower()).rpartition("@")
    if (
        trimmed.isascii()
        and len(local) <= _LOCAL_LENGTH
        and _ORDINARY.fullmatch(local)
        and _is_usual(domain)
    ):
        return lowered
    try:
        return _normal_email(trimmed)
    except EmailNotValidError as error:
        reason = _SUBJECT.sub("it ", str(error))
        raise InvalidInput(f"This is not an e-mail address: {reason}", path) from None


@lru_cache(maxsize=10_000)
def _is_usual(domain: str) -> bool:
    """Whether addresses may be of this domain, written as it is."""
    address = f"a@{domain}"
    try:
        return _normal_email(address) == address
    except EmailNotValidError:
        return False


def _normal_email(trimmed: str) -> str:
    valid = validate_email(trimmed, check_deliverability=False)
    return unicodedata.normalize("NFC", valid.normalized.lower())


def normalise_phone(
    text: str, region: str | None = None, path: tuple[str, ...] = ("phoneNumber",)
) -> str:
    """The number in E.164. Checked for a possible length, not for being assigned:
    number ranges change faster than any list of them."""
    right = "give it with its country code, as in +14155550132."
    if len(text) > PHONE_LENGTH:
        raise InvalidInput(f"This phone number is too long: {right}", path)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise InvalidInput(f"This is not a phone number: {right}", path) from None
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE or number.extension:
        raise InvalidInput(f"This cannot be a phone number: {right}", path)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def region_of(number: str) -> str | None:
    """The country, by its code of two letters, of a number in E.164."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number))


def is_plain(text: str) -> bool:
    """Whether the text has neither control characters nor lone surrogates. Joiners
    and other format characters are fine: names in many scripts need them."""
    return text.isprintable() or not any(
        unicodedata.category(character) in ("Cc", "Cs") for character in text
    )


def _plain_id(text: str, name: str) -> str:
    trimmed = text.strip()
    if not trimmed or len(trimmed) > ID_LENGTH or not is_plain(trimmed):
        raise InvalidInput(
            f"{name} has 1 to {ID_LENGTH} characters, none of them a control "
            "character.",
            (name,),
        )
    return trimmed
