"""Consent per channel: its states, which changes are lawful, and who may be written to.

A change rests on a *basis*: how well the caller says where the agreement came from.
The person's own acts (a sign-up, a confirmation, the preference page) always state
a method and a source.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from audience.errors import ConsentRequired, InvalidInput, NotAllowed
from audience.evidence import check_source, trimmed

CLOCK_TOLERANCE = timedelta(minutes=5)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

_METHOD = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class Channel(StrEnum):
    """A way to reach a person; each has a consent of its own."""

    EMAIL = "EMAIL"
    SMS = "SMS"
    PUSH = "PUSH"
    WHATSAPP = "WHATSAPP"


class Status(StrEnum):
    """What the person has said about a channel."""

    NEVER_SUBSCRIBED = "NEVER_SUBSCRIBED"
    PENDING = "PENDING"
    SUBSCRIBED = "SUBSCRIBED"
    UNSUBSCRIBED = "UNSUBSCRIBED"


class SuppressionReason(StrEnum):
    """Why nothing may be sent, whatever the person has said."""

    USER_SUPPRESSED = "USER_SUPPRESSED"
    HARD_BOUNCE = "HARD_BOUNCE"
    SPAM_COMPLAINT = "SPAM_COMPLAINT"
    INVALID_ADDRESS = "INVALID_ADDRESS"


class Method(StrEnum):
    """How a change came about. Callers may state others in the same spelling."""

    FORM = "FORM"
    API = "API"
    IMPORT = "IMPORT"
    QUICK_ADD = "QUICK_ADD"
    INTEGRATION = "INTEGRATION"
    CONFIRMATION = "CONFIRMATION"
    PREFERENCE_PAGE = "PREFERENCE_PAGE"
    ONE_CLICK_UNSUBSCRIBE = "ONE_CLICK_UNSUBSCRIBE"
    INBOUND_MESSAGE = "INBOUND_MESSAGE"
    PROVIDER = "PROVIDER"
    DEVICE = "DEVICE"


class Basis(StrEnum):
    """What a change rests on."""

    STATED = "STATED"  # a method and a source are given
    UNSTATED = "UNSTATED"  # one of them is missing
    BULK = "BULK"  # not this one person: an import, Quick Add, another tool's word


BULK_METHODS = frozenset({Method.IMPORT, Method.QUICK_ADD, Method.INTEGRATION})

_ANY = frozenset(Basis)
_STATED = frozenset({Basis.STATED})

# Every lawful change of status and what it must rest on; what is not here is
# refused. Nobody returns to NEVER_SUBSCRIBED, for that would forget an answer, and an
# agreement in force is not put back to PENDING. Saying no is always possible; a
# "yes" after a "no", or in place of a confirmation, must say how it was given, and is
# never believed of many people at once, nor of another tool.
LAWFUL: dict[tuple[Status, Status], frozenset[Basis]] = {
    (Status.NEVER_SUBSCRIBED, Status.PENDING): _ANY,
    (Status.NEVER_SUBSCRIBED, Status.SUBSCRIBED): _ANY,
    (Status.NEVER_SUBSCRIBED, Status.UNSUBSCRIBED): _ANY,
    (Status.PENDING, Status.SUBSCRIBED): _STATED,
    (Status.PENDING, Status.UNSUBSCRIBED): _ANY,
    (Status.SUBSCRIBED, Status.UNSUBSCRIBED): _ANY,
    (Status.UNSUBSCRIBED, Status.PENDING): _STATED,
    (Status.UNSUBSCRIBED, Status.SUBSCRIBED): _STATED,
}

# A stronger reason replaces a weaker one; a weaker one changes nothing.
STRENGTH: dict[SuppressionReason, int] = {
    SuppressionReason.USER_SUPPRESSED: 0,
    SuppressionReason.HARD_BOUNCE: 1,
    SuppressionReason.INVALID_ADDRESS: 1,
    SuppressionReason.SPAM_COMPLAINT: 2,
}

# `unsuppress` lifts the account's own decision as it is; a technical reason only when
# the caller names it and says how the address was mended. A complaint is lifted by
# the person alone.
LIFTED_ON_REQUEST = frozenset({SuppressionReason.USER_SUPPRESSED})
LIFTED_WITH_SOURCE = frozenset(
    {SuppressionReason.HARD_BOUNCE, SuppressionReason.INVALID_ADDRESS}
)
# A confirmation proves that the address works and that its owner wants the messages.
LIFTED_BY_CONFIRMATION = frozenset(
    {
        SuppressionReason.HARD_BOUNCE,
        SuppressionReason.INVALID_ADDRESS,
        SuppressionReason.SPAM_COMPLAINT,
    }
)


@dataclass(frozen=True, slots=True)
class Suppression:
    """Nothing may be sent, since when and why."""

    reason: SuppressionReason
    at: datetime


@dataclass(frozen=True, slots=True)
class ConsentState:
    """What is known of one channel of one person.

    `consented_at` belongs to the agreement in force: it is set only while SUBSCRIBED.
    """

    status: Status = Status.NEVER_SUBSCRIBED
    consented_at: datetime | None = None
    updated_at: datetime | None = None
    method: str | None = None
    source: str | None = None
    double_opt_in: bool = False
    suppression: Suppression | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said about a channel. Without `at`: now. Without `method`: API."""

    channel: Channel
    status: Status
    method: str | None = None
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppress:
    """Nothing may be sent on a channel from now on, or since `at`."""

    channel: Channel
    reason: SuppressionReason
    method: str | None = None
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unsuppress:
    """The suppression is over. `reason` names it; `source` says what was mended."""

    channel: Channel
    reason: SuppressionReason | None = None
    method: str | None = None
    source: str | None = None


def can_receive(state: ConsentState) -> bool:
    """Whether marketing may be sent: the person agreed and nothing stands against it.

    Someone who was never asked has not agreed, for e-mail as for every channel.
    """
    return state.status is Status.SUBSCRIBED and state.suppression is None


def basis_of(statement: Statement) -> Basis:
    """What a statement rests on."""
    if statement.method in BULK_METHODS:
        return Basis.BULK
    if statement.method is not None and statement.source is not None:
        return Basis.STATED
    return Basis.UNSTATED


def decide(state: ConsentState, statement: Statement, now: datetime) -> ConsentState:
    """The state after `statement`; the same one when it changes nothing.

    The same status again changes nothing, so a repeated call is harmless. The one
    exception is a confirmation of an agreement that was given by single opt-in: it
    is the better proof. A statement from before the last change never overrides it.
    Unlawful changes raise ConsentRequired or NotAllowed.
    """
    confirmed = statement.method == Method.CONFIRMATION
    if statement.status is state.status and not (
        confirmed and statement.status is Status.SUBSCRIBED and not state.double_opt_in
    ):
        return state
    _check_lawful(state, statement)
    at = _time_of(state, statement, now)
    subscribed = statement.status is Status.SUBSCRIBED
    return ConsentState(
        status=statement.status,
        consented_at=at if subscribed else None,
        updated_at=at,
        method=statement.method or Method.API,
        source=statement.source,
        double_opt_in=confirmed and subscribed,
        suppression=_after_confirmation(state.suppression)
        if confirmed
        else state.suppression,
    )


def suppressed(state: ConsentState, said: Suppress, now: datetime) -> ConsentState:
    """The state under `said.reason`; unchanged when an equal or stronger reason is
    in force."""
    held = state.suppression
    if held is not None and STRENGTH[held.reason] >= STRENGTH[said.reason]:
        return state
    return replace(state, suppression=Suppression(said.reason, said.at or now))


def unsuppressed(state: ConsentState, said: Unsuppress) -> ConsentState:
    """The state without its suppression; unchanged when there is none."""
    held, reason = state.suppression, said.reason
    if held is None:
        return state
    if reason is not None and reason is not held.reason:
        raise NotAllowed(
            f"The suppression in force is {held.reason}, not {reason}.", ("reason",)
        )
    if held.reason in LIFTED_ON_REQUEST:
        return replace(state, suppression=None)
    if held.reason not in LIFTED_WITH_SOURCE:
        raise NotAllowed(
            f"{held.reason} is lifted only by the person, who signs up again and"
            " confirms.",
            ("reason",),
        )
    if reason is None or said.source is None:
        raise NotAllowed(
            f"{held.reason} is lifted only when it is named as the reason, with a"
            " source that says how the address was mended.",
            ("reason",) if reason is None else ("source",),
        )
    return replace(state, suppression=None)


def check_address(channel: Channel, email: str | None, phone: str | None) -> None:
    """InvalidInput when the person has no address that the channel could use."""
    if channel is Channel.EMAIL and email is None:
        raise InvalidInput(
            "The profile has no e-mail address to subscribe.", ("channel",)
        )
    if channel in (Channel.SMS, Channel.WHATSAPP) and phone is None:
        raise InvalidInput(
            f"The profile has no phone number to subscribe to {channel}.", ("channel",)
        )


Said = TypeVar("Said", bound=Statement | Suppress | Unsuppress)


def check_said(said: Said, now: datetime) -> Said:
    """The same with its texts trimmed; InvalidInput names what is wrong."""
    method = trimmed(said.method)
    if method is not None and not _METHOD.fullmatch(method):
        raise InvalidInput(
            f"{method!r:.80} is not a method: use up to 64 capital letters, digits and"
            " underscores, such as FORM or PAPER_FORM.",
            ("method",),
        )
    at = None if isinstance(said, Unsuppress) else said.at
    if at is not None and at > now + CLOCK_TOLERANCE:
        raise InvalidInput("at is in the future; give the time it happened.", ("at",))
    if at is not None and at < EARLIEST:
        raise InvalidInput(f"at is before {EARLIEST.year}.", ("at",))
    return replace(said, method=method, source=check_source(said.source))


def _check_lawful(state: ConsentState, statement: Statement) -> None:
    was, to, channel = state.status, statement.status, statement.channel
    if was is to:
        return
    bases = LAWFUL.get((was, to))
    if bases is None and to is Status.NEVER_SUBSCRIBED:
        raise NotAllowed(
            f"{channel} is {was}: an answer is never forgotten. Use UNSUBSCRIBED to"
            " stop messages.",
            ("status",),
        )
    if bases is None:
        raise NotAllowed(f"{channel} cannot go from {was} to {to}.", ("status",))
    basis = basis_of(statement)
    if basis in bases:
        return
    waits = was is Status.PENDING
    reason = (
        f"{channel} waits for the person's confirmation"
        if waits
        else f"The person has unsubscribed from {channel}"
    )
    if basis is Basis.BULK:
        raise ConsentRequired(
            f"{reason}: only the person's own sign-up or a consent stated for this one"
            " person changes that.",
            ("status",),
        )
    raise ConsentRequired(
        f"{reason}: state the method and the source of the new agreement.",
        ("method",) if statement.method is None else ("source",),
    )


def _time_of(state: ConsentState, statement: Statement, now: datetime) -> datetime:
    last = state.updated_at
    if statement.at is None:
        # Clocks differ a little between processes; "now" is after what is recorded.
        return now if last is None else max(now, last)
    if last is not None and statement.at < last:
        raise NotAllowed(
            f"{statement.channel} was changed at {_shown(last)}; a statement from"
            f" {_shown(statement.at)} does not override it.",
            ("at",),
        )
    return statement.at


def _after_confirmation(held: Suppression | None) -> Suppression | None:
    if held is None or held.reason in LIFTED_BY_CONFIRMATION:
        return None
    return held


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
