"""Arguments as functions get them: of a root field, a batch and a resolver alike."""

import pytest

from gql.execution import plans_of
from tests.gql.execution.both import Document, both
from tests.gql.execution.taking import WAYS, asked, schema

pytestmark = pytest.mark.anyio

parametrized_by_way = pytest.mark.parametrize("way", WAYS)

GOOD: list[tuple[str, str, Document, str]] = [
    # literals
    ("", 'shape(it: {a: "x", b: ["y"], c: "z"})', {}, "(c='z', a='x', b=['y'])"),
    ("", 'shape(it: {a: "x", b: "y", c: "z"})', {}, "(c='z', a='x', b=['y'])"),
    ("", 'shape(it: {a: null, b: null, c: "z"})', {}, "(c='z', a=None, b=None)"),
    ("", 'shape(it: {b: ["x", null], c: "z"})', {}, "(c='z', b=['x', None])"),
    ("", 'shape(it: {c: "z", longName: "x"})', {}, "(c='z', long_name='x inside')"),
    (
        "",
        'nested(it: {first: {c: "z"}, second: "y"})',
        {},
        "(first=(c='z'), second='y')",
    ),
    ("", "odd(it: NOTHING)", {}, "<Odd.NOTHING: None>"),
    ("", "odd(it: NAN)", {}, "<Odd.NAN: nan>"),
    ("", "odd(it: FALSE)", {}, "<Odd.FALSE: False>"),
    ("", "odd(it: CUSTOM)", {}, "<Odd.CUSTOM: 'custom value'>"),
    ("", "odd(it: null)", {}, "None"),
    ("", "certain(it: NOTHING)", {}, "<Odd.NOTHING: None>"),
    ("", 'json(it: {a: "x", b: [1, null]})', {}, "{'a': 'x', 'b': [1, None]}"),
    ("", 'needed(it: "x")', {}, "'x'"),
    ("", 'text(it: "x")', {}, "'x'"),
    ("", "text(it: null)", {}, "None"),
    ("", "text", {}, "UNSET"),
    ("", "greeting", {}, "'Hello'"),
    ("", 'greeting(it: "x")', {}, "'x'"),
    ("", "matrix(it: [[1], [], [2, 3]])", {}, "[[1], [], [2, 3]]"),
    ("", "matrix(it: [[1], 2])", {}, "[[1], [2]]"),
    ("", "matrix(it: 1)", {}, "[[1]]"),
    ("", 'oneOf(it: {a: "x"})', {}, "(a=Some('x'), b=None)"),
    # a variable for the whole argument
    ("($v: Shape)", "shape(it: $v)", {"v": {"c": "z"}}, "(c='z')"),
    ("($v: Shape)", "shape(it: $v)", {"v": {"b": "y", "c": "z"}}, "(c='z', b=['y'])"),
    ("($v: Shape)", "shape(it: $v)", {"v": None}, "None"),
    ("($v: Shape)", "shape(it: $v)", {}, "UNSET"),
    ('($v: Shape = {c: "d"})', "shape(it: $v)", {}, "(c='d')"),
    ("($v: Odd)", "odd(it: $v)", {"v": "NAN"}, "<Odd.NAN: nan>"),
    ("($v: String)", "text(it: $v)", {}, "UNSET"),
    ("($v: String)", "text(it: $v)", {"v": None}, "None"),
    ("($v: String)", "text(it: $v)", {"v": "x"}, "'x'"),
    ('($v: String = "d")', "text(it: $v)", {}, "'d'"),
    ('($v: String = "d")', "text(it: $v)", {"v": "x"}, "'x'"),
    ('($v: String = "d")', "text(it: $v)", {"v": None}, "None"),
    ("($v: String = null)", "text(it: $v)", {}, "None"),
    ("", "text(it: $undeclared)", {}, "UNSET"),
    ('($v: String! = "d")', "text(it: $v)", {}, "'d'"),
    ('($v: String = "d")', "needed(it: $v)", {}, "'d'"),
    ("($v: String!)", "needed(it: $v)", {"v": "x"}, "'x'"),
    ("($v: String)", "greeting(it: $v)", {}, "'Hello'"),
    ("($v: JSON)", "json(it: $v)", {"v": {"a": [1, None]}}, "{'a': [1, None]}"),
    ("($v: [String])", "list(it: $v)", {"v": None}, "None"),
    ("($v: [String])", "list(it: $v)", {"v": ["x", None]}, "['x', None]"),
    ("($v: [String])", "list(it: $v)", {"v": "x"}, "['x']"),
    ("($v: [String]!)", "certainList(it: $v)", {"v": ["x", None]}, "['x', None]"),
    ("($v: [String!])", "listOfCertain(it: $v)", {"v": None}, "None"),
    ("($v: [String!])", "listOfCertain(it: $v)", {"v": ["x"]}, "['x']"),
    ("($v: OneOf!)", "oneOf(it: $v)", {"v": {"b": 1}}, "(a=None, b=Some(1))"),
    ('($v: OneOf! = {a: "d"})', "oneOf(it: $v)", {}, "(a=Some('d'), b=None)"),
    # variables inside of a literal
    ("($v: String)", 'shape(it: {a: $v, c: "z"})', {"v": None}, "(c='z', a=None)"),
    ("($v: String)", 'shape(it: {a: $v, c: "z"})', {}, "(c='z')"),
    ("($v: String)", 'shape(it: {a: $v, c: "z"})', {"v": "x"}, "(c='z', a='x')"),
    ("($v: String)", 'list(it: ["a", $v])', {"v": "b"}, "['a', 'b']"),
    ("($v: String)", 'list(it: ["a", $v])', {}, "['a', None]"),
    ("($v: String)", "json(it: {a: $v, b: 1})", {"v": "x"}, "{'a': 'x', 'b': 1}"),
    ("($v: String!)", "oneOf(it: {a: $v})", {"v": "x"}, "(a=Some('x'), b=None)"),
]


@parametrized_by_way
@pytest.mark.parametrize(("declared", "field", "variables", "expected"), GOOD)
async def test_arguments(
    way: str, declared: str, field: str, variables: Document, expected: str
) -> None:
    plans = plans_of(schema._schema)
    executed = plans.executed

    assert await asked(way, declared, field, variables) == (expected, [])
    assert plans.executed == executed + 1


NOT_ONE = "OneOf Input Object 'OneOf' must specify exactly one key."
FAULTY: Document = {"extensions": {"code": "FAULTY"}}
BAD: list[tuple[str, str, Document, str, Document]] = [
    (
        "",
        "needed",
        {},
        "Argument 'it' of required type 'String!' was not provided.",
        {},
    ),
    (
        "",
        "needed(it: null)",
        {},
        "Argument 'it' has invalid value: Expected value of non-null type 'String!' "
        "not to be None.",
        {},
    ),
    (
        "($v: String)",
        "needed(it: $v)",
        {},
        "Argument 'it' has invalid value: Expected variable '$v' provided to type "
        "'String!' to provide a runtime value.",
        {},
    ),
    (
        '($v: String = "d")',
        "needed(it: $v)",
        {"v": None},
        "Argument 'it' has invalid value: Expected variable '$v' provided to non-null "
        "type 'String!' not to be None.",
        {},
    ),
    (
        "",
        'shape(it: ["x"])',
        {},
        "Argument 'it' has invalid value: Expected value of type 'Shape' to be an "
        'object, found: ["x"].',
        {},
    ),
    (
        "",
        "greeting(it: WRONG)",
        {},
        "Argument 'it' has invalid value: String cannot represent a non string value: "
        "WRONG",
        {},
    ),
    (
        "",
        'shape(it: {c: "z", faulty: "x"})',
        {},
        "Argument 'it' has invalid value at .faulty: This cannot be.",
        FAULTY,
    ),
    (
        "($v: String)",
        "oneOf(it: {a: $v})",
        {},
        NOT_ONE,
        {},
    ),
    (
        "",
        'oneOf(it: {a: "x", b: 1})',
        {},
        NOT_ONE,
        {},
    ),
    # the whole operation is refused
    (
        "($v: String!)",
        "needed(it: $v)",
        {},
        "Variable '$v' has invalid value: Expected a value of non-null type 'String!' "
        "to be provided.",
        {},
    ),
    (
        "($v: String!)",
        "needed(it: $v)",
        {"v": None},
        "Variable '$v' has invalid value: Expected value of non-null type 'String!' "
        "not to be None.",
        {},
    ),
    (
        "($v: String!)",
        "needed(it: $v)",
        {"v": [1, 2]},
        "Variable '$v' has invalid value: String cannot represent a non string value: "
        "[1, 2]",
        {},
    ),
    (
        "($v: Shape)",
        "shape(it: $v)",
        {"v": {"c": None}},
        "Variable '$v' has invalid value at .c: Expected value of non-null type "
        "'String!' not to be None.",
        {},
    ),
    (
        "($v: Shape)",
        "shape(it: $v)",
        {"v": {"a": "x"}},
        "Variable '$v' has invalid value: Expected value of type 'Shape' to include "
        "required field 'c', found: {'a': 'x'}.",
        {},
    ),
    (
        "($v: Shape)",
        "shape(it: $v)",
        {"v": {"c": "z", "extra": 1}},
        "Variable '$v' has invalid value: Expected value of type 'Shape' not to "
        "include unknown field 'extra', found: {'c': 'z', 'extra': 1}.",
        {},
    ),
    (
        "($v: Shape)",
        "shape(it: $v)",
        {"v": {"c": "z", "faulty": "x"}},
        "Variable '$v' has invalid value at .faulty: This cannot be.",
        FAULTY,
    ),
    (
        "($v: String = 123)",
        "text(it: $v)",
        {},
        "Variable '$v' has invalid default value: String cannot represent a non "
        "string value: 123",
        {},
    ),
    (
        "($v: [String!])",
        "listOfCertain(it: $v)",
        {"v": ["x", None]},
        "Variable '$v' has invalid value at [1]: Expected value of non-null type "
        "'String!' not to be None.",
        {},
    ),
    (
        "($v: [String]!)",
        "certainList(it: $v)",
        {"v": None},
        "Variable '$v' has invalid value: Expected value of non-null type "
        "'[String]!' not to be None.",
        {},
    ),
    (
        "($v: Below!)",
        "text(it: $v)",
        {"v": {}},
        "Variable '$v' expected value of type 'Below!' which cannot be used as an "
        "input type.",
        {},
    ),
    (
        "($v: Nowhere!)",
        "text(it: $v)",
        {"v": "x"},
        "Variable '$v' expected value of type 'Nowhere!' which cannot be used as an "
        "input type.",
        {},
    ),
    (
        "($v: OneOf!)",
        "oneOf(it: $v)",
        {"v": {"a": "x", "b": None}},
        NOT_ONE,
        {},
    ),
    (
        "($v: OneOf!)",
        "oneOf(it: $v)",
        {"v": {"a": None}},
        "Value for member field 'a' must be non-null",
        {},
    ),
]


@parametrized_by_way
@pytest.mark.parametrize(("declared", "field", "variables", "message", "more"), BAD)
async def test_wrong_arguments(
    way: str,
    declared: str,
    field: str,
    variables: Document,
    message: str,
    more: Document,
) -> None:
    assert await asked(way, declared, field, variables) == (
        None,
        [{"message": message, **more}],
    )


async def test_every_wrong_variable_is_told() -> None:
    _, errors = await both(
        schema, "query ($v: Nested) { nested(it: $v) }", {"v": {"first": {"a": "x"}}}
    )

    place = [{"line": 1, "column": 8}]
    assert errors == [
        {
            "message": "Variable '$v' has invalid value at .first: Expected value of "
            "type 'Shape' to include required field 'c', found: {'a': 'x'}.",
            "locations": place,
        },
        {
            "message": "Variable '$v' has invalid value: Expected value of type "
            "'Nested' to include required field 'second', found: "
            "{'first': {'a': 'x'}}.",
            "locations": place,
        },
    ]
