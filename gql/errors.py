"""What a caller sees of an error: `userErrors`, an error with a code, or a mask."""

from collections.abc import Iterable

import strawberry
import structlog
from graphql import GraphQLError

from audience.errors import AudienceError, Problem
from gql.enums import Code
from gql.execution import FromDocument, plain
from resolvers.db import Document


@strawberry.type(description="Why a mutation was refused, and which value is to blame.")
class UserError(FromDocument):
    code: Code = plain("code", description="What kind of problem it is.")
    message: str = plain(
        "message",
        description="One sentence for a person: what is wrong and what would be right.",
    )
    path: list[str] = plain(
        "path",
        description="Where in `input` the value is: field names, and places in lists "
        'counted from 0, such as ["events", "3", "value"]. Empty: the input as a '
        "whole.",
    )


@strawberry.interface(
    description="The answer of every mutation. What was asked for is done when "
    "`userErrors` is empty; otherwise nothing was changed, unless a field says "
    "otherwise."
)
class Payload(FromDocument):
    user_errors: list[UserError] = plain(
        "user_errors",
        default=[],
        description="Why the change was refused; empty when it was made.",
    )


class AccessRefused(GraphQLError):
    """The key is missing or may not do this; `extensions.code` tells which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, extensions={"code": code})


def problems_of(problems: Iterable[Problem]) -> list[Document]:
    """The problems as sources of UserError."""
    return [
        {
            "code": problem.code.value,
            "message": problem.message,
            "path": list(problem.path),
        }
        for problem in problems
    ]


def present(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as the caller may see it; a fault is logged and masked."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error
    if isinstance(cause, AudienceError):
        problems = problems_of(cause.problems)
        extensions = {"code": problems[0]["code"], "path": problems[0]["path"]}
        if len(problems) > 1:
            extensions["problems"] = problems
        return _instead_of(error, str(cause), extensions)
    structlog.get_logger().error(
        "fault",
        request_id=request_id,
        path=error.path,
        exc_info=(type(cause), cause, cause.__traceback__),
    )
    return _instead_of(
        error, "Internal error", {"code": "INTERNAL", "requestId": request_id}
    )


def _instead_of(
    error: GraphQLError, message: str, extensions: Document
) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
