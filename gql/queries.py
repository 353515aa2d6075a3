"""How a root field of Query is declared: its scope is checked before it reads."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from gql.context import Info

Read = Callable[..., Awaitable[Any]]


def query(returns: Any, *scopes: str, description: str) -> Callable[[Read], Any]:
    """A root field from an async function of (context, then its arguments) that
    answers the source of `returns`. Its key must have one of `scopes`; without any,
    every secret key will do."""

    def declare(read: Read) -> Any:
        function = read.__func__ if isinstance(read, staticmethod) else read
        signature = inspect.signature(function)

        async def resolve(info: Info, **arguments: Any) -> Any:
            if scopes:
                info.context.require(*scopes)
            else:
                info.context.require_secret()
            return await function(info.context, **arguments)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter("info", keyword, annotation=Info),
            *(
                each.replace(kind=keyword)
                for each in list(signature.parameters.values())[1:]
            ),
        ]
        resolve.__name__ = function.__name__
        resolve.__qualname__ = function.__qualname__
        resolve.__module__ = function.__module__
        resolve.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        resolve.__annotations__ = {each.name: each.annotation for each in parameters}
        needed = f" Needs the scope {' or '.join(scopes)}." if scopes else ""
        return strawberry.field(
            resolver=resolve,
            graphql_type=returns,
            description=f"{description}{needed}",
        )

    return declare
