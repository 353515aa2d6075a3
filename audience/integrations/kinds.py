"""The kinds of integrations, what each is set to, and the rules of that.

A further kind is one more settings class here, with its line in KINDS, and a case each
in `checks` and `stored`. The API needs its input and its output type, and something
has to do its work.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from audience.consent import Channel
from audience.memberships import Movement

MAX_INTEGRATIONS = 200
MAX_MAPPINGS = 100
MAX_KEYWORDS = 50
MAX_REPLY = 1_000
MAX_SEGMENTS = 50

# Which parts of a profile a call may fill in, beside properties.<name>.
TARGETS = frozenset(
    {
        *("email", "phoneNumber", "externalId", "anonymousId"),
        *("firstName", "lastName", "organization", "title", "image", "locale"),
        *("location.address1", "location.address2", "location.city"),
        *("location.region", "location.country", "location.zip"),
        "location.timezone",
    }
)
IDENTIFIERS = ("email", "phoneNumber", "externalId", "anonymousId")


class IntegrationKind(StrEnum):
    """Which tool, or which way of speaking."""

    SHOPIFY = "SHOPIFY"
    WOOCOMMERCE = "WOOCOMMERCE"
    STRIPE = "STRIPE"
    TYPEFORM = "TYPEFORM"
    INBOUND_WEBHOOK = "INBOUND_WEBHOOK"
    TEXT_MESSAGES = "TEXT_MESSAGES"
    OUTBOUND_WEBHOOK = "OUTBOUND_WEBHOOK"


class IntegrationStatus(StrEnum):
    """Whether it works: a paused one takes no calls and makes none."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class Proof(StrEnum):
    """How a call of the generic kinds shows that it may come in."""

    TOKEN = "TOKEN"  # noqa: S105  (a way of proving, not a password)
    HMAC_SHA256 = "HMAC_SHA256"


class MessageProvider(StrEnum):
    """Who brings text messages."""

    TWILIO = "TWILIO"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which value of a call fills which part of the profile, or which property."""

    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where a call states consent to a channel, and in which words it was asked."""

    channel: Channel
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Shopify:
    """Whoever accepts marketing in the shop joins the list. `erases_customers`: whom
    the shop wants to be erased is erased here."""

    list_id: str | None = None
    erases_customers: bool = False


@dataclass(frozen=True, slots=True)
class WooCommerce:
    """WooCommerce itself never asks for consent: the paths of the agreements are keys
    of the `meta_data` that a plugin for it writes."""

    list_id: str | None = None
    agreements: tuple[Agreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Stripe:
    """Whoever accepts promotions in a checkout joins the list."""

    list_id: str | None = None


@dataclass(frozen=True, slots=True)
class Typeform:
    """The paths of mappings and agreements are the refs of the form's questions."""

    list_id: str | None = None
    mappings: tuple[Mapping, ...] = ()
    agreements: tuple[Agreement, ...] = ()


@dataclass(frozen=True, slots=True)
class InboundWebhook:
    """Any tool that can send JSON. Paths are JSONPath into its body."""

    mappings: tuple[Mapping, ...]
    proof: Proof = Proof.TOKEN
    signature_header: str | None = None
    metric: str | None = None
    value: str | None = None
    currency: str | None = None
    timestamp: str | None = None
    unique_id: str | None = None
    properties: tuple[Mapping, ...] = ()
    list_id: str | None = None
    agreements: tuple[Agreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word that people text to join a list, and what they agree to by it."""

    word: str
    list_id: str
    consent_text: str
    reply: str


@dataclass(frozen=True, slots=True)
class MessagePaths:
    """Where the call of another provider has the message: JSONPath."""

    sender: str
    body: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class TextMessages:
    """Messages that people send to one phone number."""

    provider: MessageProvider
    keywords: tuple[Keyword, ...]
    help_text: str
    paths: MessagePaths | None = None


@dataclass(frozen=True, slots=True)
class OutboundWebhook:
    """An address that is told who enters segments and who leaves them."""

    url: str
    segment_ids: tuple[str, ...]
    movements: tuple[Movement, ...]


Settings: TypeAlias = (
    Shopify
    | WooCommerce
    | Stripe
    | Typeform
    | InboundWebhook
    | TextMessages
    | OutboundWebhook
)


@dataclass(frozen=True, slots=True)
class KindRules:
    """What is fixed for a kind: its name, the API's field of its settings, whether
    calls come in, whether this server makes the secret when none is given, and whether
    the tool knows who its people are: a form passes on what a visitor typed."""

    title: str
    field: str
    is_inbound: bool = True
    makes_secret: bool = True
    is_vouched: bool = True


KINDS: dict[IntegrationKind, KindRules] = {
    IntegrationKind.SHOPIFY: KindRules("Shopify", "shopify", makes_secret=False),
    IntegrationKind.WOOCOMMERCE: KindRules("WooCommerce", "wooCommerce"),
    IntegrationKind.STRIPE: KindRules("Stripe", "stripe", makes_secret=False),
    IntegrationKind.TYPEFORM: KindRules("Typeform", "typeform", is_vouched=False),
    IntegrationKind.INBOUND_WEBHOOK: KindRules(
        "Webhook", "inboundWebhook", is_vouched=False
    ),
    IntegrationKind.TEXT_MESSAGES: KindRules(
        "Text messages", "textMessages", makes_secret=False
    ),
    IntegrationKind.OUTBOUND_WEBHOOK: KindRules(
        "Outbound webhook", "outboundWebhook", is_inbound=False
    ),
}


@dataclass(frozen=True, slots=True)
class Integration:
    """An integration to be made; checked by `check_integration`."""

    name: str
    settings: Settings
    status: IntegrationStatus = IntegrationStatus.ACTIVE


def kind_of(settings: Settings) -> IntegrationKind:
    """The kind that is set up so."""
    match settings:
        case Shopify():
            return IntegrationKind.SHOPIFY
        case WooCommerce():
            return IntegrationKind.WOOCOMMERCE
        case Stripe():
            return IntegrationKind.STRIPE
        case Typeform():
            return IntegrationKind.TYPEFORM
        case InboundWebhook():
            return IntegrationKind.INBOUND_WEBHOOK
        case TextMessages():
            return IntegrationKind.TEXT_MESSAGES
        case OutboundWebhook():
            return IntegrationKind.OUTBOUND_WEBHOOK
        case _:
            assert_never(settings)


def lists_of(settings: Settings) -> tuple[str, ...]:
    """The lists that people join by it."""
    if isinstance(settings, TextMessages):
        return tuple(dict.fromkeys(each.list_id for each in settings.keywords))
    if isinstance(settings, OutboundWebhook):
        return ()
    return () if settings.list_id is None else (settings.list_id,)


def makes_secret(settings: Settings) -> bool:
    """Whether this server makes the secret when none is given."""
    if isinstance(settings, TextMessages):
        return settings.provider is MessageProvider.OTHER
    return KINDS[kind_of(settings)].makes_secret
