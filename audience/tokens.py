"""Signed tokens for links: a confirmation, which expires, and leaving, which never
does. A token is proof that its holder reads the address it was sent to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from audience.consent import Channel
from audience.errors import InvalidInput

CONFIRMATION_EXPIRY = timedelta(days=7)
MAX_TOKEN = 1_024

_CONFIRM = "audience.confirm"
_LEAVE = "audience.leave"
_PATH = ("token",)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The secret that signs, and for how long a confirmation can be used."""

    secret: str
    expiry: timedelta = CONFIRMATION_EXPIRY


@dataclass(frozen=True, slots=True)
class ConfirmationClaim:
    """Which waiting sign-up a token confirms."""

    profile_id: str
    list_id: str
    nonce: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class LeaveClaim:
    """Who leaves, and what: a list, or channels."""

    profile_id: str
    channels: tuple[Channel, ...]
    list_id: str | None


def confirmation_token(tokens: Tokens, claim: ConfirmationClaim, now: datetime) -> str:
    """A token for one waiting sign-up."""
    expires = int((now + tokens.expiry).timestamp())
    return signed(
        tokens,
        _CONFIRM,
        [claim.profile_id, claim.list_id, claim.nonce, list(claim.channels), expires],
    )


def read_confirmation(tokens: Tokens, token: str, now: datetime) -> ConfirmationClaim:
    """The claim; InvalidInput when forged or too old."""
    profile_id, list_id, nonce, channels, expires = read_signed(
        tokens, _CONFIRM, token, 5
    )
    if now > datetime.fromtimestamp(expires, UTC):
        raise InvalidInput(
            "This confirmation has expired. Sign up again to get a new one.", _PATH
        )
    agreed = tuple(Channel(each) for each in channels)
    return ConfirmationClaim(profile_id, list_id, nonce, agreed)


def leave_token(
    tokens: Tokens,
    profile_id: str,
    *,
    channels: Sequence[Channel] = (),
    list_id: str | None = None,
) -> str:
    """A token with which its holder leaves a list, or else the channels."""
    return signed(tokens, _LEAVE, [profile_id, list(channels), list_id])


def read_leave(tokens: Tokens, token: str) -> LeaveClaim:
    """The claim; InvalidInput when forged."""
    profile_id, channels, list_id = read_signed(tokens, _LEAVE, token, 3)
    return LeaveClaim(profile_id, tuple(Channel(one) for one in channels), list_id)


def signed(tokens: Tokens, purpose: str, claim: list[Any]) -> str:
    """The claim as a token that only `read_signed` with the same purpose takes."""
    text = _serializer(tokens, purpose).dumps(claim)
    return text if isinstance(text, str) else text.decode()


def read_signed(
    tokens: Tokens,
    purpose: str,
    token: str,
    parts: int,
    problem: str = "This link is not whole, or not one of ours: use the whole link "
    "from the message.",
) -> list[Any]:
    """The claim of so many parts; InvalidInput, which says the problem, when forged or
    made for another purpose."""
    wrong = InvalidInput(problem, _PATH)
    if len(token) > MAX_TOKEN:
        raise wrong
    try:
        claim = _serializer(tokens, purpose).loads(token)
    except (BadData, UnicodeError):
        raise wrong from None
    if not isinstance(claim, list) or len(claim) != parts:
        raise wrong
    return claim


def _serializer(tokens: Tokens, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(tokens.secret, salt=purpose)
