"""Variables of known operations, coerced as graphql-core coerces them."""

from typing import Any

import pytest
from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
)
from graphql.execution.values import VariableValues, get_variable_values

from gql.execution.variables import variables_reader

SCHEMA = build_schema(
    """
    enum Colour { RED GREEN }
    input Inner { needed: Int!, colour: Colour = RED, names: [String!] }
    input Outer { inner: Inner!, other: Inner, list: [Inner!]! = [{needed: 1}] }
    input One @oneOf { text: String, number: Int, inner: Inner }
    input Group { name: String, groups: [Group!] }
    input Holder { group: Group }
    type Query { hello(id: ID, number: Float): String }
    """
)
ABSENT: Any = object()

SOUND: list[tuple[str, Any]] = [
    *[("String", it) for it in ("x", "", None, ABSENT)],
    *[("String!", it) for it in ("x", "")],
    *[('String! = "y"', it) for it in ("x", ABSENT)],
    *[("Int = 3", it) for it in (4, None, ABSENT, 2.0)],
    ("Float", 1),
    *[("Boolean!", it) for it in (True, False)],
    *[("ID", it) for it in ("x", 7)],
    *[("Colour", it) for it in ("RED", None)],
    *[("[Int]", it) for it in ([1, None], [], 1, (1, 2), None)],
    ("[Int!]!", [1, 2]),
    *[("[[Int]!]", it) for it in ([[1], []], [1], 1)],
    *[("Inner", it) for it in ({"needed": 1}, None, ABSENT)],
    ("Inner", {"needed": 1, "colour": None, "names": "x"}),
    ("Inner", {"names": ["x"], "needed": 1, "colour": "GREEN"}),
    ("Outer", {"other": None, "inner": {"needed": 1}}),
    ("Outer!", {"inner": {"needed": 1}, "list": {"needed": 2}}),
    ("[Outer]", [{"inner": {"needed": 1}}, None]),
    ("Outer = {inner: {needed: 5}}", ABSENT),
    ("One", {"text": "x"}),
    ("One!", {"inner": {"needed": 1}}),
]
WRONG: list[tuple[str, Any]] = [
    ("String", 1),
    ("String", ["x"]),
    ("String", {}),
    ("String", True),
    *[("String!", it) for it in (None, ABSENT)],
    ('String! = "y"', None),
    *[("Int", it) for it in ("1", 1.5, 2**31, True)],
    ("Float", "1"),
    ("Boolean", 1),
    ("ID", 1.5),
    *[("Colour", it) for it in ("BLUE", 1, "red")],
    *[("[Int]", it) for it in (["x"], "x", {"a": 1})],
    *[("[Int!]!", it) for it in ([1, None], None, ABSENT)],
    *[("[[Int]!]", it) for it in ([None], [["x"]])],
    ("Inner", {}),
    ("Inner", {"needed": None}),
    ("Inner", []),
    ("Inner", "x"),
    ("Inner", {"needed": "x"}),
    ("Inner", {"needed": 1, "more": 2}),
    ("Inner", {"needed": 1, "names": [None]}),
    ("Inner", {"needed": 1, "colour": "BLUE"}),
    ("Outer", {"inner": {"needed": 1}, "list": None}),
    ("Outer", {"inner": None}),
    *[("One", it) for it in ({}, {"text": None}, {"text": "x", "number": 1})],
    *[("One", it) for it in ({"text": "x", "number": None}, {"text": 1}, {"no": 1})],
]


def _asked(type_: str) -> OperationDefinitionNode:
    (operation,) = parse(f"query ($it: {type_}) {{ hello }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def _given(value: Any) -> dict[str, Any]:
    return {"more": "than asked for"} | ({} if value is ABSENT else {"it": value})


def _by_graphql_core(schema: GraphQLSchema, type_: str, value: Any) -> Any:
    definitions = _asked(type_).variable_definitions or ()
    return get_variable_values(schema, definitions, _given(value))


def _known(type_: str) -> VariableValues:
    """Of the request in which the operation was met, whatever its values were."""
    tries: list[Any] = ["x", 1, True, "RED", [], [1], {"needed": 1}, {"text": "x"}]
    tries += [{"inner": {"needed": 1}}, ABSENT]
    found = (_by_graphql_core(SCHEMA, type_, it) for it in tries)
    return next(it for it in found if isinstance(it, VariableValues))


@pytest.mark.parametrize(("type_", "value"), SOUND)
def test_sound_values_are_coerced_as_by_graphql_core(type_: str, value: Any) -> None:
    read = variables_reader(_known(type_), {})

    assert read is not None
    found, expected = read(_given(value)), _by_graphql_core(SCHEMA, type_, value)
    assert isinstance(expected, VariableValues)
    assert isinstance(found, VariableValues)
    assert found.coerced == expected.coerced
    assert repr(found.coerced) == repr(expected.coerced)
    assert {name: it.value for name, it in found.sources.items()} == {
        name: it.value for name, it in expected.sources.items()
    }
    assert [str(it.signature.type) for it in found.sources.values()] == [
        str(it.signature.type) for it in expected.sources.values()
    ]


@pytest.mark.parametrize(("type_", "value"), WRONG)
def test_wrong_values_are_left_to_graphql_core(type_: str, value: Any) -> None:
    read = variables_reader(_known(type_), {})

    assert read is not None
    assert isinstance(_by_graphql_core(SCHEMA, type_, value), list)
    assert read(_given(value)) is None


def test_what_an_input_type_refuses_by_itself_is_left_to_graphql_core() -> None:
    schema = build_schema("input Even { number: Int } type Query { hello: String }")

    def out_type(value: dict[str, Any]) -> Any:
        if value["number"] % 2:
            raise GraphQLError("This is odd.")
        return value["number"]

    even: Any = schema.type_map["Even"]
    even.out_type = out_type
    values = _by_graphql_core(schema, "Even", {"number": 2})
    assert isinstance(values, VariableValues)
    read = variables_reader(values, {})
    assert read is not None

    assert isinstance(_by_graphql_core(schema, "Even", {"number": 1}), list)
    assert read(_given({"number": 1})) is None
    assert (read(_given({"number": 4})) or values).coerced == {"it": 4}
    odd = "Even = {number: 1}"
    values = _by_graphql_core(schema, odd, {"number": 2})
    read = variables_reader(values, {})
    assert read is not None
    assert isinstance(_by_graphql_core(schema, odd, ABSENT), list)
    assert read({}) is None


def test_a_wrong_default_of_an_input_field_is_left_to_graphql_core() -> None:
    schema = build_schema(
        """
        input Even { number: Int }
        input Holder { even: Even = {number: 1} }
        type Query { hello: String }
        """
    )

    def out_type(value: dict[str, Any]) -> Any:
        raise GraphQLError("This is odd.")

    even: Any = schema.type_map["Even"]
    even.out_type = out_type
    values = _by_graphql_core(schema, "Holder", {"even": None})
    read = variables_reader(values, {})
    assert read is not None

    assert isinstance(_by_graphql_core(schema, "Holder", {}), list)
    assert read(_given({})) is None


def test_a_default_is_not_shared_by_requests() -> None:
    read = variables_reader(_known("[Int] = [1, 2]"), {})
    assert read is not None
    first = read({})
    assert first is not None

    first.coerced["it"].append(3)

    second = read({})
    assert second is not None
    assert second.coerced == {"it": [1, 2]}


@pytest.mark.parametrize("type_", ["Group", "[Group]", "Holder"])
def test_types_that_hold_themselves_are_left_to_graphql_core(type_: str) -> None:
    values = _by_graphql_core(SCHEMA, type_, None)

    assert isinstance(values, VariableValues)
    assert variables_reader(values, {}) is None


def test_what_coerces_an_input_type_is_made_once() -> None:
    objects: dict[Any, Any] = {}
    variables_reader(_known("Outer"), objects)
    kept = dict(objects)

    variables_reader(_known("[Inner!]"), objects)

    assert {type_.name for type_ in objects} == {"Outer", "Inner"}
    assert all(objects[type_] is kept[type_] for type_ in objects)


def test_several_variables_keep_their_order_and_one_wrong_is_enough() -> None:
    operation = parse("query ($a: Int = 1, $b: String, $c: [Int!]!) { hello }")
    (asked,) = operation.definitions
    assert isinstance(asked, OperationDefinitionNode)
    definitions = asked.variable_definitions or ()
    known = get_variable_values(SCHEMA, definitions, {"c": []})
    assert isinstance(known, VariableValues)
    read = variables_reader(known, {})
    assert read is not None

    found = read({"c": [2], "b": None})

    assert found is not None
    assert list(found.coerced.items()) == [("a", 1), ("b", None), ("c", [2])]
    assert read({"c": [2], "b": 3}) is None
    assert read({"b": "x"}) is None
