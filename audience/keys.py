"""API keys: their form, what they may do, and from which sites a public one works.

Only a key's SHA-256 is kept. The keys are 256 bits of chance, so a plain hash is
enough and a key is found by it in constant time.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from urllib.parse import urlsplit

from audience.errors import AudienceError, InvalidInput, Problem, TooLarge
from audience.identity import is_plain

MAX_NAME = 100
MAX_ORIGINS = 50
MAX_KEYS = 1_000

SIGN_UP = "signup"
ADMIN = "keys:admin"
EVERYTHING = "*"

SCOPES: dict[str, str] = {
    "profiles:read": "Read profiles, their consent and their attributes.",
    "profiles:write": "Create, change, merge and erase profiles; set consent; see what "
    "was changed.",
    "events:read": "Read events and metrics.",
    "events:write": "Track events, and see what was changed.",
    "lists:read": "Read lists and who is in them.",
    "lists:write": "Create, change and delete lists; remove members, and add them "
    "together with profiles:write; see what was changed.",
    "segments:read": "Read, preview and explain segments.",
    "segments:write": "Create, change and delete segments, and see what was changed.",
    "forms:read": "Read forms and their statistics.",
    "forms:write": "Create, change and delete forms, and see what was changed.",
    "imports:read": "Read imports and their rejected rows.",
    "imports:write": "Start and cancel imports, and see what was changed.",
    "integrations:read": "Read integrations and what they have received.",
    "integrations:write": "Create, change and delete integrations, and see what was "
    "changed.",
    ADMIN: "Create and revoke API keys.",
    SIGN_UP: "Sign people up as a public key does: nothing is read back.",
}

_NOUNS = tuple(dict.fromkeys(scope.split(":")[0] for scope in SCOPES if ":" in scope))
WILDCARDS: dict[str, str] = {
    EVERYTHING: "Everything.",
    **{f"{noun}:*": f"Everything with {noun}." for noun in _NOUNS},
}

_SECRET = re.compile(r"[sp]k_[A-Za-z0-9_-]{43}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class KeyKind(StrEnum):
    """PUBLIC keys stand in web pages and only sign people up; SECRET keys do not."""

    PUBLIC = "PUBLIC"
    SECRET = "SECRET"  # noqa: S105  (a kind's name, not a password)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking. `id` is None for the key given by the environment."""

    id: str | None
    name: str
    kind: KeyKind
    scopes: frozenset[str]
    allowed_origins: tuple[str, ...] = ()

    def may(self, scope: str) -> bool:
        """Whether the key has `scope`, by name or by a wildcard.

        Whoever may write profiles may sign people up too.
        """
        if self.kind is KeyKind.PUBLIC:
            return scope == SIGN_UP
        held = self.scopes
        if EVERYTHING in held or scope in held:
            return True
        noun, _, _ = scope.partition(":")
        return f"{noun}:*" in held or (scope == SIGN_UP and self.may("profiles:write"))

    def may_call_from(self, origin: str | None) -> bool:
        """Whether a page of `origin` (the Origin header; None without) may use it.

        Browsers always send the header with a request from another site, so a call
        without one comes from no page; a key bound to origins refuses it as well.
        """
        if not self.allowed_origins:
            return True
        return origin is not None and origin.lower() in self.allowed_origins


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made; build it with `check_key`."""

    name: str
    kind: KeyKind
    scopes: tuple[str, ...]
    allowed_origins: tuple[str, ...] = ()


@cache
def admin_viewer() -> Viewer:
    """Whoever holds the key that the environment gives: everything is allowed."""
    return Viewer(
        None, "AUDIENCE_ADMIN_KEY", KeyKind.SECRET, frozenset({EVERYTHING}), ()
    )


def new_key(kind: KeyKind) -> str:
    """A fresh key, to be shown once."""
    prefix = "pk_" if kind is KeyKind.PUBLIC else "sk_"
    return prefix + secrets.token_urlsafe(32)


def is_key(text: str) -> bool:
    """Whether `text` has the form of a key."""
    return _SECRET.fullmatch(text) is not None


def hash_key(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def hint_of(secret: str) -> str:
    """What tells a key from others without giving it away."""
    return f"{secret[:3]}…{secret[-4:]}"


def grants_admin(scopes: Sequence[str]) -> bool:
    """Whether the scopes allow making keys."""
    return not {ADMIN, "keys:*", EVERYTHING}.isdisjoint(scopes)


def check_key(
    name: str,
    kind: KeyKind,
    scopes: Sequence[str],
    allowed_origins: Sequence[str] = (),
) -> NewKey:
    """A checked key; every problem is named at once."""
    problems: list[Problem] = []

    shown = " ".join(name.split())
    if not shown or not is_plain(shown):
        problems += InvalidInput(
            "Give the key a name that says who uses it.", ("name",)
        ).problems
    if len(shown) > MAX_NAME:
        problems += TooLarge(
            f"The name has {len(shown)} characters; at most {MAX_NAME} are kept.",
            ("name",),
        ).problems
    problems += _scope_problems(kind, scopes)

    origins: list[str] = []
    if kind is KeyKind.SECRET and allowed_origins:
        problems += InvalidInput(
            "A secret key never stands in a page; only public keys have origins.",
            ("allowedOrigins",),
        ).problems
    elif len(allowed_origins) > MAX_ORIGINS:
        problems += TooLarge(
            f"At most {MAX_ORIGINS} origins are kept.", ("allowedOrigins",)
        ).problems
    else:
        for index, origin in enumerate(allowed_origins):
            try:
                origins.append(_check_origin(origin))
            except AudienceError as error:
                problems += error.under("allowedOrigins", str(index)).problems
    if problems:
        raise AudienceError.of(problems)
    kept = (SIGN_UP,) if kind is KeyKind.PUBLIC else tuple(dict.fromkeys(scopes))
    return NewKey(shown, kind, kept, tuple(dict.fromkeys(origins)))


def _scope_problems(kind: KeyKind, scopes: Sequence[str]) -> list[Problem]:
    problems: list[Problem] = []
    if kind is KeyKind.SECRET and not scopes:
        problems += InvalidInput(
            "Give at least one scope, for example profiles:read.", ("scopes",)
        ).problems
    for index, scope in enumerate(scopes):
        path = ("scopes", str(index))
        if scope not in SCOPES and scope not in WILDCARDS:
            known = ", ".join([*SCOPES, *WILDCARDS])
            problems += InvalidInput(
                f"{scope!r:.60} is not a scope. The scopes are: {known}.", path
            ).problems
        elif kind is KeyKind.PUBLIC and scope != SIGN_UP:
            problems += InvalidInput(
                f"A public key signs people up and does nothing else; leave out"
                f" {scope}, or make a secret key.",
                path,
            ).problems
    return problems


def _check_origin(text: str) -> str:
    """An origin as browsers send it: scheme, host, and port unless the usual one."""
    wrong = InvalidInput(
        f"{text!r:.100} is not an origin: give scheme and host only, such as"
        " https://shop.example.",
        (),
    )
    try:
        parts = urlsplit(text.strip().lower())
        port = parts.port
    except ValueError:
        raise wrong from None
    extra = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _DEFAULT_PORTS or parts.path not in ("", "/") or extra:
        raise wrong
    host = parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc
    if not host.isascii() or not _HOST.fullmatch(host):
        raise wrong
    if port is None or port == _DEFAULT_PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"
