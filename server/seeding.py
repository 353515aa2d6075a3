"""Loading ready-made data from the command line, with a progress bar."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from resolvers.db import Database
from server.seeds.complete_journey import DEMO_HOUSEHOLDS, Loaded, load

# The data set is installed beside the server's own packages, once for every database.
ENVIRONMENT = Path(sys.prefix) / "complete-journey"


async def load_demo(db: Database) -> None:
    """The households that `serve --demo` begins with."""
    await load_journey(db, DEMO_HOUSEHOLDS)


async def load_journey(db: Database, households: int | None) -> None:
    """Loads the households and says at which rate."""
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Loading the shop's year", total=None)

        def watch(loaded: Loaded) -> None:
            progress.update(
                task, completed=loaded.events, total=loaded.events_wanted or None
            )

        loaded = await load(
            db,
            households=households,
            now=datetime.now(UTC),
            environment=ENVIRONMENT,
            watch=watch,
        )
    console.print(_closing(loaded))


def _closing(loaded: Loaded) -> str:
    if not loaded.households:
        return f"All {loaded.households_before:,} households are loaded already."
    rate = loaded.events / loaded.seconds if loaded.seconds else 0.0
    return (
        f"Loaded {loaded.households:,} households with {loaded.events:,} events in "
        f"{loaded.seconds:.1f} s ({rate:,.0f} events/s)."
    )
