"""What there is to know about a schema's fields, and an operation, before compiling."""

from dataclasses import dataclass
from typing import Any, Literal

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    VariableNode,
)
from graphql.execution.executor import Executor
from graphql.execution.values import VariableValues
from strawberry.schema import Schema
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from gql.execution.complete import NotPlanned, reads_documents
from gql.execution.fields import BatchField, PlainField, RootField
from gql.execution.known import Executing

BACKREF = "strawberry-definition"

Kind = Literal["plain", "attribute", "call", "batch", "root", "resolver"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a schema's fields and types ask of every plan; found once per schema."""

    kinds: dict[tuple[str, str], Kind]
    located: frozenset[str]
    """Names of fields, below the root, whose resolvers can see where they are."""
    always_located: bool


def traits_of(schema: GraphQLSchema) -> Traits | None:
    """None when Strawberry did not declare all of the schema."""
    strawberry_schema: Schema | None = schema.extensions.get(BACKREF)
    if strawberry_schema is None:
        return None
    kinds: dict[tuple[str, str], Kind] = {}
    located: set[str] = set()
    always_located = False
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            if type_.name.startswith("__"):
                continue
            fields = type_.fields
            if not all(BACKREF in it.extensions for it in (type_, *fields.values())):
                return None
            for name, definition in fields.items():
                kind = _kind_of(definition, strawberry_schema)
                kinds[type_.name, name] = kind
                if type_ not in roots and kind == "resolver":
                    located.add(name)
        elif isinstance(type_, GraphQLInterfaceType):
            own: StrawberryObjectDefinition = type_.extensions[BACKREF]
            always_located |= own.resolve_type is not None
    return Traits(kinds, frozenset(located), always_located)


def tells_by_itself(type_: GraphQLObjectType) -> bool:
    definition: StrawberryObjectDefinition = type_.extensions[BACKREF]
    return definition.is_type_of is not None and not reads_documents(type_)


def _kind_of(definition: GraphQLField, schema: Schema) -> Kind:
    declared: StrawberryField = definition.extensions[BACKREF]
    handlers = schema.schema_converter._get_field_exception_handlers(declared)
    if declared.extensions or handlers:
        return "resolver"
    if isinstance(declared, PlainField):
        return "plain"
    if isinstance(declared, BatchField):
        return "batch"
    if isinstance(declared, RootField):
        return "root"
    if type(declared).get_result is not StrawberryField.get_result:
        return "resolver"
    resolver = declared.base_resolver
    if resolver is None:
        own: Any = declared.default_resolver
        return "attribute" if own is getattr else "resolver"
    if declared.is_async or declared.arguments or resolver.info_parameter is not None:
        return "resolver"
    return "call"


def selected_names(executor: Executor[Any]) -> set[str]:
    """Names of all fields below the root that the document may select."""
    names: set[str] = set()
    stack: list[Any] = [
        executor.operation.selection_set,
        *(it.selection_set for it in executor.fragment_definitions.values()),
    ]
    while stack:
        for selection in stack.pop().selections:
            if isinstance(selection, FieldNode):
                names.add(selection.name.value)
            nested = getattr(selection, "selection_set", None)
            if nested is not None:
                stack.append(nested)
    return names


def steering_names(executor: Executing) -> tuple[str, ...]:
    """Variables in @skip and @include; `NotPlanned` for any other directive."""
    names: dict[str, None] = {}
    operation = executor.operation
    stack: list[Node] = [operation.selection_set]
    if operation.directives:
        raise NotPlanned("a directive on the operation")
    for fragment in executor.fragment_definitions.values():
        if fragment.directives or fragment.variable_definitions:
            raise NotPlanned("a directive or variables on a fragment")
        stack.append(fragment.selection_set)
    while stack:
        for selection in getattr(stack.pop(), "selections", ()):
            for directive in selection.directives or ():
                if directive.name.value not in ("skip", "include"):
                    raise NotPlanned(f"@{directive.name.value}")
                for argument in directive.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        names[argument.value.name.value] = None
            nested = getattr(selection, "selection_set", None)
            if nested is not None:
                stack.append(nested)
    return tuple(names)


def steering_values(executor: Executor[Any], names: tuple[str, ...]) -> VariableValues:
    """The executor's variables, cut down to those that steer."""
    given = executor.variable_values
    return VariableValues(
        {name: given.sources[name] for name in names if name in given.sources},
        {name: given.coerced[name] for name in names if name in given.coerced},
    )
