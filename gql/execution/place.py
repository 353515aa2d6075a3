"""A field where an operation selects it."""

from dataclasses import dataclass

from graphql import FieldNode, GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails


@dataclass(frozen=True, slots=True)
class Place:
    """A field where an operation selects it, aliases of the same key merged."""

    key: str
    definition: GraphQLField
    parent_type: GraphQLObjectType
    details: list[FieldDetails]
    nodes: list[FieldNode]
