"""The link to someone's preference page: a token that says who, for some months. It
shows more than a token for leaving does, so it does not last as long. And the link by
which they have themselves erased, which is mailed to them and lasts for a day."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from audience.errors import InvalidInput
from audience.tokens import Tokens, read_signed, signed

EXPIRY = timedelta(days=90)

ERASURE_EXPIRY = timedelta(days=1)

_PURPOSE = "audience.preferences"
_ERASE = "audience.erase"


def preference_token(tokens: Tokens, profile_id: str, now: datetime) -> str:
    """A token for one person's page."""
    expires = int((now + EXPIRY).timestamp())
    return signed(tokens, _PURPOSE, [profile_id, expires])


def read_preference_token(tokens: Tokens, token: str, now: datetime) -> str:
    """Whose page it is; InvalidInput when forged or too old."""
    profile_id, expires = read_signed(tokens, _PURPOSE, token, 2)
    if now > datetime.fromtimestamp(expires, UTC):
        raise InvalidInput("This link has expired: ask for a new one.", ("token",))
    text: str = profile_id
    return text


def erasure_token(tokens: Tokens, profile_id: str, email: str, now: datetime) -> str:
    """A token with which its holder, to whom it is mailed, erases themselves."""
    expires = int((now + ERASURE_EXPIRY).timestamp())
    return signed(tokens, _ERASE, [profile_id, _digest(tokens, email), expires])


def read_erasure_token(tokens: Tokens, token: str, now: datetime) -> tuple[str, str]:
    """Who is to be erased, and the digest of the address to which the link was sent;
    InvalidInput when forged or too old."""
    profile_id, digest, expires = read_signed(tokens, _ERASE, token, 3)
    if now > datetime.fromtimestamp(expires, UTC):
        raise InvalidInput("This link has expired: ask for a new one.", ("token",))
    return profile_id, digest


def is_address_of(tokens: Tokens, digest: str, email: str | None) -> bool:
    """Whether the link was sent to this address."""
    return email is not None and hmac.compare_digest(digest, _digest(tokens, email))


def _digest(tokens: Tokens, email: str) -> str:
    key = tokens.secret.encode()
    return hmac.new(key, email.encode(), hashlib.sha256).hexdigest()[:32]
