"""Signed links: whose they are, for how long, and forgeries."""

from datetime import UTC, datetime, timedelta

import pytest

from audience.consent import Channel
from audience.errors import Code, InvalidInput, Problem
from audience.tokens import (
    ConfirmationClaim,
    LeaveClaim,
    Tokens,
    confirmation_token,
    leave_token,
    read_confirmation,
    read_leave,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOKENS = Tokens("a secret of the server's")
CLAIM = ConfirmationClaim("6" * 24, "7" * 24, "nonce", (Channel.EMAIL,))


def test_a_confirmation_can_be_read_until_it_expires() -> None:
    token = confirmation_token(TOKENS, CLAIM, NOW)

    assert read_confirmation(TOKENS, token, NOW + timedelta(days=7)) == CLAIM
    with pytest.raises(InvalidInput, match="expired"):
        read_confirmation(TOKENS, token, NOW + timedelta(days=7, seconds=1))


def test_the_expiry_is_a_setting() -> None:
    brief = Tokens(TOKENS.secret, timedelta(hours=1))
    token = confirmation_token(brief, CLAIM, NOW)

    with pytest.raises(InvalidInput, match="expired"):
        read_confirmation(brief, token, NOW + timedelta(hours=2))


def test_leaving_has_no_end() -> None:
    token = leave_token(TOKENS, "6" * 24, channels=[Channel.EMAIL], list_id="7" * 24)

    claim = LeaveClaim("6" * 24, (Channel.EMAIL,), "7" * 24)
    assert read_leave(TOKENS, token) == claim


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "é.é",
        "\ud800",
        "a.b.c",
        "x" * 5_000,
        confirmation_token(Tokens("another secret"), CLAIM, NOW),
        confirmation_token(TOKENS, CLAIM, NOW)[:-1],
        leave_token(TOKENS, "6" * 24),
    ],
)
def test_a_forged_confirmation_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_confirmation(TOKENS, token, NOW)

    assert refusal.value.problems == (
        Problem(
            Code.INVALID,
            "This link is not whole, or not one of ours: use the whole link from the "
            "message.",
            ("token",),
        ),
    )


def test_a_confirmation_is_no_link_to_leave() -> None:
    with pytest.raises(InvalidInput):
        read_leave(TOKENS, confirmation_token(TOKENS, CLAIM, NOW))
