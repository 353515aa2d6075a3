"""A definition that is read from the API can be sent back unchanged: every condition of
the language, and generated ones, through the schema itself."""

from random import Random
from typing import Any

import pytest
from bson import ObjectId
from graphql import (
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from audience.conditions import limits
from gql.schema import schema
from resolvers.db import Database
from tests.gql.conftest import NOW, GraphQL
from tests.resolvers.test_segments_everywhere import CONDITIONS
from tests.segment_definitions import LISTS, definition_of
from tests.segment_worlds import store, world_of

pytestmark = pytest.mark.anyio

LEVELS = limits.DEPTH
NESTING = ("ConditionGroup", "Condition", "AllCondition", "NotCondition")
# Fields of one name and different types in two kinds of conditions get names of their
# own, as the description of DistanceCondition says.
RENAMED = {"of": "place", "within": "farthest"}
TYPES = schema._schema.type_map

CREATE = """
mutation ($input: CreateSegmentInput!) {
  createSegment(input: $input) {
    segment { id definition { json } }
    userErrors { code message path }
  }
}
"""
UPDATE = """
mutation ($input: UpdateSegmentInput!) {
  updateSegment(input: $input) {
    segment { version definition { json } }
    userErrors { code message path }
  }
}
"""


def fragments() -> str:
    """One fragment for each type and level: `...EventCondition1`, for those on top."""
    return "\n".join(
        f"fragment {kind.name}{level} on {kind.name} {_selection(kind, level)}"
        for level in range(1, LEVELS + 1)
        for kind in _types_of(level)
    )


def _types_of(level: int) -> list[GraphQLObjectType | GraphQLUnionType]:
    """The types that conditions are made of; on lower levels those that can nest."""
    found: dict[str, GraphQLObjectType | GraphQLUnionType] = {}
    waiting = ["ConditionGroup"]
    while waiting:
        kind = TYPES[waiting.pop()]
        if isinstance(kind, GraphQLUnionType):
            inside = [one.name for one in kind.types]
        elif isinstance(kind, GraphQLObjectType):
            inside = [get_named_type(it.type).name for it in kind.fields.values()]
        else:
            continue
        if kind.name not in found:
            found[kind.name] = kind
            waiting += inside
    is_top = level == 1
    return [kind for name, kind in found.items() if is_top or name in NESTING]


def _selection(kind: GraphQLObjectType | GraphQLUnionType, level: int) -> str:
    if isinstance(kind, GraphQLUnionType):
        kept = [
            f"... on {it.name} {{ ...{it.name}{level if it.name in NESTING else 1} }}"
            for it in kind.types
            if level < LEVELS or it.name not in NESTING
        ]
        return f"{{ __typename {' '.join(kept)} }}"
    chosen = []
    for field, definition in kind.fields.items():
        inner = get_named_type(definition.type)
        alias = RENAMED.get(field) if kind.name == "DistanceCondition" else None
        asked = field if alias is None else f"{alias}: {field}"
        if not is_leaf_type(inner):
            deeper = level + (kind.name in ("AllCondition", "NotCondition"))
            if deeper > LEVELS:
                return "{ __typename }"
            asked += f" {{ ...{inner.name}{deeper if inner.name in NESTING else 1} }}"
        chosen.append(asked)
    return f"{{ {' '.join(chosen)} }}"


def _without_unused(document: str) -> str:
    """Fragments that nothing refers to are not allowed."""
    lines = document.splitlines()
    while True:
        kept = [
            line
            for line in lines
            if not line.startswith("fragment")
            or any(f"...{line.split()[1]} " in other for other in lines)
        ]
        if len(kept) == len(lines):
            return "\n".join(kept)
        lines = kept


SHOW = _without_unused(
    "query ($id: ID!) { segment(id: $id) { definition { groups "
    f"{{ ...ConditionGroup1 }} }} }} }}\n{fragments()}"
)


def as_input(shown: Any) -> Any:
    """What was read, its types' names made into the fields of the input."""
    own = {alias: name for name, alias in RENAMED.items()}
    match shown:
        case list():
            return [as_input(item) for item in shown]
        case {"__typename": name, **rest}:
            return {name.removesuffix("Condition").lower(): as_input(rest)}
        case dict():
            return {
                own.get(name, name): as_input(value)
                for name, value in shown.items()
                if value is not None
            }
    return shown


async def goes_round(graphql: GraphQL, name: str, definition: Any) -> None:
    made = (await graphql(CREATE, input={"name": name, "definition": definition}))[
        "createSegment"
    ]
    assert made["userErrors"] == []
    segment = made["segment"]
    stored = segment["definition"]["json"]
    shown = (await graphql(SHOW, id=segment["id"]))["segment"]["definition"]
    for again in (as_input(shown), stored):
        change = {"id": segment["id"], "definition": again}
        changed = (await graphql(UPDATE, input=change))["updateSegment"]
        assert changed == {
            "segment": {"version": 1, "definition": {"json": stored}},
            "userErrors": [],
        }


async def prepare(db: Database, random: Random) -> Any:
    world = world_of(random, people=1)
    await store(db, world)
    await db.lists.insert_many(
        [
            {
                "_id": ObjectId(each),
                "name": each,
                "name_key": each,
                "opt_in": "SINGLE",
                "created_at": NOW,
                "updated_at": NOW,
            }
            for each in LISTS
        ]
    )
    return world


async def test_every_condition_goes_round(graphql: GraphQL, db: Database) -> None:
    await prepare(db, Random(1))

    for start in range(0, len(CONDITIONS), 90):
        some = CONDITIONS[start : start + 90]
        definition = {"groups": [{"anyOf": [condition]} for condition in some]}
        await goes_round(graphql, f"Every condition {start}", definition)


async def test_the_deepest_definition_goes_round(
    graphql: GraphQL, db: Database
) -> None:
    await prepare(db, Random(1))
    definition: Any = {"groups": [{"anyOf": CONDITIONS[:2]}]}
    for kind in ("all", "not") * (limits.DEPTH // 2):
        definition = {"groups": [{"anyOf": [{kind: definition}, CONDITIONS[3]]}]}

    await goes_round(graphql, "Deep", definition)


async def test_generated_definitions_go_round(graphql: GraphQL, db: Database) -> None:
    random = Random(2)
    world = await prepare(db, random)

    for number in range(150):
        definition = definition_of(random, world)
        await goes_round(graphql, f"Generated {number}", definition)
