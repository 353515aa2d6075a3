"""The mutations that change lists and who is in them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from audience.errors import AudienceError
from audience.profiles import ProfileChange
from gql.context import Context
from gql.enums import Channel, OptIn
from gql.errors import Payload, UserError, problems_of
from gql.execution import plain
from gql.ids import Kind, global_id, stored_id
from gql.lists import List
from gql.mutations import accepted, given, mutation
from gql.profile_inputs import UpsertProfileInput, change_of
from resolvers.db import Document
from resolvers.lists import (
    Agreement,
    add_to_list,
    create_list,
    delete_list,
    lists_by_id,
    remove_from_list,
    update_list,
)

if TYPE_CHECKING:
    from gql.profiles import Profile


@strawberry.input(description="A list to make.")
class CreateListInput:
    name: str = strawberry.field(
        description="1 to 200 characters; unique, whatever its case."
    )
    opt_in: OptIn = strawberry.field(
        default=OptIn.DOUBLE, description="Whether sign-ups must be confirmed."
    )


@strawberry.input(description="Changes to a list. What is absent stays as it is.")
class UpdateListInput:
    id: strawberry.ID = strawberry.field(description="Which list.")
    name: strawberry.Maybe[str | None] = strawberry.field(
        default=None, description="1 to 200 characters; unique, whatever its case."
    )
    opt_in: strawberry.Maybe[OptIn | None] = strawberry.field(
        default=None,
        description="Whether sign-ups must be confirmed. Those that wait for "
        "confirmation go on waiting.",
    )


@strawberry.input(description="Which list to delete.")
class DeleteListInput:
    id: strawberry.ID = strawberry.field(description="Which list.")


@strawberry.input(description="How people who are added agreed to a channel.")
class AddedConsentInput:
    channel: Channel = strawberry.field(description="To which channel.")
    at: strawberry.Maybe[datetime | None] = strawberry.field(
        default=None, description="When; now when absent."
    )
    source: str = strawberry.field(
        description="Where, such as the name of a fair: at most 200 characters."
    )
    consent_text: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The text that they agreed to: at most 5,000 characters.",
    )


@strawberry.input(description="Who is to join which list.")
class AddToListInput:
    list_id: strawberry.ID = strawberry.field(description="Which list.")
    profiles: list[UpsertProfileInput] = strawberry.field(
        description="Whom, new or known: 1 to 1,000 people."
    )
    consent: strawberry.Maybe[list[AddedConsentInput] | None] = strawberry.field(
        default=None,
        description="How these people agreed, at most once per channel. Without it "
        "they join, but nothing may be sent to them. Recorded only for those who have "
        "not answered before.",
    )


@strawberry.input(description="Who is to leave which list.")
class RemoveFromListInput:
    list_id: strawberry.ID = strawberry.field(description="Which list.")
    profile_ids: list[strawberry.ID] = strawberry.field(
        description="Whom: 1 to 1,000 ids. Who is not in the list is passed over."
    )


@strawberry.type(description="The answer of `createList`.")
class CreateListPayload(Payload):
    list: List | None = plain("list", description="The list; null when refused.")


@strawberry.type(description="The answer of `updateList`.")
class UpdateListPayload(Payload):
    list: List | None = plain("list", description="The list; null when refused.")


@strawberry.type(description="The answer of `deleteList`.")
class DeleteListPayload(Payload):
    deleted_id: strawberry.ID | None = plain(
        "deleted_id",
        read=global_id(Kind.LIST),
        description="The id of the list that is no more; null when refused.",
    )


@strawberry.type(description="What became of one of the people.")
class AddToListResult:
    profile: Annotated["Profile", strawberry.lazy("gql.profiles")] | None = plain(
        "profile", description="The member; null when they were not added."
    )
    user_errors: list[UserError] = plain(
        "user_errors",
        default=[],
        description="Why they were not added or, with a profile, which agreement was "
        "not recorded.",
    )


@strawberry.type(description="The answer of `addToList`.")
class AddToListPayload(Payload):
    added: int = plain("added", default=0, description="How many joined.")
    already_members: int = plain(
        "already_members", default=0, description="How many were in the list already."
    )
    results: list[AddToListResult] = plain(
        "results",
        default=[],
        description="What became of each, in the order given. One who cannot be added "
        "does not stop the others.",
    )
    list: List | None = plain("list", description="The list; null when refused.")


@strawberry.type(description="The answer of `removeFromList`.")
class RemoveFromListPayload(Payload):
    list: List | None = plain("list", description="The list; null when refused.")
    removed: int = plain("removed", default=0, description="How many left it.")


@strawberry.type
class ListMutation:
    @mutation(CreateListPayload, "lists:write", description="Makes an empty list.")
    @staticmethod
    async def create_list(context: Context, input: CreateListInput) -> Document:
        made = await create_list(
            context.db, input.name, input.opt_in, now=context.now()
        )
        return accepted(list=made)

    @mutation(UpdateListPayload, "lists:write", description="Changes a list.")
    @staticmethod
    async def update_list(context: Context, input: UpdateListInput) -> Document:
        changed = await update_list(
            context.db,
            stored_id(input.id, Kind.LIST),
            now=context.now(),
            name=given(input.name),
            opt_in=given(input.opt_in),
        )
        return accepted(list=changed)

    @mutation(
        DeleteListPayload,
        "lists:write",
        description="Deletes a list and every membership in it. Profiles and their "
        "consent stay.",
    )
    @staticmethod
    async def delete_list(context: Context, input: DeleteListInput) -> Document:
        stored = stored_id(input.id, Kind.LIST)
        return accepted(
            deleted_id=await delete_list(context.db, stored, now=context.now())
        )

    @mutation(
        AddToListPayload,
        "lists:write",
        "profiles:write",
        needs_all=True,
        description="Puts people into a list, new or known, without asking them to "
        "confirm, and changes what is known about them: Quick Add.",
    )
    @staticmethod
    async def add_to_list(context: Context, input: AddToListInput) -> Document:
        done = await add_to_list(
            context.db,
            stored_id(input.list_id, Kind.LIST, "listId"),
            [_change_or_error(each) for each in input.profiles],
            [_agreement(each) for each in given(input.consent) or ()],
            now=context.now(),
        )
        return accepted(
            list=done.list,
            added=done.added,
            already_members=done.already_members,
            results=[
                {"profile": each.profile, "user_errors": problems_of(each.problems)}
                for each in done.people
            ],
        )

    @mutation(
        RemoveFromListPayload,
        "lists:write",
        description="Takes people out of a list. Their consent stays: they may still "
        "be written to as members of others.",
    )
    @staticmethod
    async def remove_from_list(
        context: Context, input: RemoveFromListInput
    ) -> Document:
        stored = stored_id(input.list_id, Kind.LIST, "listId")
        leaving = [
            stored_id(each, Kind.PROFILE, "profileIds", str(place))
            for place, each in enumerate(input.profile_ids)
        ]
        removed = await remove_from_list(context.db, stored, leaving, now=context.now())
        (found,) = await lists_by_id(context.db, [stored])
        return accepted(list=found, removed=removed)


def _change_or_error(person: UpsertProfileInput) -> ProfileChange | AudienceError:
    try:
        return change_of(person)
    except AudienceError as error:
        return error


def _agreement(said: AddedConsentInput) -> Agreement:
    return Agreement(
        said.channel, said.source, given(said.at), given(said.consent_text)
    )
