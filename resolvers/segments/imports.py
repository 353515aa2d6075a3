"""Segments made from definitions of another product."""

from datetime import datetime
from typing import Any

from audience.errors import AudienceError, InvalidInput, Problem
from audience.klaviyo import Names, imported
from resolvers.db import Database, Document
from resolvers.segments.records import create_segment


async def import_segment(
    db: Database,
    document: Any,
    names: Names,
    *,
    now: datetime,
    name: str | None = None,
    by: str | None = None,
) -> Document:
    """The segment that a Klaviyo segment-definition document means, under `name` or
    the document's. AudienceError with everything in it that has no equal, each with its
    path below `document`; what is wrong with the definition made of it is told with a
    path below `definition`."""
    try:
        own, definition = imported(document, names)
    except AudienceError as error:
        raise error.under("document") from None
    called = name or own
    if called is None:
        raise InvalidInput("The document has no name: give one.", ("name",))
    return await create_segment(db, called, definition, now=now, by=by)


def names_of(metrics: Any, groups: Any) -> Names:
    """Names given as objects of texts."""
    problems = [
        Problem(InvalidInput.code, "An object of texts is expected.", (field,))
        for field, given in (("metrics", metrics), ("groups", groups))
        if not isinstance(given, dict)
        or not all(isinstance(each, str) for each in given.values())
    ]
    if problems:
        raise AudienceError.of(problems)
    return Names(metrics, groups)
