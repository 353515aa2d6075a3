"""How a root field of Query is declared: its scope is checked before it reads."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from gql.context import Context
from gql.execution import root

Read = Callable[..., Awaitable[Any]]


def query(returns: Any, *scopes: str, description: str) -> Callable[[Read], Any]:
    """A root field from an async function of (context, then its arguments) that
    answers the source of `returns`. Its key must have one of `scopes`; without any,
    every secret key will do."""

    def declare(read: Read) -> Any:
        function = read.__func__ if isinstance(read, staticmethod) else read

        @functools.wraps(function)
        async def answer(context: Context, **arguments: Any) -> Any:
            if scopes:
                context.require(*scopes)
            else:
                context.require_secret()
            return await function(context, **arguments)

        needed = f" Needs the scope {' or '.join(scopes)}." if scopes else ""
        return root(answer, returns, f"{description}{needed}")

    return declare
