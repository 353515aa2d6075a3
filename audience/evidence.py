"""What shows later that a person agreed, or refused: where it was, and from where."""

import ipaddress
from dataclasses import dataclass

from audience.errors import TooLarge

MAX_SOURCE = 200
MAX_CONSENT_TEXT = 5_000
MAX_USER_AGENT = 512


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows later that a person agreed, or refused."""

    ip: str | None = None
    user_agent: str | None = None
    consent_text: str | None = None


NO_EVIDENCE = Evidence()


def check_source(source: str | None, path: tuple[str, ...] = ("source",)) -> str | None:
    """The source trimmed, None when empty."""
    given = trimmed(source)
    if given is not None and len(given) > MAX_SOURCE:
        raise TooLarge(
            f"The source has {len(given)} characters; at most {MAX_SOURCE} are kept.",
            path,
        )
    return given


def evidence(
    ip: str | None = None,
    user_agent: str | None = None,
    consent_text: str | None = None,
    path: tuple[str, ...] = ("consentText",),
) -> Evidence:
    """Checked evidence. A user agent is cut, an address that is none is left out:
    the visitor's browser sent them, and neither is worth a lost sign-up."""
    text = trimmed(consent_text)
    if text is not None and len(text) > MAX_CONSENT_TEXT:
        raise TooLarge(
            f"The consent text has {len(text)} characters; at most {MAX_CONSENT_TEXT}"
            " are kept.",
            path,
        )
    agent = trimmed(user_agent)
    return Evidence(_address(ip), agent[:MAX_USER_AGENT] if agent else None, text)


def trimmed(text: str | None) -> str | None:
    """The text without what surrounds it; None when nothing is left."""
    if text is None:
        return None
    # Lone surrogates have no place in UTF-8, and NUL none in an index.
    return text.replace("\0", "").encode(errors="ignore").decode().strip() or None


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return None
