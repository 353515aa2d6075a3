"""Making, changing and deleting forms, and answering one."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import strawberry

from audience.evidence import evidence
from audience.forms import definitions
from audience.forms.definitions import Targeting
from audience.keys import SIGN_UP
from gql.context import Context, Deliver
from gql.enums import Channel, Status
from gql.errors import Payload
from gql.execution import plain
from gql.form_inputs import (
    CreateFormInput,
    UpdateFormInput,
    form_consent,
    form_field,
    form_targeting,
    stored_list,
)
from gql.forms import Form
from gql.ids import Kind, global_id, stored_id
from gql.mutations import accepted, given, mutation
from gql.scalars import JSON
from resolvers.db import Document
from resolvers.forms import (
    Answer,
    Submitted,
    create_form,
    delete_form,
    submit_form,
    update_form,
)
from resolvers.shielding import in_background, to_its_end

SCOPE = "forms:write"


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
        "Public keys need it; it is good from 2 seconds to 24 hours after, and as long "
        "as the form asks for the same agreements (else CONFLICT: show the form anew).",
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
            list_id=stored_list(input.list_id),
            kind=input.kind,
            fields=tuple(form_field(each) for each in input.fields),
            consents=tuple(form_consent(each) for each in input.consents),
            status=input.status,
            headline=given(input.headline),
            body=given(input.body),
            button_label=input.button_label,
            success_message=input.success_message,
            redirect_url=given(input.redirect_url),
            refused_addresses=tuple(input.refused_addresses),
            targeting=Targeting() if targeting is None else form_targeting(targeting),
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
            "list_id": stored_list,
            "fields": lambda fields: tuple(form_field(each) for each in fields),
            "consents": lambda consents: tuple(form_consent(each) for each in consents),
            "refused_addresses": tuple,
            "targeting": form_targeting,
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
        done = await to_its_end(_submit(context, input))
        return accepted(
            status=done.status,
            success_message=done.form["success_message"],
            redirect_url=done.form.get("redirect_url"),
        )


async def _submit(context: Context, input: SubmitFormInput) -> Submitted:
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
    deliver_confirmations(context.deliver, done.confirmations, done.list)
    return done


def deliver_confirmations(
    deliver: Deliver, confirmations: Sequence[Any], found: Document
) -> None:
    """Begins to deliver what is to be confirmed, to the list `found`. Nobody waits for
    it: how long an answer takes must not tell who is known."""
    for each in confirmations:
        in_background(partial(deliver, confirmation_message(each, found)))


def confirmation_message(confirmation: Any, found: Document) -> Document:
    """What is delivered for one waiting sign-up to a list."""
    return {
        "to": confirmation.address,
        "token": confirmation.token,
        "channels": list(confirmation.channels),
        "list": found["name"],
    }
