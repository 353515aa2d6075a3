"""A call's body, read and bounded; which call it is; and what it says, by the kind of
its integration."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import parse_qsl

import orjson

from audience.errors import InvalidInput, TooLarge
from audience.identity import Identity
from audience.integrations.calls import (
    AskedErasure,
    Heard,
    Ignored,
    checked_person,
    mapping,
    text,
    unique_id,
)
from audience.integrations.kinds import (
    InboundWebhook,
    MessageProvider,
    OutboundWebhook,
    Settings,
    Shopify,
    Stripe,
    TextMessages,
    Typeform,
    WooCommerce,
)
from audience.integrations.mapped import heard_as_mapped, mapped_id
from audience.integrations.messages import message_of
from audience.integrations.shopify import heard_from_shopify
from audience.integrations.stripe import heard_from_stripe
from audience.integrations.typeform import heard_from_typeform
from audience.integrations.woocommerce import heard_from_woocommerce

MAX_CALL = 2_000_000
MAX_DEPTH = 32
MAX_TOPIC = 100
MAX_FIELDS = 200


def read_body(settings: Settings, raw: bytes) -> Any:
    """The body. InvalidInput when it is no JSON in UTF-8 (or, for Twilio, no form),
    TooLarge when it nests too deeply."""
    if _is_form(settings):
        return dict(form_fields(settings, raw))
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"The body is not JSON in UTF-8: {str(error).partition(': line')[0]}."
        ) from None
    if _depth(body) > MAX_DEPTH:
        raise TooLarge(f"The body nests more than {MAX_DEPTH} levels deep.")
    return body


def form_fields(settings: Settings, raw: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in their order; none where the body is JSON."""
    if not _is_form(settings):
        return []
    try:
        return parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise InvalidInput(
            f"The body is not a form in UTF-8 of at most {MAX_FIELDS} fields."
        ) from None


def _is_form(settings: Settings) -> bool:
    return (
        isinstance(settings, TextMessages)
        and settings.provider is MessageProvider.TWILIO
    )


def call_of(
    settings: Settings, headers: Mapping[str, str], body: Any, raw: bytes
) -> tuple[str, str]:
    """Which call it is, the same however often it is sent, and its topic."""
    topic = ""
    match settings:
        case Shopify():
            topic = headers.get("x-shopify-topic", "")
            given = headers.get("x-shopify-webhook-id")
        case WooCommerce():
            topic = headers.get("x-wc-webhook-topic", "")
            given = headers.get("x-wc-webhook-delivery-id")
        case Stripe():
            topic = text(mapping(body).get("type")) or ""
            given = text(mapping(body).get("id"))
        case Typeform():
            topic = text(mapping(body).get("event_type")) or ""
            given = text(mapping(body).get("event_id"))
        case InboundWebhook():
            given = mapped_id(body, raw, settings)
        case TextMessages():
            given = message_of(settings, body).id
        case OutboundWebhook():
            given = None
        case _:
            assert_never(settings)
    if not given:
        raise InvalidInput("The call has no id of its own.")
    return unique_id(given), topic.strip()[:MAX_TOPIC]


def heard_from(
    settings: Settings, topic: str, body: Any, raw: bytes, received_at: datetime
) -> Heard | AskedErasure | Ignored:
    """What the call says."""
    if isinstance(settings, InboundWebhook):
        return heard_as_mapped(body, raw, settings, received_at)
    if not isinstance(body, dict):
        raise InvalidInput("The body is not a JSON object.")
    match settings:
        case Shopify():
            return heard_from_shopify(topic, body, settings, received_at)
        case WooCommerce():
            return heard_from_woocommerce(topic, body, settings, received_at)
        case Stripe():
            return heard_from_stripe(topic, body, received_at)
        case Typeform():
            return heard_from_typeform(body, settings, received_at)
        case TextMessages() | OutboundWebhook():
            return Ignored("Nothing is heard by this kind.")
        case _:
            assert_never(settings)


def named_in(
    settings: Settings, topic: str, raw: bytes, received_at: datetime
) -> tuple[Identity, str | None]:
    """Whom the call is about: every identifier that is read from it, in its normal
    form, and what the source calls them where it has none. InvalidInput or TooLarge
    when it cannot be read."""
    body = read_body(settings, raw)
    if isinstance(settings, TextMessages):
        return Identity(phone_number=message_of(settings, body).sender), None
    heard = heard_from(settings, topic, body, raw, received_at)
    if not isinstance(heard, Heard):
        return Identity(), None
    change, _ = checked_person(heard.person)
    return (Identity() if change is None else change.identity), heard.known_as


def _depth(value: Any) -> int:
    """How deeply it nests, as far as it matters."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = [each for each in inner if isinstance(each, dict | list)]
        depth += 1
    return depth
