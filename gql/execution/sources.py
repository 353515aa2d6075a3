"""Sources of objects in generated code: what graphql-core would take, and no more;
and calls of resolvers that see nothing but them."""

from typing import Any, cast

from graphql import GraphQLObjectType, GraphQLOutputType
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from gql.execution.code import Code
from gql.execution.complete import NotPlanned, Returning, reads_documents
from gql.execution.traits import BACKREF, tells_by_itself


def emit_source_check(
    code: Code,
    type_: GraphQLObjectType,
    row: str,
    returned: GraphQLOutputType | None,
    plain: bool,
) -> None:
    """Generate code that refuses a `row` that is no source of `type_`.

    `returned` is the type of the field that gave it; `plain`: it must be a document.
    """
    definition: StrawberryObjectDefinition = type_.extensions[BACKREF]
    if tells_by_itself(type_):
        raise NotPlanned("a type that tells its sources apart by itself")
    if reads_documents(type_):
        typename = code.fresh("t")
        tells = code.constant(type_.is_type_of)
        info = code.constant(Returning(returned))
        own = f"{typename} != {type_.name!r}"
        if returned is type_:
            own = f"{typename} is not None and {own}"
        with code.block(f"if {row}.__class__ is dict:"):
            code.emit(f"{typename} = {row}.get('__typename')")
            code.emit(f"if {own}: raise NotPlanned")
        with code.block("else:"):
            code.emit(f"if not {tells}({row}, {info}): raise NotPlanned")
            if plain:
                code.emit(f"check_document({row})")
        return
    documents = plain and type_.is_type_of is None
    usual = code.constant(dict if documents else definition.origin)
    with code.block(f"if {row}.__class__ is not {usual}:"):
        code.emit(f"{'check_document' if plain else 'check'}({row})")
        if type_.is_type_of is not None:
            tells = code.constant(type_.is_type_of)
            code.emit(f"if not {tells}({row}, None): raise NotPlanned")


def resolver_call(code: Code, declared: StrawberryField, row: str) -> str:
    """The expression that calls the field's resolver with its source `row`."""
    resolver = cast("StrawberryResolver[Any]", declared.base_resolver)
    given = [row] if resolver.self_parameter else []
    for parameter in (resolver.parent_parameter, resolver.root_parameter):
        if parameter is not None:
            given.append(f"{parameter.name}={row}")
    return f"{code.constant(resolver.wrapped_func)}({', '.join(given)})"
