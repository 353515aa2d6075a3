"""A schema whose fields tell what they were given: root fields, batches, resolvers.

Nothing is validated here: execution itself has to refuse what is wrong.
"""

import math
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry import UNSET
from strawberry.extensions import DisableValidation
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from gql.execution import batch, root
from tests.gql.execution.both import Context, Document, both, schema_of


@strawberry.enum
class Odd(Enum):
    NOTHING = None
    NAN = math.nan
    FALSE = False
    CUSTOM = "custom value"


class Translated(str):
    """A scalar whose input is another value inside."""


class Faulty(str):
    """A scalar that takes nothing."""


def _faulty(value: Any) -> Faulty:
    raise GraphQLError("This cannot be.", extensions={"code": "FAULTY"})


CONFIG = StrawberryConfig(
    scalar_map={
        Translated: strawberry.scalar(
            name="Translated",
            serialize=str,
            parse_value=lambda value: Translated(f"{value} inside"),
        ),
        Faulty: strawberry.scalar(name="Faulty", serialize=str, parse_value=_faulty),
    }
)


@strawberry.input
class Shape:
    c: str
    a: str | None = UNSET
    b: list[str | None] | None = UNSET
    long_name: Translated | None = UNSET
    faulty: Faulty | None = UNSET


@strawberry.input
class Nested:
    first: Shape
    second: str


@strawberry.input(one_of=True)
class OneOf:
    a: strawberry.Maybe[str]
    b: strawberry.Maybe[int]


TAKEN: dict[str, tuple[Any, ...]] = {
    "text": (str | None, UNSET),
    "needed": (str,),
    "greeting": (str, "Hello"),
    "odd": (Odd | None, UNSET),
    "certain": (Odd,),
    "shape": (Shape | None, UNSET),
    "nested": (Nested | None, UNSET),
    "one_of": (OneOf,),
    "json": (JSON | None, UNSET),
    "list": (list[str | None] | None, UNSET),
    "certain_list": (list[str | None],),
    "list_of_certain": (list[str] | None, UNSET),
    "matrix": (list[list[int]] | None, UNSET),
}
"""By field: the type of its one argument, `it`, and the default where it has one."""


def _told(given: Any) -> str:
    """What the function got, without the names of classes that matter to nobody."""
    told = repr(given)
    for name in ("Shape", "Nested", "OneOf"):
        told = told.replace(f"{name}(", "(")
    return (
        told.replace(", a=UNSET", "")
        .replace(", b=UNSET", "")
        .replace(", long_name=UNSET", "")
        .replace(", faulty=UNSET", "")
    )


def _root(taken: Any, *default: Any) -> Any:
    async def read(context: Context, it: taken) -> str:
        return _told(it)

    read.__defaults__ = default or None
    return root(read, str | None, "-")


def _resolver(taken: Any, *default: Any) -> Any:
    def resolve(it: taken) -> str | None:
        return _told(it)

    resolve.__defaults__ = default or None
    return strawberry.field(resolve)


def _batch(taken: Any, *default: Any) -> Any:
    async def read(parents: list[Document], context: Context, it: taken) -> list[str]:
        return [_told(it) for _ in parents]

    read.__defaults__ = default or None
    return batch(description="-", graphql_type=str | None)(read)


def _type(name: str, declare: Any, **more: Any) -> Any:
    fields = {field: declare(*taken) for field, taken in TAKEN.items()}
    return strawberry.type(type(name, (), fields | more))


ROWS = {"below": _type("Below", _batch), "beside": _type("Beside", _resolver)}
schema = schema_of(
    _type(
        "Query",
        _root,
        **{
            name: strawberry.field(lambda: {"_id": 1}, graphql_type=row | None)
            for name, row in ROWS.items()
        },
    ),
    config=CONFIG,
    extensions=[DisableValidation],
)

WAYS = {
    "root": "{ it: FIELD }",
    "batch": "{ below { it: FIELD } }",
    "resolver": "{ beside { it: FIELD } }",
}


async def asked(
    way: str, declared: str, field: str, variables: Document
) -> tuple[Any, list[Any]]:
    """The field's answer, and errors without their places: those both agree on."""
    query = WAYS[way].replace("FIELD", field)
    data, errors = await both(schema, f"query {declared} {query}", variables)
    above = {"root": [], "batch": ["below"], "resolver": ["beside"]}[way]
    for key in above:
        data = data and data[key]
    for error in errors:
        path = error.pop("path", None)
        assert path in (None, [*above, "it"])
        error.pop("locations", None)
    return data and data["it"], errors
