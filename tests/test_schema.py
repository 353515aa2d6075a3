"""The schema as it is published: described throughout, and held to the file."""

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_introspection_type,
    is_specified_scalar_type,
)

from gql.schema import schema

FILE = Path(__file__).parent.parent / "schema.graphql"

# One element a line; lines are added when something is published, never changed.
FLOOR = Path(__file__).parent / "floor.txt"


def described() -> Iterator[tuple[str, str | None]]:
    """Every element of the schema with its description."""
    for name, each in schema._schema.type_map.items():
        if is_introspection_type(each) or is_specified_scalar_type(each):
            continue
        yield name, each.description
        match each:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field_name, field in each.fields.items():
                    yield f"{name}.{field_name}", field.description
                    for argument_name, argument in field.args.items():
                        yield (
                            f"{name}.{field_name}({argument_name})",
                            argument.description,
                        )
            case GraphQLInputObjectType():
                for field_name, given in each.fields.items():
                    yield f"{name}.{field_name}", given.description
            case GraphQLEnumType():
                for value_name, value in each.values.items():
                    yield f"{name}.{value_name}", value.description


def test_every_element_is_described() -> None:
    assert [name for name, text in described() if not (text or "").strip()] == []


def test_descriptions_are_sentences() -> None:
    assert [
        name
        for name, text in described()
        if text and (text != text.strip() or not text.endswith((".", ")")))
    ] == []


def test_the_published_file_is_the_schema() -> None:
    assert FILE.read_text() == schema.as_str() + "\n", "Run scripts/schema."


def test_what_clients_rely_on_is_kept() -> None:
    kept = set(elements())

    assert [line for line in FLOOR.read_text().splitlines() if line not in kept] == []


def elements() -> Iterator[str]:
    """Every field, argument, input field and enum value with its type, a line each."""
    for name, each in schema._schema.type_map.items():
        match each:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field_name, field in each.fields.items():
                    yield f"{name}.{field_name}: {field.type}"
                    for argument_name, argument in field.args.items():
                        yield f"{name}.{field_name}({argument_name}: {argument.type})"
            case GraphQLInputObjectType():
                for field_name, given in each.fields.items():
                    yield f"{name}.{field_name}: {given.type}"
            case GraphQLEnumType():
                for value_name in each.values:
                    yield f"{name}.{value_name}"


def test_inputs_with_exactly_one_field_are_known_as_such() -> None:
    asked = "{ __schema { types { name isOneOf } } }"
    found = schema.execute_sync(asked)

    types = found.data["__schema"]["types"] if found.data else []
    assert sorted(it["name"] for it in types if it["isOneOf"]) == sorted(
        re.findall(r"^input (\w+) @oneOf", FILE.read_text(), re.MULTILINE)
    )
