"""Shows how a load goes: a bar, and a closing line with rates."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from server.seeds.complete_journey import Loaded, Watch


@contextmanager
def progress_bar(console: Console) -> Iterator[Watch]:
    """What to pass as `watch` to a load, for as long as the block runs. Where no
    person watches, nothing is drawn."""
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
                rate=f"{rate(loaded):,.0f}",
            )

        yield watch


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
        f"{rate(loaded):,.0f} events a second."
    )
    if loaded.duplicates:
        text += f" {loaded.duplicates:,} events were there already."
    if loaded.households_before:
        text += f" {loaded.households_before:,} households were there before."
    return text


def rate(loaded: Loaded) -> float:
    """Events a second."""
    return (loaded.events + loaded.duplicates) / max(loaded.seconds, 0.001)
