"""Imports of CSV files as they are shown: how far they are, and their columns."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from audience.rows import (
    Encoding,
    ValueType,
)
from gql.connection import (
    After,
    Connection,
    Count,
    Edge,
    First,
    asked_page,
    connection,
)
from gql.context import Context
from gql.enums import Channel, expose
from gql.execution import FromDocument, batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.imports import (
    count_imports,
    import_page,
    imports_by_id,
)
from resolvers.lists import lists_by_id

if TYPE_CHECKING:
    from gql.lists import List

SAMPLES = 5


class ImportStatus(StrEnum):
    """How far an import is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class Delimiter(StrEnum):
    """What stands between two cells."""

    COMMA = "COMMA"
    SEMICOLON = "SEMICOLON"
    TAB = "TAB"
    PIPE = "PIPE"


class ConsentHintKind(StrEnum):
    """What a column tells of consent."""

    IF = "IF"
    AT = "AT"


DELIMITERS = {
    Delimiter.COMMA: ",",
    Delimiter.SEMICOLON: ";",
    Delimiter.TAB: "\t",
    Delimiter.PIPE: "|",
}


_DELIMITER_NAMES = {mark: name for name, mark in DELIMITERS.items()}


expose(
    ImportStatus,
    name="ImportStatus",
    description="How far an import is.",
    values={
        "QUEUED": "It waits for its turn.",
        "RUNNING": "Rows are being written.",
        "CANCELLING": "It ends after the rows under way.",
        "COMPLETED": "Every row was written or rejected.",
        "CANCELLED": "It was stopped; what was written stays.",
        "FAILED": "It could not go on; `failure` says why. What was written stays.",
    },
)


expose(
    Delimiter,
    name="ImportDelimiter",
    description="What stands between two cells of a row.",
    values={
        "COMMA": "A comma.",
        "SEMICOLON": "A semicolon, as Excel writes in much of Europe.",
        "TAB": "A tab.",
        "PIPE": "A vertical bar.",
    },
)


expose(
    Encoding,
    name="ImportEncoding",
    description="How a file's characters are kept as bytes.",
    values={
        "UTF_8": "UTF-8, with or without a byte order mark.",
        "UTF_16": "UTF-16, of either byte order.",
        "WINDOWS_1252": "Windows-1252, the old encoding of western Europe.",
    },
)


expose(
    ValueType,
    name="ImportValueType",
    description="What the cells of a custom property's column are kept as.",
    values={
        "TEXT": "Text, as it stands.",
        "NUMBER": "A number, written with a decimal point.",
        "BOOLEAN": "True or false; yes and no will do, 1 and 0.",
        "DATE": "A day or a time in the form of ISO 8601.",
    },
)


expose(
    ConsentHintKind,
    name="ImportConsentHintKind",
    description="What a column seems to tell of consent.",
    values={
        "IF": "Whether it was given: name it as `ifColumn`.",
        "AT": "When it was given: name it as `atColumn`.",
    },
)


@strawberry.type(description="What a column seems to tell of consent.")
class ImportConsentHint:
    channel: Channel = plain("channel", description="Of which channel.")
    kind: ConsentHintKind = plain("kind", description="What it tells.")


@strawberry.type(description="A column of a file, and where its cells go.")
class ImportColumn(FromDocument):
    column: str = plain("header", description="The column's name in the file.")
    target: str | None = plain(
        "target",
        description="Where its cells go, such as email, location.city or "
        "properties.plan; null: nowhere.",
    )
    type: ValueType = plain(
        "type", description="What the cells of a custom property are kept as."
    )


@strawberry.type(description="A column of a file that is looked at beforehand.")
class ImportColumnPreview(ImportColumn):
    samples: list[str] = plain(
        "samples", description=f"The first cells that are not empty: at most {SAMPLES}."
    )
    consent: ImportConsentHint | None = plain(
        "consent",
        description="What the column seems to tell of consent; nothing is recorded "
        "unless the import states the consent.",
    )


def _progress(document: Document) -> float:
    if document["status"] == "COMPLETED":
        return 1.0
    rows: int = document["rows"]
    return min(1.0, document["counts"].get("read", 0) / rows) if rows else 1.0


def _rejected_url(document: Document) -> str | None:
    if not document["counts"].get("rejected"):
        return None
    return f"/imports/{global_id(Kind.IMPORT)(document['_id'])}/rejected.csv"


def delimiter_of(mark: str) -> Delimiter:
    return _DELIMITER_NAMES[mark]


@strawberry.type(
    description="An import of a CSV file, which runs in the background. It survives "
    "crashes of the server: every row is written once."
)
class Import(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.IMPORT), description="Starts with imp_."
    )
    name: str = plain("name", description="The file's name.")
    status: ImportStatus = plain("status", description="How far it is.")
    progress: float = plain(
        "", read=_progress, description="The share of rows that are done, 0 to 1."
    )
    total_rows: int = plain(
        "rows", description="Rows in the file, without the header and empty ones."
    )
    processed_rows: int = plain(
        "counts.read", default=0, description="Rows that are done."
    )
    created_profiles: int = plain(
        "counts.created", default=0, description="Rows that made a new profile."
    )
    updated_profiles: int = plain(
        "counts.updated",
        default=0,
        description="Rows about people who were known before.",
    )
    repeated_rows: int = plain(
        "counts.repeated",
        default=0,
        description="Rows about people whom an earlier row of this file had made; the "
        "later row's values stand.",
    )
    joined: int = plain(
        "counts.joined", default=0, description="People who are new in the list."
    )
    consented: int = plain(
        "counts.consented", default=0, description="Agreements that were recorded."
    )
    kept_unsubscribed: int = plain(
        "counts.kept_unsubscribed",
        default=0,
        description="Agreements not recorded: the person has unsubscribed.",
    )
    kept_suppressed: int = plain(
        "counts.kept_suppressed",
        default=0,
        description="Agreements not recorded: the person is suppressed.",
    )
    kept_pending: int = plain(
        "counts.kept_pending",
        default=0,
        description="Agreements not recorded: the person has yet to confirm.",
    )
    rejected_rows: int = plain(
        "counts.rejected", default=0, description="Rows that were not taken."
    )
    rejected_rows_url: str | None = plain(
        "",
        read=_rejected_url,
        description="Where the rejected rows are, as a CSV file with line, column, "
        "value and reason; read with a key that has imports:read, for 30 days. Null "
        "without any.",
    )
    failure: str | None = plain("failure", description="Why it could not go on.")
    encoding: Encoding = plain("encoding", description="The file's encoding.")
    delimiter: Delimiter = plain(
        "delimiter", read=delimiter_of, description="What stands between its cells."
    )
    columns: list[ImportColumn] = plain(
        "columns", description="The file's columns and where they go."
    )
    created_at: datetime = plain("created_at", description="When it was uploaded.")
    started_at: datetime | None = plain(
        "started_at", description="When its first row was read; null before."
    )
    finished_at: datetime | None = plain(
        "finished_at", description="When it ended; null before."
    )

    @batch(
        name="list",
        description="The list that people join; null without one, or when it is gone. "
        "Needs the scope lists:read.",
    )
    @staticmethod
    async def joined_list(
        parents: list[Document], context: Context
    ) -> list[Annotated["List", strawberry.lazy("gql.lists")] | None]:
        context.require("lists:read")
        ids = [row["list_id"] for row in parents if "list_id" in row]
        found = iter(await lists_by_id(context.db, ids))
        rows: list[Any] = [next(found) if "list_id" in row else None for row in parents]
        return rows


@strawberry.type(description="An import on a page.")
class ImportEdge(Edge):
    node: Import = plain("node", description="The import.")


@strawberry.type(description="A page of imports, the newest first.")
class ImportConnection(Connection):
    edges: list[ImportEdge] = plain("edges", description="The page's imports.")


async def _count(context: Context, shared: None, ones: Sequence[None]) -> Sequence[int]:
    total = await count_imports(context.db)
    return [total for _ in ones]


@strawberry.type
class ImportQuery:
    @query(
        Import | None,
        "imports:read",
        description="An import; null when there is none with this id.",
    )
    @staticmethod
    async def import_(
        context: Context,
        id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with imp_.")
        ],
    ) -> Document | None:
        (found,) = await imports_by_id(context.db, [stored_id(id, Kind.IMPORT)])
        return found

    import_.graphql_name = "import"

    @query(ImportConnection, "imports:read", description="Imports, the newest first.")
    @staticmethod
    async def imports(
        context: Context, first: First = None, after: After = None
    ) -> Document:
        page = await import_page(context.db, asked_page(first, after))
        found: Document = connection(page, Count(_count, None, None))
        return found
