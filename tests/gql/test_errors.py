from dataclasses import replace

import pytest
import structlog
from graphql import GraphQLError

from audience.errors import AudienceError, Code, InvalidInput, Problem
from gql.errors import AccessRefused, present
from resolvers.db import Database
from tests.gql.conftest import Api

pytestmark = pytest.mark.anyio


def located(cause: Exception) -> GraphQLError:
    """The error as an executor hands it over."""
    return GraphQLError(str(cause), path=["profiles"], original_error=cause)


class BrokenDatabase:
    """Has no collections, as a fault would have it."""


async def test_a_fault_is_masked_and_logged_once(api: Api, db: Database) -> None:
    broken = replace(api, db=BrokenDatabase())  # type: ignore[arg-type]

    with structlog.testing.capture_logs() as logs:
        data, errors = await broken.execute("{ profiles { totalCount } }")

    assert data is None
    assert [error.formatted for error in errors] == [
        {
            "message": "Internal error",
            "locations": [{"line": 1, "column": 3}],
            "path": ["profiles"],
            "extensions": {"code": "INTERNAL", "requestId": "request-1"},
        }
    ]
    (log,) = logs
    assert (log["event"], log["log_level"]) == ("fault", "error")
    assert log["request_id"] == "request-1"
    assert isinstance(log["exc_info"][1], AttributeError)


async def test_a_fault_in_a_mutation_is_no_user_error(api: Api) -> None:
    broken = replace(api, db=BrokenDatabase())  # type: ignore[arg-type]

    with structlog.testing.capture_logs() as logs:
        refusals = await broken.refusals(
            'mutation { createList(input: {name: "News"}) { userErrors { code } } }'
        )

    assert refusals == [
        {"message": "Internal error", "code": "INTERNAL", "requestId": "request-1"}
    ]
    assert len(logs) == 1


def test_what_the_caller_can_mend_is_told() -> None:
    shown = present(located(InvalidInput("Too long.", ("search",))), "request-1")

    assert shown.formatted == {
        "message": "Too long.",
        "path": ["profiles"],
        "extensions": {"code": "INVALID", "path": ["search"]},
    }


def test_several_problems_are_all_told() -> None:
    problems = [
        Problem(Code.INVALID, "Wrong.", ("a",)),
        Problem(Code.TOO_LARGE, "Too large.", ("b",)),
    ]

    shown = present(located(AudienceError.of(problems)), "request-1")

    assert shown.extensions == {
        "code": "INVALID",
        "path": ["a"],
        "problems": [
            {"code": "INVALID", "message": "Wrong.", "path": ["a"]},
            {"code": "TOO_LARGE", "message": "Too large.", "path": ["b"]},
        ],
    }


def test_a_refused_access_passes_with_its_code() -> None:
    shown = present(located(AccessRefused("FORBIDDEN", "No.")), "request-1")

    assert (shown.message, shown.path) == ("No.", ["profiles"])


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("{ profiles {", "Syntax Error: Expected Name, found <EOF>."),
        (
            "{ profile }",
            "Argument 'Query.profile(by:)' of type 'ProfileLookup!' is required, but "
            "it was not provided.",
        ),
        (
            '{ events(filter: {since: "yesterday"}) { totalCount } }',
            "'yesterday' is not a DateTime: give RFC 3339 with its offset, such as "
            '"2026-03-01T09:30:00Z" or "2026-03-01T10:30:00+01:00".',
        ),
    ],
)
async def test_what_is_wrong_with_the_operation_is_told(
    api: Api, operation: str, message: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        refusals = await api.refusals(operation)

    assert message in [refusal["message"] for refusal in refusals]
    assert logs == []
