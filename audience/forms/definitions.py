"""What a form is: its texts, its fields, the agreements it asks for, and where it
appears. Build one with `check_form`, which names every problem at once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from audience.addresses import RefusedAddress
from audience.consent import Channel
from audience.errors import AudienceError, Code, InvalidInput, Problem, TooLarge
from audience.evidence import MAX_CONSENT_TEXT
from audience.forms.fields import EMAIL, PHONE, FormField, check_fields
from audience.identity import is_plain
from audience.lists import check_name

MAX_FORMS = 1_000
MAX_HEADLINE = 200
MAX_BODY = 2_000
MAX_BUTTON = 60
MAX_MESSAGE = 1_000
MAX_URL = 2_048
MAX_URL_PARTS = 20
MAX_URL_PART = 200
MAX_DELAY = 3_600
MAX_FREQUENCY = 365

_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")

SUCCESS = "Thank you!"
SUBMIT = "Sign up"


class FormKind(StrEnum):
    """How a form appears on a site. Its own page is the same for every kind."""

    POPUP = "POPUP"
    FLYOUT = "FLYOUT"
    EMBED = "EMBED"
    FULL_PAGE = "FULL_PAGE"


class FormStatus(StrEnum):
    """Only a LIVE form is shown and takes sign-ups."""

    DRAFT = "DRAFT"
    LIVE = "LIVE"
    ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True)
class FormConsent:
    """A channel that the form asks for, and the words of the agreement."""

    channel: Channel
    text: str


@dataclass(frozen=True, slots=True)
class Targeting:
    """When a popup or flyout appears: after all that is set has come about."""

    delay_seconds: int = 0
    scroll_percent: int = 0
    on_exit_intent: bool = False
    url_contains: tuple[str, ...] = ()
    url_excludes: tuple[str, ...] = ()
    frequency_days: int = 7


@dataclass(frozen=True, slots=True)
class Form:
    """The part of a form that its author decides."""

    name: str
    list_id: str
    kind: FormKind
    fields: tuple[FormField, ...]
    consents: tuple[FormConsent, ...]
    status: FormStatus = FormStatus.DRAFT
    headline: str | None = None
    body: str | None = None
    button_label: str = SUBMIT
    success_message: str = SUCCESS
    redirect_url: str | None = None
    refused_addresses: tuple[RefusedAddress, ...] = ()
    targeting: Targeting = Targeting()


def check_form(form: Form) -> Form:
    """The form with its texts trimmed; an error names everything that is wrong."""
    problems: list[Problem] = []
    name = form.name
    try:
        name = check_name(form.name)
    except AudienceError as error:
        problems += error.problems
    fields, wrong = check_fields(form.fields)
    problems += wrong
    consents = tuple(
        FormConsent(each.channel, each.text.strip()) for each in form.consents
    )
    problems += _consent_problems(consents, fields)
    targeting, wrong = _check_targeting(form.targeting)
    problems += wrong
    checked = replace(
        form,
        name=name,
        fields=fields,
        consents=consents,
        headline=_text(form.headline, "headline", MAX_HEADLINE, problems) or None,
        body=_text(form.body, "body", MAX_BODY, problems) or None,
        button_label=_text(form.button_label, "buttonLabel", MAX_BUTTON, problems)
        or SUBMIT,
        success_message=_text(
            form.success_message, "successMessage", MAX_MESSAGE, problems
        )
        or SUCCESS,
        redirect_url=_check_url(form.redirect_url, problems),
        refused_addresses=tuple(dict.fromkeys(form.refused_addresses)),
        targeting=targeting,
    )
    if problems:
        kind = (
            TooLarge
            if {each.code for each in problems} == {Code.TOO_LARGE}
            else InvalidInput
        )
        raise kind.of(problems)
    return checked


def consent_text(form: Form) -> str:
    """Every agreement that the form asks for, one to a paragraph."""
    return "\n\n".join(each.text for each in form.consents)


def _consent_problems(
    consents: Sequence[FormConsent], fields: Sequence[FormField]
) -> list[Problem]:
    if not consents:
        message = "Name at least one channel, with the text that people agree to."
        return list(InvalidInput(message, ("consents",)).problems)
    by_target = {each.target: each for each in fields}
    problems: list[Problem] = []
    for place, each in enumerate(consents):
        path = ("consents", str(place))
        if each.channel in [other.channel for other in consents[:place]]:
            problems += InvalidInput(
                f"{each.channel} is there already.", (*path, "channel")
            ).problems
        if not each.text:
            problems += InvalidInput(
                "Give the text that people agree to: who will write to them, about"
                " what, and how they stop it.",
                (*path, "text"),
            ).problems
        if len(each.text) > MAX_CONSENT_TEXT:
            problems += TooLarge(
                f"The text has {len(each.text)} characters; at most"
                f" {MAX_CONSENT_TEXT} are kept.",
                (*path, "text"),
            ).problems
        problems += _address_problems(
            each.channel, by_target, len(consents) == 1, (*path, "channel")
        )
    return problems


def _address_problems(
    channel: Channel,
    by_target: dict[str, FormField],
    is_only: bool,
    path: tuple[str, ...],
) -> list[Problem]:
    if channel is Channel.PUSH:
        message = "PUSH is agreed to on the device, by registering its push token."
        return list(InvalidInput(message, path).problems)
    target = EMAIL if channel is Channel.EMAIL else PHONE
    field = by_target.get(target)
    if field is None:
        message = f"{channel} needs a field that fills {target}."
        return list(InvalidInput(message, path).problems)
    if is_only and not field.is_required:
        message = (
            f"The field that fills {target} must be required: {channel} is the only"
            " channel of this form."
        )
        return list(InvalidInput(message, path).problems)
    return []


def _check_targeting(given: Targeting) -> tuple[Targeting, list[Problem]]:
    problems: list[Problem] = []
    for name, value, most in (
        ("delaySeconds", given.delay_seconds, MAX_DELAY),
        ("scrollPercent", given.scroll_percent, 100),
        ("frequencyDays", given.frequency_days, MAX_FREQUENCY),
    ):
        if not 0 <= value <= most:
            problems += InvalidInput(
                f"This is {value}; it must be from 0 to {most:,}.", ("targeting", name)
            ).problems
    parts: list[tuple[str, ...]] = []
    for name, texts in (
        ("urlContains", given.url_contains),
        ("urlExcludes", given.url_excludes),
    ):
        trimmed = tuple(dict.fromkeys(each.strip() for each in texts))
        if len(trimmed) > MAX_URL_PARTS:
            problems += TooLarge(
                f"At most {MAX_URL_PARTS} are kept.", ("targeting", name)
            ).problems
        for place, each in enumerate(trimmed):
            if not each or len(each) > MAX_URL_PART or not is_plain(each):
                problems += InvalidInput(
                    f"Part of an address has 1 to {MAX_URL_PART} characters, such as"
                    " /products/.",
                    ("targeting", name, str(place)),
                ).problems
        parts.append(trimmed)
    return replace(given, url_contains=parts[0], url_excludes=parts[1]), problems


def _check_url(url: str | None, problems: list[Problem]) -> str | None:
    """An https address that a browser will take as one, or None."""
    if url is None or not url.strip():
        return None
    trimmed = url.strip()
    try:
        parts = urlsplit(trimmed)
        has_host = bool(_HOST.fullmatch(parts.netloc)) and parts.port != 0
    except ValueError:
        parts, has_host = urlsplit(""), False
    plain = trimmed.isprintable() and not set(trimmed) & set(" \\<>\"'")
    if parts.scheme != "https" or not has_host or not plain:
        problems += InvalidInput(
            "The address is one of https, such as https://shop.example/thanks; a host"
            " with other letters is given in its xn-- form.",
            ("redirectUrl",),
        ).problems
    elif len(trimmed) > MAX_URL:
        problems += TooLarge(
            f"The address has at most {MAX_URL:,} characters.", ("redirectUrl",)
        ).problems
    return trimmed


def _text(text: str | None, name: str, most: int, problems: list[Problem]) -> str:
    lines = [" ".join(line.split()) for line in (text or "").strip().splitlines()]
    trimmed = "\n".join(lines)
    if len(trimmed) > most:
        problems += TooLarge(
            f"This text has {len(trimmed):,} characters; at most {most:,} are kept.",
            (name,),
        ).problems
    if not all(is_plain(line) for line in lines):
        problems += InvalidInput(
            "The text has characters that cannot be shown.", (name,)
        ).problems
    return trimmed
