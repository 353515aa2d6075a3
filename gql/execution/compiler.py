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
    get_named_type,
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
from strawberry.types.field import StrawberryField

from gql.execution.arguments import Arguments
from gql.execution.code import DEEP, Code
from gql.execution.complete import NAMES, NotPlanned, reads_documents
from gql.execution.fields import PlainField
from gql.execution.leaves import emit_leaf, leaf_completer
from gql.execution.place import Place
from gql.execution.plan import Budget, Plan, Waiting
from gql.execution.sources import emit_source_check, resolver_call
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
    """Compiles one operation; `paths`: its resolvers can see where they are."""

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
        self.waiting: list[list[Waiting]] = []
        self.budget = Budget(MAX_FIELDS)
        self.leaves: dict[tuple[str, bool], Callable[[Any], Any]] = {}

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
        code = Code("root", "row, S")
        self._object(
            code,
            root_type,
            dict(collected.grouped_field_set),
            "row",
            "out",
            "None" if self.paths else None,
            root=kind,
        )
        code.emit("return out")
        function = code.compiled(NAMES)
        return Plan(function, self.waiting, self.paths, self.budget)

    def _object(
        self,
        code: Code,
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
            emit_source_check(code, type_, row, returned, "plain" in kinds)
        elif "plain" in kinds:
            code.emit(f"check_document({row})")
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
            self._field(code, shaped, place, kind)
        code.emit(f"{out} = {{{', '.join(shaped.entries)}}}")
        if shaped.waiting:
            code.note(len(self.waiting), row, out, path)
            self.waiting.append(shaped.waiting)

    def _field(self, code: Code, shaped: _Object, place: Place, kind: Kind) -> None:
        key, type_ = place.key, place.definition.type
        declared: StrawberryField = place.definition.extensions[BACKREF]
        row = shaped.row
        match kind:
            case "batch" | "root" | "resolver":
                shaped.entries.append(f"{key!r}: None")
                complete = self._completer(type_, place)
                arguments = None
                if kind != "resolver":
                    schema = self.schema.extensions[BACKREF]
                    arguments = Arguments(
                        place, declared.arguments, schema, frozen=kind == "batch"
                    )
                shaped.waiting.append(Waiting(place, kind, complete, arguments))
                return
            case "plain":
                needed = is_non_null_type(type_)
                value = self._read(code, shaped, cast("PlainField", declared), needed)
            case "attribute":
                value = code.fresh("v")
                code.emit(f"{value} = {row}.{declared.python_name}")
            case "call":
                value = code.fresh("v")
                code.emit(f"{value} = {resolver_call(code, declared, row)}")
            case _:
                assert_never(kind)
        path = None
        if shaped.path is not None:
            path = code.fresh("p")
            if not is_leaf_type(get_named_type(type_)):
                parent = place.parent_type.name
                code.emit(f"{path} = Path({shaped.path}, {key!r}, {parent!r})")
        done = self._value(code, type_, place, value, path, kind == "plain")
        shaped.entries.append(f"{key!r}: {done}")

    def _read(
        self, code: Code, shaped: _Object, declared: PlainField, needed: bool
    ) -> str:
        """Where the path's value is missing and `needed`, the answer is not the plan's
        anyway."""
        at = shaped.row
        for end in range(1, len(declared.path) + 1):
            way, name = declared.path[:end], declared.path[end - 1]
            known = shaped.read.get(way)
            if known is None:
                known = shaped.read[way] = code.fresh("d")
                if end == 1 and needed and declared.assumed is None:
                    code.emit(f"{known} = {at}[{name!r}]")
                elif end == 1:
                    code.emit(f"{known} = {at}.get({name!r})")
                else:
                    code.emit(
                        f"{known} = {at}.get({name!r}) if {at}.__class__ is dict "
                        f"else step({at}, {name!r})"
                    )
            at = known
        value = code.fresh("v")
        code.emit(f"{value} = {at}")
        if declared.assumed is not None:
            assumed = code.constant(declared.assumed)
            code.emit(f"if {value} is None: {value} = {assumed}")
        if declared.read is not None:
            read = code.constant(declared.read)
            code.emit(f"if {value} is not None: {value} = {read}({value})")
        return value

    def _value(
        self,
        code: Code,
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
            slow = self._leaf_completer(type_, nullable)
            emit_leaf(code, type_, slow, value, nullable=nullable, trusted=trusted)
            return value
        done = code.fresh("o")
        if nullable:
            code.emit(f"if {value} is None: {done} = None")
        else:
            code.emit(f"if {value} is None: raise NotPlanned")
        with code.block("else:"):
            if is_list_type(type_):
                self._list(code, type_.of_type, place, value, done, path, trusted)
            elif is_abstract_type(type_):
                self._abstract(code, type_, place, value, done, path)
            elif is_object_type(type_):
                self._inline(code, type_, place, value, done, path)
        return done

    def _leaf_completer(
        self, type_: GraphQLLeafType, nullable: bool
    ) -> Callable[[Any], Any]:
        known = self.leaves.get((type_.name, nullable))
        if known is None:
            known = leaf_completer(type_, nullable)
            self.leaves[type_.name, nullable] = known
        return known

    def _list(
        self,
        code: Code,
        item_type: GraphQLOutputType,
        place: Place,
        value: str,
        done: str,
        path: str | None,
        trusted: bool,
    ) -> None:
        item, push, index = code.fresh("i"), code.fresh("a"), code.fresh("n")
        code.emit(f"if {value}.__class__ is not list: {value} = items({value})")
        code.emit(f"{done} = []")
        code.emit(f"{push} = {done}.append")
        item_path = None
        head = f"for {item} in {value}:"
        if path is not None and not is_leaf_type(get_named_type(item_type)):
            item_path = code.fresh("p")
            head = f"for {index}, {item} in enumerate({value}):"
        with code.block(head):
            if item_path is not None:
                code.emit(f"{item_path} = Path({path}, {index}, None)")
            completed = self._value(code, item_type, place, item, item_path, trusted)
            code.emit(f"{push}({completed})")

    def _inline(
        self,
        code: Code,
        type_: GraphQLObjectType,
        place: Place,
        value: str,
        done: str,
        path: str | None,
    ) -> None:
        if code.depth < DEEP:
            groups = self._collect(type_, place)
            self._object(code, type_, groups, value, done, path, returned=type_)
            return
        one = code.constant(self._one(type_, place, type_))
        code.emit(f"{done} = {one}({value}, S, {path})")

    def _abstract(
        self,
        code: Code,
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

        known = code.constant(functions.get)
        need = code.constant(function_of)
        abstract = code.constant(type_)
        at = code.constant(place)
        name = code.fresh("t")
        if documents:
            code.emit(
                f"{name} = {value}.get('__typename') if {value}.__class__ is dict "
                f"else S.type_of({value}, {abstract}, {at}, {path})"
            )
            code.emit(f"if {name}.__class__ is not str: raise NotPlanned")
        else:
            code.emit(f"{name} = S.type_of({value}, {abstract}, {at}, {path})")
        code.emit(f"{done} = ({known}({name}) or {need}({name}))({value}, S, {path})")

    def _one(
        self,
        type_: GraphQLObjectType,
        place: Place,
        returned: GraphQLOutputType,
    ) -> Any:
        code = Code("one", "row, S, path")
        groups = self._collect(type_, place)
        path = "path" if self.paths else None
        self._object(code, type_, groups, "row", "out", path, returned=returned)
        code.emit("return out")
        return code.compiled(NAMES)

    def _completer(self, type_: GraphQLOutputType, place: Place) -> Any:
        code = Code("complete", "values, S, paths")
        code.emit("done = []")
        code.emit("push = done.append")
        path = None
        head = "for value in values:"
        if self.paths:
            head, path = "for value, path in zip(values, paths):", "path"
        with code.block(head):
            completed = self._value(code, type_, place, "value", path, False)
            code.emit(f"push({completed})")
        code.emit("return done")
        return code.compiled(NAMES)

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


def _refuse(*given: Any) -> Any:
    raise NotPlanned("an object that could not be compiled")
