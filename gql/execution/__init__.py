"""Fast execution of the schema: fields declared once, operations compiled once.

`fields` declares them and `loads` keeps what their batches have read. `documents`
keeps parsed and validated texts, `known` what graphql-core finds out of an operation,
with `variables` for how theirs are coerced, and `schema` takes those that were let
through straight to execution. `executor` keeps plans and picks who executes; what
a plan does not cover, or an error met on the way, goes to graphql-core, whose answer
is the measure of all. `traits` says what a schema asks of plans; `compiler` makes a
plan out of `code`, `leaves`, `sources` and `arguments`; `plan` is what it makes; `run`
runs it; `complete` has what generated code calls where values are not the usual ones.
"""

from gql.execution.documents import DocumentCache, PerDocument
from gql.execution.executor import CompiledExecutor, plans_of
from gql.execution.fields import FromDocument, batch, plain, root
from gql.execution.schema import CompiledSchema

__all__ = [
    "CompiledExecutor",
    "CompiledSchema",
    "DocumentCache",
    "FromDocument",
    "PerDocument",
    "batch",
    "plain",
    "plans_of",
    "root",
]
