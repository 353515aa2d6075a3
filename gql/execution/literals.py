"""Arguments with variables in them: how their values are put together is found out
once, so that they need not be looked through each time."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputType,
    Node,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_input_object_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import (
    coerce_default_value,
    coerce_input_literal,
)

Variables = Mapping[str, Any]
Read = Callable[[Variables], Any]


class Unread(Exception):
    """A value that only graphql-core tells, such as that of an absent variable."""


def arguments_reader(definition: GraphQLField, node: FieldNode) -> Read | None:
    """What reads graphql-core's `get_argument_values` off the coerced variables, or
    raises `Unread`. None for a field of which only graphql-core tells."""
    given = {each.name.value: each.value for each in node.arguments or ()}
    return _reader_of_all(definition.args, given)


def has_variable(node: Node) -> bool:
    """Whether a variable is anywhere in it."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, VariableNode):
            return True
        for key in each.keys:
            inner = getattr(each, key, None)
            if isinstance(inner, Node):
                waiting.append(inner)
            elif isinstance(inner, list | tuple):
                waiting.extend(one for one in inner if isinstance(one, Node))
    return False


def _reader_of_all(
    fields: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField],
    given: Mapping[str, ValueNode],
) -> Read | None:
    if not given.keys() <= fields.keys():
        return None
    reads: list[tuple[str, Read]] = []
    for name, field in fields.items():
        if name in given:
            read = _reader(given[name], field.type)
            if read is None:
                return None
        elif _is_required(field):
            return None
        else:
            value = coerce_default_value(field)
            if value is Undefined:
                continue
            read = _always(value)
        reads.append((field.out_name or name, read))
    return lambda variables: {name: read(variables) for name, read in reads}


def _reader(node: ValueNode, type_: GraphQLInputType) -> Read | None:
    if isinstance(node, VariableNode):
        return _variable(node.name.value)
    if not has_variable(node):
        value = coerce_input_literal(node, type_)
        return None if value is Undefined else _always(value)
    named = get_nullable_type(type_)
    if not isinstance(node, ObjectValueNode) or not is_input_object_type(named):
        return None
    given = {each.name.value: each.value for each in node.fields}
    if named.is_one_of and len(given) != 1:
        return None
    read = _reader_of_all(named.fields, given)
    if read is None:
        return None
    out_type, inner = named.out_type, read
    return lambda variables: out_type(inner(variables))


def _variable(name: str) -> Read:
    def read(variables: Variables) -> Any:
        value = variables.get(name)
        if value is None:
            raise Unread
        return value

    return read


def _always(value: Any) -> Read:
    return lambda variables: value


def _is_required(field: GraphQLArgument | GraphQLInputField) -> bool:
    if isinstance(field, GraphQLArgument):
        return is_required_argument(field)
    return is_required_input_field(field)
