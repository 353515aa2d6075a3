"""The token that a form carries when it is shown: it tells when that was, so that
whoever answers faster than people can is asked to send it again, and it numbers the
answer, so that one sent twice counts once."""

import secrets
from datetime import UTC, datetime, timedelta

from audience.errors import InvalidInput
from audience.tokens import Tokens, read_signed, signed

FILL_TIME = timedelta(seconds=2)
EXPIRY = timedelta(hours=24)

_PURPOSE = "audience.form"
_PATH = ("token",)


def render_token(tokens: Tokens, form_id: str, now: datetime) -> str:
    """A token for one showing of the form."""
    return signed(
        tokens,
        _PURPOSE,
        [form_id, int(now.timestamp() * 1000), secrets.token_urlsafe(9)],
    )


def read_render_token(tokens: Tokens, token: str, form_id: str, now: datetime) -> str:
    """The number of the answer; InvalidInput when the token is forged, another form's,
    too old or too young."""
    shown_for, shown_at, number = read_signed(
        tokens,
        _PURPOSE,
        token,
        3,
        "The form came without the token that it is shown with, or with another: load "
        "it anew and send it again.",
    )
    if shown_for != form_id:
        raise InvalidInput("This token was made for another form.", _PATH)
    age = now - datetime.fromtimestamp(shown_at / 1000, UTC)
    if age < FILL_TIME:
        raise InvalidInput("That was very quick: please send it once more.", _PATH)
    if age > EXPIRY:
        raise InvalidInput(
            "The form has been open for too long: load it anew and send it again.",
            _PATH,
        )
    text: str = number
    return text
