"""How fast a file of new people is imported into a list, with their consent, and in how
much memory: the server's own worker process, on a database that starts empty."""

import asyncio
import csv
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from audience.consent import Channel
from audience.lists import OptIn
from audience.rows.files import Source
from bench.compare import show
from bench.load import BenchFailed, cpu_seconds
from resolvers.collections import prepare
from resolvers.db import Database, close, connect
from resolvers.imports import (
    NewImport,
    StatedConsent,
    imports_by_id,
    start_import,
)
from resolvers.lists import create_list

HEADER = ("Email", "First Name", "Last Name", "City", "Country", "Plan", "Visits")
CITIES = (("Berlin", "DE"), ("Lyon", "FR"), ("Porto", "PT"), ("Oslo", "NO"))
PIECE = 262_144
WORKER = """
import resource
from server.importing import work
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One import: seconds until the file was taken in, and until all were written;
    the worker's peak of memory; processor time of both processes."""

    checking: float
    writing: float
    megabytes: float
    worker_seconds: float
    mongod_seconds: float


async def measure_imports(uri: str, mongod: int, rows: int, rounds: int) -> None:
    """Prints the medians. BenchFailed when not everybody is there in the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        await asyncio.to_thread(write_file, path, rows)
        size = path.stat().st_size / 1e6
        measured = [
            await _measure(uri, mongod, path, rows, number) for number in range(rounds)
        ]
    shown = Table(
        title=f"{rows:,} new people ({size:,.0f} MB) into a list, with consent. "
        f"Medians of {rounds} rounds."
    )
    for title in (
        "rows/s",
        "slowest",
        "fastest",
        "file checked, rows/s",
        "peak memory",
        "worker CPU us/row",
        "mongod CPU us/row",
    ):
        shown.add_column(title, justify="right")
    speeds = [rows / it.writing for it in measured]
    shown.add_row(
        f"{statistics.median(speeds):,.0f}",
        f"{min(speeds):,.0f}",
        f"{max(speeds):,.0f}",
        f"{statistics.median(rows / it.checking for it in measured):,.0f}",
        f"{max(it.megabytes for it in measured):,.0f} MB",
        f"{1e6 * statistics.median(it.worker_seconds / rows for it in measured):,.0f}",
        f"{1e6 * statistics.median(it.mongod_seconds / rows for it in measured):,.0f}",
    )
    show(shown)


def write_file(path: Path, rows: int) -> None:
    """A file of so many different people, always the same ones."""
    chance = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            first = f"Anna{chance.randrange(500)}"
            last = f"Smith{chance.randrange(5_000)}"
            city, country = CITIES[chance.randrange(len(CITIES))]
            email = f"{first}.{last}.{chance.randrange(10**6)}-{number}@example.org"
            plan = ("free", "gold")[chance.randrange(2)]
            writer.writerow(
                (email, first, last, city, country, plan, chance.randrange(100))
            )


async def _measure(
    uri: str, mongod: int, path: Path, rows: int, number: int
) -> Measured:
    name = f"bench_imports_{number}"
    db = connect(uri, name)
    try:
        await db.client.drop_database(name)
        await prepare(db)
        now = datetime.now(UTC)
        people = await create_list(db, "People", OptIn.SINGLE, now=now)
        wanted = NewImport(
            path.name,
            people["_id"],
            consent=[StatedConsent(Channel.EMAIL, "Bench")],
        )
        before = time.perf_counter()
        started = await start_import(db, _pieces(path), wanted, now=now)
        taken_in = time.perf_counter()
        spent = cpu_seconds(mongod)
        memory, worker_seconds = await asyncio.to_thread(_work, uri, name)
        spent = cpu_seconds(mongod) - spent
        await _check(db, started, rows)
        (done,) = await imports_by_id(db, [started["_id"]])
        if done is None:
            raise BenchFailed("The import is gone.")
        writing = (done["finished_at"] - done["started_at"]).total_seconds()
        return Measured(taken_in - before, writing, memory, worker_seconds, spent)
    finally:
        await db.client.drop_database(name)
        await close(db)


def _work(uri: str, name: str) -> tuple[float, float]:
    """The worker's peak of memory in MB, and its processor time."""
    before = os.times()
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", WORKER],
        env=os.environ | {"MONGODB_URI": uri, "AUDIENCE_DATABASE": name},
        check=True,
        capture_output=True,
        text=True,
    )
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    return int(done.stdout.split()[-1]) / 1_024, spent


async def _check(db: Database, started: dict[str, Any], rows: int) -> None:
    (done,) = await imports_by_id(db, [started["_id"]])
    expected = {"read": rows, "created": rows, "joined": rows, "consented": rows}
    if done is None or done["status"] != "COMPLETED" or done["counts"] != expected:
        raise BenchFailed(f"The import ended otherwise than expected: {done}.")
    members = {"lists.list_id": done["list_id"], "consent.email.status": "SUBSCRIBED"}
    found = (
        await db.profiles.count_documents({}),
        await db.profiles.count_documents(members),
        await db.consent_changes.count_documents({"to": "SUBSCRIBED"}),
    )
    if found != (rows, rows, rows):
        raise BenchFailed(f"Of {rows:,} people there are {found}.")


def _pieces(path: Path) -> Source:
    def pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    return pieces
