"""The cache of parsed and validated documents, beside rules that limit them."""

from typing import Any

import pytest
import strawberry
from graphql import FieldNode, GraphQLError, ValidationRule
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, SchemaExtension

from gql.execution import CompiledExecutor, DocumentCache, documents, plans_of

pytestmark = pytest.mark.anyio

visited: list[str] = []


class NoSecrets(ValidationRule):
    def enter_field(self, node: FieldNode, *_: Any) -> None:
        visited.append(node.name.value)
        if node.name.value == "secret":
            self.report_error(GraphQLError("No secrets.", node))


class Rules(AddValidationRules):
    def __init__(self) -> None:
        super().__init__([NoSecrets])


class Seen(SchemaExtension):
    def on_execute(self) -> Any:
        self.execution_context.context.append(self.execution_context.graphql_document)
        yield


@strawberry.type
class Query:
    hello: str = strawberry.field(resolver=lambda: "hello")
    secret: str = strawberry.field(resolver=lambda: "secret")


def made_schema(*extensions: Any) -> strawberry.Schema:
    visited.clear()
    return strawberry.Schema(
        Query, extensions=extensions, execution_context_class=CompiledExecutor
    )


async def test_a_text_is_parsed_and_validated_once_with_the_rules_added() -> None:
    schema = made_schema(DocumentCache, Rules, Seen)
    seen: list[Any] = []

    answers = [await schema.execute("{ hello }", context_value=seen) for _ in range(3)]

    assert [it.data for it in answers] == [{"hello": "hello"}] * 3
    assert seen[0] is seen[1] is seen[2]
    assert visited == ["hello"]
    assert plans_of(schema._schema).executed == 3


async def test_what_a_rule_refuses_is_refused_every_time() -> None:
    schema = made_schema(DocumentCache, Rules)

    for _ in range(2):
        result = await schema.execute("{ hello secret }")
        assert result.data is None
        assert [it.formatted for it in result.errors or ()] == [
            {"message": "No secrets.", "locations": [{"line": 1, "column": 9}]}
        ]

    assert visited == ["hello", "secret"]


async def test_other_rules_are_another_validation() -> None:
    lax, strict = made_schema(DocumentCache), made_schema(DocumentCache, Rules)

    assert (await lax.execute("{ secret }")).data == {"secret": "secret"}
    assert (await strict.execute("{ secret }")).data is None


async def test_the_limit_of_tokens_counts_for_a_known_text_too() -> None:
    schema = made_schema(DocumentCache)
    await schema.execute("{ hello hello hello }")
    schema.extensions = (lambda: MaxTokensLimiter(max_token_count=4), DocumentCache)

    result = await schema.execute("{ hello hello hello }")

    assert [it.message for it in result.errors or ()] == [
        "Syntax Error: Document contains more than 4 tokens. Parsing aborted."
    ]


async def test_a_syntax_error_is_told_every_time() -> None:
    schema = made_schema(DocumentCache)

    for _ in range(2):
        result = await schema.execute("{ hello")
        assert [it.message for it in result.errors or ()] == [
            "Syntax Error: Expected Name, found <EOF>."
        ]


async def test_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = made_schema(DocumentCache)
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 3)

    for number in range(6):
        await schema.execute(f"{{ a{number}: hello }}")

    known = documents._documents_of(schema._schema).parsed
    assert [key[0] for key in known.entries] == [
        f"{{ a{number}: hello }}" for number in (3, 4, 5)
    ]
    assert known.text == 3 * len("{ a0: hello }")


async def test_a_text_beyond_the_bound_is_answered_but_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schema = made_schema(DocumentCache)
    monkeypatch.setattr(documents, "MAX_TEXT", 5)

    result = await schema.execute("{ hello }")

    assert result.data == {"hello": "hello"}
    assert documents._documents_of(schema._schema).parsed.text == 0


def test_execution_without_awaiting_uses_it_too() -> None:
    schema = made_schema(DocumentCache, Rules)

    for _ in range(2):
        assert schema.execute_sync("{ hello }").data == {"hello": "hello"}

    assert visited == ["hello"]
