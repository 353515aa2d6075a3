"""How a mutation is declared: its scope is checked, and what the caller can mend
comes back in the payload."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

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
    counts: Literal["sign-up", "event", "itself"] = "sign-up",
) -> Callable[[Change], Any]:
    """A mutation from an async function of (context, input) that answers the
    payload's source. Its key must have one of `scopes`, or all of them. What public
    keys may do is counted each time, since one request may bring many: as a sign-up,
    as an event, or by the function itself."""
    alternatives = [(each,) for each in scopes] if needs_all else [scopes]

    def declare(change: Change) -> Any:
        function = change.__func__ if isinstance(change, staticmethod) else change
        given = inspect.signature(function).parameters["input"].annotation

        async def resolve(info: Info, input: Any) -> Document:
            for wanted in alternatives:
                info.context.require(*wanted)
            viewer = info.context.viewer
            try:
                if viewer and viewer.kind is KeyKind.PUBLIC:
                    await _count(info.context, counts)
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


async def _count(context: Context, what: str) -> None:
    if what == "sign-up":
        await context.count_sign_up()
    elif what == "event":
        await context.count_event()


def given(value: Any) -> Any:
    """What a `Maybe` holds; None when it is absent."""
    return None if value is None else value.value


def accepted(**fields: Any) -> Document:
    """The source of a payload without errors."""
    return {**fields, "user_errors": []}
