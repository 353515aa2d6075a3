"""Compiling an operation: which fields are read in place, and which wait for a level.

For every selection a function is generated that shapes rows into the dicts of the
answer. Fields that have to be awaited, or see the request, leave a placeholder, so
that key order stays; `gql.execution.run` fills them level by level.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationType,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.executor import Executor
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from gql.execution.complete import (
    NAMES,
    NotPlanned,
    Returning,
    reads_documents,
)
from gql.execution.fields import PlainField
from gql.execution.leaves import emit_leaf, leaf_completer
from gql.execution.plan import Budget, Place, Plan, Waiting
from gql.execution.source import DEEP, Source
from gql.execution.traits import (
    BACKREF,
    Kind,
    Traits,
    selected_names,
    steering_values,
    tells_by_itself,
)

MAX_FIELDS = 3000
"""Fields of one plan, counted where they are used; larger ones go to graphql-core."""


def compile_plan(
    executor: Executor[Any], traits: Traits, steering: tuple[str, ...]
) -> Plan:
    """The plan of the executor's operation.

    Raises `NotPlanned` for what only graphql-core covers. Of the variables, only
    those in @skip and @include are looked at.
    """
    return _Compiler(executor, traits, steering).plan()


@dataclass(slots=True)
class _Object:
    """The fields of one object in generated code, and what they have read so far."""

    row: str
    path: str | None
    read: dict[tuple[str, ...], str] = field(default_factory=dict)
    entries: list[str] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


class _Compiler:
    def __init__(
        self, executor: Executor[Any], traits: Traits, steering: tuple[str, ...]
    ) -> None:
        self.schema = executor.schema
        self.operation = executor.operation
        self.fragments = executor.fragments
        self.variable_values = steering_values(executor, steering)
        self.hide_suggestions = executor.hide_suggestions
        self.traits = traits
        self.paths = traits.always_located or not traits.located.isdisjoint(
            selected_names(executor)
        )
        self.names = NAMES
        self.waiting: list[list[Waiting]] = []
        self.budget = Budget(MAX_FIELDS)
        self.leaves: dict[str, Callable[[Any], Any]] = {}

    def plan(self) -> Plan:
        kind = self.operation.operation
        root_type = self.schema.get_root_type(kind)
        if root_type is None:
            raise NotPlanned("no such root type")
        collected = collect_fields(
            self.schema,
            self.fragments,
            self.variable_values,
            root_type,
            self.operation,
            self.hide_suggestions,
        )
        source = Source("root", "row, S")
        self._object(
            source,
            root_type,
            dict(collected.grouped_field_set),
            "row",
            "out",
            "None" if self.paths else None,
            root=kind,
        )
        source.emit("return out")
        function = source.compiled(self.names)
        return Plan(function, self.waiting, self.paths, self.budget)

    def _object(
        self,
        source: Source,
        type_: GraphQLObjectType,
        groups: dict[str, list[FieldDetails]],
        row: str,
        out: str,
        path: str | None,
        *,
        returned: GraphQLOutputType | None = None,
        root: OperationType | None = None,
    ) -> None:
        """Shape `row` into `out`, and note both where fields wait for their level."""
        self.budget.left -= len(groups)
        if self.budget.left < 0:
            raise NotPlanned("too many fields")
        shaped = _Object(row, path)
        kinds = {
            self.traits.kinds.get((type_.name, details[0].node.name.value))
            for details in groups.values()
        }
        if root is None:
            self._check_source(source, type_, row, path, returned, "plain" in kinds)
        elif "plain" in kinds:
            source.emit(f"check_document({row})")
        for key, details in groups.items():
            name = details[0].node.name.value
            if name == "__typename":
                shaped.entries.append(f"{key!r}: {type_.name!r}")
                continue
            if name.startswith("__"):
                raise NotPlanned("introspection")
            definition = self.schema.get_field(type_, name)
            if definition is None:
                continue
            kind = self.traits.kinds[type_.name, name]
            if root is OperationType.MUTATION and kind != "batch":
                kind = "resolver"
            nodes = [it.node for it in details]
            place = Place(key, definition, type_, details, nodes)
            self._field(source, shaped, place, kind)
        source.emit(f"{out} = {{{', '.join(shaped.entries)}}}")
        if shaped.waiting:
            source.note(len(self.waiting), row, out, path)
            self.waiting.append(shaped.waiting)

    def _check_source(
        self,
        source: Source,
        type_: GraphQLObjectType,
        row: str,
        path: str | None,
        returned: GraphQLOutputType | None,
        plain: bool,
    ) -> None:
        definition: StrawberryObjectDefinition = type_.extensions[BACKREF]
        if tells_by_itself(type_):
            raise NotPlanned("a type that tells its sources apart by itself")
        if reads_documents(type_):
            typename = source.fresh("t")
            tells = source.constant(type_.is_type_of)
            info = source.constant(Returning(returned))
            own = f"{typename} != {type_.name!r}"
            if returned is type_:
                own = f"{typename} is not None and {own}"
            with source.block(f"if {row}.__class__ is dict:"):
                source.emit(f"{typename} = {row}.get('__typename')")
                source.emit(f"if {own}: raise NotPlanned")
            with source.block("else:"):
                source.emit(f"if not {tells}({row}, {info}): raise NotPlanned")
                if plain:
                    source.emit(f"check_document({row})")
            return
        documents = plain and type_.is_type_of is None
        usual = source.constant(dict if documents else definition.origin)
        with source.block(f"if {row}.__class__ is not {usual}:"):
            source.emit(f"{'check_document' if plain else 'check'}({row})")
            if type_.is_type_of is not None:
                tells = source.constant(type_.is_type_of)
                source.emit(f"if not {tells}({row}, None): raise NotPlanned")

    def _field(self, source: Source, shaped: _Object, place: Place, kind: Kind) -> None:
        key, type_ = place.key, place.definition.type
        declared: StrawberryField = place.definition.extensions[BACKREF]
        row = shaped.row
        match kind:
            case "batch" | "resolver":
                shaped.entries.append(f"{key!r}: None")
                complete = self._completer(type_, place)
                shaped.waiting.append(Waiting(place, kind, complete))
                return
            case "plain":
                value = self._read(source, shaped, cast("PlainField", declared))
            case "attribute":
                value = source.fresh("v")
                source.emit(f"{value} = {row}.{declared.python_name}")
            case "call":
                value = source.fresh("v")
                source.emit(f"{value} = {_call(source, declared, row)}")
            case _:
                assert_never(kind)
        path = None
        if shaped.path is not None:
            path = source.fresh("p")
            if not is_leaf_type(_named(type_)):
                parent = place.parent_type.name
                source.emit(f"{path} = Path({shaped.path}, {key!r}, {parent!r})")
        done = self._value(source, type_, place, value, path, kind == "plain")
        shaped.entries.append(f"{key!r}: {done}")

    def _read(self, source: Source, shaped: _Object, declared: PlainField) -> str:
        at = shaped.row
        for end in range(1, len(declared.path) + 1):
            way, name = declared.path[:end], declared.path[end - 1]
            known = shaped.read.get(way)
            if known is None:
                known = shaped.read[way] = source.fresh("d")
                if end == 1:
                    source.emit(f"{known} = {at}.get({name!r})")
                else:
                    source.emit(
                        f"{known} = {at}.get({name!r}) if {at}.__class__ is dict "
                        f"else step({at}, {name!r})"
                    )
            at = known
        value = source.fresh("v")
        source.emit(f"{value} = {at}")
        if declared.assumed is not None:
            assumed = source.constant(declared.assumed)
            source.emit(f"if {value} is None: {value} = {assumed}")
        if declared.read is not None:
            read = source.constant(declared.read)
            source.emit(f"if {value} is not None: {value} = {read}({value})")
        return value

    def _value(
        self,
        source: Source,
        type_: GraphQLOutputType,
        place: Place,
        value: str,
        path: str | None,
        trusted: bool,
    ) -> str:
        """Complete the variable `value`; answers the expression that has the result."""
        nullable = not is_non_null_type(type_)
        if is_non_null_type(type_):
            type_ = type_.of_type
        if is_leaf_type(type_):
            slow = self._leaf_completer(type_)
            emit_leaf(source, type_, slow, value, nullable=nullable, trusted=trusted)
            return value
        done = source.fresh("o")
        if nullable:
            source.emit(f"if {value} is None: {done} = None")
        else:
            source.emit(f"if {value} is None: raise NotPlanned")
        with source.block("else:"):
            if is_list_type(type_):
                self._list(source, type_.of_type, place, value, done, path, trusted)
            elif is_abstract_type(type_):
                self._abstract(source, type_, place, value, done, path)
            elif is_object_type(type_):
                self._inline(source, type_, place, value, done, path)
        return done

    def _leaf_completer(self, type_: GraphQLLeafType) -> Callable[[Any], Any]:
        known = self.leaves.get(type_.name)
        if known is None:
            known = self.leaves[type_.name] = leaf_completer(type_)
        return known

    def _list(
        self,
        source: Source,
        item_type: GraphQLOutputType,
        place: Place,
        value: str,
        done: str,
        path: str | None,
        trusted: bool,
    ) -> None:
        item, push, index = source.fresh("i"), source.fresh("a"), source.fresh("n")
        source.emit(f"if {value}.__class__ is not list: {value} = items({value})")
        source.emit(f"{done} = []")
        source.emit(f"{push} = {done}.append")
        item_path = None
        head = f"for {item} in {value}:"
        if path is not None and not is_leaf_type(_named(item_type)):
            item_path = source.fresh("p")
            head = f"for {index}, {item} in enumerate({value}):"
        with source.block(head):
            if item_path is not None:
                source.emit(f"{item_path} = Path({path}, {index}, None)")
            completed = self._value(source, item_type, place, item, item_path, trusted)
            source.emit(f"{push}({completed})")

    def _inline(
        self,
        source: Source,
        type_: GraphQLObjectType,
        place: Place,
        value: str,
        done: str,
        path: str | None,
    ) -> None:
        if source.depth < DEEP:
            groups = self._collect(type_, place)
            self._object(source, type_, groups, value, done, path, returned=type_)
            return
        one = source.constant(self._one(type_, place, type_))
        source.emit(f"{done} = {one}({value}, S, {path})")

    def _abstract(
        self,
        source: Source,
        type_: GraphQLAbstractType,
        place: Place,
        value: str,
        done: str,
        path: str | None,
    ) -> None:
        """Dispatch on the concrete type; its code is generated when it is first met."""
        functions: dict[str, Any] = {}
        possible = {it.name: it for it in self.schema.get_possible_types(type_)}
        documents = all(map(reads_documents, possible.values()))
        if any(map(tells_by_itself, possible.values())):
            raise NotPlanned("types that tell their sources apart by themselves")

        def function_of(name: str) -> Any:
            concrete = possible.get(name)
            if concrete is None:
                raise NotPlanned(f"{name} instead of a {type_}")
            try:
                functions[name] = self._one(concrete, place, type_)
            except NotPlanned:
                functions[name] = _refuse
            return functions[name]

        known = source.constant(functions.get)
        need = source.constant(function_of)
        abstract = source.constant(type_)
        at = source.constant(place)
        name = source.fresh("t")
        if documents:
            source.emit(
                f"{name} = {value}.get('__typename') if {value}.__class__ is dict "
                f"else S.type_of({value}, {abstract}, {at}, {path})"
            )
            source.emit(f"if {name}.__class__ is not str: raise NotPlanned")
        else:
            source.emit(f"{name} = S.type_of({value}, {abstract}, {at}, {path})")
        source.emit(f"{done} = ({known}({name}) or {need}({name}))({value}, S, {path})")

    def _one(
        self,
        type_: GraphQLObjectType,
        place: Place,
        returned: GraphQLOutputType,
    ) -> Any:
        source = Source("one", "row, S, path")
        groups = self._collect(type_, place)
        path = "path" if self.paths else None
        self._object(source, type_, groups, "row", "out", path, returned=returned)
        source.emit("return out")
        return source.compiled(self.names)

    def _completer(self, type_: GraphQLOutputType, place: Place) -> Any:
        source = Source("complete", "values, S, paths")
        source.emit("done = []")
        source.emit("push = done.append")
        path = None
        head = "for value in values:"
        if self.paths:
            head, path = "for value, path in zip(values, paths):", "path"
        with source.block(head):
            completed = self._value(source, type_, place, "value", path, False)
            source.emit(f"push({completed})")
        source.emit("return done")
        return source.compiled(self.names)

    def _collect(
        self, type_: GraphQLObjectType, place: Place
    ) -> dict[str, list[FieldDetails]]:
        collected = collect_subfields(
            self.schema,
            self.fragments,
            self.variable_values,
            self.operation,
            type_,
            place.details,
            self.hide_suggestions,
        )
        return dict(collected.grouped_field_set)


def _call(source: Source, declared: StrawberryField, row: str) -> str:
    resolver = cast("StrawberryResolver[Any]", declared.base_resolver)
    given = [row] if resolver.self_parameter else []
    for parameter in (resolver.parent_parameter, resolver.root_parameter):
        if parameter is not None:
            given.append(f"{parameter.name}={row}")
    return f"{source.constant(resolver.wrapped_func)}({', '.join(given)})"


def _refuse(*given: Any) -> Any:
    raise NotPlanned("an object that could not be compiled")


def _named(type_: GraphQLOutputType) -> GraphQLOutputType:
    while is_non_null_type(type_) or is_list_type(type_):
        type_ = type_.of_type
    return type_
