"""The link to someone's preference page: a token that says who, for some months. It
shows more than a token for leaving does, so it does not last as long."""

from datetime import UTC, datetime, timedelta

from audience.errors import InvalidInput
from audience.tokens import Tokens, read_signed, signed

EXPIRY = timedelta(days=90)

_PURPOSE = "audience.preferences"


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
