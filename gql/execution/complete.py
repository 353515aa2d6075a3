"""Completing values as graphql-core does: what generated code calls off its fast path.

Whatever ends in an error, and the few kinds of values that only graphql-core takes,
raise; the operation then goes to graphql-core, which gives the exact answer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from graphql import GraphQLObjectType, Undefined
from graphql.pyutils import Path, is_iterable
from graphql.pyutils.is_awaitable import is_async_iterable
from strawberry.execution import optimized_is_awaitable

from gql.execution.fields import FromDocument


class NotPlanned(Exception):
    """An operation, or a value met while it runs, that goes to graphql-core."""


def check(value: Any) -> None:
    """Refuse a source or value that graphql-core would not take as it is."""
    if (
        isinstance(value, Exception)
        or value is Undefined
        or optimized_is_awaitable(value)
    ):
        raise NotPlanned(f"{type(value).__name__} instead of a value")


def check_document(value: Any) -> None:
    if not isinstance(value, Mapping):
        raise NotPlanned(f"{type(value).__name__} instead of a document")


def items(value: Any) -> list[Any] | tuple[Any, ...]:
    """The items of a list value that is no `list`. What may be iterated only once, or
    asynchronously, is left untouched for graphql-core."""
    if is_async_iterable(value):
        raise NotPlanned("an asynchronous list")
    if isinstance(value, (list, tuple)):
        return value
    if not is_iterable(value) or hasattr(value, "__next__"):
        raise NotPlanned(f"{type(value).__name__} instead of a list")
    return list(value)


def step(value: Any, name: str) -> Any:
    """What a document has under `name`; nothing else has anything."""
    return value.get(name) if isinstance(value, Mapping) else None


def reads_documents(type_: GraphQLObjectType) -> bool:
    """Whether the type tells its sources apart as `FromDocument` does."""
    own: Any = getattr(type_.is_type_of, "__func__", None)
    return own is FromDocument.is_type_of.__func__  # type: ignore[attr-defined]


class Returning:
    """The little of a resolve info that `FromDocument` looks at."""

    __slots__ = ("return_type",)

    def __init__(self, return_type: object) -> None:
        self.return_type = return_type


NAMES: dict[str, Any] = {
    "NotPlanned": NotPlanned,
    "check": check,
    "check_document": check_document,
    "items": items,
    "step": step,
    "datetime": datetime,
    "Path": Path,
    "Undefined": Undefined,
}
"""What generated code finds by name."""
