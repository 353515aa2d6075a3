"""The `audience` command: serve, and what an operator does beside it."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer

from audience.errors import AudienceError
from audience.keys import KeyKind
from resolvers.db import Database, UnusableDatabase
from server.database import opened, shared_database
from server.logs import configure_logs
from server.mongod import MongodFailed
from server.seeds.source import SeedFailed
from server.settings import BadSettings, Settings, read_settings, settings_table
from server.welcome import data_option, say

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
segment_cli = typer.Typer(help="Segments from elsewhere.", no_args_is_help=True)
export_cli = typer.Typer(help="Write people as CSV files.", no_args_is_help=True)
cli.add_typer(key_cli, name="key")
cli.add_typer(segment_cli, name="segment")
cli.add_typer(export_cli, name="export")
cli.add_typer(seed_cli, name="seed")
cli.add_typer(db_cli, name="db")

Data = Annotated[
    Path | None, typer.Option(help="The data folder. [AUDIENCE_DATA, .audience]")
]


def main() -> None:
    """Runs the command; what the user can mend is one sentence and exit code 1."""
    from server.serve import PortTaken

    with contextlib.suppress(BadSettings):  # told by the command, if it has any use
        configure_logs(read_settings())  # to standard error: results are for pipes
    try:
        cli(prog_name="audience")
    except AudienceError as error:
        for problem in error.problems:
            sys.stderr.write(f"audience: {problem.message}\n")
        sys.exit(1)
    except (
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


@cli.command("keep")
def keep_command(data: Data = None) -> None:
    """Keep the segments true beside the servers; as many processes as you like."""
    from server.keeping import keep_alone

    settings = read_settings(data=data)
    say("Keeping segments. End with Ctrl-C.")
    _on_database(settings, lambda db: keep_alone(db, settings))


@cli.command("schema")
def print_schema() -> None:
    """Print the GraphQL schema."""
    from gql.schema import schema

    say(schema.as_str())


@cli.command("settings")
def print_settings() -> None:
    """Print what can be set from the environment, as a Markdown table."""
    say(settings_table())


@cli.command("import")
def import_command(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file of people.")
    ],
    list_id: Annotated[
        str | None, typer.Option("--list", help="The list they join: lst_...")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a column goes, such as Plan=properties.plan, "
            "Visits=properties.visits:number, or Notes= for nowhere; repeatable."
        ),
    ] = None,
    consent: Annotated[
        list[str] | None,
        typer.Option(
            help="What they agreed to: email, sms or whatsapp; email:Column where a "
            "column says who; repeatable."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where they agreed, for --consent.")
    ] = None,
    phone_region: Annotated[
        str | None,
        typer.Option(help="The country of phone numbers without a code, such as DE."),
    ] = None,
    data: Data = None,
) -> None:
    """Import the people of a CSV file, and wait until it is done."""
    from server.importing import import_file

    settings = read_settings(data=data)
    _on_database(
        settings,
        lambda db: import_file(
            db,
            file,
            list_id=list_id,
            columns=column or [],
            consent=consent or [],
            source=source,
            phone_region=phone_region,
            data_option=data_option(settings),
        ),
    )


@segment_cli.command("import")
def import_segment_command(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A Klaviyo segment, as JSON."),
    ],
    name: Annotated[
        str | None, typer.Option(help="What it is called, if not as in the file.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="What a metric is called here, such as XyZ12=Placed Order; repeatable."
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="Which list or segment one is here, such as AbC34=lst_...; repeatable."
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Make a segment of a definition that was written for Klaviyo."""
    from server.segments import import_document, read_document

    document = read_document(file)
    _on_database(
        read_settings(data=data),
        lambda db: import_document(
            db, document, name=name, metrics=metric or [], groups=group or []
        ),
    )


@segment_cli.callback()
def _segments() -> None:
    """Segments from elsewhere."""


@export_cli.command("list")
def export_list(
    of: Annotated[str, typer.Argument(metavar="ID", help="The list's id: lst_...")],
    data: Data = None,
) -> None:
    """Write the members of a list to standard output."""
    from gql.ids import Kind
    from server.importing import export_members

    _on_database(read_settings(data=data), lambda db: export_members(db, of, Kind.LIST))


@export_cli.command("segment")
def export_segment(
    of: Annotated[str, typer.Argument(metavar="ID", help="The segment's id: seg_...")],
    data: Data = None,
) -> None:
    """Write the members of a segment, as it is now, to standard output."""
    from gql.ids import Kind
    from server.importing import export_members

    settings = read_settings(data=data)
    zone = ZoneInfo(settings.timezone)
    _on_database(settings, lambda db: export_members(db, of, Kind.SEGMENT, zone))


@export_cli.command("rejected")
def export_rejected(
    of: Annotated[str, typer.Argument(metavar="ID", help="The import's id: imp_...")],
    data: Data = None,
) -> None:
    """Write the rows that an import rejected, with reasons, to standard output."""
    from server.importing import export_rejected

    _on_database(read_settings(data=data), lambda db: export_rejected(db, of))


@key_cli.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do, such as profiles:read; repeatable. Without any, a "
            "secret key may do everything."
        ),
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
