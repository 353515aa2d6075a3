"""One operation by both executors, whose answers must be the same."""

import json
from dataclasses import dataclass, field
from typing import Any

import strawberry

from gql.execution import CompiledExecutor

Document = dict[str, Any]


@dataclass
class Context:
    compiled: bool = True
    loaders: dict[Any, Any] = field(default_factory=dict)
    log: list[Any] = field(default_factory=list)


Info = strawberry.Info[Context, Any]


def schema_of(query: type, *types: Any, **options: Any) -> strawberry.Schema:
    return strawberry.Schema(
        query, types=types, execution_context_class=CompiledExecutor, **options
    )


async def both(
    schema: strawberry.Schema,
    query: str,
    variables: Document | None = None,
    context: Context | None = None,
    **options: Any,
) -> tuple[Any, list[Any]]:
    """Data and errors as graphql-core and the compiled executor both give them, key
    order included. `context` is the compiled executor's; the other gets its like."""
    compiled = context or Context()
    plain = Context(compiled=False, log=list(compiled.log))
    expected = await schema.execute(query, variables, plain, **options)
    found = await schema.execute(query, variables, compiled, **options)
    assert as_text(found) == as_text(expected)
    return found.data, [it.formatted for it in found.errors or ()]


def as_text(result: Any) -> str:
    errors = [it.formatted for it in result.errors or ()]
    return json.dumps({"data": result.data, "errors": errors}, default=repr)
