"""Imports of CSV files: looked at beforehand, started, watched, cancelled."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.file_uploads import Upload

from audience.errors import AudienceError, InvalidInput
from audience.rows import (
    Choice,
    Column,
    Encoding,
    Layout,
    ValueType,
    chosen_columns,
    layout_of,
    suggested_columns,
)
from audience.rows.limits import FILE_BYTES, ROWS
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
from gql.errors import Payload, problems_of
from gql.execution import FromDocument, batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.mutations import accepted, given, mutation
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.imports import (
    NewImport,
    StatedConsent,
    cancel_import,
    count_imports,
    import_page,
    imports_by_id,
    start_import,
)
from resolvers.lists import lists_by_id

if TYPE_CHECKING:
    from gql.lists import List

PIECE = 262_144
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


_DELIMITERS = {
    Delimiter.COMMA: ",",
    Delimiter.SEMICOLON: ";",
    Delimiter.TAB: "\t",
    Delimiter.PIPE: "|",
}
_DELIMITER_NAMES = {mark: name for name, mark in _DELIMITERS.items()}

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


def _delimiter(mark: str) -> Delimiter:
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
        "delimiter", read=_delimiter, description="What stands between its cells."
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


@strawberry.input(description="Where the cells of a column go.")
class ImportColumnInput:
    column: str = strawberry.field(description="The column's name in the file.")
    target: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="email, phoneNumber, externalId, firstName, lastName, "
        "organization, title, image, locale, location.address1 and the other parts of "
        "a location, or properties.<name>. Null or absent: the column is left out.",
    )
    type: strawberry.Maybe[ValueType | None] = strawberry.field(
        default=None,
        description="What the cells of a custom property are kept as; a cell that is "
        "something else rejects its row. Absent: found from the first rows, and what "
        "is something else stays text.",
    )


@strawberry.input(
    description="How the people of a file agreed to a channel. Recorded only for "
    "those who have not answered before, and who have an address for the channel."
)
class ImportConsentInput:
    channel: Channel = strawberry.field(description="To which channel; not PUSH.")
    source: str = strawberry.field(
        description="Where they agreed, such as the name of a fair or of the service "
        "that sent before: at most 200 characters."
    )
    at: strawberry.Maybe[datetime | None] = strawberry.field(
        default=None, description="When; the time of the import when absent."
    )
    at_column: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The column with the time of each agreement, in ISO 8601; before "
        "`at` where the cell is not empty.",
    )
    if_column: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The column that says who has agreed: yes, true, 1, subscribed. "
        "Where it says anything else, no agreement is recorded.",
    )
    consent_text: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The text that they agreed to: at most 5,000 characters.",
    )


@strawberry.input
class ImportFileInput:
    file: Upload = strawberry.field(
        description="The CSV file, sent as the GraphQL multipart request "
        f"specification says: at most {FILE_BYTES:,} bytes and {ROWS:,} rows."
    )
    columns: strawberry.Maybe[list[ImportColumnInput] | None] = strawberry.field(
        default=None,
        description="Where columns go; those not named here go where the preview says.",
    )
    encoding: strawberry.Maybe[Encoding | None] = strawberry.field(
        default=None, description="The file's encoding; found when absent."
    )
    delimiter: strawberry.Maybe[Delimiter | None] = strawberry.field(
        default=None, description="What stands between cells; found when absent."
    )


@strawberry.input(description="A file to look at.")
class PreviewImportInput(ImportFileInput):
    pass


@strawberry.input(description="A file of people to import.")
class ImportProfilesInput(ImportFileInput):
    list_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        default=None,
        description="The list that everybody joins, without being asked to confirm.",
    )
    consent: strawberry.Maybe[list[ImportConsentInput] | None] = strawberry.field(
        default=None,
        description="How these people agreed, at most once per channel. Without it "
        "nothing may be sent to those who are new.",
    )
    phone_region: strawberry.Maybe[str | None] = strawberry.field(
        default=None,
        description="The country of phone numbers that have no country code, such as "
        "DE. Without it their rows are rejected.",
    )


@strawberry.input(description="Which import to stop.")
class CancelImportInput:
    id: strawberry.ID = strawberry.field(description="Which import.")


@strawberry.type(description="The answer of `previewImport`.")
class PreviewImportPayload(Payload):
    encoding: Encoding | None = plain(
        "encoding", description="The file's encoding; null when it cannot be read."
    )
    delimiter: Delimiter | None = plain(
        "delimiter",
        read=_delimiter,
        description="What stands between its cells; null when it cannot be read.",
    )
    columns: list[ImportColumnPreview] = plain(
        "columns",
        default=[],
        description="The columns and where they would go. Given with errors, too, "
        "where the columns are what is wrong.",
    )


@strawberry.type(description="The answer of `importProfiles`.")
class ImportProfilesPayload(Payload):
    # `import` is a word of Python's own.
    import_: Import | None = plain(
        "import", name="import", description="The import; null when refused."
    )


@strawberry.type(description="The answer of `cancelImport`.")
class CancelImportPayload(Payload):
    import_: Import | None = plain(
        "import", name="import", description="The import; null when refused."
    )


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


@strawberry.type
class ImportMutation:
    @mutation(
        PreviewImportPayload,
        "imports:write",
        description="Looks at a CSV file: its columns, what they seem to mean and "
        "what stands in them. Keeps nothing; the beginning of the file is enough.",
    )
    @staticmethod
    async def preview_import(context: Context, input: PreviewImportInput) -> Document:
        source, _ = _opened(input.file)
        layout = await asyncio.to_thread(
            layout_of,
            source,
            encoding=given(input.encoding),
            delimiter=_mark(given(input.delimiter)),
        )
        return _preview(layout, _choices(given(input.columns)))

    @mutation(
        ImportProfilesPayload,
        "imports:write",
        description="Imports the people of a CSV file in the background. The whole "
        "file is read first: when it is refused, nothing of it is kept.",
    )
    @staticmethod
    async def import_profiles(context: Context, input: ImportProfilesInput) -> Document:
        source, name = _opened(input.file)
        list_id = given(input.list_id)
        wanted = NewImport(
            name,
            None if list_id is None else stored_id(list_id, Kind.LIST, "listId"),
            _choices(given(input.columns)),
            [_stated(each) for each in given(input.consent) or ()],
            given(input.encoding),
            _mark(given(input.delimiter)),
            given(input.phone_region),
        )
        started = await start_import(context.db, source, wanted, now=context.now())
        return accepted(**{"import": started})

    @mutation(
        CancelImportPayload,
        "imports:write",
        description="Stops an import after the rows under way. What it has written "
        "stays.",
    )
    @staticmethod
    async def cancel_import(context: Context, input: CancelImportInput) -> Document:
        stored = stored_id(input.id, Kind.IMPORT)
        ended = await cancel_import(context.db, stored, now=context.now())
        return accepted(**{"import": ended})


def _opened(upload: Any) -> tuple[Callable[[], Iterator[bytes]], str]:
    """How to read an uploaded file from its start, and its name."""
    file = getattr(upload, "file", None)
    if file is None:
        raise InvalidInput(
            "Send the file itself, as a part of a multipart/form-data request.",
            ("file",),
        )

    def pieces() -> Iterator[bytes]:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece

    return pieces, getattr(upload, "filename", None) or ""


def _preview(layout: Layout, choices: Sequence[Choice]) -> Document:
    problems: list[Document] = []
    suggested = suggested_columns(layout.header, layout.samples)
    try:
        columns = chosen_columns(layout.header, layout.samples, choices)
    except AudienceError as error:
        columns = suggested
        problems = problems_of(error.problems)
    return {
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
        "columns": [
            _column(column, hinted, [row[place : place + 1] for row in layout.samples])
            for place, (column, hinted) in enumerate(
                zip(columns, suggested, strict=True)
            )
        ],
        "user_errors": problems,
    }


def _column(
    column: Column, suggested: Column, cells: Sequence[Sequence[str]]
) -> Document:
    hint = suggested.consent
    filled = [cell.strip()[:200] for row in cells for cell in row if cell.strip()]
    return {
        "header": column.header,
        "target": column.target,
        "type": column.type,
        "samples": filled[:SAMPLES],
        "consent": hint
        and {"channel": hint.channel, "kind": ConsentHintKind(hint.tells)},
    }


def _choices(columns: Sequence[ImportColumnInput] | None) -> list[Choice]:
    return [
        Choice(each.column, given(each.target), given(each.type))
        for each in columns or ()
    ]


def _stated(said: ImportConsentInput) -> StatedConsent:
    return StatedConsent(
        said.channel,
        said.source,
        given(said.at),
        given(said.consent_text),
        _trimmed(given(said.at_column)),
        _trimmed(given(said.if_column)),
    )


def _trimmed(text: str | None) -> str | None:
    return None if text is None else text.strip()


def _mark(delimiter: Delimiter | None) -> str | None:
    return None if delimiter is None else _DELIMITERS[delimiter]
