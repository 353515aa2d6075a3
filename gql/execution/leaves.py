"""Leaf values in generated code: inline where they are what is usual."""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLEnumType, GraphQLLeafType, GraphQLScalarType, Undefined
from graphql.type.scalars import (
    serialize_boolean,
    serialize_float,
    serialize_id,
    serialize_int,
    serialize_string,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.schema.types.base_scalars import isoformat

from gql.execution.code import Code
from gql.execution.complete import NotPlanned, check


def leaf_completer(type_: GraphQLLeafType, nullable: bool) -> Callable[[Any], Any]:
    """graphql-core's completion of a leaf value, whatever the value is."""

    def complete_leaf(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise NotPlanned(f"null for a {type_}")
        check(value)
        completed = type_.coerce_output_value(value)
        if completed is None or completed is Undefined:
            raise NotPlanned(f"{type_} has no value for {value!r}")
        return completed

    return complete_leaf


def emit_leaf(
    code: Code,
    type_: GraphQLLeafType,
    slow: Callable[[Any], Any],
    value: str,
    *,
    nullable: bool,
    trusted: bool,
) -> None:
    """Generate code that completes the variable `value` in place.

    Usual values take no call; any other goes through `slow`, the type's completer.
    What is `trusted` comes out of a document, and so is nothing to await.
    """
    slowly = f"{value} = {code.constant(slow)}({value})"
    unless_null = f" and {value} is not None" if nullable else ""
    fast = _fast(type_)
    if fast is not None:
        code.emit(f"if not ({fast.format(v=value)}){unless_null}: {slowly}")
    elif isinstance(type_, GraphQLEnumType):
        names = code.constant(_enum_names(type_))
        named = code.fresh("e")
        code.emit(f"{named} = {names}.get({value})")
        with code.block(f"if {named} is None:"):
            code.emit(slowly)
        code.emit(f"else: {value} = {named}")
    elif _is_iso_datetime(type_):
        code.emit(f"if {value}.__class__ is datetime: {value} = {value}.isoformat()")
        code.emit(f"elif {value} is not None: {slowly}")
        if not nullable:
            code.emit("else: raise NotPlanned")
    elif trusted:
        coerce = code.constant(type_.coerce_output_value)
        with code.block(f"if {value} is not None:"):
            code.emit(f"if isinstance({value}, Exception): raise NotPlanned")
            code.emit(f"{value} = {coerce}({value})")
            code.emit(f"if {value} is None or {value} is Undefined: raise NotPlanned")
        if not nullable:
            code.emit("else: raise NotPlanned")
    else:
        code.emit(slowly)


def _fast(type_: GraphQLLeafType) -> str | None:
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


def _is_iso_datetime(type_: GraphQLLeafType) -> bool:
    """Whether the type's values are completed by their own `isoformat()`."""
    return (
        isinstance(type_, GraphQLScalarType) and type_.coerce_output_value is isoformat
    )


def _enum_names(type_: GraphQLEnumType) -> dict[Any, str]:
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
