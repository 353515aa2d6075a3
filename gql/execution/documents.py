"""Documents parsed and validated once, however many requests bring the same text."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

MAX_DOCUMENTS = 1_000
MAX_TEXT = 4_000_000
"""Characters of all documents together; the syntax trees take some 50 times that."""


class DocumentCache(SchemaExtension):
    """Strawberry's ParserCache and ValidationCache in one, without their hashing.

    A document is known by its text and the parser's options, its validation by the
    rules besides: rules made anew per request never find it, so make them once. What
    depends on a request's variables has to be checked by an extension after this one.
    """

    _known: "_Known | None" = None

    def on_parse(self) -> Iterator[None]:
        execution = self.execution_context
        if execution.query and execution.graphql_document is None:
            documents = _documents_of(execution.schema._schema)
            options = dict(execution.parse_options)
            self._known = documents.known(execution.query, options)
            execution.graphql_document = self._known.document
        yield

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        known = self._known
        if (
            known is not None
            and known.document is execution.graphql_document
            and execution.pre_execution_errors is None
        ):
            rules = execution.validation_rules
            errors = known.errors.get(rules)
            if errors is None:
                schema = execution.schema._schema
                errors = validate_document(schema, known.document, rules)
                known.errors = {rules: errors}  # one set of rules is usual
            execution.pre_execution_errors = list(errors)
        yield


@dataclass(slots=True)
class _Known:
    document: DocumentNode
    errors: dict[Any, list[GraphQLError]] = field(default_factory=dict)


@dataclass(slots=True)
class _Documents:
    entries: OrderedDict[Any, _Known] = field(default_factory=OrderedDict)
    text: int = 0

    def known(self, query: str, options: dict[str, Any]) -> _Known:
        key = (query, *options.items())
        found = self.entries.get(key)
        if found is not None:
            self.entries.move_to_end(key)
            return found
        found = self.entries[key] = _Known(parse(query, **options))
        self.text += len(query)
        while self.text > MAX_TEXT or len(self.entries) > MAX_DOCUMENTS:
            gone, _ = self.entries.popitem(last=False)
            self.text -= len(gone[0])
        return found


def _documents_of(schema: GraphQLSchema) -> _Documents:
    documents: _Documents | None = schema.extensions.get("documents")
    if documents is None:
        documents = schema.extensions["documents"] = _Documents()
    return documents
