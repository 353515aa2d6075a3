"""Sign-ups and leaving, as a person asks for them. Each address stands for whoever
holds it: an e-mail address for its profile, a phone number for its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audience.consent import Channel, Method
from audience.errors import AudienceError, InvalidInput, Problem
from audience.evidence import check_source, evidence
from audience.identity import normalise_email, normalise_phone
from audience.profiles import ProfileChange, profile_change

PHONE_CHANNELS = (Channel.SMS, Channel.WHATSAPP)

# What a public caller may say of a person, beside the addresses.
FIELDS = frozenset(
    {
        "email",
        "phoneNumber",
        "anonymousId",
        "firstName",
        "lastName",
        "organization",
        "title",
        "locale",
        "location",
        "properties",
    }
)


@dataclass(frozen=True, slots=True)
class SignUp:
    """Someone signs up to a list; build it with `sign_up`."""

    list_id: str
    change: ProfileChange
    channels: tuple[Channel, ...]
    method: Method
    source: str | None
    consent_text: str | None
    at: datetime | None = None  # when it happened elsewhere; without it, now


@dataclass(frozen=True, slots=True)
class Leaving:
    """Someone leaves one list, or else channels; build it with `leaving`."""

    list_id: str | None
    email: str | None
    phone_number: str | None
    channels: tuple[Channel, ...]
    token: str | None


def sign_up(
    list_id: str,
    given: Mapping[str, Any],
    *,
    channels: Sequence[Channel] | None = None,
    source: str | None = None,
    consent_text: str | None = None,
    method: Method = Method.API,
) -> SignUp:
    """The checked sign-up; `given` has the person's fields by the API's names.

    Without `channels`: e-mail for an e-mail address, SMS for a phone number. Every
    problem is reported at once.
    """
    person = {
        name: value
        for name, value in given.items()
        if name in FIELDS and value is not None
    }
    problems: list[Problem] = []
    email, phone = bool(person.get("email")), bool(person.get("phoneNumber"))
    if not email and not phone:
        problems += InvalidInput(
            "Give an e-mail address or a phone number to sign up.", ("email",)
        ).problems
    # Empty texts of a form's optional fields are as good as absent.
    person = {name: value for name, value in person.items() if value != ""}
    change: ProfileChange | None = None
    if email or phone:
        try:
            change = profile_change(person)
        except AudienceError as error:
            problems += error.problems
    chosen = _default_channels(email, phone) if channels is None else tuple(channels)
    problems += _channel_problems(chosen, email, phone)
    text: str | None = None
    try:
        text = evidence(consent_text=consent_text).consent_text
        source = check_source(source, ("customSource",))
    except AudienceError as error:
        problems += error.problems
    if problems or change is None:
        raise InvalidInput.of(problems)
    return SignUp(list_id, change, tuple(dict.fromkeys(chosen)), method, source, text)


def leaving(
    *,
    list_id: str | None = None,
    email: str | None = None,
    phone_number: str | None = None,
    channels: Sequence[Channel] | None = None,
    token: str | None = None,
) -> Leaving:
    """What the person leaves, as they say it; nothing beyond that.

    With a list only the membership ends; otherwise the channels, and without any
    named, e-mail for an e-mail address, SMS for a phone number and for a token
    whatever it was made for.
    """
    if token is not None and (email is not None or phone_number is not None):
        raise InvalidInput(
            "The token says who it is: leave out email and phoneNumber.", ("token",)
        )
    if token is None and email is None and phone_number is None:
        raise InvalidInput(
            "Say who it is: give an email, a phoneNumber or a token.", ("email",)
        )
    if list_id is not None and channels is not None:
        raise InvalidInput(
            "Give listId to leave one list, or channels to stop all messages on them;"
            " make two calls for both.",
            ("channels",),
        )
    if channels is not None and not channels:
        raise InvalidInput("Name at least one channel.", ("channels",))
    chosen = (
        _default_channels(email is not None, phone_number is not None)
        if channels is None
        else tuple(dict.fromkeys(channels))
    )
    return Leaving(
        list_id=list_id,
        email=None if email is None else normalise_email(email),
        phone_number=None if phone_number is None else normalise_phone(phone_number),
        channels=chosen if list_id is None else (),
        token=token,
    )


def by_address(channels: Iterable[Channel]) -> list[tuple[Channel, ...]]:
    """The channels that one confirmation proves, together: those of the e-mail
    address, and those of the phone number."""
    chosen = tuple(channels)
    email = tuple(each for each in chosen if each is Channel.EMAIL)
    phone = tuple(each for each in chosen if each in PHONE_CHANNELS)
    return [group for group in (email, phone) if group]


def _default_channels(email: bool, phone: bool) -> tuple[Channel, ...]:
    return (Channel.EMAIL,) * email + (Channel.SMS,) * phone


def _channel_problems(
    channels: Sequence[Channel], email: bool, phone: bool
) -> list[Problem]:
    problems: list[Problem] = []
    if not channels and (email or phone):
        problems += InvalidInput(
            "Name at least one channel, or leave channels out.", ("channels",)
        ).problems
    for index, channel in enumerate(channels):
        path = ("channels", str(index))
        if channel is Channel.PUSH:
            problems += InvalidInput(
                "PUSH is agreed to on the device, by registering its push token.", path
            ).problems
        elif channel is Channel.EMAIL and not email:
            problems += InvalidInput("EMAIL needs an e-mail address.", path).problems
        elif channel in PHONE_CHANNELS and not phone:
            problems += InvalidInput(f"{channel} needs a phone number.", path).problems
    return problems
