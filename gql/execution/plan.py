"""A compiled operation: what runs in place, and which fields wait for their level."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gql.execution.arguments import Arguments
from gql.execution.place import Place
from gql.execution.traits import Kind


@dataclass(frozen=True, slots=True)
class Waiting:
    """A field that waits for the end of its level."""

    place: Place
    kind: Kind
    complete: Callable[..., list[Any]]
    arguments: Arguments | None
    """None where a resolver converts its own."""


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
