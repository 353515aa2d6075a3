"""A document that is known skips the way through validation. No check is skipped with
it: whoever is refused the first time is refused in the same words each time."""

from dataclasses import replace
from typing import Any

import pytest
from graphql import get_introspection_query

from audience.keys import KeyKind, Viewer
from gql.execution.schema import CompiledSchema
from gql.limits import MAX_ALIASES, MAX_DEPTH, MAX_FIELDS
from gql.schema import schema
from tests.gql.conftest import PUBLIC, SECRET, Api
from tests.gql.test_limits import nested
from tests.gql.test_scopes import FOR_ANY_SECRET_KEY, FOR_PUBLIC_KEYS, ROOT_FIELDS

pytestmark = pytest.mark.anyio

IDLE = Viewer(None, "Idle", KeyKind.SECRET, frozenset())
CALLERS = {"no key": None, "a public key": PUBLIC, "a key without scopes": IDLE}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the operations that went the shorter way, none of which is known at
    first."""
    texts: list[str] = []
    usual = CompiledSchema._executed

    async def noting(self: Any, executor: Any, query: str, name: str | None) -> Any:
        texts.append(query)
        return await usual(self, executor, query, name)

    monkeypatch.setattr(CompiledSchema, "_executed", noting)
    schema._schema.extensions.pop("documents", None)
    return texts


async def answer(
    api: Api, asked: str, variables: Any = None, *, compiled: bool = True
) -> tuple[Any, list[Any]]:
    """Data and whole errors; not `compiled`, by the whole way and graphql-core."""
    context = api.context()
    context.compiled = compiled
    result = await schema.execute(asked, variables, context)
    return result.data, [error.formatted for error in result.errors or ()]


def codes(answered: tuple[Any, list[Any]]) -> list[str]:
    """The codes of an answer's errors, "" where there is none."""
    return [it.get("extensions", {}).get("code", "") for it in answered[1]]


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_root_field_is_refused_known_or_not(
    api: Api, taken: list[str], caller: str
) -> None:
    """Known by a key that may do all, and by those who were refused."""
    refused = replace(api, viewer=CALLERS[caller])
    allowed = {
        "no key": set(),
        "a public key": FOR_PUBLIC_KEYS,
        "a key without scopes": FOR_ANY_SECRET_KEY,
    }
    code = "UNAUTHENTICATED" if CALLERS[caller] is None else "FORBIDDEN"
    names = sorted(set(ROOT_FIELDS) - allowed[caller])
    assert len(names) > 50

    for name in names:
        asked = ROOT_FIELDS[name]
        await answer(api, asked)
        answers = [await answer(refused, asked) for _ in range(3)]
        expected = await answer(refused, asked, compiled=False)
        assert answers == [expected] * 3, name
        assert codes(expected) == [code], name

    # A key that may read is known as who may; others, from their first time on.
    times = 3 if caller == "a key without scopes" else 2
    assert taken == [ROOT_FIELDS[name] for name in names for _ in range(times)]


async def test_every_root_field_is_answered_known_or_not(
    api: Api, taken: list[str]
) -> None:
    """The shorter way is no way to be refused more, either."""
    queries = {it: asked for it, asked in ROOT_FIELDS.items() if it[:5] == "query"}

    for name, asked in queries.items():
        answers = [await answer(api, asked) for _ in range(2)]
        expected = await answer(api, asked, compiled=False)
        assert answers == [expected] * 2, name

    assert taken == list(queries.values())


WIDE = """query ($first: Int, $inner: Int = 1) {
  profiles(first: $first) { edges { node { events(first: $inner) { edges { node {
    metric { name } profile { id } a: metric { name } b: metric { name }
    c: metric { name }
  } } } } } }
}"""
TRACK = """mutation ($input: TrackEventsInput!) {
  trackEvents(input: $input) { accepted userErrors { code path } }
}"""
PREVIEW = """query ($definition: SegmentDefinitionInput!) {
  segmentPreview(definition: $definition) { count }
}"""
LEAF = {"property": {"filter": {"path": "email", "is": {"exists": True}}}}


def definition(conditions: int = 1, depth: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {"groups": [{"anyOf": [LEAF] * conditions}]}
    for _ in range(depth):
        made = {"groups": [{"anyOf": [{"not": made}]}]}
    return made


def events(count: int) -> dict[str, Any]:
    event = {"profile": {"email": "ada@example.org"}, "metric": "Viewed Page"}
    return {"input": {"events": [event] * count}}


PAGE = "query ($first: Int) { profiles(first: $first) { totalCount } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
PERSON = "query ($by: ProfileLookup!) { profile(by: $by) { id } }"

# A document, variables that are let through, others that are not, and what they get.
OVER: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "a large page": (PAGE, {"first": 1}, {"first": 101}, "INVALID"),
    "a negative page": (PAGE, {"first": 1}, {"first": -1}, "INVALID"),
    "many objects": (WIDE, {"first": 1}, {"first": 100, "inner": 100}, "TOO_LARGE"),
    "many ids": (NODES, {"ids": ["x"]}, {"ids": ["x"] * 101}, "TOO_LARGE"),
    "a deep segment": (
        PREVIEW,
        {"definition": definition()},
        {"definition": definition(depth=20)},
        "TOO_LARGE",
    ),
    "a long segment": (
        PREVIEW,
        {"definition": definition()},
        {"definition": definition(conditions=2_000)},
        "TOO_LARGE",
    ),
    "an empty segment": (
        PREVIEW,
        {"definition": definition()},
        {"definition": {"groups": []}},
        "INVALID",
    ),
    "two of one": (
        PERSON,
        {"by": {"email": "ada@example.org"}},
        {"by": {"email": "ada@example.org", "externalId": "1"}},
        "",
    ),
    "no variable": (PERSON, {"by": {"email": "ada@example.org"}}, {}, ""),
}


@pytest.mark.parametrize("name", OVER)
async def test_a_known_document_is_refused_by_its_variables(
    api: Api, taken: list[str], name: str
) -> None:
    asked, good, bad, code = OVER[name]
    for _ in range(2):
        _, errors = await answer(api, asked, good)
        assert errors == []
    assert taken == [asked]

    expected = await answer(api, asked, bad, compiled=False)
    known = [await answer(api, asked, bad) for _ in range(2)]

    assert known == [expected] * 2
    assert expected[0] is None
    assert codes(expected) == [code]


async def test_a_batch_too_large_is_refused_though_the_mutation_is_known(
    api: Api, taken: list[str]
) -> None:
    for _ in range(2):
        await answer(api, TRACK, events(1))
    expected = await answer(api, TRACK, events(1_001), compiled=False)
    known = await answer(api, TRACK, events(1_001))

    assert taken == [TRACK, TRACK]
    assert known == expected
    assert known[0]["trackEvents"]["accepted"] == 0
    assert [it["code"] for it in known[0]["trackEvents"]["userErrors"]] == ["TOO_LARGE"]


TOO_MUCH = {
    "depth": (nested(MAX_DEPTH + 4), "TOO_LARGE"),
    "aliases": (
        f"{{ {' '.join(f'a{n}: viewer {{ name }}' for n in range(MAX_ALIASES + 1))} }}",
        "TOO_LARGE",
    ),
    "fields": (f"{{ viewer {{ {'name ' * MAX_FIELDS} }} }}", "TOO_LARGE"),
    "tokens": (f"{{ viewer {{ {'name ' * 10_000} }} }}", ""),
    "objects": (WIDE.replace("$first)", "100)").replace("$inner)", "100)"), ""),
    "a field that is none": ("{ nothing }", ""),
}


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_a_document_that_was_refused_is_never_known(
    api: Api, taken: list[str], name: str
) -> None:
    asked, code = TOO_MUCH[name]

    answers = [await answer(api, asked) for _ in range(3)]
    expected = await answer(api, asked, compiled=False)

    assert answers == [expected] * 3
    assert expected[0] is None
    assert code in codes(expected)
    assert taken == []


@pytest.mark.parametrize("viewer", [None, PUBLIC])
async def test_what_a_secret_key_made_known_is_too_much_for_others(
    api: Api, taken: list[str], viewer: Viewer | None
) -> None:
    asked = get_introspection_query() + f"query More {{ viewer {{ {'name ' * 290} }} }}"
    for _ in range(2):
        context = replace(api, viewer=SECRET).context()
        result = await schema.execute(asked, None, context, operation_name="More")
        assert result.data == {"viewer": {"name": "Tests"}}
    assert taken == [asked]

    for _ in range(2):
        context = replace(api, viewer=viewer).context()
        result = await schema.execute(asked, None, context, operation_name="More")
        assert [it.extensions for it in result.errors or ()] == [{"code": "TOO_LARGE"}]
    assert taken == [asked]
