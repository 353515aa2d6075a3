"""How the fields of an object type are declared: read from a document, or in batches.

The source of a document-backed type is the document itself, a `dict`. `plain` reads
a dotted path of it. `batch` is one read for all parents of a level; a parent that
arrives alone is served by a DataLoader over the same function. Both work under plain
graphql-core; the compiled executor only reads the same declarations faster.

    @strawberry.interface
    class Node(FromDocument):
        id: strawberry.ID = plain("_id", read=profile_id, description="...")

    @strawberry.type
    class Profile(Node):
        email: str | None = plain("email", description="...")
        city: str | None = plain("location.city", description="...")

        @batch(description="...")
        @staticmethod
        async def lists(
            parents: list[Document],
            context: Context,
            first: Annotated[int, strawberry.argument(description="...")] = 20,
        ) -> list[ListMembershipConnection | Exception]: ...

A type that implements an interface, or is a member of a union, inherits
`FromDocument` (through the interface, or itself), and documents that reach an
interface or a union carry their GraphQL type's name as `__typename`:

    @strawberry.type
    class Query:
        @strawberry.field
        async def node(self, info: Info, id: strawberry.ID) -> Node | None:
            return {**document, "__typename": "Profile"}
"""

import ast
import asyncio
import inspect
import operator
from collections.abc import (
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from functools import reduce
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin

import strawberry
from graphql import OperationType
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from gql.execution.loads import BatchFunction, Key, LoadingContext, Loads, freeze


class FromDocument:
    """Base of types whose sources are documents and that an abstract type can hold."""

    @classmethod
    def is_type_of(cls, source: object, info: object) -> bool:
        if not isinstance(source, Mapping):
            return isinstance(source, cls)
        name = source.get("__typename")
        if name is None:
            return_type = getattr(info, "return_type", None)
            while (inner := getattr(return_type, "of_type", None)) is not None:
                return_type = inner
            name = getattr(return_type, "name", None)
        return bool(name == cls.__strawberry_definition__.name)  # type: ignore[attr-defined]


class PlainField(StrawberryField):
    """A field read from its source document; `plain` makes it."""

    path: tuple[str, ...] = ()
    read: Callable[[Any], Any] | None = None
    assumed: Any = None
    needs: frozenset[str] | None = None

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.needs = self.needs
        copied.path = self.path
        copied.read = self.read
        copied.assumed = self.assumed
        return copied

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        value = source
        if not isinstance(source, Mapping):
            raise TypeError(
                f"{self.python_name} is read from a document, "
                f"not from {type(source).__name__}."
            )
        for step in self.path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            value = self.assumed
        if value is None or self.read is None:
            return value
        return self.read(value)


class BatchField(StrawberryField):
    """A field read for all parents of a level at once; `batch` makes it."""

    load: BatchFunction
    key: Key
    needs: frozenset[str] | None = None

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.needs = self.needs
        copied.load = self.load
        copied.key = self.key
        return copied


class RootField(StrawberryField):
    """A root field of Query that sees the context alone; `root` makes it."""

    answer: Callable[..., Awaitable[Any]]

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied.answer = self.answer
        return copied


def plain(
    path: str,
    *,
    description: str,
    read: Callable[[Any], Any] | None = None,
    default: Any = None,
    needs: Iterable[str] | None = None,
    name: str | None = None,
    deprecation_reason: str | None = None,
    directives: Sequence[object] = (),
) -> Any:
    """A field that reads the dotted `path` of its document; "" is the document itself.

    Where something on the way is missing, null or no document, the value is `default`.
    `read` converts the value, the default too, but never null. `needs` tells what a
    field of the document itself takes from it, as names at its top; without it, all.
    """
    field = PlainField(
        graphql_name=name,
        description=description,
        deprecation_reason=deprecation_reason,
        directives=directives,
    )
    field.path = tuple(path.split(".")) if path else ()
    if needs is not None or path:
        field.needs = frozenset(field.path[:1] if needs is None else needs)
    field.read = read
    field.assumed = default
    return field


def batch(
    *,
    description: str,
    key: Key | None = None,
    needs: Iterable[str] | None = None,
    graphql_type: Any = None,
    name: str | None = None,
    deprecation_reason: str | None = None,
    directives: Sequence[object] = (),
) -> Callable[[BatchFunction], Any]:
    """A field from an async function of (parents, context, then its arguments).

    The function answers one value per parent, in order; the field's type is
    `graphql_type` or else the element type of the list that the function is annotated
    with. An exception in a slot is the error of that slot alone. Parents arrive once
    per `key(parent)`, which is the document's `_id` when not given, and an operation
    reads each key once per field and arguments. `needs` tells what the function and
    the key take from a parent beside `_id`, as names at its top; without it, all.
    """

    def declare(function: BatchFunction) -> Any:
        if isinstance(function, staticmethod):
            function = function.__func__
        field = BatchField(
            graphql_name=name,
            description=description,
            deprecation_reason=deprecation_reason,
            directives=directives,
        )
        field.load = function
        field.key = key or operator.itemgetter("_id")
        field.needs = None if needs is None else frozenset(needs)
        return field(StrawberryResolver(_one_at_a_time(field, graphql_type)))

    return declare


def root(answer: Callable[..., Awaitable[Any]], returns: Any, description: str) -> Any:
    """A root field of Query from an async function of (context, then its arguments)
    that answers the source of `returns`."""
    field = RootField(description=description)
    field.answer = answer

    async def resolve(info: strawberry.Info[Any, Any], **arguments: Any) -> Any:
        return await answer(info.context, **arguments)

    given = list(inspect.signature(answer).parameters.values())[1:]
    _pose(resolve, answer, {"info": strawberry.Info}, given, returns)
    return field(StrawberryResolver(resolve))


def loads_of(
    field: BatchField,
    context: LoadingContext,
    arguments: dict[str, Any],
    *,
    frozen: Hashable = None,
    scope: Hashable = None,
    cached: bool = True,
) -> Loads:
    """What `field` has read with `arguments` in this operation; `frozen` stands for
    them where that is known already.

    A `scope` keeps reads apart that must not share: those below different root fields
    of a mutation, for what one of them changes.
    """
    if frozen is None:
        frozen = freeze(arguments)
    place = (field.load, field.key, frozen, scope, cached)
    loads = context.loaders.get(place)
    if not isinstance(loads, Loads):
        loads = Loads(field.load, field.key, context, arguments, cached=cached)
        context.loaders[place] = loads
    return loads


def _one_at_a_time(
    field: BatchField, graphql_type: Any
) -> Callable[..., Awaitable[Any]]:
    function = field.load

    def resolve(
        root: Any, info: strawberry.Info[Any, Any], **arguments: Any
    ) -> Awaitable[Any]:
        kind = info.operation.operation
        loads = loads_of(
            field,
            info.context,
            arguments,
            scope=info.path.as_list()[0] if kind is OperationType.MUTATION else None,
            cached=kind is not OperationType.SUBSCRIPTION,
        )
        # Parents share a key's future: one of them cancelled must not cancel the rest.
        return asyncio.shield(loads.loader.load(root))

    signature = inspect.signature(function)
    element = graphql_type
    if element is None:
        element = _element_of(function, signature.return_annotation)
    own = {"root": Any, "info": strawberry.Info}
    _pose(resolve, function, own, list(signature.parameters.values())[2:], element)
    return resolve


def _pose(
    resolve: Callable[..., Any],
    function: Callable[..., Any],
    own: dict[str, Any],
    given: list[inspect.Parameter],
    returns: Any,
) -> None:
    """Have `resolve` look like `function`, with parameters of its `own`, `given` ones
    and another type of what it returns."""
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        *(inspect.Parameter(name, kind, annotation=it) for name, it in own.items()),
        *(it.replace(kind=kind) for it in given),
    ]
    resolve.__name__ = function.__name__
    resolve.__qualname__ = function.__qualname__
    resolve.__module__ = function.__module__
    resolve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        parameters, return_annotation=returns
    )
    resolve.__annotations__ = {it.name: it.annotation for it in parameters} | {
        "return": returns
    }


def _element_of(function: BatchFunction, annotation: Any) -> Any:
    """The `X` of `list[X]` and of `list[X | Exception]`, written out or quoted."""
    if isinstance(annotation, str):
        node = ast.parse(annotation, mode="eval").body
        if isinstance(node, ast.Subscript):
            members = [it for it in _members(node.slice) if not _is_error(it)]
            return " | ".join(ast.unparse(member) for member in members)
    elif get_origin(annotation) is list:
        (element,) = get_args(annotation)
        if get_origin(element) in (Union, UnionType):
            kept = [it for it in get_args(element) if not _is_error(it)]
            return reduce(operator.or_, kept)
        return element
    raise TypeError(
        f"{function.__qualname__} must be annotated with the list that it returns, "
        f"one value per parent, such as list[Metric], not with {annotation!r}."
    )


def _members(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    return [node]


def _is_error(member: Any) -> bool:
    if isinstance(member, ast.Name):
        return member.id in ("Exception", "BaseException")
    return isinstance(member, type) and issubclass(member, BaseException)
