"""Takes a file in: checks all of it, keeps its rows in the database, and queues the
import. Nothing is left behind of a file that is refused."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from audience.consent import Channel, Method, Statement, Status, check_said
from audience.errors import AudienceError, InvalidInput, LimitReached
from audience.evidence import evidence
from audience.identity import is_plain
from audience.rows import Choice, Column, Encoding, Layout, blocks, chosen_columns
from audience.rows.files import Block, Source, layout_of
from resolvers.db import Database, Document, at_once
from resolvers.lists import live_list

MAX_UNFINISHED = 100
MAX_NAME = 255
KEPT = timedelta(days=30)
KEPT_ALONE = timedelta(hours=1)  # while the import's own document is not written
UNFINISHED = ("QUEUED", "RUNNING", "CANCELLING")

_REGIONS = 2


@dataclass(frozen=True, slots=True)
class StatedConsent:
    """How the people of a file agreed to a channel. `when` names the column with the
    time of each agreement, `only_if` the one that says who has agreed."""

    channel: Channel
    source: str
    at: datetime | None = None
    consent_text: str | None = None
    when: str | None = None
    only_if: str | None = None


@dataclass(frozen=True, slots=True)
class NewImport:
    """What to do with a file. What is not given is found out from it."""

    name: str
    list_id: str | ObjectId | None = None
    choices: Sequence[Choice] = ()
    consent: Sequence[StatedConsent] = ()
    encoding: Encoding | None = None
    delimiter: str | None = None
    phone_region: str | None = None


async def start_import(
    db: Database,
    source: Source,
    wanted: NewImport,
    *,
    now: datetime,
    holder: str | None = None,
    until: Callable[[], datetime] | None = None,
) -> Document:
    """The import, queued; with `holder`, held for that process until then, which is
    asked once all rows are kept.

    `source` is read twice, in another thread. Rows that were kept by whoever was
    killed before the end go within an hour.
    """
    name = _checked_name(wanted.name)
    region = _checked_region(wanted.phone_region)
    list_id = None
    if wanted.list_id is not None:
        list_id = (await live_list(db, wanted.list_id))["_id"]
    unfinished = {"status": {"$in": UNFINISHED}}
    if await db.imports.count_documents(unfinished) >= MAX_UNFINISHED:
        raise LimitReached(
            f"{MAX_UNFINISHED} imports are waiting or under way: wait until some are "
            "done."
        )
    layout = await asyncio.to_thread(
        layout_of, source, encoding=wanted.encoding, delimiter=wanted.delimiter
    )
    columns = chosen_columns(layout.header, layout.samples, wanted.choices)
    consent = _checked_consent(wanted.consent, columns, now)

    import_id = ObjectId()
    try:
        count, rows = await _keep(db, import_id, source, layout, now)
    except BaseException:
        await db.import_blocks.delete_many({"import_id": import_id})
        raise
    document: Document = {
        "_id": import_id,
        "name": name,
        "status": "QUEUED",
        "list_id": list_id,
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
        "columns": [_document(column) for column in columns],
        "consent": [_present(asdict(each)) for each in consent],
        "phone_region": region,
        "rows": rows,
        "blocks": count,
        "next_block": 0,
        "counts": {},
        "attempts": 0,
        "created_at": now,
        "holder": holder,
        "until": until() if until else now,
    }
    document = _present(document)
    await db.imports.insert_one(document)
    await keep_rows(db, document)
    return document


async def keep_rows(db: Database, document: Document) -> None:
    """Keeps an import's rows for as long as the import may wait, where they were kept
    as if it had none."""
    import_id, created_at = document["_id"], document["created_at"]
    await at_once(db.import_blocks).update_many(
        {"import_id": import_id, "expires_at": created_at + KEPT_ALONE},
        {"$set": {"expires_at": created_at + KEPT}},
    )


async def _keep(
    db: Database, import_id: ObjectId, source: Source, layout: Layout, now: datetime
) -> tuple[int, int]:
    """How many blocks, and rows in them, are kept now."""
    count = rows = 0
    following = blocks(source, layout)
    while block := await asyncio.to_thread(_next, following):
        # The import's own document, written last, waits for the majority.
        await at_once(db.import_blocks).insert_one(
            {
                "_id": f"{import_id}/ROWS/{block.number}",
                "import_id": import_id,
                "kind": "ROWS",
                "number": block.number,
                "first_line": block.first_line,
                "first_row": block.first_row,
                "rows": block.rows,
                "content": block.content,
                "expires_at": now + KEPT_ALONE,
            }
        )
        count += 1
        rows += block.rows
    return count, rows


def _next(following: Any) -> Block | None:
    return next(following, None)


def _checked_name(name: str) -> str:
    shown = name.strip()[-MAX_NAME:]
    return shown if shown and is_plain(shown) else "people.csv"


def _checked_region(region: str | None) -> str | None:
    if region is None:
        return None
    code = region.strip().upper()
    if len(code) != _REGIONS or not (code.isascii() and code.isalpha()):
        raise InvalidInput(
            "The region is a country's code of two letters, such as DE.",
            ("phoneRegion",),
        )
    return code


def _checked_consent(
    given: Sequence[StatedConsent], columns: Sequence[Column], now: datetime
) -> list[StatedConsent]:
    channels: set[Channel] = set()
    headers = {column.header for column in columns if column.header}
    for index, each in enumerate(given):
        path = ("consent", str(index))
        if not each.source.strip():
            raise InvalidInput(
                "Say where the agreement was given, such as the form or the event.",
                (*path, "source"),
            )
        if each.channel in channels:
            raise InvalidInput(
                f"{each.channel} is given twice; state one agreement per channel.",
                (*path, "channel"),
            )
        if each.channel is Channel.PUSH:
            raise InvalidInput(
                "A file has no devices: PUSH is agreed to on the device itself.",
                (*path, "channel"),
            )
        channels.add(each.channel)
        for name, column in (("atColumn", each.when), ("ifColumn", each.only_if)):
            if column is not None and column not in headers:
                raise InvalidInput(
                    f"The file has no column {column!r:.140}.", (*path, name)
                )
        said = Statement(
            each.channel, Status.SUBSCRIBED, Method.IMPORT, each.source, each.at
        )
        try:
            check_said(said, now)
            evidence(consent_text=each.consent_text)
        except AudienceError as error:
            raise error.under(*path) from None
    return list(given)


def _document(column: Column) -> Document:
    return _present(
        {
            "header": column.header,
            "target": column.target,
            "type": column.type,
            "is_declared": column.is_declared,
        }
    )


def _present(document: Document) -> Document:
    return {name: value for name, value in document.items() if value is not None}
