"""What an operation reads of the documents behind each object type, so that the
database need send no more."""

from collections.abc import Mapping

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
)

from gql.execution.fields import BatchField, PlainField
from gql.execution.traits import BACKREF

Reads = Mapping[str, frozenset[str] | None]
"""By object type the names at the top of its document; None is all of it."""


def reads_of(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    operation: OperationDefinitionNode,
) -> Reads:
    """What any field of the operation reads, skipped or not. A type of which nothing
    is selected is absent."""
    root = schema.get_root_type(operation.operation)
    found: dict[str, set[str] | None] = {}
    if root is not None:
        _Reading(schema, fragments, found).selections(operation.selection_set, root)
    return {
        name: None if paths is None else frozenset(paths)
        for name, paths in found.items()
    }


class _Reading:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        found: dict[str, set[str] | None],
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.found = found
        self.seen: set[str] = set()

    def selections(
        self, selections: SelectionSetNode, parent: GraphQLNamedType
    ) -> None:
        for selection in selections.selections:
            match selection:
                case FieldNode():
                    self._field(selection, parent)
                case InlineFragmentNode(type_condition=condition):
                    name = condition.name.value if condition else parent.name
                    inner = self.schema.get_type(name) or parent
                    self.selections(selection.selection_set, inner)
                case FragmentSpreadNode():
                    self._fragment(selection.name.value)

    def _fragment(self, name: str) -> None:
        fragment = self.fragments.get(name)
        if fragment is None or name in self.seen:
            return
        self.seen.add(name)
        parent = self.schema.get_type(fragment.type_condition.name.value)
        if parent is not None:
            self.selections(fragment.selection_set, parent)

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> None:
        name = node.name.value
        if name.startswith("__"):
            return
        inner: GraphQLNamedType | None = None
        for concrete in self._concrete(parent):
            definition = concrete.fields.get(name)
            if definition is None:  # not validated
                continue
            self._note(concrete.name, definition.extensions.get(BACKREF))
            inner = get_named_type(definition.type)
        if inner is not None and node.selection_set is not None:
            self.selections(node.selection_set, inner)

    def _concrete(self, parent: GraphQLNamedType) -> list[GraphQLObjectType]:
        if is_abstract_type(parent):
            return list(self.schema.get_possible_types(parent))
        return [parent] if is_object_type(parent) else []

    def _note(self, type_name: str, declared: object) -> None:
        if isinstance(declared, PlainField | BatchField) and declared.needs is not None:
            paths = self.found.setdefault(type_name, set())
            if paths is not None:
                paths.update(declared.needs)
        else:
            self.found[type_name] = None
