"""Loading ready-made data from the command line: a bar while it goes on, and a closing
line with rates."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from resolvers.db import Database
from server.seeds.complete_journey import DEMO_HOUSEHOLDS, Loaded, Watch, load

# The data set is installed beside the server's own packages, once for every database.
ENVIRONMENT = Path(sys.prefix) / "complete-journey"


async def load_demo(db: Database) -> None:
    """The households that `serve --demo` begins with."""
    await load_journey(db, DEMO_HOUSEHOLDS)


async def load_journey(db: Database, households: int | None) -> None:
    """Loads the first so many households, all without a number."""
    console = Console()
    with _bar(console) as watch:
        loaded = await load(
            db,
            households=households,
            now=datetime.now(UTC),
            environment=ENVIRONMENT,
            watch=watch,
        )
    console.print(closing_line(loaded), highlight=False, soft_wrap=True)


def closing_line(loaded: Loaded) -> str:
    """What was loaded, how fast, and what was there before."""
    if not loaded.households:
        return (
            f"The Complete Journey is there already: {loaded.households_before:,} "
            "households. Nothing was changed."
        )
    text = (
        f"Loaded {loaded.households:,} households with {loaded.lines:,} lines of "
        f"their receipts as {loaded.events:,} events in {loaded.seconds:.1f} s: "
        f"{_rate(loaded):,.0f} events a second."
    )
    if loaded.duplicates:
        text += f" {loaded.duplicates:,} events were there already."
    return text


@contextmanager
def _bar(console: Console) -> Iterator[Watch]:
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events, {task.fields[rate]} a second,"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("Reading the Complete Journey", total=None, rate="0")

        def watch(loaded: Loaded) -> None:
            bar.update(
                task,
                description="Loading the Complete Journey",
                total=loaded.events_wanted,
                completed=loaded.events + loaded.duplicates,
                rate=f"{_rate(loaded):,.0f}",
            )

        yield watch


def _rate(loaded: Loaded) -> float:
    events = loaded.events + loaded.duplicates
    return events / loaded.seconds if loaded.seconds else 0.0
