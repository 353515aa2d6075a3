"""The token that a form carries when it is shown: it tells when that was, so that
whoever answers faster than people can is asked to send it again, what they were asked
to agree to, and the answer's number, so that one sent twice counts once."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audience.errors import Conflict, InvalidInput
from audience.forms.definitions import FormConsent
from audience.tokens import Tokens, read_signed, signed

FILL_TIME = timedelta(seconds=2)
EXPIRY = timedelta(hours=24)

_PURPOSE = "audience.form"
_PATH = ("token",)


@dataclass(frozen=True, slots=True)
class Showing:
    """One showing of a form: when it was, and the number of its answer."""

    at: datetime
    number: str


def render_token(
    tokens: Tokens, form_id: str, consents: Sequence[FormConsent], now: datetime
) -> str:
    """A token for one showing of the form, which asks for these agreements."""
    shown_at = int(now.timestamp() * 1000)
    number = secrets.token_urlsafe(9)
    return signed(tokens, _PURPOSE, [form_id, _digest(consents), shown_at, number])


def read_render_token(
    tokens: Tokens, token: str, form_id: str, consents: Sequence[FormConsent]
) -> Showing:
    """The showing; InvalidInput when the token is forged or another form's, Conflict
    when the form asks for something else by now."""
    shown_for, asked, shown_at, number = read_signed(
        tokens,
        _PURPOSE,
        token,
        4,
        "The form came without the token that it is shown with, or with another: load "
        "it anew and send it again.",
    )
    if shown_for != form_id:
        raise InvalidInput("This token was made for another form.", _PATH)
    if asked != _digest(consents):
        # Not of the token, which scripts renew without a word.
        raise Conflict(
            "What this form asks you to agree to has changed: look at it anew, and "
            "send it again.",
            ("formId",),
        )
    return Showing(datetime.fromtimestamp(shown_at / 1000, UTC), number)


def check_age(showing: Showing, now: datetime) -> None:
    """InvalidInput when the showing was just now, or too long ago."""
    age = now - showing.at
    if age < FILL_TIME:
        raise InvalidInput("That was very quick: please send it once more.", _PATH)
    if age > EXPIRY:
        raise InvalidInput(
            "The form has been open for too long: load it anew and send it again.",
            _PATH,
        )


def _digest(consents: Sequence[FormConsent]) -> str:
    asked = json.dumps([[each.channel, each.text] for each in consents])
    return hashlib.sha256(asked.encode()).hexdigest()[:32]
