"""A field's arguments as its function takes them: how they are converted is found out
once, and those that depend on no variable are converted once."""

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import MISSING
from typing import Any

from graphql.execution.values import get_argument_values
from strawberry.relay.types import GlobalID
from strawberry.schema.schema import Schema
from strawberry.types.arguments import (
    StrawberryArgument,
    _is_leaf_type,
    convert_argument,
)
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.lazy_type import LazyType
from strawberry.types.maybe import Some
from strawberry.types.unset import UNSET

from gql.execution.known import Executing
from gql.execution.literals import Unread, arguments_reader, has_variable
from gql.execution.loads import freeze
from gql.execution.place import Place

Convert = Callable[[Any], Any]


class Arguments:
    """Answers what a field's function is called with, and a hashable stand-in for it
    where that is `frozen`.

    Functions share what does not depend on variables, and so must not change it.
    """

    def __init__(
        self,
        place: Place,
        arguments: Sequence[StrawberryArgument],
        schema: Schema,
        *,
        frozen: bool,
    ) -> None:
        self._freeze = freeze if frozen else _nothing
        self._place = place
        self._converts = [_of_argument(each, schema) for each in arguments]
        nodes = place.nodes[0].arguments or ()
        self._varies = any(has_variable(node.value) for node in nodes)
        self._read = arguments_reader(place.definition, place.nodes[0])
        self._known: tuple[dict[str, Any], Hashable] | None = None
        if not place.definition.args and not nodes:
            self._known = {}, self._freeze({})

    def of(self, executor: Executing) -> tuple[dict[str, Any], Hashable]:
        """With the variables of this execution. GraphQLError where they are wrong."""
        if self._known is not None:
            return self._known
        given = self._given(executor)
        values = {
            python_name: convert(given[name])
            for name, python_name, convert in self._converts
            if name in given
        }
        known = values, self._freeze(values)
        if not self._varies:
            self._known = known
        return known

    def _given(self, executor: Executing) -> dict[str, Any]:
        if self._read is not None:
            with suppress(Unread):
                given: dict[str, Any] = self._read(executor.variable_values.coerced)
                return given
        return get_argument_values(
            self._place.definition,
            self._place.nodes[0],
            executor.variable_values,
            None,
            executor.hide_suggestions,
        )


class _Unusual(Exception):
    """A type that only Strawberry converts."""


def _of_argument(
    argument: StrawberryArgument, schema: Schema
) -> tuple[str, str, Convert]:
    name = schema.config.name_converter.from_argument(argument)
    try:
        convert = _converting(argument.type, schema, {})
    except _Unusual:
        convert = _by_strawberry(argument.type, schema, (name,))
    return name, str(argument.python_name), convert


def _by_strawberry(type_: Any, schema: Schema, path: tuple[str, ...] = ()) -> Convert:
    registry = schema.schema_converter.scalar_registry
    return lambda value: convert_argument(
        value, type_, registry, schema.config, path=path
    )


def _converting(type_: Any, schema: Schema, inputs: dict[Any, Convert]) -> Convert:
    """What Strawberry's `convert_argument` does to values of `type_`.

    `inputs` has the converters of input types, which may hold themselves.
    """
    registry = schema.schema_converter.scalar_registry
    if isinstance(type_, StrawberryMaybe):
        inner = _converting(type_.of_type, schema, inputs)
        if isinstance(type_.of_type, StrawberryOptional):
            return lambda value: Some(inner(value))
        refuse = _by_strawberry(type_, schema)
        return lambda value: refuse(value) if value is None else Some(inner(value))
    if isinstance(type_, StrawberryOptional):
        return _converting(type_.of_type, schema, inputs)
    if isinstance(type_, StrawberryList):
        return _listing(_converting(type_.of_type, schema, inputs))
    if type_ is GlobalID:
        raise _Unusual
    if _is_leaf_type(type_, registry):
        return _same
    if isinstance(type_, LazyType):
        return _converting(type_.resolve_type(), schema, inputs)
    if not has_object_definition(type_):
        raise _Unusual
    if type_ not in inputs:
        # Known by the time that a value of it comes.
        inputs[type_] = lambda value: inputs[type_](value)
        inputs[type_] = _input(type_, schema, inputs)
    return inputs[type_]


def _nothing(value: Any) -> None:
    return None


def _same(value: Any) -> Any:
    return value


def _listing(inner: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        return list(value) if inner is _same else [inner(each) for each in value]

    return convert


def _input(type_: Any, schema: Schema, inputs: dict[Any, Convert]) -> Convert:
    definition = type_.__strawberry_definition__
    if definition.from_input is not None or not definition.is_input:
        raise _Unusual
    absent = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }
    fields = [
        (
            schema.config.name_converter.from_field(field),
            field.python_name,
            _converting(field.resolve_type(type_definition=definition), schema, inputs),
        )
        for field in definition.fields
    ]

    def convert(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        given = dict(absent)
        for name, python_name, inner in fields:
            if name in value:
                given[python_name] = inner(value[name])
        return type_(**given)

    return convert
