"""Schemas and data made from a seed, for comparing executors.

Everything a field gives depends on the seed, its parent's id and its arguments alone,
so that every executor meets the same values and the same errors.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Optional

import strawberry
from graphql import GraphQLError
from strawberry.permission import BasePermission

from gql.execution import (
    CompiledSchema,
    DocumentCache,
    FromDocument,
    batch,
    plain,
    root,
)
from tests.gql.execution.generated_values import GOOD, ODD, SCALARS, Colour

Document = dict[str, Any]


@dataclass
class Context:
    compiled: bool = True
    loaders: dict[Any, Any] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)


Info = strawberry.Info[Context, Any]


@strawberry.input
class Range:
    since: int = 0
    until: int | None = None
    within: Optional["Range"] = None


@strawberry.interface
class Named(FromDocument):
    id: strawberry.ID = plain("_id", read="#{}".format, description="-")
    name: str | None = plain("name", description="-")


class Guard(BasePermission):
    message = "Not for you."

    def has_permission(self, source: Any, info: Any, **arguments: Any) -> bool:
        return len(str(info.path)) % 5 > 0


@dataclass
class Shape:
    """A type's Python form, and how to make a value of it."""

    annotation: Any
    make: Callable[[random.Random], Any]
    type: "Made | None" = None
    abstract: "list[Made] | None" = None


@dataclass
class Field:
    name: str
    graphql_name: str
    shape: Shape
    arguments: bool = False


@dataclass
class Made:
    """A generated type."""

    name: str
    python: Any
    fields: list[Field]
    document: Callable[[int], Any]
    is_named: bool = False


class World:
    """One generated schema with its data."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.errors = self.chance.choice([0.0, 0.0, 0.02, 0.1])
        self.oddities = self.chance.choice([0.0, 0.0, 0.02, 0.1])
        self.suspends = self.chance.random() < 0.3
        self.located = self.chance.random() < 0.5
        self.types: list[Made] = []
        for number in range(self.chance.randint(2, 6)):
            self.types.append(self._type(number))
        self.query = self._root("Query")
        self.mutation = self._root("Mutation")

    def schema(self, **options: Any) -> CompiledSchema:
        return CompiledSchema(
            self.query.python,
            self.mutation.python,
            types=[it.python for it in self.types],
            extensions=[DocumentCache],
            **options,
        )

    def dice(self, *what: Any) -> random.Random:
        return random.Random(f"{self.seed}/{what!r}")

    def _type(self, number: int) -> Made:
        chance = self.chance
        name = f"T{number}"
        style = chance.choice(["document", "document", "named", "member", "instance"])
        bases: tuple[type, ...] = {"named": (Named,), "member": (FromDocument,)}.get(
            style, ()
        )
        fields: list[Field] = []
        space: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
        makers: dict[str, Callable[[random.Random], Any]] = {}
        for place in range(chance.randint(2, 6)):
            column = f"{name.lower()}_f{place}"
            kinds = ["plain", "plain", "plain", "batch", "call", "resolver", "slow"]
            if style == "instance":
                kinds = ["attribute", "attribute", "call", "resolver"]
            if not self.located:  # no field below the root can see its path
                kinds = [it for it in kinds if it not in ("resolver", "slow")]
            self._field(chance.choice(kinds), column, fields, space, makers)
        python = strawberry.type(type(name, bases, space))
        if style == "named":
            fields += [
                Field("id", "id", Shape(strawberry.ID, lambda _: "-")),
                Field("name", "name", Shape(str | None, lambda _: "-")),
            ]

        def document(key: int) -> Any:
            dice = self.dice(name, key)
            if style == "instance":
                values = {it: make(dice) for it, make in makers.items()}
                return python(**values)
            row: Document = {"_id": key, "__typename": name}
            if style == "document" or (style == "named" and dice.random() < 0.01):
                del row["__typename"]
            if dice.random() < 0.8:
                row["name"] = f"{name} {key}"
            for it, make in makers.items():
                if dice.random() < 0.95:
                    _put(row, it, make(dice))
            return row

        return Made(name, python, fields, document, style == "named")

    def _root(self, name: str) -> Made:
        fields: list[Field] = []
        space: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
        for place in range(self.chance.randint(3, 6)):
            kinds = ["resolver", "slow", "slow", "call"]
            if name == "Query":
                kinds += ["root", "root"]
            kind = self.chance.choice(kinds)
            column = f"{name.lower()}_f{place}"
            self._field(kind, column, fields, space, {}, deep=True)
        python = strawberry.type(type(name, (), space))
        return Made(name, python, fields, lambda _: None)

    def _shape(self, deep: bool = False) -> Shape:
        chance = self.chance
        usable = self.types
        if usable and (deep or chance.random() < 0.5):
            documents = [it for it in usable if issubclass(it.python, FromDocument)]
            named = [it for it in documents if it.is_named]
            what = chance.random()
            if what < 0.2 and named:
                shape = self._objects(Named, None, named)
            elif what < 0.4 and len(documents) > 1:
                members = chance.sample(documents, 2)
                label = "U" + "".join(sorted(it.name for it in members))
                first, second = sorted(members, key=lambda it: it.name)
                union: Any = Annotated[
                    first.python | second.python, strawberry.union(label)
                ]
                shape = self._objects(union, None, members)
            else:
                made = chance.choice(usable)
                shape = self._objects(made.python, made, [made])
        else:
            scalar = chance.choice(SCALARS)
            shape = Shape(scalar, lambda dice, s=scalar: self._leaf(dice, s))  # type: ignore[misc]
        shape = self._maybe(shape, 0.4)
        while chance.random() < 0.3:
            shape = self._maybe(self._list(shape), 0.4)
        return shape

    def _leaf(self, dice: random.Random, scalar: Any) -> Any:
        odd = dice.random() < self.oddities
        return dice.choice((ODD if odd else GOOD)[scalar])

    def _objects(
        self, annotation: Any, made: Made | None, members: list[Made]
    ) -> Shape:
        def make(dice: random.Random) -> Any:
            if dice.random() < self.oddities / 2:
                return dice.choice([5, "x", {}, [], {"__typename": "Nothing"}])
            return dice.choice(members).document(dice.randrange(6))

        return Shape(annotation, make, made, None if made else members)

    def _maybe(self, shape: Shape, nullable: float) -> Shape:
        optional = self.chance.random() < nullable
        make = shape.make
        null = 0.15 if optional else self.oddities / 2

        def made(dice: random.Random) -> Any:
            return None if dice.random() < null else make(dice)

        annotation = Optional[shape.annotation] if optional else shape.annotation  # noqa: UP045
        return Shape(annotation, made, shape.type, shape.abstract)

    def _list(self, shape: Shape) -> Shape:
        make = shape.make

        def made(dice: random.Random) -> Any:
            values = [make(dice) for _ in range(dice.randrange(4))]
            if dice.random() < self.oddities:
                odd: list[Any] = [tuple(values), 7, "text", iter(values), {"a": 1}]
                return dice.choice(odd)
            if dice.random() < self.errors / 2:
                values.append(ValueError("in a list"))
            return values

        return Shape(list[shape.annotation], made, shape.type, shape.abstract)  # type: ignore[name-defined]

    def _field(
        self,
        kind: str,
        column: str,
        fields: list[Field],
        space: dict[str, Any],
        makers: dict[str, Callable[[random.Random], Any]],
        deep: bool = False,
    ) -> None:
        chance = self.chance
        shape = self._shape(deep)
        graphql_name = "".join(
            part.title() if number else part
            for number, part in enumerate(column.split("_"))
        )
        may = kind in ("batch", "slow", "resolver", "root")
        arguments = may and chance.random() < 0.5
        fields.append(Field(column, graphql_name, shape, arguments))
        if kind == "plain":
            path = chance.choice([column, f"part.{column}", f"a.b.{column}"])
            space["__annotations__"][column] = shape.annotation
            space[column] = plain(path, description="-")
            makers[path] = shape.make
        elif kind == "attribute":
            space["__annotations__"][column] = shape.annotation
            makers[column] = shape.make
        elif kind == "batch":
            space[column] = self._batch(column, shape, arguments)
        elif kind == "root":
            answer = self._answer(column, shape, arguments)
            space[column] = root(answer, shape.annotation, "-")
        else:
            function = self._resolver(kind, column, shape, arguments)
            guarded = kind != "call" and chance.random() < 0.15
            space[column] = strawberry.field(
                function,
                graphql_type=shape.annotation,
                description="-",
                permission_classes=[Guard] if guarded else None,
            )

    def _given(self, column: str, key: Any, shape: Shape, *arguments: Any) -> Any:
        dice = self.dice(column, key, repr(arguments))
        what = dice.random()
        if what < self.errors:
            kinds: list[Exception] = [
                ValueError(f"{column} of {key}"),
                GraphQLError("told", extensions={"code": "NO"}),
                KeyError("key"),
            ]
            return dice.choice(kinds)
        return shape.make(dice)

    def _batch(self, column: str, shape: Shape, arguments: bool) -> Any:
        world = self
        broken = self.chance.random() < self.errors
        suspends = self.suspends

        async def answer(parents: list[Document], context: Context, *rest: Any) -> Any:
            context.asked.append((column, [it["_id"] for it in parents], repr(rest)))
            if suspends:
                await asyncio.sleep(0)
            if broken:
                raise OSError(f"{column} is broken")
            return [world._given(column, it["_id"], shape, *rest) for it in parents]

        async def without(parents: list[Document], context: Context) -> list[Any]:
            return await answer(parents, context)  # type: ignore[no-any-return]

        async def within(
            parents: list[Document],
            context: Context,
            first: int | None = 3,
            colour: Colour | None = None,
            range: Range | None = None,
            many: list[int] | None = None,
        ) -> list[Any]:
            given = first, colour, range, many
            return await answer(parents, context, *given)  # type: ignore[no-any-return]

        declare = batch(description="-", graphql_type=shape.annotation)
        return declare(within if arguments else without)

    def _answer(
        self, column: str, shape: Shape, arguments: bool
    ) -> Callable[..., Awaitable[Any]]:
        world = self

        async def answer(context: Context, *rest: Any) -> Any:
            context.calls.append((column, repr(rest)))
            value = world._given(column, None, shape, *rest)
            if isinstance(value, Exception) and rest:
                raise value
            return value

        async def without(context: Context) -> Any:
            return await answer(context)

        async def within(
            context: Context,
            first: int | None = 3,
            colour: Colour | None = None,
            range: Range | None = None,
            many: list[int] | None = None,
        ) -> Any:
            return await answer(context, first, colour, range, many)

        return within if arguments else without

    def _resolver(
        self, kind: str, column: str, shape: Shape, arguments: bool
    ) -> Callable[..., Any]:
        world = self

        def give(root: Any, info: Any, *rest: Any) -> Any:
            key = root["_id"] if isinstance(root, dict) and "_id" in root else None
            if info is not None:
                info.context.calls.append(
                    (column, str(info.path.as_list()), repr(rest))
                )
                selected = [it.name for it in info.selected_fields]
                value = world._given(column, (key, len(selected)), shape, *rest)
            else:
                value = world._given(column, key, shape, *rest)
            if isinstance(value, Exception) and self.dice(column, key).random() < 0.5:
                raise value
            return value

        if kind == "call":

            def call(root: Any) -> Any:
                return give(root, None)

            return call
        if kind == "resolver":

            def resolve(root: Any, info: Info) -> Any:
                return give(root, info)

            def resolve_with(
                root: Any,
                info: Info,
                first: int | None = 3,
                colour: Colour | None = None,
                range: Range | None = None,
                many: list[int] | None = None,
            ) -> Any:
                return give(root, info, first, colour, range, many)

            return resolve_with if arguments else resolve

        async def wait(root: Any, info: Info) -> Any:
            await asyncio.sleep(0)
            return give(root, info)

        async def wait_with(
            root: Any,
            info: Info,
            first: int | None = 3,
            colour: Colour | None = None,
            range: Range | None = None,
            many: list[int] | None = None,
        ) -> Any:
            await asyncio.sleep(0)
            return give(root, info, first, colour, range, many)

        return wait_with if arguments else wait


def _put(row: Document, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        row = row.setdefault(step, {})
    row[last] = value
