"""Making, changing and deleting forms, and answering one."""

from typing import Any

import strawberry

from audience.addresses import RefusedAddress
from audience.consent import evidence
from audience.forms import definitions, fields
from audience.forms.definitions import (
    SUBMIT,
    SUCCESS,
    FormKind,
    FormStatus,
    Targeting,
)
from audience.forms.fields import FieldKind
from audience.keys import SIGN_UP
from gql.context import Context
from gql.enums import Channel, Status
from gql.errors import Payload
from gql.execution import plain
from gql.forms import Form
from gql.ids import Kind, global_id, stored_id
from gql.mutations import accepted, given, mutation
from gql.scalars import JSON
from resolvers.db import Document
from resolvers.forms import Answer, create_form, delete_form, submit_form, update_form

SCOPE = "forms:write"


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


@strawberry.input(description="Which form to delete.")
class DeleteFormInput:
    id: strawberry.ID = strawberry.field(description="Which form.")


@strawberry.input(description="An answer to a form.")
class SubmitFormInput:
    form_id: strawberry.ID = strawberry.field(
        description="Which form; it must be LIVE."
    )
    values: JSON = strawberry.field(
        description="What was filled in, an object of texts by the fields' targets: "
        '{"email": "ada@example.org", "properties.size": "M"}.'
    )
    channels: strawberry.Maybe[list[Channel] | None] = strawberry.field(
        default=None,
        description="Which of the form's channels the person agreed to. Needed where "
        "it asks for several.",
    )
    token: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The token of the form's showing, of `GET /f/<form id>/form`. "
        "Public keys need it; it is good from 2 seconds to 24 hours after.",
    )
    trap: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="What stands in a field that people do not see. Where it is not "
        "empty, nothing is done, and the answer is the same.",
    )
    anonymous_id: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="The id of the visitor so far, such as a cookie's."
    )


@strawberry.type(description="The answer of `createForm`.")
class CreateFormPayload(Payload):
    form: Form | None = plain("form", description="The form; null when refused.")


@strawberry.type(description="The answer of `updateForm`.")
class UpdateFormPayload(Payload):
    form: Form | None = plain("form", description="The form; null when refused.")


@strawberry.type(description="The answer of `deleteForm`.")
class DeleteFormPayload(Payload):
    deleted_id: strawberry.ID | None = plain(
        "deleted_id",
        read=global_id(Kind.FORM),
        description="The id of the form that is no more; null when refused.",
    )


@strawberry.type(
    description="The answer of `submitForm`: the same whether or not someone is known."
)
class SubmitFormPayload(Payload):
    status: Status | None = plain(
        "status",
        description="SUBSCRIBED where the form's list has single opt-in, PENDING where "
        "it has double opt-in; null when refused. SUBSCRIBED too for those who have "
        "unsubscribed before, and are sent a link to confirm.",
    )
    success_message: str | None = plain(
        "success_message", description="What to show; null when refused."
    )
    redirect_url: str | None = plain(
        "redirect_url", description="Where to lead the person instead; often null."
    )


@strawberry.type
class FormMutation:
    @mutation(
        CreateFormPayload,
        SCOPE,
        description="Makes a form by which people sign up to a list.",
    )
    @staticmethod
    async def create_form(context: Context, input: CreateFormInput) -> Document:
        targeting = given(input.targeting)
        form = definitions.Form(
            name=input.name,
            list_id=_list_id(input.list_id),
            kind=input.kind,
            fields=tuple(_field(each) for each in input.fields),
            consents=tuple(_consent(each) for each in input.consents),
            status=input.status,
            headline=given(input.headline),
            body=given(input.body),
            button_label=input.button_label,
            success_message=input.success_message,
            redirect_url=given(input.redirect_url),
            refused_addresses=tuple(input.refused_addresses),
            targeting=Targeting() if targeting is None else _targeting(targeting),
        )
        return accepted(form=await create_form(context.db, form, now=context.now()))

    @mutation(
        UpdateFormPayload,
        SCOPE,
        description="Changes, publishes or archives a form.",
    )
    @staticmethod
    async def update_form(context: Context, input: UpdateFormInput) -> Document:
        readers: dict[str, Any] = {
            "list_id": _list_id,
            "fields": lambda fields: tuple(_field(each) for each in fields),
            "consents": lambda consents: tuple(_consent(each) for each in consents),
            "refused_addresses": tuple,
            "targeting": _targeting,
        }
        changes: dict[str, Any] = {}
        for name in definitions.Form.__dataclass_fields__:
            change = getattr(input, name)
            if change is not None:
                read = readers.get(name)
                changes[name] = change.value if read is None else read(change.value)
        changed = await update_form(
            context.db, stored_id(input.id, Kind.FORM), changes, now=context.now()
        )
        return accepted(form=changed)

    @mutation(
        DeleteFormPayload,
        SCOPE,
        description="Deletes a form through which nobody has signed up. One with "
        "sign-ups is refused, since people's consent refers to it: archive it instead.",
    )
    @staticmethod
    async def delete_form(context: Context, input: DeleteFormInput) -> Document:
        stored = stored_id(input.id, Kind.FORM)
        return accepted(deleted_id=await delete_form(context.db, stored))

    @mutation(
        SubmitFormPayload,
        SIGN_UP,
        counts="itself",
        description="Signs someone up by the answer to a form, as its own page does. "
        "Again changes nothing more.",
    )
    @staticmethod
    async def submit_form(context: Context, input: SubmitFormInput) -> Document:
        done = await submit_form(
            context.db,
            stored_id(input.form_id, Kind.FORM, "formId"),
            Answer(
                input.values,
                given(input.channels),
                given(input.token),
                given(input.trap),
                given(input.anonymous_id),
            ),
            now=context.now(),
            zone=context.zone,
            tokens=context.require_tokens(),
            evidence=evidence(context.ip, context.user_agent),
            is_trusted=context.require_key().may("profiles:write"),
            count=context.count_sign_up,
            refused=context.refused_addresses,
        )
        for confirmation in done.confirmations:
            await context.deliver(confirmation_message(confirmation, done.list))
        return accepted(
            status=done.status,
            success_message=done.form["success_message"],
            redirect_url=done.form.get("redirect_url"),
        )


def confirmation_message(confirmation: Any, found: Document) -> Document:
    """What is delivered for one waiting sign-up to a list."""
    return {
        "to": confirmation.address,
        "token": confirmation.token,
        "channels": list(confirmation.channels),
        "list": found["name"],
    }


def _list_id(value: str) -> str:
    if value.startswith(f"{Kind.SEGMENT}_"):
        # The resolvers tell why a segment takes no sign-ups.
        return stored_id(value, Kind.SEGMENT, "listId")
    return stored_id(value, Kind.LIST, "listId")


def _field(field: FormFieldInput) -> fields.FormField:
    return fields.FormField(
        field.kind,
        field.label,
        field.target,
        field.is_required,
        tuple(field.options),
        given(field.value),
    )


def _consent(consent: FormConsentInput) -> definitions.FormConsent:
    return definitions.FormConsent(consent.channel, consent.text)


def _targeting(targeting: FormTargetingInput) -> Targeting:
    return Targeting(
        targeting.delay_seconds,
        targeting.scroll_percent,
        targeting.on_exit_intent,
        tuple(targeting.url_contains),
        tuple(targeting.url_excludes),
        targeting.frequency_days,
    )
