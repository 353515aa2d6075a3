"""Imports of CSV files: looked at beforehand, started, cancelled."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

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
    header_name,
    layout_of,
    suggested_columns,
)
from audience.rows.limits import FILE_BYTES, ROWS
from gql.context import Context
from gql.enums import Channel
from gql.errors import Payload, problems_of
from gql.execution import plain
from gql.ids import Kind, stored_id
from gql.mutations import accepted, given, mutation
from resolvers.db import Document
from resolvers.imports import (
    NewImport,
    StatedConsent,
    cancel_import,
    start_import,
)

if TYPE_CHECKING:
    pass

from gql.imports import (
    DELIMITERS,
    SAMPLES,
    ConsentHintKind,
    Delimiter,
    Import,
    ImportColumnPreview,
    delimiter_of,
)

PIECE = 262_144


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
        read=delimiter_of,
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
        _name(given(said.at_column)),
        _name(given(said.if_column)),
    )


def _name(column: str | None) -> str | None:
    return None if column is None else header_name(column)


def _mark(delimiter: Delimiter | None) -> str | None:
    return None if delimiter is None else DELIMITERS[delimiter]
