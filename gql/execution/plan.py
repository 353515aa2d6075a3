"""A compiled operation: what runs in place, and which fields wait for their level."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails

from gql.execution.traits import Kind


@dataclass(frozen=True, slots=True)
class Place:
    """A field where an operation selects it, aliases of the same key merged."""

    key: str
    definition: GraphQLField
    parent_type: GraphQLObjectType
    details: list[FieldDetails]
    nodes: list[FieldNode]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A field that waits for the end of its level."""

    place: Place
    kind: Kind
    complete: Callable[..., list[Any]]


@dataclass(slots=True)
class Budget:
    """How many more fields a plan may have; objects of abstract types come later."""

    left: int


@dataclass(slots=True)
class Plan:
    """An operation compiled: its root, and the waiting fields by selection."""

    root: Callable[..., dict[str, Any]]
    waiting: list[list[Waiting]]
    paths: bool
    budget: Budget
