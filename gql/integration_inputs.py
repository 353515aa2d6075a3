"""How the settings of an integration are given: one input for each kind."""

import strawberry
from strawberry import Maybe

from audience.integrations import kinds
from audience.integrations.kinds import MAX_KEYWORDS, MAX_MAPPINGS, MAX_SEGMENTS
from gql.enums import Channel, Movement
from gql.ids import Kind, stored_id
from gql.integration_settings import MessageProvider, Proof
from gql.mutations import given

_JOINED = "who cannot be sent anything before they agree"


@strawberry.input(description="Which value of a call fills which part of the profile.")
class FieldMappingInput:
    target: str = strawberry.field(
        description="email, phoneNumber, externalId, anonymousId, firstName, lastName, "
        "organization, title, image, locale, location.address1, location.address2, "
        "location.city, location.region, location.country, location.zip, "
        "location.timezone or properties.<name>. Each at most once."
    )
    path: str = strawberry.field(description="Where the value stands.")


@strawberry.input(description="Which value of a call becomes a property of the event.")
class PropertyMappingInput:
    name: str = strawberry.field(
        description="The property's name: at most 128 characters, without full stops."
    )
    path: str = strawberry.field(description="Where the value stands.")


@strawberry.input(
    description="Where a call states consent to a channel. true, 1, yes, on, y, "
    "accepted and subscribed agree, whatever their case; anything else, or nothing, "
    "changes nothing."
)
class AgreementMappingInput:
    channel: Channel = strawberry.field(description="EMAIL, SMS or WHATSAPP.")
    path: str = strawberry.field(description="Where the answer stands.")
    text: str = strawberry.field(
        description="The words that people agree to there; kept with each agreement. "
        "At most 5,000 characters."
    )


@strawberry.input(description="What a Shopify integration is set to.")
class ShopifySettingsInput:
    list_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The list that people join who accept marketing in the shop. "
        "Without it their consent is kept all the same.",
    )
    erases_customers: bool = strawberry.field(
        default=False,
        description="Whether a customer whom the shop wants to be erased, by the "
        "topic customers/redact, is erased here as by eraseProfile, whatever else is "
        "known of them. It cannot be undone. Otherwise the log tells of each.",
    )


@strawberry.input(description="What a WooCommerce integration is set to.")
class WooCommerceSettingsInput:
    list_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The list that people join who agree; without agreements "
        f"everybody, {_JOINED}.",
    )
    agreements: list[AgreementMappingInput] = strawberry.field(
        default_factory=list,
        description="WooCommerce itself asks for no consent. Where a plugin does, its "
        "paths are keys of the order's or customer's `meta_data`.",
    )


@strawberry.input(description="What a Stripe integration is set to.")
class StripeSettingsInput:
    list_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The list that people join who accept promotions in a checkout. "
        "Without it their consent is kept all the same.",
    )


@strawberry.input(description="What a Typeform integration is set to.")
class TypeformSettingsInput:
    list_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The list that people join who agree; without agreements "
        f"everybody, {_JOINED}.",
    )
    mappings: list[FieldMappingInput] = strawberry.field(
        default_factory=list,
        description="Paths are the refs of questions. Answers of the types e-mail, "
        "phone number and contact info need none. At most 100.",
    )
    agreements: list[AgreementMappingInput] = strawberry.field(
        default_factory=list,
        description="Paths are the refs of questions of the types legal, yes/no or "
        "multiple choice.",
    )


@strawberry.input(
    description="What an inbound webhook is set to. Paths are JSONPath (RFC 9535) "
    'into the body, such as $.customer.email, or $.fields[?@.label=="E-mail"].value: '
    "one filter at most, and no `..`. The first value that is found counts."
)
class InboundWebhookSettingsInput:
    mappings: list[FieldMappingInput] = strawberry.field(
        description="Who it is about, by at least one of email, phoneNumber, "
        f"externalId and anonymousId, and what it says of them. At most {MAX_MAPPINGS}."
    )
    proof: Proof = strawberry.field(
        default=Proof.TOKEN, description="How a call shows that it may come in."
    )
    signature_header: Maybe[str | None] = strawberry.field(
        default=None, description="The header of the signature, for HMAC_SHA256."
    )
    metric: Maybe[str | None] = strawberry.field(
        default=None,
        description="The metric of the event that each call records; without it none "
        "is recorded.",
    )
    value: Maybe[str | None] = strawberry.field(
        default=None, description="Where the event's value stands: a number."
    )
    currency: Maybe[str | None] = strawberry.field(
        default=None, description="Where the value's currency stands: ISO 4217."
    )
    timestamp: Maybe[str | None] = strawberry.field(
        default=None,
        description="Where the time stands: RFC 3339, or seconds or milliseconds since "
        "1970. Without it the time of arrival counts, and a call that is late "
        "overrides a newer one.",
    )
    unique_id: Maybe[str | None] = strawberry.field(
        default=None,
        description="Where the call's own id stands: the same again changes nothing. "
        "Without it the same body again changes nothing.",
    )
    properties: list[PropertyMappingInput] = strawberry.field(
        default_factory=list,
        description=f"The event's properties: at most {MAX_MAPPINGS}.",
    )
    list_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The list that people join who agree; without agreements "
        f"everybody, {_JOINED}.",
    )
    agreements: list[AgreementMappingInput] = strawberry.field(
        default_factory=list, description="Where a call states consent."
    )


@strawberry.input(description="A word by which people join a list.")
class KeywordInput:
    word: str = strawberry.field(
        description="One word of 1 to 30 letters, digits, - and _; its case does not "
        "matter. Not STOP, START, HELP, YES and the like, which have a meaning of "
        "their own."
    )
    list_id: strawberry.ID = strawberry.field(description="The list that people join.")
    consent_text: str = strawberry.field(
        description="The words beside the keyword wherever it is shown, to which "
        "people agree by texting it. At most 5,000 characters."
    )
    reply: str = strawberry.field(
        description="What they are answered once they are in: at most 1,000 "
        "characters. Should say who writes, how often, and how to stop."
    )


@strawberry.input(
    description="Where a provider's call has the message: JSONPath into its body."
)
class MessagePathsInput:
    sender: str = strawberry.field(
        description="Who sent it: a phone number with its country code."
    )
    body: str = strawberry.field(description="What it says.")
    id: Maybe[str | None] = strawberry.field(
        default=None,
        description="The message's own id: the same again is one. Without it, a "
        "message that the provider sends again is a new one, even one from before a "
        "STOP.",
    )


@strawberry.input(description="What an integration for text messages is set to.")
class TextMessagesSettingsInput:
    provider: MessageProvider = strawberry.field(description="Who brings messages.")
    keywords: list[KeywordInput] = strawberry.field(
        description=f"The words by which people join lists: at most {MAX_KEYWORDS}. "
        "STOP and HELP work without any."
    )
    help_text: str = strawberry.field(
        description="What HELP is answered: who writes, how to reach you, and how to "
        "stop. At most 1,000 characters."
    )
    paths: Maybe[MessagePathsInput | None] = strawberry.field(
        default=None, description="Needed for OTHER, and for it alone."
    )


@strawberry.input(description="What an outbound webhook is set to.")
class OutboundWebhookSettingsInput:
    url: str = strawberry.field(
        description="Where messages are posted to: https, port 443 or from 1024 on, at "
        "a public address. For developing, `http://localhost` too, where the setting "
        "AUDIENCE_WEBHOOKS_TO_LOOPBACK allows it."
    )
    segment_ids: list[strawberry.ID] = strawberry.field(
        description=f"The segments that it is told of: 1 to {MAX_SEGMENTS}."
    )
    movements: list[Movement] = strawberry.field(
        default_factory=lambda: list(Movement), description="What it is told of."
    )


@strawberry.input(
    one_of=True, description="What an integration is set to; the field is its kind."
)
class IntegrationSettingsInput:
    shopify: Maybe[ShopifySettingsInput] = strawberry.field(
        description="A Shopify shop."
    )
    woo_commerce: Maybe[WooCommerceSettingsInput] = strawberry.field(
        description="A WooCommerce shop."
    )
    stripe: Maybe[StripeSettingsInput] = strawberry.field(
        description="A Stripe account."
    )
    typeform: Maybe[TypeformSettingsInput] = strawberry.field(description="A Typeform.")
    inbound_webhook: Maybe[InboundWebhookSettingsInput] = strawberry.field(
        description="Any tool that can send JSON."
    )
    text_messages: Maybe[TextMessagesSettingsInput] = strawberry.field(
        description="Messages that people send to a phone number."
    )
    outbound_webhook: Maybe[OutboundWebhookSettingsInput] = strawberry.field(
        description="An address that is told who enters segments and who leaves them."
    )


def settings_of(wanted: IntegrationSettingsInput) -> kinds.Settings:
    """The settings as the rules know them, unchecked."""
    if wanted.shopify is not None:
        shopify = wanted.shopify.value
        return kinds.Shopify(
            _list_id(shopify.list_id, "shopify"), shopify.erases_customers
        )
    if wanted.stripe is not None:
        return kinds.Stripe(_list_id(wanted.stripe.value.list_id, "stripe"))
    if wanted.woo_commerce is not None:
        shop = wanted.woo_commerce.value
        return kinds.WooCommerce(
            _list_id(shop.list_id, "wooCommerce"), _agreements(shop.agreements)
        )
    if wanted.typeform is not None:
        form = wanted.typeform.value
        return kinds.Typeform(
            _list_id(form.list_id, "typeform"),
            _mappings(form.mappings),
            _agreements(form.agreements),
        )
    if wanted.text_messages is not None:
        return _text_messages(wanted.text_messages.value)
    if wanted.outbound_webhook is not None:
        told = wanted.outbound_webhook.value
        path = ("settings", "outboundWebhook", "segmentIds")
        return kinds.OutboundWebhook(
            told.url,
            tuple(stored_id(each, Kind.SEGMENT, *path) for each in told.segment_ids),
            tuple(dict.fromkeys(told.movements)),
        )
    assert wanted.inbound_webhook is not None  # noqa: S101 - one of them is given
    hook = wanted.inbound_webhook.value
    return kinds.InboundWebhook(
        mappings=_mappings(hook.mappings),
        proof=hook.proof,
        signature_header=given(hook.signature_header),
        metric=given(hook.metric),
        value=given(hook.value),
        currency=given(hook.currency),
        timestamp=given(hook.timestamp),
        unique_id=given(hook.unique_id),
        properties=tuple(
            kinds.Mapping(each.name, each.path) for each in hook.properties
        ),
        list_id=_list_id(hook.list_id, "inboundWebhook"),
        agreements=_agreements(hook.agreements),
    )


def _text_messages(wanted: TextMessagesSettingsInput) -> kinds.TextMessages:
    field = "textMessages"
    paths = given(wanted.paths)
    return kinds.TextMessages(
        provider=wanted.provider,
        keywords=tuple(
            kinds.Keyword(
                each.word,
                _stored_list(
                    each.list_id, "settings", field, "keywords", str(index), "listId"
                ),
                each.consent_text,
                each.reply,
            )
            for index, each in enumerate(wanted.keywords)
        ),
        help_text=wanted.help_text,
        paths=paths and kinds.MessagePaths(paths.sender, paths.body, given(paths.id)),
    )


def _mappings(some: list[FieldMappingInput]) -> tuple[kinds.Mapping, ...]:
    return tuple(kinds.Mapping(each.target, each.path) for each in some)


def _agreements(some: list[AgreementMappingInput]) -> tuple[kinds.Agreement, ...]:
    return tuple(kinds.Agreement(each.channel, each.path, each.text) for each in some)


def _list_id(value: Maybe[strawberry.ID | None], field: str) -> str | None:
    wanted = given(value)
    if wanted is None:
        return None
    return _stored_list(wanted, "settings", field, "listId")


def _stored_list(value: str, *path: str) -> str:
    if value.startswith(f"{Kind.SEGMENT}_"):
        # The resolvers tell why nobody can join a segment.
        return stored_id(value, Kind.SEGMENT, *path)
    return stored_id(value, Kind.LIST, *path)
