"""Documents parsed, validated and let through once, however many requests bring the
same text."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import Schema, validate_document

from gql.execution.known import Execution, KnownOperation, build_executor
from gql.execution.variables import Objects

MAX_DOCUMENTS = 1_000
MAX_TEXT = 4_000_000
"""Characters of all documents together; the syntax trees take some 50 times that."""

Kept = TypeVar("Kept")


class PerDocument(SchemaExtension):
    """An extension that lets a document through by its text, its operation's name and
    by who asks, so that one that was let through need not come by again.

    It does nothing while or after an operation is executed.
    """

    @classmethod
    def standing(cls, context: Any) -> Hashable:
        """What of who asks the decision depends on."""
        return None

    @classmethod
    def lets_through(
        cls,
        schema: Schema,
        document: DocumentNode,
        operation_name: str | None,
        variables: dict[str, Any] | None,
    ) -> bool:
        """Whether a document that was let through is with these variables, too. False
        sends the operation the whole way."""
        return True


class DocumentCache(PerDocument):
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

    def on_execute(self) -> Iterator[None]:
        """What comes so far was let through."""
        execution = self.execution_context
        known = self._known
        if known is not None and known.document is execution.graphql_document:
            name = execution._provided_operation_name
            key = _admission(execution.schema, execution.query, name, execution.context)
            if key is not None:
                admitted = _documents_of(execution.schema._schema).admitted
                kept = admitted.get(key)
                if kept is None or kept.document is not known.document:
                    admitted.keep(key, len(key[0]), Admitted(known.document))
        yield


@dataclass(slots=True)
class Admitted:
    """A document that was let through, and what is known of its operation once that
    was executed."""

    document: DocumentNode
    known: KnownOperation | None = None


def admitted_document(
    schema: Schema,
    query: str | None,
    operation_name: str | None,
    context: Any,
    variables: dict[str, Any] | None,
) -> Admitted | None:
    """The document of an operation that was let through before, and is again; None
    sends it the whole way."""
    key = _admission(schema, query, operation_name, context)
    if key is None or not isinstance(variables, dict | None):
        return None
    admitted = _documents_of(schema._schema).admitted.get(key)
    if admitted is None:
        return None
    document = admitted.document
    for extension in _per_document(schema):
        if not extension.lets_through(schema, document, operation_name, variables):
            return None
    return admitted


def execution_of(
    admitted: Admitted,
    schema: Schema,
    operation_name: str | None,
    root_value: Any,
    context: Any,
    variables: dict[str, Any] | None,
) -> Execution | None:
    """An execution of the document; None when its variables are wrong, or there is no
    such operation."""
    if admitted.known is None:
        executor = build_executor(
            schema.execution_context_class,
            schema._schema,
            admitted.document,
            operation_name,
            root_value,
            context,
            variables,
        )
        if isinstance(executor, list):
            return None
        objects = _documents_of(schema._schema).objects
        admitted.known = KnownOperation(
            executor, admitted.document, operation_name, objects
        )
        executor.release()
    return admitted.known.execution(root_value, context, variables or {})


@dataclass(slots=True)
class _Known:
    document: DocumentNode
    errors: dict[Any, list[GraphQLError]] = field(default_factory=dict)


@dataclass(slots=True)
class _Texts(Generic[Kept]):
    """What is kept for texts, the least recently used going first."""

    entries: OrderedDict[Any, tuple[int, Kept]] = field(default_factory=OrderedDict)
    text: int = 0

    def get(self, key: Hashable) -> Kept | None:
        found = self.entries.get(key)
        if found is None:
            return None
        self.entries.move_to_end(key)
        return found[1]

    def keep(self, key: Hashable, length: int, kept: Kept) -> None:
        if key not in self.entries:
            self.text += length
        self.entries[key] = length, kept
        while self.text > MAX_TEXT or len(self.entries) > MAX_DOCUMENTS:
            _, (gone, _) = self.entries.popitem(last=False)
            self.text -= gone


@dataclass(slots=True)
class _Documents:
    parsed: _Texts[_Known] = field(default_factory=_Texts)
    admitted: _Texts[Admitted] = field(default_factory=_Texts)
    objects: Objects = field(default_factory=dict)
    extensions: tuple[type[PerDocument], ...] | None = None

    def known(self, query: str, options: dict[str, Any]) -> _Known:
        key = (query, *options.items())
        found = self.parsed.get(key)
        if found is None:
            found = _Known(parse(query, **options))
            self.parsed.keep(key, len(query), found)
        return found


def _documents_of(schema: GraphQLSchema) -> _Documents:
    documents: _Documents | None = schema.extensions.get("documents")
    if documents is None:
        documents = schema.extensions["documents"] = _Documents()
    return documents


def _admission(
    schema: Schema, query: str | None, operation_name: str | None, context: Any
) -> tuple[Any, ...] | None:
    """Under what a document is let through; None where it has to come by each time."""
    extensions = _per_document(schema)
    if not extensions or not isinstance(query, str):
        return None
    if not isinstance(operation_name, str | None):
        return None
    return (query, operation_name, *[each.standing(context) for each in extensions])


def _per_document(schema: Schema) -> tuple[type[PerDocument], ...]:
    """The schema's extensions; none when one of them has to see every operation."""
    documents = _documents_of(schema._schema)
    if documents.extensions is None:
        given: tuple[Any, ...] = tuple(schema.extensions)
        alike = not schema.directives and all(
            isinstance(each, type) and issubclass(each, PerDocument) for each in given
        )
        documents.extensions = given if alike else ()
    return documents.extensions
