"""The rules of an integration's name, secret and settings."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from audience.consent import Channel
from audience.errors import AudienceError, Code, InvalidInput, Problem
from audience.events import metric_name
from audience.evidence import MAX_CONSENT_TEXT
from audience.identity import is_plain
from audience.integrations.kinds import (
    IDENTIFIERS,
    KINDS,
    MAX_KEYWORDS,
    MAX_MAPPINGS,
    MAX_REPLY,
    MAX_SEGMENTS,
    TARGETS,
    Agreement,
    InboundWebhook,
    Integration,
    Mapping,
    MessageProvider,
    OutboundWebhook,
    Proof,
    Settings,
    Shopify,
    Stripe,
    TextMessages,
    Typeform,
    WooCommerce,
    kind_of,
)
from audience.integrations.paths import check_path
from audience.integrations.words import RESERVED, folded_word
from audience.profiles import MAX_PROBLEMS, key_problem
from audience.webhooks import check_url

MAX_NAME = 200
MAX_SECRET = 500
MIN_SECRET = 8
SECRET_TO_COME = "copy-it-from-the-tool"  # noqa: S105 - what stands in its place
MAX_REF = 200

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_KEYWORD = re.compile(r"[^\W_][\w-]{0,29}")


def check_integration(wanted: Integration) -> Integration:
    """The checked integration; every problem is named at once."""
    problems: list[Problem] = []
    name = " ".join(wanted.name.split())
    if not name or len(name) > MAX_NAME or not is_plain(name):
        problems += InvalidInput(
            f"A name has 1 to {MAX_NAME} characters, none of them a control character.",
            ("name",),
        ).problems
    field = KINDS[kind_of(wanted.settings)].field
    problems += [
        Problem(each.code, each.message, ("settings", field, *each.path))
        for each in _problems(wanted.settings)
    ]
    if problems:
        raise AudienceError.of(problems[:MAX_PROBLEMS])
    return Integration(name, wanted.settings, wanted.status)


def check_secret(secret: str, path: tuple[str, ...] = ("secret",)) -> str:
    """The secret without blanks around it, as copying and pasting adds them."""
    trimmed = secret.strip()
    if not (MIN_SECRET <= len(trimmed) <= MAX_SECRET) or not (
        trimmed.isascii() and trimmed.isprintable()
    ):
        raise InvalidInput(
            f"A secret has {MIN_SECRET} to {MAX_SECRET} printable ASCII characters.",
            path,
        )
    if trimmed == SECRET_TO_COME:
        raise InvalidInput("Put the secret that the tool shows in its place.", path)
    return trimmed


def _problems(settings: Settings) -> list[Problem]:
    found = _Findings()
    match settings:
        case Shopify() | Stripe():
            pass
        case WooCommerce():
            found.agreements(settings.agreements)
            found.refs(settings.agreements, "agreements", "key")
        case Typeform():
            found.mappings(settings.mappings)
            found.refs(settings.mappings, "mappings", "ref")
            found.agreements(settings.agreements)
            found.refs(settings.agreements, "agreements", "ref")
        case InboundWebhook():
            _check_webhook(settings, found)
        case TextMessages():
            _check_messages(settings, found)
        case OutboundWebhook():
            _check_outbound(settings, found)
        case _:
            assert_never(settings)
    return found.problems


def _check_webhook(settings: InboundWebhook, found: "_Findings") -> None:
    found.mappings(settings.mappings)
    found.paths(settings.mappings, "mappings")
    named = {each.target for each in settings.mappings}
    if named.isdisjoint(IDENTIFIERS):
        found.refuse(
            "Say who it is about: map at least one of email, phoneNumber, externalId "
            "and anonymousId.",
            "mappings",
        )
    header = settings.signature_header
    if settings.proof is Proof.HMAC_SHA256:
        if header is None or not _HEADER.fullmatch(header):
            found.refuse(
                "Name the header that carries the signature, such as X-Signature.",
                "signatureHeader",
            )
    elif header is not None:
        found.refuse(
            "Only HMAC_SHA256 has a signature's header; leave it out.",
            "signatureHeader",
        )
    if settings.metric is not None:
        found.check(metric_name, settings.metric)
    for name, path in (
        ("value", settings.value),
        ("currency", settings.currency),
        ("timestamp", settings.timestamp),
        ("uniqueId", settings.unique_id),
    ):
        if path is not None:
            found.path(path, name)
    for index, each in enumerate(settings.properties):
        place = ("properties", str(index))
        wrong = key_problem(each.target)
        if wrong is not None:
            found.refuse(wrong, *place, "name")
    found.at_most(settings.properties, "properties")
    found.paths(settings.properties, "properties")
    found.agreements(settings.agreements)
    found.paths(settings.agreements, "agreements")


def _check_outbound(settings: OutboundWebhook, found: "_Findings") -> None:
    found.check(check_url, settings.url, "url")
    if not 1 <= len(set(settings.segment_ids)) <= MAX_SEGMENTS:
        found.refuse(f"Name 1 to {MAX_SEGMENTS} segments.", "segmentIds")
    if not settings.movements:
        found.refuse("Name ENTERED, LEFT or both.", "movements")


def _check_messages(settings: TextMessages, found: "_Findings") -> None:
    is_other = settings.provider is MessageProvider.OTHER
    if is_other and settings.paths is None:
        found.refuse("Say where the call has the sender and the message.", "paths")
    if settings.paths is not None:
        if not is_other:
            found.refuse("TWILIO has a shape of its own; leave it out.", "paths")
        found.path(settings.paths.sender, "paths", "sender")
        found.path(settings.paths.body, "paths", "body")
        if settings.paths.id is not None:
            found.path(settings.paths.id, "paths", "id")
    found.text(settings.help_text, MAX_REPLY, "helpText")
    if len(settings.keywords) > MAX_KEYWORDS:
        found.refuse(f"At most {MAX_KEYWORDS} keywords are kept.", "keywords")
    seen: set[str] = set()
    for index, each in enumerate(settings.keywords):
        place = ("keywords", str(index))
        word = folded_word(each.word)
        if not _KEYWORD.fullmatch(word):
            found.refuse(
                "A keyword is one word of 1 to 30 letters, digits, - and _.",
                *place,
                "word",
            )
        elif word in RESERVED:
            found.refuse(
                f"{word} has a meaning of its own in text messages; take another word.",
                *place,
                "word",
            )
        elif word in seen:
            found.refuse("This keyword is given twice.", *place, "word")
        seen.add(word)
        found.text(each.consent_text, MAX_CONSENT_TEXT, *place, "consentText")
        found.text(each.reply, MAX_REPLY, *place, "reply")


@dataclass(slots=True)
class _Findings:
    """Collects what is wrong; paths begin at the settings of the kind."""

    problems: list[Problem] = field(default_factory=list)

    def refuse(self, message: str, *path: str) -> None:
        self.problems.append(Problem(Code.INVALID, message, path))

    def check(self, rule: Callable[[str], Any], text: str, *path: str) -> None:
        try:
            rule(text)
        except AudienceError as error:
            self.problems += error.under(*path).problems if path else error.problems

    def path(self, path: str, *place: str) -> None:
        wrong = check_path(path)
        if wrong is not None:
            self.refuse(wrong, *place)

    def paths(self, some: Sequence[Mapping | Agreement], name: str) -> None:
        for index, each in enumerate(some):
            self.path(each.path, name, str(index), "path")

    def refs(self, some: Sequence[Mapping | Agreement], name: str, called: str) -> None:
        for index, each in enumerate(some):
            self.text(each.path, MAX_REF, name, str(index), called)

    def text(self, text: str, most: int, *place: str) -> None:
        lines = text.replace("\n", " ").strip()
        if not lines or len(text) > most or not is_plain(lines):
            self.refuse(
                f"This has 1 to {most:,} characters, none of them a control character "
                "but new lines.",
                *place,
            )

    def at_most(self, some: Sequence[object], name: str) -> None:
        if len(some) > MAX_MAPPINGS:
            self.refuse(f"At most {MAX_MAPPINGS} are kept.", name)

    def mappings(self, some: Sequence[Mapping]) -> None:
        self.at_most(some, "mappings")
        seen: set[str] = set()
        for index, each in enumerate(some):
            place = ("mappings", str(index), "target")
            parent, _, name = each.target.partition(".")
            if parent == "properties":
                wrong = key_problem(name)
                if wrong is not None:
                    self.refuse(wrong, *place)
            elif each.target not in TARGETS:
                self.refuse(
                    f"{each.target!r:.60} is no part of a profile: take "
                    f"{', '.join(sorted(TARGETS))} or properties.<name>.",
                    *place,
                )
            if each.target in seen:
                self.refuse(f"{each.target} is mapped twice.", *place)
            seen.add(each.target)

    def agreements(self, some: Sequence[Agreement]) -> None:
        seen: set[str] = set()
        for index, each in enumerate(some):
            place = ("agreements", str(index))
            if each.channel is Channel.PUSH:
                self.refuse("PUSH is agreed to on the device.", *place, "channel")
            if each.channel in seen:
                self.refuse(f"{each.channel} is given twice.", *place, "channel")
            seen.add(each.channel)
            self.text(each.text, MAX_CONSENT_TEXT, *place, "text")
