"""The variables of an operation: how their values are coerced is found out once."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    Undefined,
    assert_leaf_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import is_iterable
from graphql.utilities.coerce_input_value import (
    coerce_default_value,
    coerce_input_literal,
)

Coerce = Callable[[Any], Any]
Read = Callable[[Mapping[str, Any]], VariableValues | None]
Objects = dict[GraphQLInputObjectType, Coerce]


class _Unbounded(Exception):
    """A type that holds itself: how deep its values may nest graphql-core checks."""


def variables_reader(values: VariableValues, objects: Objects) -> Read | None:
    """What answers graphql-core's `get_variable_values` for other values of the same
    variables, and None for those that are wrong. None where only graphql-core tells:
    of types that hold themselves. `objects` keeps what coerces those of a schema."""
    variables = []
    for name, source in values.sources.items():
        signature = source.signature
        try:
            coerce = _coercing(signature.type, objects, ())
        except _Unbounded:
            return None
        default = signature.default.literal if signature.default else None
        is_needed = is_non_null_type(signature.type) and default is None
        variables.append((name, signature, coerce, default, is_needed))

    def read(given: Mapping[str, Any]) -> VariableValues | None:
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, coerce, default, is_needed in variables:
            value = given.get(name, Undefined)
            if value is not Undefined:
                sources[name] = VariableValueSource(signature, value)
                value = coerce(value)
            elif is_needed:
                return None
            else:
                sources[name] = VariableValueSource(signature)
                if default is None:
                    continue
                # Made anew: nobody is to have what another request may change.
                try:
                    value = coerce_input_literal(default, signature.type)
                except Exception:  # noqa: BLE001 - graphql-core tells what is wrong
                    return None
            if value is Undefined:
                return None
            coerced[name] = value
        return VariableValues(sources, coerced)

    return read


def _coercing(
    type_: GraphQLInputType, objects: Objects, within: tuple[Any, ...]
) -> Coerce:
    """What graphql-core's `coerce_input_value` does to values of the type."""
    if is_non_null_type(type_):
        inner = _coercing(type_.of_type, objects, within)
        return lambda value: Undefined if value is None else inner(value)
    if is_list_type(type_):
        return _listing(_coercing(type_.of_type, objects, within))
    if is_input_object_type(type_):
        if type_ in within:
            raise _Unbounded
        if type_ not in objects:
            objects[type_] = _object(type_, objects, (*within, type_))
        return objects[type_]
    coerce_leaf = assert_leaf_type(type_).coerce_input_value

    def leaf(value: Any) -> Any:
        if value is None:
            return None
        try:
            return coerce_leaf(value)
        except Exception:  # noqa: BLE001 - graphql-core tells what is wrong
            return Undefined

    return leaf


def _listing(inner: Coerce) -> Coerce:
    def listing(value: Any) -> Any:
        if value is None:
            return None
        items = [inner(each) for each in (value if is_iterable(value) else (value,))]
        return Undefined if any(each is Undefined for each in items) else items

    return listing


def _object(
    type_: GraphQLInputObjectType, objects: Objects, within: tuple[Any, ...]
) -> Coerce:
    names = type_.fields.keys()
    fields = [
        (
            name,
            field.out_name or name,
            field,
            is_required_input_field(field),
            _coercing(field.type, objects, within),
        )
        for name, field in type_.fields.items()
    ]

    def coerce(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict) or not names >= value.keys():
            return Undefined
        coerced: dict[str, Any] = {}
        for name, out_name, field, is_required, inner in fields:
            given = value.get(name, Undefined)
            if given is not Undefined:
                given = inner(given)
                if given is Undefined:
                    return Undefined
            elif is_required:
                return Undefined
            else:
                try:
                    given = coerce_default_value(field)
                except Exception:  # noqa: BLE001 - graphql-core tells what is wrong
                    return Undefined
                if given is Undefined:
                    continue
            coerced[out_name] = given
        if type_.is_one_of and (
            len(value) != 1 or len(coerced) != 1 or None in coerced.values()
        ):
            return Undefined
        try:
            return type_.out_type(coerced)
        except GraphQLError:
            return Undefined

    return coerce
