"""Works on imports in a process of its own, so that requests are answered as fast as
ever; and the same from the command line."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import structlog
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from audience.consent import Channel
from audience.errors import AudienceError, InvalidInput, TooLarge
from audience.rows import Choice, ValueType, header_name, limits
from audience.rows.files import Source
from gql.ids import Kind, global_id, stored_id
from resolvers.db import Database, Document, close, connect
from resolvers.exports import list_export, segment_export
from resolvers.imports import (
    NewImport,
    Overtaken,
    StatedConsent,
    has_waiting_imports,
    imports_by_id,
    rejected_rows,
    run_import,
    run_waiting_imports,
    start_import,
)
from server.logs import configure_logs
from server.running import Running
from server.settings import Settings, environment, read_settings
from server.welcome import called, say

WATCH_SECONDS = 1.0
STOP_SECONDS = 10.0
CLI_LEASE = timedelta(seconds=60)
PIECE = 262_144

_log = structlog.get_logger("audience")


async def watch_imports(running: Running) -> None:
    """Starts a worker process whenever an import waits; stops it in the end. Every
    server process may do so: an import is held by one worker at a time."""
    worker: asyncio.subprocess.Process | None = None
    try:
        while True:
            try:
                is_idle = worker is None or worker.returncode is not None
                if is_idle and await has_waiting_imports(running.db, datetime.now(UTC)):
                    worker = await _start_worker(running.settings)
            except (PyMongoError, OSError) as error:
                _log.warning("imports postponed", reason=str(error)[:200])
            except Exception:  # noqa: BLE001 - the next round is not to be lost
                _log.exception("starting imports failed")
            await asyncio.sleep(WATCH_SECONDS)
    finally:
        if worker is not None and worker.returncode is None:
            await _stop(worker)


def work() -> None:
    """The worker process: runs imports until none waits, or until it is told to stop
    or its server is gone. Then another takes over where it stopped."""
    settings = read_settings()
    configure_logs(settings)
    asyncio.run(_work(settings))


async def import_file(
    db: Database,
    path: Path,
    *,
    list_id: str | None,
    columns: list[str],
    consent: list[str],
    source: str | None,
    phone_region: str | None,
    data_option: str = "",
) -> None:
    """Imports a file and tells how far it is. Interrupted, the import goes on in the
    next worker of a server on the same database. `data_option`: what the command that
    is named at the end needs to find the database."""
    wanted = NewImport(
        path.name,
        None if list_id is None else stored_id(list_id, Kind.LIST, "list"),
        [choice(text) for text in columns],
        [stated(text, source) for text in consent],
        phone_region=phone_region,
    )
    _check_file(path)
    holder = _holder()
    now = datetime.now(UTC)
    started = await start_import(
        db,
        _pieces(path),
        wanted,
        now=now,
        holder=holder,
        until=lambda: datetime.now(UTC) + CLI_LEASE,
    )
    shown = str(global_id(Kind.IMPORT)(started["_id"]))
    say(f"{shown}: {started['rows']:,} rows in {path.name}.")
    running = asyncio.create_task(run_import(db, started, holder))
    await _show_progress(db, started, running)
    try:
        done = await running
    except Overtaken:
        say(f"A server goes on with it: {shown}.")
    else:
        _tell(done, f"{shown}{data_option}")


async def export_members(db: Database, of: str, kind: Kind, zone: tzinfo = UTC) -> None:
    """Writes the members of a list or segment to standard output, as CSV. `kind`: what
    was asked for, should the id not tell. `zone`: where a day of the segment's
    conditions begins."""
    told = [each for each in (Kind.LIST, Kind.SEGMENT) if of.startswith(f"{each}_")]
    kind = told[0] if told else kind
    stored = stored_id(of, kind)
    if kind is Kind.SEGMENT:
        parts = await segment_export(db, stored, datetime.now(UTC), zone)
    else:
        parts = await list_export(db, stored)
    async for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


async def export_rejected(db: Database, import_id: str) -> None:
    """Writes the rejected rows of an import to standard output, as CSV."""
    stored = stored_id(import_id, Kind.IMPORT)
    (found,) = await imports_by_id(db, [stored])
    if found is None:
        raise InvalidInput(f"There is no import {import_id}.")
    async for part in rejected_rows(db, stored):
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def choice(text: str) -> Choice:
    """A column's target from `Column=target` or `Column=target:type`."""
    column, given, target = text.rpartition("=")
    if not given:
        raise InvalidInput(
            f"{text!r} is not a column and its target, such as Plan=properties.plan, "
            "Visits=properties.visits:number, or Notes= to leave it out."
        )
    target, _, kind = target.partition(":")
    if kind and kind.upper() not in set(ValueType):
        kinds = ", ".join(ValueType).lower()
        raise InvalidInput(f"{kind!r} is not a type: use {kinds}.")
    return Choice(column, target or None, ValueType(kind.upper()) if kind else None)


def stated(text: str, source: str | None) -> StatedConsent:
    """A consent from `email`, or `email:Column` where a column says who agreed."""
    name, _, column = text.partition(":")
    if name.upper() not in set(Channel):
        raise InvalidInput(f"{name!r} is not a channel: use email, sms or whatsapp.")
    if source is None:
        raise InvalidInput("Say with --source where these people agreed.")
    return StatedConsent(
        Channel(name.upper()), source, only_if=header_name(column) or None
    )


async def _work(settings: Settings) -> None:
    uri = settings.mongodb_uri
    if uri is None:
        raise ValueError("The worker needs the address of a MongoDB.")
    parent, stopping = os.getppid(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, stopping.set)

    def going() -> bool:
        return not stopping.is_set() and os.getppid() == parent

    db = connect(uri.get_secret_value(), settings.database, driver=settings.driver)
    try:
        await run_waiting_imports(db, _holder(), going=going)
    except PyMongoError:
        _log.warning("import interrupted", exc_info=True)
    finally:
        await close(db)


async def _start_worker(settings: Settings) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from server.importing import work; work()",
        env=os.environ | environment(settings),
        stdin=asyncio.subprocess.DEVNULL,
    )


async def _stop(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await worker.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()


async def _show_progress(
    db: Database, started: Document, running: asyncio.Task[Document]
) -> None:
    columns = (
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=started["rows"])
        while not running.done():
            await asyncio.wait([running], timeout=0.5)
            (found,) = await imports_by_id(db, [started["_id"]])
            if found is not None:
                bar.update(task, completed=found["counts"].get("read", 0))


def _tell(done: Document, shown: str) -> None:
    counts = done["counts"]
    titles = {
        "created": "new profiles",
        "updated": "known people",
        "repeated": "repeated in the file",
        "joined": "joined the list",
        "consented": "agreements recorded",
        "kept_unsubscribed": "had unsubscribed",
        "kept_suppressed": "were suppressed",
        "kept_pending": "have yet to confirm",
        "rejected": "rows rejected",
    }
    parts = [
        f"{counts[name]:,} {title}" for name, title in titles.items() if name in counts
    ]
    say(f"{done['status'].capitalize()}: {', '.join(parts) or 'nothing'}.")
    if "failure" in done:
        raise AudienceError(done["failure"])
    if "rejected" in counts:
        say(f"The rejected rows: {called()} export rejected {shown}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InvalidInput("Give a file, which is read twice.", ("file",))
    if path.stat().st_size > limits.FILE_BYTES:
        raise TooLarge(
            f"The file is larger than {limits.FILE_BYTES:,} bytes: split it.", ("file",)
        )


def _pieces(path: Path) -> Source:
    def pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    return pieces


def _holder() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
