"""Segments from the command line."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audience.errors import AudienceError, InvalidInput, Problem
from gql.ids import Kind, global_id
from resolvers.db import Database
from resolvers.segments import import_segment, names_of
from server.welcome import say


def read_document(file: Path) -> Any:
    """The JSON in the file."""
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} holds no JSON: {error}.") from None


async def import_document(
    db: Database,
    document: Any,
    *,
    name: str | None,
    metrics: Sequence[str],
    groups: Sequence[str],
) -> None:
    """Makes a segment of a document with a Klaviyo definition, and prints its id.
    AudienceError tells each thing that has no equal after its path in the document."""
    names = names_of(_pairs("--metric", metrics), _pairs("--group", groups))
    try:
        made = await import_segment(
            db, document, names, now=datetime.now(UTC), name=name
        )
    except AudienceError as error:
        raise AudienceError.of([_of_file(it) for it in error.problems]) from None
    say(str(global_id(Kind.SEGMENT)(made["_id"])))


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        theirs, separator, ours = one.partition("=")
        if not (theirs and separator and ours):
            raise InvalidInput(
                f"{option} {one}: give their id, =, and what it is here."
            )
        pairs[theirs] = ours
    return pairs


def _of_file(problem: Problem) -> Problem:
    """With its path, and the options that say what the API's arguments do."""
    message = problem.message
    for argument, option in (("metrics", "--metric"), ("groups", "--group")):
        message = message.replace(f"in `{argument}`", f"with {option}")
    path = ".".join(problem.path)
    return Problem(problem.code, f"{path}: {message}", problem.path)
