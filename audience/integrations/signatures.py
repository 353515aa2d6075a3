"""Whether a call comes from whom it says: signatures over its body, compared in a time
that tells nothing of them."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from audience.integrations.kinds import (
    InboundWebhook,
    MessageProvider,
    OutboundWebhook,
    Proof,
    Settings,
    Shopify,
    Stripe,
    TextMessages,
    Typeform,
    WooCommerce,
)

TOLERANCE_SECONDS = 300  # how old a call of Stripe may be
MAX_SIGNATURES = 10

Headers = Mapping[str, str]


def problem_with(
    settings: Settings,
    secret: str,
    *,
    headers: Headers,
    body: bytes,
    token: str | None,
    urls: Sequence[str],
    fields: Sequence[tuple[str, str]],
    now: datetime,
) -> str | None:
    """Why the call is not let in; None when it is genuine.

    `headers` have names in lower case, `token` is that of the address, `urls` are
    the addresses that the tool may have called, and `fields` the form's fields.
    """
    match settings:
        case Shopify():
            given = headers.get("x-shopify-hmac-sha256")
            return _compared(given, [_base64(secret, body)], "X-Shopify-Hmac-Sha256")
        case WooCommerce():
            given = headers.get("x-wc-webhook-signature")
            return _compared(given, [_base64(secret, body)], "X-WC-Webhook-Signature")
        case Typeform():
            given = headers.get("typeform-signature")
            right = f"sha256={_base64(secret, body)}"
            return _compared(given, [right], "Typeform-Signature")
        case Stripe():
            return _stripe(headers.get("stripe-signature"), secret, body, now)
        case TextMessages(provider=MessageProvider.TWILIO):
            given = headers.get("x-twilio-signature")
            right_ones = [_twilio(secret, url, fields) for url in urls]
            return _compared(given, right_ones, "X-Twilio-Signature")
        case InboundWebhook(proof=Proof.HMAC_SHA256):
            name = settings.signature_header or ""
            given = headers.get(name.lower())
            if given is not None:
                given = given.strip().removeprefix("sha256=")
            both = [_hex(secret, body), _base64(secret, body)]
            return _compared(given, both, name)
        case InboundWebhook() | TextMessages():
            return _token(headers.get("authorization"), token, secret)
        case OutboundWebhook():
            return "This integration takes no calls."
        case _:
            assert_never(settings)


def _stripe(given: str | None, secret: str, body: bytes, now: datetime) -> str | None:
    if given is None:
        return "The header Stripe-Signature is missing."
    parts = [part.partition("=") for part in given.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    signatures = [value for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit():
        return "The header Stripe-Signature has no time."
    signed = f"{times[0]}.".encode() + body
    right = _hex(secret, signed)
    if not any(_same(each, right) for each in signatures[:MAX_SIGNATURES]):
        return _wrong("Stripe-Signature")
    if abs(now.timestamp() - int(times[0][:12])) > TOLERANCE_SECONDS:
        return (
            f"The call was signed more than {TOLERANCE_SECONDS // 60} minutes ago, or "
            "the clocks differ."
        )
    return None


def _token(header: str | None, token: str | None, secret: str) -> str | None:
    scheme, _, value = (header or "").partition(" ")
    given = value.strip() if scheme.lower() == "bearer" else token
    if not given:
        return (
            "The token is missing: send the secret as Authorization: Bearer <secret>, "
            "or as ?token=<secret> in the address."
        )
    return None if _same(given, secret) else "The token is not this integration's."


def _compared(given: str | None, right: Iterable[str], header: str) -> str | None:
    if given is None:
        return f"The header {header} is missing."
    same = [_same(given.strip(), each) for each in right]
    return None if any(same) else _wrong(header)


def _wrong(header: str) -> str:
    return (
        f"The signature in {header} does not fit the body and the secret: give the "
        "integration the secret that the tool has."
    )


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def _base64(secret: str, body: bytes) -> str:
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return base64.b64encode(digest).decode()


def _hex(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def _twilio(secret: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """The address and then every field, sorted by name, a name's values by value."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.digest(secret.encode(), signed.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()
