"""How a mutation is declared: its scope is checked, and what the caller can mend
comes back in the payload."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from audience.errors import AudienceError
from audience.keys import KeyKind
from gql.context import Context, Info
from gql.errors import problems_of
from resolvers.db import Document

Change = Callable[[Context, Any], Awaitable[Document]]


def mutation(
    payload: type,
    *scopes: str,
    description: str,
    needs_all: bool = False,
    counts_itself: bool = False,
) -> Callable[[Change], Any]:
    """A mutation from an async function of (context, input) that answers the
    payload's source. Its key must have one of `scopes`, or all of them. What public
    keys may do is counted each time, unless the function counts it itself: one
    request may bring many."""
    alternatives = [(each,) for each in scopes] if needs_all else [scopes]

    def declare(change: Change) -> Any:
        function = change.__func__ if isinstance(change, staticmethod) else change
        given = inspect.signature(function).parameters["input"].annotation

        async def resolve(info: Info, input: Any) -> Document:
            for wanted in alternatives:
                info.context.require(*wanted)
            viewer = info.context.viewer
            try:
                if viewer and viewer.kind is KeyKind.PUBLIC and not counts_itself:
                    info.context.count_sign_up()
                changed: Document = await function(info.context, input)
            except AudienceError as error:
                return {"user_errors": problems_of(error.problems)}
            return changed

        resolve.__name__ = function.__name__
        resolve.__qualname__ = function.__qualname__
        resolve.__module__ = function.__module__
        resolve.__annotations__ = {
            "info": Info,
            "input": Annotated[
                given, strawberry.argument(description="What to do, and to whom.")
            ],
            "return": Document,
        }
        needed = (" and " if needs_all else " or ").join(scopes)
        noun = "scopes" if needs_all else "scope"
        return strawberry.mutation(
            resolver=resolve,
            graphql_type=payload,
            description=f"{description} Needs the {noun} {needed}.",
        )

    return declare


def given(value: Any) -> Any:
    """What a `Maybe` holds; None when it is absent."""
    return None if value is None else value.value


def accepted(**fields: Any) -> Document:
    """The source of a payload without errors."""
    return {**fields, "user_errors": []}
