"""The `audience` command: serve, and what an operator does beside it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from audience.errors import AudienceError
from audience.keys import KeyKind
from resolvers.db import Database, UnusableDatabase
from server.database import opened, shared_database
from server.mongod import MongodFailed
from server.seeds.source import SeedFailed
from server.settings import BadSettings, Settings, read_settings, settings_table
from server.welcome import say

Result = TypeVar("Result")

cli = typer.Typer(
    name="audience",
    help="The server for the people a business knows: profiles, lists and segments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
key_cli = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
seed_cli = typer.Typer(help="Load data to try the server with.", no_args_is_help=True)
db_cli = typer.Typer(help="Look after the database.", no_args_is_help=True)
cli.add_typer(key_cli, name="key")
cli.add_typer(seed_cli, name="seed")
cli.add_typer(db_cli, name="db")

Data = Annotated[
    Path | None, typer.Option(help="The data folder. [AUDIENCE_DATA, .audience]")
]


def main() -> None:
    """Runs the command; what the user can mend is one sentence and exit code 1."""
    from server.serve import PortTaken

    try:
        cli(prog_name="audience")
    except (
        AudienceError,
        BadSettings,
        MongodFailed,
        PortTaken,
        SeedFailed,
        UnusableDatabase,
    ) as error:
        sys.stderr.write(f"audience: {error}\n")
        sys.exit(1)


@cli.command("serve")
def serve_command(
    host: Annotated[
        str | None, typer.Option(help="Listen on it. [AUDIENCE_HOST, 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Listen on it. [AUDIENCE_PORT, 8000]")
    ] = None,
    data: Data = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer. [AUDIENCE_WORKERS, 1]")
    ] = None,
    demo: Annotated[
        bool, typer.Option(help="First load a shop's customers, if there are none yet.")
    ] = False,
) -> None:
    """Run the server, with a MongoDB of its own unless MONGODB_URI is set."""
    from server.serve import serve

    settings = read_settings(host=host, port=port, data=data, workers=workers)
    if demo:
        from server.seeding import load_demo

        serve(settings, load_demo)
    else:
        serve(settings)


@cli.command("schema")
def print_schema() -> None:
    """Print the GraphQL schema."""
    from gql.schema import schema

    say(schema.as_str())


@cli.command("settings")
def print_settings() -> None:
    """Print what can be set from the environment, as a Markdown table."""
    say(settings_table())


@key_cli.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do, such as profiles:read; repeatable. [*]"),
    ] = None,
    public: Annotated[
        bool, typer.Option(help="For web pages: sign-ups and nothing else.")
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="A web origin that a public key is for; repeatable."),
    ] = None,
    data: Data = None,
) -> None:
    """Make an API key and print it, this once."""
    from server.operations import make_key

    kind = KeyKind.PUBLIC if public else KeyKind.SECRET
    _on_database(
        read_settings(data=data),
        lambda db: make_key(db, name, kind, scope or [], origin or []),
    )


@key_cli.command("list")
def list_keys(data: Data = None) -> None:
    """Show the API keys; never the secrets, which are not kept."""
    from server.operations import show_keys

    _on_database(read_settings(data=data), show_keys)


@key_cli.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, from `audience key list`.")],
    data: Data = None,
) -> None:
    """Make an API key stop working."""
    from server.operations import end_key

    _on_database(read_settings(data=data), lambda db: end_key(db, key))


@seed_cli.command("complete-journey")
def complete_journey(
    households: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many. [all 2,469]")
    ] = None,
    data: Data = None,
) -> None:
    """Load a year of a real shop: baskets, products, campaigns, coupons."""
    from server.seeding import load_journey

    _on_database(read_settings(data=data), lambda db: load_journey(db, households))


@db_cli.command()
def check(data: Data = None) -> None:
    """Tell whether the database can be used, and what it holds."""
    from server.operations import check_database

    _on_database(read_settings(data=data), check_database)


@db_cli.command("rebuild-summaries")
def rebuild_summaries(data: Data = None) -> None:
    """Compare each profile's summary with its events, and mend what differs."""
    from server.operations import mend_summaries

    _on_database(read_settings(data=data), mend_summaries)


def _on_database(
    settings: Settings, work: Callable[[Database], Awaitable[Result]]
) -> Result:
    async def run(reached: Settings) -> Result:
        async with opened(reached) as db:
            return await work(db)

    with shared_database(settings) as reached:
        return asyncio.run(run(reached))


if __name__ == "__main__":
    main()
