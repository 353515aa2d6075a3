"""What callers say of a form: its fields, agreements and targeting."""

import strawberry

from audience.forms.definitions import (
    SUBMIT,
    SUCCESS,
    FormConsent,
    Targeting,
)
from audience.forms.fields import FormField
from gql.enums import Channel
from gql.forms import FieldKind, FormKind, FormStatus, RefusedAddress
from gql.ids import Kind, stored_id
from gql.mutations import given


@strawberry.input(description="A field of a form.")
class FormFieldInput:
    kind: FieldKind = strawberry.field(description="How it is filled in, and checked.")
    label: str = strawberry.field(
        default="",
        description="What stands beside it: 1 to 200 characters. A HIDDEN field needs "
        "none.",
    )
    target: str = strawberry.field(
        description="Which part of the profile it fills: email, phoneNumber, "
        "firstName, lastName, organization, title, locale, location.address1, "
        "location.address2, location.city, location.region, location.country, "
        "location.zip or properties.<name>. Each at most once."
    )
    is_required: bool = strawberry.field(
        default=False, description="Whether it must be filled."
    )
    options: list[str] = strawberry.field(
        default_factory=list,
        description="What can be chosen in a CHOICE: 2 to 100 texts.",
    )
    value: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="What a HIDDEN field says: at most 1,000 characters.",
    )


@strawberry.input(description="A channel that a form asks for.")
class FormConsentInput:
    channel: Channel = strawberry.field(
        description="EMAIL needs a field that fills email; SMS and WHATSAPP one that "
        "fills phoneNumber. PUSH is agreed to on the device."
    )
    text: str = strawberry.field(
        description="The words that people agree to: who will write, about what, how "
        "they stop it. At most 5,000 characters."
    )


@strawberry.input(
    description="When a popup, a flyout or a full page appears on a site: once all "
    "that is set has come about."
)
class FormTargetingInput:
    delay_seconds: int = strawberry.field(
        default=0, description="Not before so many seconds: 0 to 3,600."
    )
    scroll_percent: int = strawberry.field(
        default=0,
        description="Not before so much of the page was scrolled through: 0 to 100.",
    )
    on_exit_intent: bool = strawberry.field(
        default=False, description="Not before the visitor is about to leave."
    )
    url_contains: list[str] = strawberry.field(
        default_factory=list,
        description="Only on pages whose address contains one of these: at most 20, "
        "such as /products/. Empty: on all.",
    )
    url_excludes: list[str] = strawberry.field(
        default_factory=list,
        description="Not on pages whose address contains one of these: at most 20.",
    )
    frequency_days: int = strawberry.field(
        default=7,
        description="Not again for so many days after it was shown: 0 (on every page) "
        "to 365.",
    )


@strawberry.input(description="A form to make.")
class CreateFormInput:
    name: str = strawberry.field(
        description="1 to 200 characters; unique, whatever its case. Kept as the "
        "source of each agreement."
    )
    list_id: strawberry.ID = strawberry.field(
        description="Which list people sign up to. A segment's id is refused: "
        "segments fill themselves."
    )
    kind: FormKind = strawberry.field(description="How it appears on a site.")
    fields: list[FormFieldInput] = strawberry.field(
        description="What it asks for, in order: 1 to 30 fields."
    )
    consents: list[FormConsentInput] = strawberry.field(
        description="What it asks people to agree to, each channel at most once. With "
        "one channel, sending the form is the agreement and its address must be "
        "required; of several, people pick."
    )
    status: FormStatus = strawberry.field(
        default=FormStatus.DRAFT, description="LIVE publishes it at once."
    )
    headline: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Stands above the fields: at most 200 characters."
    )
    body: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="Stands below the headline: at most 2,000 characters."
    )
    button_label: str = strawberry.field(
        default=SUBMIT, description="Stands on the button: at most 60 characters."
    )
    success_message: str = strawberry.field(
        default=SUCCESS,
        description="What people see once they have signed up: at most 1,000 "
        "characters.",
    )
    redirect_url: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="Where people are led to instead of the message: an https address.",
    )
    refused_addresses: list[RefusedAddress] = strawberry.field(
        default_factory=list,
        description="Kinds of e-mail addresses that are not taken.",
    )
    targeting: strawberry.Maybe[FormTargetingInput | None] = strawberry.field(
        default=None, description="When it appears on a site; at once when absent."
    )


@strawberry.input(
    description="Changes to a form. What is absent stays as it is; a change shows at "
    "once where the form is LIVE."
)
class UpdateFormInput:
    id: strawberry.ID = strawberry.field(description="Which form.")
    name: strawberry.Maybe[str] = strawberry.field(
        default=None, description="1 to 200 characters; unique, whatever its case."
    )
    list_id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        default=None,
        description="Which list people sign up to from now on.",
    )
    kind: strawberry.Maybe[FormKind] = strawberry.field(
        default=None, description="How it appears on a site."
    )
    fields: strawberry.Maybe[list[FormFieldInput]] = strawberry.field(
        default=None, description="All its fields, in order: 1 to 30."
    )
    consents: strawberry.Maybe[list[FormConsentInput]] = strawberry.field(
        default=None, description="All that it asks people to agree to."
    )
    status: strawberry.Maybe[FormStatus] = strawberry.field(
        default=None,
        description="LIVE publishes it, ARCHIVED ends it; each can be undone.",
    )
    headline: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="At most 200 characters; null takes it away."
    )
    body: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="At most 2,000 characters; null takes it away."
    )
    button_label: strawberry.Maybe[str] = strawberry.field(
        default=None, description="At most 60 characters."
    )
    success_message: strawberry.Maybe[str] = strawberry.field(
        default=None, description="At most 1,000 characters."
    )
    redirect_url: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="An https address; null has the message shown instead.",
    )
    refused_addresses: strawberry.Maybe[list[RefusedAddress]] = strawberry.field(
        default=None, description="Kinds of e-mail addresses that are not taken."
    )
    targeting: strawberry.Maybe[FormTargetingInput] = strawberry.field(
        default=None, description="When it appears on a site, as a whole."
    )


def stored_list(value: str) -> str:
    """The stored id of the list that a form leads to."""
    if value.startswith(f"{Kind.SEGMENT}_"):
        # The resolvers tell why a segment takes no sign-ups.
        return stored_id(value, Kind.SEGMENT, "listId")
    return stored_id(value, Kind.LIST, "listId")


def form_field(field: FormFieldInput) -> FormField:
    """The field as it was given."""
    return FormField(
        field.kind,
        field.label,
        field.target,
        field.is_required,
        tuple(field.options),
        given(field.value),
    )


def form_consent(consent: FormConsentInput) -> FormConsent:
    """The channel with its words as they were given."""
    return FormConsent(consent.channel, consent.text)


def form_targeting(targeting: FormTargetingInput) -> Targeting:
    """When the form appears, as it was given."""
    return Targeting(
        targeting.delay_seconds,
        targeting.scroll_percent,
        targeting.on_exit_intent,
        tuple(targeting.url_contains),
        tuple(targeting.url_excludes),
        targeting.frequency_days,
    )
