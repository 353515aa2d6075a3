"""Fast execution of the schema: fields declared once, operations compiled once."""

from gql.execution.fields import FromDocument, batch, plain

__all__ = ["FromDocument", "batch", "plain"]
