"""Fast execution of the schema: fields declared once, operations compiled once."""

from gql.execution.documents import DocumentCache
from gql.execution.executor import CompiledExecutor, plans_of
from gql.execution.fields import FromDocument, batch, plain

__all__ = [
    "CompiledExecutor",
    "DocumentCache",
    "FromDocument",
    "batch",
    "plain",
    "plans_of",
]
