"""What an operator does from the command line: keys, and the state of the database."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from audience.keys import EVERYTHING, KeyKind, check_key
from gql.ids import Kind, global_id, stored_id
from resolvers.db import COLLECTIONS, Database, Document, find
from resolvers.keys import create_key, revoke_key
from resolvers.summaries import rebuild_all, recover_batches
from server.welcome import say


async def make_key(
    db: Database,
    name: str,
    kind: KeyKind,
    scopes: Sequence[str],
    origins: Sequence[str],
) -> None:
    """Makes a key and prints it alone on standard output, for scripts to read."""
    is_unlimited = kind is KeyKind.SECRET and not scopes
    wanted = check_key(name, kind, (EVERYTHING,) if is_unlimited else scopes, origins)
    created = await create_key(db, wanted, now=datetime.now(UTC))
    say(created.secret)
    sys.stderr.write(f"{_ABOUT_NEW}{_ABOUT_UNLIMITED if is_unlimited else ''}\n")


async def show_keys(db: Database) -> None:
    """Prints every key, without what would let it be used: as a table on a terminal,
    and else a line each, with tabs between, for other programs."""
    names = ("Id", "Name", "Kind", "Key", "Scopes", "Origins", "Made", "Revoked")
    keys = await find(db.keys, {}, {"hash": 0}, sort={"_id": 1})
    rows = [_shown_key(key) for key in keys]
    console = Console()
    if not console.is_terminal:
        for row in (names, *rows):
            say("\t".join(row))
        return
    table = Table(*names)
    table.columns[0].no_wrap = True
    table.columns[0].overflow = "ignore"
    table.columns[0].min_width = len("key_") + 24  # whole: `key revoke` needs it
    for row in rows:
        table.add_row(*row)
    console.print(table)


async def end_key(db: Database, key_id: str) -> None:
    """Ends a key; a running server forgets it within seconds."""
    key = await revoke_key(db, stored_id(key_id, Kind.API_KEY), now=datetime.now(UTC))
    say(f"The key {key['name']!r} no longer works.")


async def check_database(db: Database) -> None:
    """Prints what the database holds. That it can be used was checked on the way."""
    build = await db.client.admin.command("buildInfo")
    table = Table("Collection", "Documents")
    table.columns[1].justify = "right"
    for name in COLLECTIONS:
        count = await getattr(db, name).estimated_document_count()
        table.add_row(name, f"{count:,}")
    console = Console()
    console.print(table)
    waiting = await db.event_batches.estimated_document_count()
    console.print(f"MongoDB {build['version']} is fit for use.")
    if waiting:
        console.print(f"{waiting:,} event batches are under way or were cut short.")


async def mend_summaries(db: Database) -> None:
    """Makes every summary equal to the events it is made of."""
    await recover_batches(db, datetime.now(UTC))
    rebuilt = await rebuild_all(db)
    say(f"{rebuilt.checked:,} profiles checked, {rebuilt.mended:,} summaries mended.")


_ABOUT_NEW = "It is shown this once; keep it."
_ABOUT_UNLIMITED = (
    " It may do everything, erasing people and making keys included: name what it "
    "needs by --scope, and revoke this one, where that is too much."
)


def _shown_key(key: Document) -> tuple[str, ...]:
    return (
        global_id(Kind.API_KEY)(key["_id"]),
        " ".join(key["name"].split()),
        key["kind"],
        key["hint"],
        " ".join(key["scopes"]),
        " ".join(key.get("allowed_origins", ())),
        f"{key['created_at']:%Y-%m-%d}",
        f"{key['revoked_at']:%Y-%m-%d}" if key.get("revoked_at") else "",
    )
