"""Push tokens: the devices on which somebody can be sent push notifications, which of
them a profile keeps, and what registering one says about consent.

A token is an address: who adds one gets what is sent there. So a caller who is not
trusted, such as an app with a public key, adds a token to a person who is known only
as not verified.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from audience.consent import ConsentState, Status
from audience.errors import AudienceError, InvalidInput, Problem, TooLarge
from audience.evidence import check_source, evidence
from audience.identity import is_plain

MAX_TOKENS = 20  # of one profile
MAX_REMOVED = 1_000  # in one call
TOKEN_LENGTH = 1_024
APP_ID_LENGTH = 255

Token = Mapping[str, Any]


class Platform(StrEnum):
    """What the device runs."""

    IOS = "IOS"
    ANDROID = "ANDROID"
    WEB = "WEB"


class Vendor(StrEnum):
    """Who delivers to the device."""

    APNS = "APNS"
    FCM = "FCM"
    WEB_PUSH = "WEB_PUSH"


class Permission(StrEnum):
    """What the person has told the device."""

    AUTHORIZED = "AUTHORIZED"
    PROVISIONAL = "PROVISIONAL"
    NOT_DETERMINED = "NOT_DETERMINED"
    DENIED = "DENIED"


USUAL = {
    Platform.IOS: Vendor.APNS,
    Platform.ANDROID: Vendor.FCM,
    Platform.WEB: Vendor.WEB_PUSH,
}
# With a provisional permission, messages arrive quietly and nobody was asked.
AGREEING = frozenset({Permission.AUTHORIZED})


@dataclass(frozen=True, slots=True)
class Device:
    """A device as an app registers it; build it with `device`."""

    token: str
    platform: Platform
    vendor: Vendor
    app_id: str | None
    permission: Permission
    source: str | None
    consent_text: str | None


def device(
    token: str,
    platform: Platform,
    *,
    vendor: Vendor | None = None,
    app_id: str | None = None,
    permission: Permission = Permission.AUTHORIZED,
    source: str | None = None,
    consent_text: str | None = None,
) -> Device:
    """The checked device; InvalidInput carries every problem with its path."""
    problems: list[Problem] = []
    try:
        token = check_token(token)
    except AudienceError as error:
        problems += error.problems
    app = (app_id or "").strip() or None
    if app is not None and (len(app) > APP_ID_LENGTH or not is_plain(app)):
        problems += InvalidInput(
            f"appId has at most {APP_ID_LENGTH} characters, none of them a control "
            "character.",
            ("appId",),
        ).problems
    text: str | None = None
    try:
        source = check_source(source, ("customSource",))
        text = evidence(consent_text=consent_text).consent_text
    except AudienceError as error:
        problems += error.problems
    if problems:
        raise InvalidInput.of(problems)
    by = vendor or USUAL[platform]
    return Device(token, platform, by, app, permission, source or app, text)


def check_token(token: str, path: tuple[str, ...] = ("token",)) -> str:
    """The token without white space around it."""
    trimmed = token.strip()
    if len(trimmed) > TOKEN_LENGTH:
        raise TooLarge(
            f"The token has {len(trimmed):,} characters; at most {TOKEN_LENGTH:,} are "
            "kept.",
            path,
        )
    if not trimmed or not trimmed.isprintable() or any(map(str.isspace, trimmed)):
        raise InvalidInput(
            "Give the token as the device got it: one word, such as the hexadecimal "
            "digits of APNs or the registration token of FCM.",
            path,
        )
    return trimmed


def registered(
    tokens: Sequence[Token], new: Device, now: datetime, *, is_verified: bool
) -> list[dict[str, Any]]:
    """The profile's tokens once the device is registered, the one seen last at the
    end. What was verified stays so. Of more than MAX_TOKENS those go that are not
    verified, then those not seen for longest."""
    others = [dict(each) for each in tokens if each["token"] != new.token]
    known = next((each for each in tokens if each["token"] == new.token), None)
    kept = {
        "token": new.token,
        "platform": new.platform,
        "vendor": new.vendor,
        "app_id": new.app_id,
        "permission": new.permission,
        "is_verified": is_verified or (known is not None and known["is_verified"]),
        "created_at": now if known is None else known["created_at"],
        "seen_at": now,
    }
    every = [*others, {name: each for name, each in kept.items() if each is not None}]
    return bounded(every)


def bounded(tokens: Iterable[Token]) -> list[dict[str, Any]]:
    """The MAX_TOKENS that are worth most, the one seen last at the end."""
    ranked = sorted(tokens, key=lambda each: (each["is_verified"], each["seen_at"]))
    return sorted(map(dict, ranked[-MAX_TOKENS:]), key=lambda each: each["seen_at"])


def said_of(
    before: Token | None,
    new: Device,
    others: Iterable[Token],
    state: ConsentState,
    *,
    is_verified: bool,
) -> Status | None:
    """What registering the device says about push messages; None when nothing new.

    Permission given is a yes where nothing was said yet. After a no it is one only
    from a verified device that had no permission before: apps register at every
    start, and that takes back no refusal. The last permission withdrawn is a no; from
    a device that is not verified only to what was agreed to since it is there, as on
    it: a stranger adds one and withdraws it at will.
    """
    held = before is not None and before["permission"] in AGREEING
    if new.permission in AGREEING:
        if state.status is Status.NEVER_SUBSCRIBED:
            return Status.SUBSCRIBED
        is_new_yes = before is not None and not held
        if state.status is Status.UNSUBSCRIBED and is_new_yes and is_verified:
            return Status.SUBSCRIBED
        return None
    if new.permission is not Permission.DENIED or before is None or not held:
        return None
    agreed_at = state.consented_at
    if not is_verified and (agreed_at is None or agreed_at < before["created_at"]):
        return None
    reached = any(each["permission"] in AGREEING for each in others)
    return None if reached else Status.UNSUBSCRIBED
