"""Outbound webhooks as the Standard Webhooks specification has them: where they may
go, how they are signed, and when they are tried again."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from audience.errors import InvalidInput

MAX_URL = 2_000
SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin
SECRET_BYTES = 32
ROTATION = timedelta(days=1)

# Seconds from an attempt that failed to the next one: 76 hours in all.
RETRIES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MAX_ATTEMPTS = len(RETRIES) + 1
JITTER = 0.1

_SECRET_LENGTHS = range(24, 65)
_PORTS = (443, *range(1_024, 65_536))

# Where machines in clouds find what nobody else may: a public address, but theirs.
_RESERVED = {ip_address("168.63.129.16")}
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


class DeliveryState(StrEnum):
    """What has become of a message."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


class MessageKind(StrEnum):
    """What a message tells."""

    ENTERED = "ENTERED"
    LEFT = "LEFT"
    TEST = "TEST"


def check_url(url: str) -> str:
    """The address; InvalidInput when messages cannot go there. That a name leads to a
    private address shows only when it is called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput(f"{url!r:.80} is not an address.") from None
    host = parts.hostname
    if not host or len(url) > MAX_URL or not url.isascii() or not url.isprintable():
        raise InvalidInput(
            "Give an address such as https://shop.example.com/hooks, of at most "
            f"{MAX_URL:,} ASCII characters."
        )
    is_here = is_this_machine(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise InvalidInput("The address must begin with https://.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("The address must hold no user, password or fragment.")
    if port is not None and port not in _PORTS:
        raise InvalidInput("The port must be 443, or 1024 or greater.")
    literal = _literal(host)
    if literal is not None and not is_here and not is_public(literal):
        raise InvalidInput(f"{host} is not an address of the public Internet.")
    return url


def is_this_machine(host: str) -> bool:
    """Whether the name or number by itself says so."""
    literal = _literal(host)
    return host.lower() == "localhost" or (literal is not None and literal.is_loopback)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is one of the public Internet's; what leads to an IPv4 address is as
    public as that is."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address in _COMPATIBLE or address.is_site_local:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in _RESERVED
    )


def new_secret() -> str:
    """A secret, in the specification's form."""
    made = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return f"{SECRET_PREFIX}{made}"


def check_webhook_secret(secret: str, path: tuple[str, ...] = ("secret",)) -> str:
    """The secret; InvalidInput when it has not the specification's form."""
    try:
        key = _key(secret)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) not in _SECRET_LENGTHS:
        raise InvalidInput(
            f"A secret is {SECRET_PREFIX} and then 24 to 64 bytes in base64. Leave it "
            "out to have one made.",
            path,
        )
    return secret


def signed_headers(
    message_id: str, at: datetime, body: bytes, keys: Sequence[str]
) -> dict[str, str]:
    """The headers of one attempt: its id, its time, and a signature by each secret."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = (
        hmac.new(_key(each), content, hashlib.sha256).digest() for each in keys
    )
    written = (f"v1,{base64.b64encode(each).decode()}" for each in signatures)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(written),
    }


def wait_after(attempts: int, asked: float | None, chance: float) -> timedelta | None:
    """How long to wait after so many attempts, at least as long as the receiver
    `asked`; None when there are no more. `chance`, from 0 to 1, keeps what has failed
    together from coming together again."""
    if attempts >= MAX_ATTEMPTS:
        return None
    seconds = RETRIES[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    return timedelta(seconds=max(seconds, min(asked or 0, RETRIES[-1])))


def _key(secret: str) -> bytes:
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
