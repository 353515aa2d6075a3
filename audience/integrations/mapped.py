"""What the calls of any other tool say, as their integration maps them."""

import hashlib
from datetime import datetime
from typing import Any

from audience.consent import Status
from audience.errors import InvalidInput
from audience.integrations.calls import (
    Heard,
    HeardConsent,
    HeardEvent,
    agrees,
    currency_of,
    instant,
    number,
    text,
    unique_id,
)
from audience.integrations.kinds import InboundWebhook
from audience.integrations.paths import value_at
from audience.integrations.typeform import fill


def heard_as_mapped(
    body: Any, raw: bytes, settings: InboundWebhook, received_at: datetime
) -> Heard:
    """What the call says. InvalidInput names the mapped value that cannot be used."""
    at = received_at
    given = None if settings.timestamp is None else value_at(settings.timestamp, body)
    if given is not None:
        found = instant(given)
        if found is None:
            raise _wrong("timestamp", settings.timestamp, "a time in RFC 3339")
        at = found
    person: dict[str, Any] = {}
    for each in settings.mappings:
        value = value_at(each.path, body)
        if value is not None:
            fill(person, each.target, value)
    events = []
    if settings.metric is not None:
        events.append(
            HeardEvent(
                settings.metric,
                at,
                mapped_id(body, raw, settings),
                _value(body, settings),
                _currency(body, settings),
                {
                    each.target: value
                    for each in settings.properties
                    if (value := value_at(each.path, body)) is not None
                },
            )
        )
    consents = [
        HeardConsent(each.channel, Status.SUBSCRIBED, at, each.text)
        for each in settings.agreements
        if agrees(value_at(each.path, body))
    ]
    return Heard(
        person,
        at,
        events,
        consents,
        joined_at=None if settings.agreements else at,
    )


def mapped_id(body: Any, raw: bytes, settings: InboundWebhook) -> str:
    """The call's own id, or else one of its body."""
    if settings.unique_id is not None:
        found = text(value_at(settings.unique_id, body))
        if found is None:
            raise _wrong("uniqueId", settings.unique_id, "a text or a number")
        return unique_id(found)
    return hashlib.sha256(raw).hexdigest()


def _value(body: Any, settings: InboundWebhook) -> float | None:
    if settings.value is None:
        return None
    given = value_at(settings.value, body)
    found = number(given)
    if found is None and given not in (None, ""):
        raise _wrong("value", settings.value, "a number")
    return found


def _currency(body: Any, settings: InboundWebhook) -> str | None:
    if settings.currency is None:
        return None
    given = value_at(settings.currency, body)
    found = currency_of(given)
    if found is None and given not in (None, ""):
        raise _wrong("currency", settings.currency, "a code of ISO 4217 such as EUR")
    return found


def _wrong(name: str, path: str | None, right: str) -> InvalidInput:
    return InvalidInput(f"The value at {path} is not {right}.", (name,))
