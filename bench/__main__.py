"""The benches: `python -m bench nested`, `python -m bench journey-segments`, ..."""

import asyncio
import contextlib
import fcntl
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bench import journey_questions, segment_questions
from bench.compare import compare, show, table
from bench.database import FOLDER, filled, find_facts, forget_sign_ups, kept_mongod
from bench.generated import loaded
from bench.imports import measure_imports
from bench.ingestion import measure_ingestion
from bench.journey_segments import journey, named_ids
from bench.load import BenchFailed, check_wrk
from bench.membership import PHASES, measure
from bench.profile import profile as run_profile
from bench.scenarios import SCENARIOS, Facts, Scenario
from bench.segments import measure_segments
from bench.sides import NODE, SIDES
from resolvers.db import close, connect
from server.mongod import MongodFailed
from server.seeds.source import SeedFailed

LOCK = Path("/tmp/bench.lock")  # noqa: S108 - shared by all checkouts on purpose
HOUSEHOLDS = 250
PYTHON_SIDES = "audience,raw"

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help=__doc__,
    pretty_exceptions_enable=False,
)


def _compare_command(scenario: Scenario) -> None:
    @cli.command(scenario.name, help=f"Compare servers: {scenario.title}.")
    def run(
        sides: Annotated[
            str, typer.Option(help=f"Any of {', '.join(SIDES)}; or all.")
        ] = PYTHON_SIDES,
        rounds: Annotated[int, typer.Option(min=1)] = 5,
        seconds: Annotated[float, typer.Option(min=1, help="For each round.")] = 4,
        processes: Annotated[int, typer.Option(min=1, help="Of each server.")] = 1,
    ) -> None:
        chosen = list(SIDES) if sides == "all" else sides.split(",")
        unknown = [name for name in chosen if name not in SIDES]
        if unknown:
            raise BenchFailed(f"There is no server {', '.join(unknown)}.")
        taking_part = [
            SIDES[name] for name in chosen if SIDES[name].answers(scenario.name)
        ]
        check_wrk()
        if any(side.command[0] == "node" for side in taking_part):
            install_node_peers()
        key = f"sk_{secrets.token_hex(20)}"
        with alone(), kept_mongod() as kept:
            facts = asyncio.run(_facts(kept.uri))
            try:
                measured = compare(
                    scenario,
                    taking_part,
                    facts,
                    uri=kept.uri,
                    mongod=kept.mongod,
                    database="bench",
                    key=key,
                    rounds=rounds,
                    seconds=seconds,
                    processes=processes,
                )
            finally:
                if scenario.changes_data:
                    asyncio.run(_forget(kept.uri))
        said = (
            f"Equal answers. Medians of {rounds} interleaved rounds of {seconds:g} s."
        )
        show(table(scenario, measured, processes, said))


for _scenario in SCENARIOS.values():
    _compare_command(_scenario)


@cli.command()
def profile(
    scenario: Annotated[str, typer.Argument(help=f"One of {', '.join(SCENARIOS)}.")],
    driver: Annotated[str, typer.Option(help="motor or pymongo.")] = "pymongo",
) -> None:
    """Show where the server's time goes in a scenario."""
    if scenario not in SCENARIOS or SCENARIOS[scenario].changes_data:
        raise BenchFailed(f"There is no scenario {scenario} that can be profiled.")
    key = f"sk_{secrets.token_hex(20)}"
    with alone(), kept_mongod() as kept:
        facts = asyncio.run(_facts(kept.uri))
        asyncio.run(
            run_profile(
                SCENARIOS[scenario],
                facts,
                uri=kept.uri,
                database="bench",
                key=key,
                driver=driver,
            )
        )


Only = Annotated[str, typer.Option(help="Numbers of segments, such as 1,5,13. [all]")]
Rounds = Annotated[int, typer.Option(min=1)]
Limit = Annotated[float, typer.Option(help="Seconds for one that is forced.")]
Forced = Annotated[bool, typer.Option(help="Time every way that could answer.")]
Naive = Annotated[bool, typer.Option(help="Time a $lookup for each profile.")]
Indexed = Annotated[
    bool, typer.Option(help="Index the properties of events that they look at.")
]


@cli.command()
def journey_segments(
    households: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many. [all 2,469]")
    ] = None,
    only: Only = "",
    rounds: Rounds = 5,
    limit: Limit = 60,
    forced: Forced = True,
    naive: Naive = True,
    indexed: Indexed = False,
) -> None:
    """Answer twenty segments of real data in every way, and from the source files."""

    async def run(uri: str) -> None:
        async with journey(uri, households) as data:
            asked = journey_questions.questions_of(await named_ids(data.db))
            await measure_segments(
                data,
                asked,
                _numbers(only),
                rounds,
                int(limit * 1000),
                forced=forced,
                naive=naive,
                indexed=indexed,
            )

    with alone(), kept_mongod() as kept:
        asyncio.run(run(kept.uri))


@cli.command()
def segments(
    profiles: Annotated[int, typer.Option(min=100)] = 200_000,
    events: Annotated[int, typer.Option(min=1_000)] = 5_000_000,
    only: Only = "",
    rounds: Rounds = 5,
    limit: Limit = 10,
    forced: Forced = True,
    naive: Naive = True,
    indexed: Indexed = True,
    load: Annotated[bool, typer.Option(help="Only load the data.")] = False,
) -> None:
    """Answer twenty segments in every way, and by DuckDB: equal members, times."""

    async def run(uri: str) -> None:
        async with loaded(uri, profiles, events) as data:
            if load:
                return
            await measure_segments(
                data,
                segment_questions.QUESTIONS,
                _numbers(only),
                rounds,
                int(limit * 1000),
                forced=forced,
                naive=naive,
                indexed=indexed,
            )

    with alone(), kept_mongod() as kept:
        asyncio.run(run(kept.uri))


@cli.command()
def ingestion(
    profiles: Annotated[int, typer.Option(min=1_000)] = 50_000,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    indexed: Annotated[
        str, typer.Option(help="Properties with an index: category,sku. [none]")
    ] = "",
) -> None:
    """Track events, and insert the same documents without summaries."""
    names = [f"properties.{each}" for each in indexed.split(",") if each]
    with alone(), kept_mongod() as kept:
        asyncio.run(measure_ingestion(kept.uri, profiles, rounds, names))


@cli.command()
def imports(
    rows: Annotated[int, typer.Option(min=1, help="People in the file.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Import a CSV file of new people into a list: rows per second, and memory."""
    with alone(), kept_mongod() as kept:
        asyncio.run(measure_imports(kept.uri, kept.mongod, rows, rounds))


@cli.command("membership")
def membership(
    profiles: Annotated[int, typer.Option(min=100)] = 200_000,
    events: Annotated[int, typer.Option(min=1_000)] = 5_000_000,
    segments: Annotated[int, typer.Option(min=1, max=50)] = 50,
    rate: Annotated[int, typer.Option(min=10, help="Events a second.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="At that rate.")] = 30,
    phases: Annotated[
        str, typer.Option(help=f"Any of {', '.join(PHASES)}; or all.")
    ] = "all",
) -> None:
    """Measure how fast kept memberships follow what happens."""
    chosen = PHASES if phases == "all" else tuple(phases.split(","))
    with alone(), kept_mongod() as kept:
        asyncio.run(
            measure(
                kept.uri,
                kept.mongod,
                FOLDER,
                profiles,
                events,
                segments,
                rate,
                seconds,
                chosen,
            )
        )


def install_node_peers() -> None:
    """Installs what the Node servers need, once, into a folder that git ignores."""
    lock = (NODE / "package-lock.json").read_bytes()
    stamp = NODE / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_bytes() == lock:
        return
    try:
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],  # noqa: S607
            cwd=NODE,
            check=True,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise BenchFailed(
            f"The Node servers need Node and npm, which cannot be run: {error}"
        ) from None
    except subprocess.CalledProcessError as error:
        raise BenchFailed(
            f"npm could not install the Node servers: {error.stderr.strip()[-500:]}"
        ) from None
    stamp.write_bytes(lock)


def _numbers(only: str) -> list[int]:
    return [int(each) for each in only.split(",") if each]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Waits until no other bench runs on this machine."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def _facts(uri: str) -> Facts:
    async with filled(uri, "bench", HOUSEHOLDS) as db:
        await forget_sign_ups(db)
        return await find_facts(db)


async def _forget(uri: str) -> None:
    db = connect(uri, "bench")
    try:
        await forget_sign_ups(db)
    finally:
        await close(db)


def main() -> None:
    """Runs the bench; what is wrong is one sentence and exit code 1."""
    try:
        cli()
    except (BenchFailed, MongodFailed, SeedFailed) as error:
        sys.stderr.write(f"bench: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
