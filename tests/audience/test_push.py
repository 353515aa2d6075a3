"""Push tokens: what is taken, what is kept, and what it says about consent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audience.consent import ConsentState, Status
from audience.errors import AudienceError
from audience.push import (
    MAX_TOKENS,
    Device,
    Permission,
    Platform,
    Vendor,
    bounded,
    device,
    registered,
    said_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def kept(
    token: str,
    *,
    at: datetime = NOW,
    is_verified: bool = True,
    permission: Permission = Permission.AUTHORIZED,
) -> dict[str, Any]:
    return {
        "token": token,
        "platform": Platform.IOS,
        "vendor": Vendor.APNS,
        "permission": permission,
        "is_verified": is_verified,
        "created_at": at,
        "seen_at": at,
    }


def test_a_device_is_trimmed_and_completed() -> None:
    assert device(" abc\n", Platform.ANDROID, app_id=" org.example.shop ") == Device(
        "abc",
        Platform.ANDROID,
        Vendor.FCM,
        "org.example.shop",
        Permission.AUTHORIZED,
        "org.example.shop",
        None,
    )


def test_every_problem_of_a_device_is_told_with_its_path() -> None:
    with pytest.raises(AudienceError) as caught:
        device(
            "a b", Platform.IOS, app_id="x" * 256, source="y" * 201, consent_text=None
        )

    assert [each.path for each in caught.value.problems] == [
        ("token",),
        ("appId",),
        ("customSource",),
    ]


@pytest.mark.parametrize("token", ["", "  ", "a b", "a\0b", "x" * 1_025])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(AudienceError) as caught:
        device(token, Platform.WEB)

    assert [each.path for each in caught.value.problems] == [("token",)]


def test_registering_again_keeps_since_when_and_what_was_verified() -> None:
    later = NOW + timedelta(days=1)
    other = kept("b", at=NOW + timedelta(hours=1))

    tokens = registered(
        [kept("a"), other], device("a", Platform.IOS), later, is_verified=False
    )

    assert tokens == [other, kept("a") | {"seen_at": later}]


def test_those_not_verified_give_way_first_then_those_not_seen_for_longest() -> None:
    times = [NOW + timedelta(hours=n) for n in range(MAX_TOKENS + 1)]
    verified = [kept(str(n), at=at) for n, at in enumerate(times)]
    claimed = kept("claimed", at=NOW + timedelta(days=9), is_verified=False)

    assert bounded([*verified, claimed]) == verified[1:]
    assert bounded([*verified[:-2], claimed]) == [*verified[:-2], claimed]


AUTHORIZED, DENIED = Permission.AUTHORIZED, Permission.DENIED
UNDECIDED = Permission.NOT_DETERMINED


@pytest.mark.parametrize(
    ("before", "now", "others", "status", "is_verified", "said"),
    [
        (None, AUTHORIZED, [], "NEVER_SUBSCRIBED", True, "SUBSCRIBED"),
        (None, AUTHORIZED, [], "NEVER_SUBSCRIBED", False, "SUBSCRIBED"),
        (None, AUTHORIZED, [], "SUBSCRIBED", True, None),
        # The app's next start, or a new token, takes back no refusal.
        (AUTHORIZED, AUTHORIZED, [], "UNSUBSCRIBED", True, None),
        (None, AUTHORIZED, [], "UNSUBSCRIBED", True, None),
        # Permission given anew does.
        (DENIED, AUTHORIZED, [], "UNSUBSCRIBED", True, "SUBSCRIBED"),
        (UNDECIDED, AUTHORIZED, [], "UNSUBSCRIBED", True, "SUBSCRIBED"),
        (DENIED, AUTHORIZED, [], "UNSUBSCRIBED", False, None),
        # No permission yet is no answer.
        (None, UNDECIDED, [], "NEVER_SUBSCRIBED", True, None),
        (AUTHORIZED, UNDECIDED, [], "SUBSCRIBED", True, None),
        (None, Permission.PROVISIONAL, [], "NEVER_SUBSCRIBED", True, None),
        (None, DENIED, [], "SUBSCRIBED", True, None),
        (DENIED, DENIED, [], "SUBSCRIBED", True, None),
        # The last permission withdrawn is a no.
        (AUTHORIZED, DENIED, [], "SUBSCRIBED", True, "UNSUBSCRIBED"),
        (AUTHORIZED, DENIED, [DENIED], "SUBSCRIBED", True, "UNSUBSCRIBED"),
        (AUTHORIZED, DENIED, [AUTHORIZED], "SUBSCRIBED", True, None),
    ],
)
def test_what_a_registration_says_of_consent(
    before: Permission | None,
    now: Permission,
    others: list[Permission],
    status: str,
    is_verified: bool,
    said: str | None,
) -> None:
    found = said_of(
        None if before is None else kept("a", permission=before),
        device("a", Platform.IOS, permission=now),
        [kept(str(n), permission=each) for n, each in enumerate(others)],
        ConsentState(Status(status), consented_at=NOW),
        is_verified=is_verified,
    )

    assert found == (said and Status(said))


@pytest.mark.parametrize(
    ("seconds", "is_verified", "said"),
    [
        (0, False, Status.UNSUBSCRIBED),
        (-1, False, Status.UNSUBSCRIBED),
        (1, False, None),
        (1, True, Status.UNSUBSCRIBED),
    ],
)
def test_a_claimed_device_takes_back_no_yes_from_before_it_was_there(
    seconds: int, is_verified: bool, said: Status | None
) -> None:
    found = said_of(
        kept("a", at=NOW + timedelta(seconds=seconds), is_verified=is_verified),
        device("a", Platform.IOS, permission=DENIED),
        [],
        ConsentState(Status.SUBSCRIBED, consented_at=NOW),
        is_verified=is_verified,
    )

    assert found == said
