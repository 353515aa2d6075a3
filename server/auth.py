"""Who is asking, and whether they ask too often. What a viewer may do is decided
where it is done, by scope."""

import hmac
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from limits import RateLimitItem, parse_many
from starlette.datastructures import Headers

from audience.keys import KeyKind, Viewer, admin_viewer, is_key
from resolvers.db import Database
from resolvers.keys import viewer_by_secret
from server.settings import Settings

CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000


class Refused(Exception):
    """A request that is not let in: the HTTP status, a code and a sentence."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


@dataclass(slots=True)
class Keys:
    """Looks keys up, and remembers each answer for a few seconds: so long a key that
    was revoked through another process may still work in this one."""

    db: Database
    admin_key: str | None
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, tuple[float, Viewer | None]] = field(
        default_factory=OrderedDict
    )

    async def viewer(self, secret: str) -> Viewer | None:
        """Whose key it is; None for a key that is unknown or revoked."""
        if self.admin_key and hmac.compare_digest(
            secret.encode(), self.admin_key.encode()
        ):
            return admin_viewer()
        if not is_key(secret):
            return None
        now = self.clock()
        known = self._known.get(secret)
        if known and now - known[0] < CACHE_SECONDS:
            return known[1]
        viewer = await viewer_by_secret(self.db, secret)
        self._known[secret] = now, viewer
        self._known.move_to_end(secret)
        while len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)
        return viewer

    def forget(self) -> None:
        """Has every key looked up anew."""
        self._known.clear()


@dataclass(slots=True)
class Limits:
    """Counts requests, per key and per address, in the memory of this process. The
    windows of a rate begin for everybody at the same time, so old counts go at once."""

    secret: list[RateLimitItem]
    public: list[RateLimitItem]
    address: list[RateLimitItem]
    clock: Callable[[], float] = time.time
    _counts: dict[tuple[str, RateLimitItem], tuple[int, Counter[str]]] = field(
        default_factory=dict
    )

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Those of the settings."""
        return cls(
            parse_many(settings.rate_limit_secret),
            parse_many(settings.rate_limit_public),
            parse_many(settings.rate_limit_address),
        )

    def count(self, viewer: Viewer | None, address: str) -> None:
        """Refused when this request is one too many."""
        if viewer is None or viewer.kind is KeyKind.PUBLIC:
            self._hit(self.address, "address", address)
        if viewer is not None:
            limits = self.public if viewer.kind is KeyKind.PUBLIC else self.secret
            self._hit(limits, "key", viewer.id or "admin")

    def _hit(self, limits: list[RateLimitItem], what: str, who: str) -> None:
        now = self.clock()
        for limit in limits:
            length = limit.get_expiry()
            window = int(now // length)
            known = self._counts.get((what, limit))
            if known is None or known[0] != window:
                known = self._counts[what, limit] = window, Counter()
            known[1][who] += 1
            if known[1][who] > limit.amount:
                wait = max(1, math.ceil((window + 1) * length - now))
                raise Refused(
                    429,
                    "RATE_LIMITED",
                    f"Too many requests from this {what}: {limit} are allowed. "
                    f"Try again in {wait} s.",
                    {"Retry-After": str(wait)},
                )


async def admit(
    keys: Keys, limits: Limits, secret: str | None, *, address: str, origin: str | None
) -> Viewer | None:
    """The viewer of a request; None without a key. Refused with a wrong key, from an
    origin that the key is not for, or when there are too many requests."""
    viewer = await keys.viewer(secret) if secret is not None else None
    limits.count(viewer, address)
    if secret is not None and viewer is None:
        raise Refused(
            401,
            "UNAUTHENTICATED",
            "This API key is unknown or revoked.",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    if viewer and not viewer.may_call_from(origin):
        where = origin or "outside a page of its allowed origins"
        raise Refused(403, "FORBIDDEN", f"This API key may not be used from {where}.")
    return viewer


def bearer(headers: Headers) -> str | None:
    """The key that a request carries. Refused when its form is another."""
    value = headers.get("authorization")
    return None if value is None else secret_of(value)


def secret_of(authorization: str) -> str:
    """The key in `Bearer <key>`."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Refused(
            401,
            "UNAUTHENTICATED",
            "The Authorization header should look like: Bearer sk_...",
            {"WWW-Authenticate": "Bearer"},
        )
    return secret.strip()
