"""Completing values as graphql-core does: what generated code calls off its fast path.

Whatever ends in an error, and the few kinds of values that only graphql-core takes,
raise; the operation then goes to graphql-core, which gives the exact answer.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLScalarType,
    Undefined,
)
from graphql.pyutils import is_iterable
from graphql.type.scalars import (
    serialize_boolean,
    serialize_float,
    serialize_id,
    serialize_int,
    serialize_string,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.schema.types.base_scalars import isoformat

from gql.execution.fields import FromDocument


class NotPlanned(Exception):
    """An operation, or a value met while it runs, that goes to graphql-core."""


def leaf_completer(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    """graphql-core's completion of a leaf value, whatever the value is."""

    def complete_leaf(value: Any) -> Any:
        if value is None:
            return None
        check(value)
        completed = type_.coerce_output_value(value)
        if completed is None or completed is Undefined:
            raise NotPlanned(f"{type_} has no value for {value!r}")
        return completed

    return complete_leaf


def fast_leaf(type_: GraphQLLeafType) -> str | None:
    """A condition under which a value `{v}` is its own completion, never for null."""
    if not isinstance(type_, GraphQLScalarType):
        return None
    coerce: Any = type_.coerce_output_value
    if coerce is serialize_string or coerce is serialize_id:
        return "{v}.__class__ is str"
    if coerce is serialize_int:
        return "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647"
    if coerce is serialize_float:
        return "{v}.__class__ is float and {v} - {v} == 0.0"
    if coerce is serialize_boolean:
        return "({v} is True or {v} is False)"
    return None


def is_iso_datetime(type_: GraphQLLeafType) -> bool:
    """Whether the type's values are completed by their own `isoformat()`."""
    return (
        isinstance(type_, GraphQLScalarType) and type_.coerce_output_value is isoformat
    )


def enum_names(type_: GraphQLEnumType) -> dict[Any, str]:
    """Names by value, and by member of the Python enum."""
    names: dict[Any, str] = {}
    members = list(getattr(type_, "wrapped_cls", ()))
    for name, value in type_.values.items():
        try:
            names.setdefault(value.value, name)
        except TypeError:  # an unhashable value; graphql-core searches for it
            continue
        if isinstance(type_, CustomGraphQLEnumType):
            for member in members:
                if member.value == value.value:
                    names.setdefault(member, name)
    return names


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
    """The items of a list value that is no `list`; iterators are left untouched."""
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
    "Undefined": Undefined,
}
"""What generated code finds by name."""
