"""Bounds on what one operation may ask for, checked before anything is read.

The rules are made once: rules made per request would never find their document in the
cache of validated ones. How many objects an operation may answer depends on the
variables that give its page sizes, so that is counted per request, and remembered.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.extensions import AddValidationRules
from strawberry.schema.schema import Schema

from audience.conditions.limits import CONDITIONS
from audience.keys import KeyKind
from gql.execution import PerDocument
from resolvers.pages import DEFAULT_PAGE, MAXIMUM_PAGE

MAX_TOKENS = 10_000
MAX_TOKENS_WITHOUT_KEY = 2_000
MAX_FIELDS = 3_000
MAX_FIELDS_WITHOUT_KEY = 300
MAX_DEPTH = 25
MAX_ALIASES = 100
MAX_NODES = 50_000

_REMEMBERED = 256

Fragments = Mapping[str, FragmentDefinitionNode]


class ShapeRule(ValidationRule):
    """Refuses operations that nest too deeply or have too many aliases."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        document = context.document
        fragments = _fragments(document)
        shapes: dict[str, tuple[int, int]] = {}
        for operation in _operations(document):
            depth, aliases = _shape(operation.selection_set, fragments, shapes)
            if depth > MAX_DEPTH:
                context.report_error(
                    GraphQLError(
                        f"The operation is nested {depth} levels deep; at most "
                        f"{MAX_DEPTH} are allowed.",
                        operation,
                        extensions={"code": "TOO_LARGE"},
                    )
                )
            if aliases > MAX_ALIASES:
                context.report_error(
                    GraphQLError(
                        f"The operation has {aliases} aliases; at most {MAX_ALIASES} "
                        "are allowed.",
                        operation,
                        extensions={"code": "TOO_LARGE"},
                    )
                )


class Limits(PerDocument, AddValidationRules):
    """The bounds of an operation: tokens, fields, depth, aliases, and objects answered.
    Whoever has no secret key may write less: enough to ask for the schema."""

    def __init__(self) -> None:
        super().__init__([ShapeRule])

    @classmethod
    def standing(cls, context: Any) -> bool:
        """Whether the larger bounds hold."""
        viewer = getattr(context, "viewer", None)
        return viewer is not None and viewer.kind is KeyKind.SECRET

    @classmethod
    def lets_through(
        cls,
        schema: Schema,
        document: DocumentNode,
        operation_name: str | None,
        variables: dict[str, Any] | None,
    ) -> bool:
        """Only how many objects are answered depends on the variables."""
        return _problem(schema, document, operation_name, variables) is None

    def on_operation(self) -> Iterator[None]:
        allowed = MAX_TOKENS if self._has_secret_key() else MAX_TOKENS_WITHOUT_KEY
        self.execution_context.parse_options["max_tokens"] = allowed
        yield from super().on_operation()

    def on_parse(self) -> Iterator[None]:
        # Behind DocumentCache, which has parsed it; validating takes the square of the
        # time that counting takes.
        document = self.execution_context.graphql_document
        if document is not None:
            fields = _counts.of(document, "fields", partial(_written, document))
            allowed = MAX_FIELDS if self._has_secret_key() else MAX_FIELDS_WITHOUT_KEY
            if fields > allowed:
                raise GraphQLError(
                    f"The document has {fields:,} fields; at most {allowed:,} are "
                    "allowed.",
                    extensions={"code": "TOO_LARGE"},
                )
        yield

    def on_validate(self) -> Iterator[None]:
        # Behind DocumentCache, which has found the document's own errors by now.
        context = self.execution_context
        document = context.graphql_document
        if not context.pre_execution_errors and document is not None:
            problem = _problem(
                context.schema,
                document,
                context._provided_operation_name,
                context.variables,
            )
            if problem is not None:
                context.pre_execution_errors = [problem]
        yield

    def _has_secret_key(self) -> bool:
        return self.standing(self.execution_context.context)


def _problem(
    schema: Schema,
    document: DocumentNode,
    name: str | None,
    variables: Mapping[str, Any] | None,
) -> GraphQLError | None:
    operations = list(_operations(document))
    if name is None and len(operations) > 1:
        return GraphQLError(
            "The document has several operations: say which one with operationName."
        )
    for operation in operations:
        if name is None or (operation.name and operation.name.value == name):
            sizes = _sizes(operation, variables or {})
            nodes = _counts.of(
                document,
                (id(schema), id(operation), sizes),
                partial(_nodes_of, schema._schema, document, operation, sizes),
            )
            return _too_many(nodes, operation) if nodes > MAX_NODES else None
    return None


def _too_many(nodes: int, operation: OperationDefinitionNode) -> GraphQLError:
    return GraphQLError(
        f"The operation asks for up to {nodes:,} objects; at most {MAX_NODES:,} are "
        "allowed. Ask for smaller pages.",
        operation,
        extensions={"code": "TOO_LARGE"},
    )


def _shape(
    selections: SelectionSetNode,
    fragments: Fragments,
    known: dict[str, tuple[int, int]],
) -> tuple[int, int]:
    """Depth and aliases; what introspection asks for does not count."""
    depth = aliases = 0
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            if selection.name.value.startswith("__"):
                continue
            inner = (0, 0)
            if selection.selection_set is not None:
                inner = _shape(selection.selection_set, fragments, known)
            inner = (inner[0] + 1, inner[1] + (selection.alias is not None))
        elif isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name not in known:
                known[name] = (0, 0)  # A circle is another rule's to refuse.
                fragment = fragments.get(name)
                if fragment is not None:
                    known[name] = _shape(fragment.selection_set, fragments, known)
            inner = known[name]
        else:
            inner = _shape(selection.selection_set, fragments, known)  # type: ignore[attr-defined]
        depth = max(depth, inner[0])
        aliases += inner[1]
    return depth, aliases


class _Counts:
    """What was counted in documents, which are known by being the same objects:
    comparing them costs more than most requests."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Any, tuple[DocumentNode, int]] = OrderedDict()

    def of(
        self, document: DocumentNode, what: Hashable, count: Callable[[], int]
    ) -> int:
        key = (id(document), what)
        known = self._entries.get(key)
        if known is None:
            known = self._entries[key] = document, count()
            if len(self._entries) > _REMEMBERED:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(key)
        return known[1]


_counts = _Counts()


def _written(document: DocumentNode) -> int:
    """How many fields the document has, each fragment's once."""
    count = 0
    waiting: list[Any] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        count += isinstance(node, FieldNode)
        selections = getattr(node, "selection_set", None)
        if selections is not None:
            waiting += selections.selections
    return count


def _nodes_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    sizes: tuple[tuple[str, int], ...],
) -> int:
    """How many objects the operation may answer with pages of these sizes."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 0
    counting = _Counting(schema, _fragments(document), dict(sizes))
    return counting.nodes(operation.selection_set, root)


class _Counting:
    """Counts the objects that an operation may answer."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Fragments, sizes: Mapping[str, int]
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.sizes = sizes
        self.known: dict[str, int] = {}

    def nodes(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> int:
        total = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                total += self._field(selection, parent)
            elif isinstance(selection, FragmentSpreadNode):
                total += self._fragment(selection.name.value)
            else:
                condition = getattr(selection, "type_condition", None)
                inner = condition and self.schema.get_type(condition.name.value)
                total += self.nodes(selection.selection_set, inner or parent)  # type: ignore[attr-defined]
        return total

    def _fragment(self, name: str) -> int:
        if name not in self.known:
            self.known[name] = 0
            fragment = self.fragments.get(name)
            if fragment is not None:
                parent = self.schema.get_type(fragment.type_condition.name.value)
                if parent is not None:
                    self.known[name] = self.nodes(fragment.selection_set, parent)
        return self.known[name]

    def _field(self, field: FieldNode, parent: GraphQLNamedType) -> int:
        if field.selection_set is None or field.name.value.startswith("__"):
            return 0
        definition = getattr(parent, "fields", {}).get(field.name.value)
        if definition is None:
            return 0
        inner = get_named_type(definition.type)
        if inner.name == "SegmentDefinition":
            # However deep it is read, it holds no more than it may.
            return CONDITIONS
        if "first" in definition.args:
            return self._size(field) * self.nodes(field.selection_set, inner)
        below = self.nodes(field.selection_set, inner)
        if field.name.value == "edges" or inner.name == "PageInfo":
            return below
        if "ids" in definition.args:
            return (1 + below) * MAXIMUM_PAGE
        # Lists outside connections are short, or as long as what the caller sent.
        return (1 + below) * (DEFAULT_PAGE if _is_list(definition.type) else 1)

    def _size(self, field: FieldNode) -> int:
        """The larger of what is given: one of several is null when it is served."""
        given: list[int | None] = []
        for argument in field.arguments or ():
            if argument.name.value in ("first", "last"):
                value = argument.value
                if isinstance(value, IntValueNode):
                    given.append(_bounded(int(value.value)))
                elif isinstance(value, VariableNode):
                    given.append(self.sizes.get(value.name.value))
        return max((each for each in given if each is not None), default=DEFAULT_PAGE)


def _sizes(
    operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> tuple[tuple[str, int], ...]:
    """The whole numbers among the variables, bounded as page sizes are."""
    found = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        value = variables.get(name)
        if name not in variables and isinstance(definition.default_value, IntValueNode):
            value = int(definition.default_value.value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # As GraphQL takes it for an Int.
        if isinstance(value, int) and not isinstance(value, bool):
            found.append((name, _bounded(value)))
    return tuple(found)


def _bounded(size: int) -> int:
    return min(max(size, 0), MAXIMUM_PAGE)


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield definition


def _fragments(document: DocumentNode) -> Fragments:
    return {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def _is_list(type_: Any) -> bool:
    if is_non_null_type(type_):
        type_ = type_.of_type
    return bool(is_list_type(type_))
