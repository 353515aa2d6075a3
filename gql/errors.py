"""What a caller sees of an error: `userErrors`, an error with a code, or a mask."""

import strawberry
import structlog
from graphql import GraphQLError

from audience.errors import AudienceError, Code, Problem
from gql.enums import expose
from gql.execution import FromDocument, plain
from resolvers.db import Document

ErrorCode = expose(
    Code,
    name="ErrorCode",
    description="What kind of problem an error is. Decide by it, not by the message.",
    values={
        "INVALID": "A value breaks a rule; the message says which and what is right.",
        "NOT_FOUND": "What the input refers to does not exist.",
        "CONFLICT": "Identifiers or states exclude each other, such as an e-mail "
        "address and a phone number of two different profiles.",
        "TAKEN": "A name or an identifier that must be unique is in use.",
        "TOO_LARGE": "A value is larger than the stated limit.",
        "LIMIT_REACHED": "A limit of the account would be passed.",
        "CONSENT_REQUIRED": "Marketing needs the person's own agreement first.",
        "NOT_ALLOWED": "The rules forbid this change.",
    },
)


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


def user_errors(error: AudienceError) -> list[Document]:
    """The problems as sources of UserError."""
    return [_problem(problem) for problem in error.problems]


def present(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as the caller may see it; a fault is logged and masked."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error
    if isinstance(cause, AudienceError):
        problems = [_problem(problem) for problem in cause.problems]
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


def _problem(problem: Problem) -> Document:
    return {
        "code": problem.code.value,
        "message": problem.message,
        "path": list(problem.path),
    }


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
