"""Making, changing, pausing and deleting integrations."""

from typing import Any

import strawberry
from strawberry import Maybe

from audience.integrations import kinds
from audience.integrations.stored import settings_of as kept_settings
from gql.context import Context
from gql.errors import Payload
from gql.execution import plain
from gql.ids import Kind, global_id, stored_id
from gql.integration_inputs import IntegrationSettingsInput, settings_of
from gql.integrations import Integration, IntegrationStatus
from gql.mutations import accepted, given, mutation
from resolvers.db import Document
from resolvers.integrations import (
    create_integration,
    delete_integration,
    integrations_by_id,
    update_integration,
)

SCOPE = "integrations:write"


@strawberry.input(description="An integration to make.")
class CreateIntegrationInput:
    name: str = strawberry.field(
        description="1 to 200 characters; unique, whatever its case. Kept as the "
        "source of each agreement."
    )
    settings: IntegrationSettingsInput = strawberry.field(
        description="Which tool, and what is to be done with its calls."
    )
    secret: Maybe[str | None] = strawberry.field(
        default=None,
        description="By which calls are verified: 8 to 500 ASCII characters. Shopify, "
        "Stripe and Twilio show theirs: copy it from there, now or by "
        "`updateIntegration`. For the other kinds one is made when it is absent. An "
        "outbound webhook's begins with whsec_, and signs what is sent.",
    )
    status: IntegrationStatus = strawberry.field(
        default=IntegrationStatus.ACTIVE,
        description="PAUSED takes no calls, and makes none, for now.",
    )


@strawberry.input(
    description="Changes to an integration. What is absent stays as it is."
)
class UpdateIntegrationInput:
    id: strawberry.ID = strawberry.field(description="Which integration.")
    name: Maybe[str] = strawberry.field(
        default=None, description="1 to 200 characters; unique, whatever its case."
    )
    status: Maybe[IntegrationStatus] = strawberry.field(
        default=None,
        description="PAUSED takes no calls and makes none, ACTIVE does again.",
    )
    settings: Maybe[IntegrationSettingsInput] = strawberry.field(
        default=None, description="All that it is set to; of the kind that it has."
    )
    secret: Maybe[str] = strawberry.field(
        default=None,
        description="Another secret: the one before is of no use from now on. An "
        "outbound webhook signs with both for a day.",
    )
    renew_secret: bool = strawberry.field(
        default=False,
        description="Whether this server makes another secret, where it makes them.",
    )


@strawberry.input(description="Which integration to delete.")
class DeleteIntegrationInput:
    id: strawberry.ID = strawberry.field(description="Which integration.")


@strawberry.type(description="The answer of `createIntegration`.")
class CreateIntegrationPayload(Payload):
    integration: Integration | None = plain(
        "integration", description="The integration; null when refused."
    )
    secret: str | None = plain(
        "secret",
        description="The secret that was made, to be pasted into the tool. Shown this "
        "once; null where you gave it, or the tool makes it.",
    )


@strawberry.type(description="The answer of `updateIntegration`.")
class UpdateIntegrationPayload(Payload):
    integration: Integration | None = plain(
        "integration", description="The integration; null when refused."
    )
    secret: str | None = plain(
        "secret",
        description="The secret where another one was made; shown this once.",
    )


@strawberry.type(description="The answer of `deleteIntegration`.")
class DeleteIntegrationPayload(Payload):
    deleted_id: strawberry.ID | None = plain(
        "deleted_id",
        read=global_id(Kind.INTEGRATION),
        description="The id of the integration that is no more; null when refused.",
    )


@strawberry.type
class IntegrationMutation:
    @mutation(
        CreateIntegrationPayload,
        SCOPE,
        description="Makes an integration. Its `url` is what the tool calls; an "
        "outbound webhook calls its own, which also needs the scopes profiles:read "
        "and segments:read. A shop that erases its customers needs profiles:write.",
    )
    @staticmethod
    async def create_integration(
        context: Context, input: CreateIntegrationInput
    ) -> Document:
        wanted = kinds.Integration(
            input.name, settings_of(input.settings), input.status
        )
        _require(context, wanted.settings)
        made = await create_integration(
            context.db,
            wanted,
            secret=given(input.secret),
            server_secret=context.require_tokens().secret,
            now=context.now(),
        )
        return accepted(integration=made.document, secret=made.secret)

    @mutation(
        UpdateIntegrationPayload,
        SCOPE,
        description="Changes or pauses an integration, or its secret. Works at once "
        "for the calls that come in from then on.",
    )
    @staticmethod
    async def update_integration(
        context: Context, input: UpdateIntegrationInput
    ) -> Document:
        changes: dict[str, Any] = {}
        for name in ("name", "status"):
            change = getattr(input, name)
            if change is not None:
                changes[name] = change.value
        if input.settings is not None:
            changes["settings"] = settings_of(input.settings.value)
            _require(context, changes["settings"])
        stored = stored_id(input.id, Kind.INTEGRATION)
        secret = given(input.secret)
        if secret is not None:
            # Who knows the secret makes the calls.
            (before,) = await integrations_by_id(context.db, [stored])
            if before is not None:
                _require(context, kept_settings(before["settings"]))
        changed = await update_integration(
            context.db,
            stored,
            changes,
            secret=secret,
            renews_secret=input.renew_secret,
            server_secret=context.require_tokens().secret,
            now=context.now(),
        )
        return accepted(integration=changed.document, secret=changed.secret)

    @mutation(
        DeleteIntegrationPayload,
        SCOPE,
        description="Deletes an integration: its address takes no calls from then on. "
        "What came through it stays.",
    )
    @staticmethod
    async def delete_integration(
        context: Context, input: DeleteIntegrationInput
    ) -> Document:
        stored = stored_id(input.id, Kind.INTEGRATION)
        return accepted(deleted_id=await delete_integration(context.db, stored))


def _require(context: Context, settings: kinds.Settings) -> None:
    """An outbound webhook tells who is in a segment, by their addresses; a shop that
    may erase its customers erases whom its calls name."""
    if isinstance(settings, kinds.OutboundWebhook):
        context.require("profiles:read")
        context.require("segments:read")
    if isinstance(settings, kinds.Shopify) and settings.erases_customers:
        context.require("profiles:write")
