"""Settings as they are kept: a plain document, which says of which kind it is."""

from collections.abc import Mapping as Stored
from dataclasses import asdict
from typing import Any, assert_never

from audience.consent import Channel
from audience.integrations.kinds import (
    Agreement,
    InboundWebhook,
    IntegrationKind,
    Keyword,
    Mapping,
    MessagePaths,
    MessageProvider,
    OutboundWebhook,
    Proof,
    Settings,
    Shopify,
    Stripe,
    TextMessages,
    Typeform,
    WooCommerce,
    kind_of,
)
from audience.memberships import Movement


def settings_document(settings: Settings) -> dict[str, Any]:
    """What is kept of the settings."""
    kept = {name: _plain(value) for name, value in asdict(settings).items()}
    return {"kind": kind_of(settings).value, **kept}


def settings_of(kept: Stored[str, Any]) -> Settings:
    """The settings that were kept."""
    values = {name: value for name, value in kept.items() if name != "kind"}
    kind = IntegrationKind(kept["kind"])
    match kind:
        case IntegrationKind.SHOPIFY:
            return Shopify(**values)
        case IntegrationKind.STRIPE:
            return Stripe(**values)
        case IntegrationKind.WOOCOMMERCE:
            return WooCommerce(**values | _agreements(values))
        case IntegrationKind.TYPEFORM:
            return Typeform(**values | _agreements(values) | _mappings(values))
        case IntegrationKind.INBOUND_WEBHOOK:
            proof = {"proof": Proof(values["proof"])}
            both = _mappings(values, "mappings", "properties")
            return InboundWebhook(**values | _agreements(values) | both | proof)
        case IntegrationKind.TEXT_MESSAGES:
            paths = values["paths"]
            return TextMessages(
                provider=MessageProvider(values["provider"]),
                keywords=tuple(Keyword(**each) for each in values["keywords"]),
                help_text=values["help_text"],
                paths=None if paths is None else MessagePaths(**paths),
            )
        case IntegrationKind.OUTBOUND_WEBHOOK:
            return OutboundWebhook(
                url=values["url"],
                segment_ids=tuple(values["segment_ids"]),
                movements=tuple(Movement(each) for each in values["movements"]),
            )
        case _:
            assert_never(kind)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _agreements(values: Stored[str, Any]) -> dict[str, Any]:
    return {
        "agreements": tuple(
            Agreement(Channel(each["channel"]), each["path"], each["text"])
            for each in values["agreements"]
        )
    }


def _mappings(values: Stored[str, Any], *names: str) -> dict[str, Any]:
    return {
        name: tuple(Mapping(**each) for each in values[name])
        for name in names or ("mappings",)
    }
