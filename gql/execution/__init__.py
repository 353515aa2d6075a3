"""Fast execution of the schema: fields declared once, operations compiled once."""

from gql.execution.fields import FromDocument, batch, plain
from gql.execution.run import CompiledExecutor, plans_of

__all__ = ["CompiledExecutor", "FromDocument", "batch", "plain", "plans_of"]
