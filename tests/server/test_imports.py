"""Uploads and downloads over HTTP, the worker beside the server, and the commands."""

import asyncio
import csv
import gzip
import json
import subprocess
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import httpx
import pytest
from pymongo import MongoClient
from starlette.applications import Starlette
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from audience.keys import SCOPES, KeyKind, check_key
from audience.lists import MembershipSource, OptIn
from audience.profiles import profile_change
from gql.schema import schema
from resolvers.db import Database, Document, find
from resolvers.imports import Overtaken, run_waiting_imports
from resolvers.keys import create_key
from resolvers.lists import create_list, join_list_many
from resolvers.profiles import upsert_profile
from resolvers.segments import create_segment
from server.app import create_app
from server.cli import cli
from server.importing import import_file
from server.settings import Settings
from server.welcome import called
from tests.server.conftest import (
    ADMIN_KEY,
    Serve,
    client_of,
    run_audience,
)
from tests.server.hostile import PROPERTIES, REFUSED, named
from tests.server.test_websocket import listening

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}
START = """
mutation ($input: ImportProfilesInput!) {
  importProfiles(input: $input) { import { id } userErrors { code path message } }
}
"""
PEOPLE = b"Email,First Name\n=1+1@example.org,@SUM(1)\nnobody,x\n"


@pytest.fixture
async def caller(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole API; its worker runs for real."""
    app = create_app(settings, schema)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


@pytest.fixture
async def app_address(caller: httpx.AsyncClient) -> AsyncIterator[str]:
    """Where the same application is reached by WebSocket."""
    transport = caller._transport
    assert isinstance(transport, httpx.ASGITransport)
    async with listening(cast("Starlette", transport.app)) as address:
        yield address


def form(content: bytes, **more: Any) -> dict[str, Any]:
    """The parts of a multipart request, as the specification has them."""
    operations = {"query": START, "variables": {"input": {"file": None, **more}}}
    return {
        "operations": (None, json.dumps(operations)),
        "map": (None, json.dumps({"0": ["variables.input.file"]})),
        "0": ("people.csv", content, "text/csv"),
    }


async def test_a_file_is_uploaded_and_worked_on(
    caller: httpx.AsyncClient, db: Database
) -> None:
    answer = await caller.post("/graphql", files=form(PEOPLE), headers=KEY)
    data = answer.json()["data"]["importProfiles"]
    assert data["userErrors"] == []
    identifier = data["import"]["id"]

    deadline = time.monotonic() + 60
    found: Any = None
    while time.monotonic() < deadline:
        query = {
            "query": f'{{ import(id: "{identifier}") {{ status createdProfiles '
            "rejectedRowsUrl } }"
        }
        found = (await caller.post("/graphql", json=query, headers=KEY)).json()
        if found["data"]["import"]["status"] == "COMPLETED":
            break

    assert found["data"]["import"] == {
        "status": "COMPLETED",
        "createdProfiles": 1,
        "rejectedRowsUrl": f"/imports/{identifier}/rejected.csv",
    }
    rejected = await caller.get(f"/imports/{identifier}/rejected.csv", headers=KEY)
    assert rejected.text == (
        "Line,Column,Value,Reason\r\n3,Email,nobody,This is not an e-mail address: it "
        "must have an @-sign.\r\n"
    )
    assert rejected.headers["content-type"] == "text/csv; charset=utf-8"
    assert rejected.headers["content-disposition"] == (
        f'attachment; filename="{identifier}-rejected.csv"'
    )


async def test_progress_is_told_by_both_ways_of_subscribing(
    caller: httpx.AsyncClient, app_address: str
) -> None:
    rows = b"".join(b"p%d@example.org\n" % number for number in range(20_000))
    files = form(b"Email\n" + rows)
    answer = await caller.post("/graphql", files=files, headers=KEY)
    identifier = answer.json()["data"]["importProfiles"]["import"]["id"]
    operation = {
        "query": "subscription ($id: ID!) { importProgress(importId: $id) "
        "{ status processedRows } }",
        "variables": {"id": identifier},
    }
    streamed = asyncio.create_task(
        caller.post(
            "/graphql",
            json=operation,
            headers={**KEY, "Accept": "text/event-stream"},
            timeout=60,
        )
    )
    over_socket = []
    async with connect(
        app_address,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=KEY,
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        begin = {"type": "subscribe", "id": "1", "payload": operation}
        await socket.send(json.dumps(begin))
        while (message := json.loads(await socket.recv()))["type"] == "next":
            over_socket.append(message["payload"]["data"]["importProgress"])
    events = [
        json.loads(line.removeprefix("data: "))
        for line in (await streamed).text.splitlines()
        if line.startswith("data: {")
    ]
    over_http = [each["data"]["importProgress"] for each in events]

    end = {"status": "COMPLETED", "processedRows": 20_000}
    assert message == {"type": "complete", "id": "1"}
    assert (over_socket[-1], over_http[-1]) == (end, end)
    for told in (over_socket, over_http):
        done = [each["processedRows"] for each in told]
        assert done == sorted(done)


async def test_large_files_are_for_keys_that_may_import(
    caller: httpx.AsyncClient, db: Database
) -> None:
    rows = b"".join(b"p%d@example.org,%s\n" % (n, b"x" * 200) for n in range(50_000))
    content = b"Email,Note\n" + rows
    assert len(content) > 10_000_000

    answer = await caller.post("/graphql", files=form(content))
    assert answer.status_code == 413
    answer = await caller.post("/graphql", files=form(content), headers=KEY)
    assert answer.json()["data"]["importProfiles"]["userErrors"] == []
    await db.imports.delete_many({})


async def test_a_file_over_the_limit_is_refused(
    caller: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audience.rows.limits.FILE_BYTES", 1_000)
    content = b"Email\n" + b"a@example.org\n" * 100

    answer = await caller.post("/graphql", files=form(content), headers=KEY)

    assert answer.json()["data"]["importProfiles"]["userErrors"] == [
        {
            "code": "TOO_LARGE",
            "path": ["file"],
            "message": "The file is larger than 1,000 bytes: split it.",
        }
    ]
    assert await db.import_blocks.count_documents({}) == 0


@pytest.mark.parametrize(
    "parts",
    [
        {"operations": (None, "[]"), "map": (None, '{"0": ["variables.file"]}')},
        {"operations": (None, "{}"), "map": (None, '{"0": ["variables.file"]}')},
        {"operations": (None, "{}"), "map": (None, "[1]")},
        {"operations": (None, "{"), "map": (None, "{}")},
        {"0": ("f.csv", b"Email\n", "text/csv")},
    ],
)
async def test_a_malformed_upload_is_the_callers_mistake(
    caller: httpx.AsyncClient, parts: dict[str, Any]
) -> None:
    answer = await caller.post("/graphql", files=parts, headers=KEY)

    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("operations", "files_map", "named"),
    [
        ('{"query": "{__typename}"}', '{"0": ["variables.file"]}', "variables"),
        ('{"variables": {"file": null}}', '{"1": ["variables.file"]}', "1"),
    ],
)
async def test_a_map_that_leads_nowhere_is_named(
    caller: httpx.AsyncClient, operations: str, files_map: str, named: str
) -> None:
    parts: dict[str, Any] = {
        "operations": (None, operations),
        "map": (None, files_map),
        "0": ("f.csv", b"Email\n", "text/csv"),
    }

    answer = await caller.post("/graphql", files=parts, headers=KEY)

    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [
            {
                "message": f"The map leads to '{named}', which is neither a file of "
                "the request nor in its operations: give each file's name with "
                'the path to its variable, as in {"0": ["variables.input.file"]}.',
                "extensions": {"code": "BAD_REQUEST"},
            }
        ],
    )


async def test_the_members_of_a_list_and_a_segment_are_downloaded(
    caller: httpx.AsyncClient, db: Database
) -> None:
    made = await create_list(db, "Fair", OptIn.SINGLE, now=NOW)
    given = {
        "email": "a@example.org",
        "phoneNumber": "+14155550132",
        "firstName": "=HYPERLINK(1)",
        "location": {"city": "Köln"},
        "properties": {"plan": "gold", "City": "x;=1", "Joined": 1, "tags": ["a", 1]},
    }
    profile = (await upsert_profile(db, profile_change(given), NOW)).profile
    members = [(profile["_id"], NOW)]
    await join_list_many(db, made["_id"], members, MembershipSource.API, now=NOW)
    has_plan = {"path": "properties.plan", "is": {"exists": True}}
    definition = {"groups": [{"anyOf": [{"property": {"filter": has_plan}}]}]}
    segment = await create_segment(db, "Gold", definition, now=NOW)

    header = (
        "Email,Phone Number,External ID,First Name,Last Name,Organization,Title,Locale,"
        "Address,Address 2,City,State / Region,Country,Zip Code,Timezone,"
        "Email Marketing Consent,Email Marketing Consent Timestamp,Email Suppression,"
        "SMS Marketing Consent,SMS Marketing Consent Timestamp,SMS Suppression,"
    )
    row = (
        "a@example.org,'+14155550132,,'=HYPERLINK(1),,,,,,,Köln,,,,,NEVER_SUBSCRIBED,"
        ",,NEVER_SUBSCRIBED,,,"
    )
    properties = "City (property),Joined (property),plan,tags"
    values = 'x;\'=1,1,gold,"[""a"",1]"'
    of_list = await caller.get(f"/lists/lst_{made['_id']}/members.csv", headers=KEY)
    assert of_list.text == (
        f"{header}Joined,{properties}\r\n{row}2026-03-01T12:00:00Z,{values}\r\n"
    )
    of_segment = await caller.get(
        f"/segments/seg_{segment['_id']}/members.csv", headers=KEY
    )
    assert of_segment.text == f"{header}{properties}\r\n{row}{values}\r\n"


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        (f"/lists/lst_{'0' * 24}/members.csv", {}, 401, "UNAUTHENTICATED"),
        (f"/lists/lst_{'0' * 24}/members.csv", KEY, 404, "NOT_FOUND"),
        (f"/segments/seg_{'0' * 24}/members.csv", KEY, 404, "NOT_FOUND"),
        (f"/imports/imp_{'0' * 24}/rejected.csv", KEY, 404, "NOT_FOUND"),
        ("/imports/1/rejected.csv", KEY, 404, "INVALID"),
        (
            "/imports/1/rejected.csv",
            {"Authorization": "Bearer sk_wrong"},
            401,
            "UNAUTHENTICATED",
        ),
    ],
)
async def test_downloads_are_refused_with_a_reason(
    caller: httpx.AsyncClient,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    answer = await caller.get(path, headers=headers)

    assert answer.status_code == status
    assert [it["extensions"]["code"] for it in answer.json()["errors"]] == [code]


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        (f"/lists/lst_{'0' * 24}/members.csv", "lists:read"),
        (f"/lists/lst_{'0' * 24}/members.csv", "profiles:read"),
        (f"/segments/seg_{'0' * 24}/members.csv", "segments:read"),
        (f"/segments/seg_{'0' * 24}/members.csv", "profiles:read"),
        (f"/imports/imp_{'0' * 24}/rejected.csv", "imports:read"),
    ],
)
async def test_downloads_need_every_scope_of_what_they_hold(
    caller: httpx.AsyncClient, db: Database, path: str, scope: str
) -> None:
    scopes = [each for each in SCOPES if each != scope]
    wanted = check_key("Nearly", KeyKind.SECRET, scopes)
    secret = (await create_key(db, wanted, now=NOW)).secret

    answer = await caller.get(path, headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 403
    assert answer.json()["errors"] == [
        {
            "message": f"This needs the scope {scope}, which the key 'Nearly' does not "
            "have.",
            "extensions": {"code": "FORBIDDEN"},
        }
    ]


def test_a_segment_is_exported_in_the_accounts_time_zone(
    mongodb_uri: str, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones: list[tzinfo] = []

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    async def exported(
        db: Database, segment_id: str, now: datetime, zone: tzinfo = UTC
    ) -> AsyncIterator[bytes]:
        zones.append(zone)
        return nothing()

    monkeypatch.setattr("server.importing.segment_export", exported)
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("AUDIENCE_DATABASE", db.name)
    monkeypatch.setenv("AUDIENCE_TIMEZONE", "Asia/Tokyo")

    done = CliRunner().invoke(cli, ["export", "segment", f"seg_{'0' * 24}"])

    assert (done.exit_code, zones) == (0, [ZoneInfo("Asia/Tokyo")])


@pytest.mark.parametrize(("what", "like"), [("list", "lst"), ("segment", "seg")])
def test_of_what_the_id_is_wrong_is_told(
    mongodb_uri: str, db: Database, what: str, like: str
) -> None:
    where = {"MONGODB_URI": mongodb_uri, "AUDIENCE_DATABASE": db.name}

    done = run_audience("export", what, "abc", **where)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"audience: 'abc' is not an id: the id of a {what} looks like "
        f"{like}_0123456789abcdef01234567.\n"
    )


async def test_who_takes_an_import_over_goes_on_with_it(
    db: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def overtaken(*_: object) -> None:
        raise Overtaken

    monkeypatch.setattr("server.importing.run_import", overtaken)
    file = tmp_path / "people.csv"
    file.write_bytes(b"Mail\na@example.org\n")

    await import_file(
        db,
        file,
        list_id=None,
        columns=[],
        consent=[],
        source=None,
        phone_region=None,
    )

    (kept,) = await find(db.imports, {})
    assert capsys.readouterr().out == (
        f"imp_{kept['_id']}: 1 rows in people.csv.\n"
        f"A server goes on with it: imp_{kept['_id']}.\n"
    )


def test_files_are_imported_and_exported_by_commands(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(AUDIENCE_ADMIN_KEY=ADMIN_KEY)
    made = httpx.post(
        f"{server.address}/graphql",
        headers=KEY,
        json={"query": 'mutation { createList(input: { name: "A" }) { list { id } } }'},
    )
    list_id = made.json()["data"]["createList"]["list"]["id"]
    file = tmp_path / "people.csv"
    file.write_bytes(b"Mail;Plan\na@example.org;gold\nnobody;free\n")
    data = ("--data", str(server.folder))

    options = ("--list", list_id, "--consent", "email", "--source", "Fair")
    columns = ("--column", "Plan=properties.plan:text")
    done = run_audience("import", str(file), *options, *columns, *data)

    identifier = done.stdout.partition(":")[0]
    assert (done.returncode, done.stdout) == (
        0,
        f"{identifier}: 2 rows in people.csv.\n"
        "Completed: 1 new profiles, 1 joined the list, 1 agreements recorded, 1 rows "
        "rejected.\n"
        f"The rejected rows: {called()} export rejected {identifier} "
        f"--data {server.folder}\n",
    )
    exported = run_audience("export", "list", list_id, *data)
    assert "a@example.org" in exported.stdout
    assert exported.stdout.splitlines()[0].endswith("Joined,plan")
    rejected = run_audience("export", "rejected", identifier, *data)
    assert rejected.stdout.splitlines()[1].startswith("3,Mail,nobody,")
    refused = run_audience("import", str(file), "--consent", "email", *data)
    assert _told(refused) == (
        1,
        "audience: Say with --source where these people agreed.\n",
    )
    refused = run_audience("import", str(file), "--column", "Plan", *data)
    assert _told(refused)[0] == 1


async def test_what_cannot_be_imported_is_refused_to_uploaders(
    caller: httpx.AsyncClient, db: Database
) -> None:
    told = {}
    for name, (content, _) in REFUSED.items():
        answer = await caller.post("/graphql", files=form(content), headers=KEY)
        told[name] = answer.json()["data"]["importProfiles"]

    def refusal(name: str, message: str) -> Any:
        path = ["columns"] if name == "nobody" else ["file"]
        large = name in ("too many columns", "long name", "long line")
        code = "TOO_LARGE" if large else "INVALID"
        error = {"code": code, "path": path, "message": message}
        return {"import": None, "userErrors": [error]}

    assert told == {
        name: refusal(name, message) for name, (_, message) in REFUSED.items()
    }
    for kept in (db.imports, db.import_blocks, db.profiles):
        assert await kept.count_documents({}) == 0


def test_what_cannot_be_imported_is_refused_by_the_command(
    mongodb_uri: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("AUDIENCE_DATABASE", db.name)
    told = {}
    for name, (content, _) in REFUSED.items():
        file = tmp_path / "people.csv"
        file.write_bytes(content)
        done = CliRunner().invoke(cli, ["import", str(file)])
        told[name] = (done.exit_code, str(done.exception), done.stdout)

    assert told == {name: (1, message, "") for name, (_, message) in REFUSED.items()}
    with MongoClient[Document](mongodb_uri) as client:
        kept = ("imports", "import_blocks", "profiles")
        counts = [client[db.name][each].count_documents({}) for each in kept]
    assert counts == [0, 0, 0]


async def test_names_that_mean_something_elsewhere_are_names_here(
    caller: httpx.AsyncClient, db: Database
) -> None:
    made = await create_list(db, "Fair", OptIn.SINGLE, now=NOW)
    files = form(named(), listId=f"lst_{made['_id']}")
    answer = await caller.post("/graphql", files=files, headers=KEY)
    assert answer.json()["data"]["importProfiles"]["userErrors"] == []
    await run_waiting_imports(db, "tests")
    async with asyncio.timeout(60):
        # The worker beside the server may have been faster.
        while not (profile := await db.profiles.find_one({})):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert profile["properties"] == PROPERTIES
    assert set(profile) == {
        *("_id", "email", "properties", "consent", "lists", "summary", "search"),
        *("created_at", "updated_at"),
    }
    exported = await caller.get(f"/lists/lst_{made['_id']}/members.csv", headers=KEY)
    header, row = csv.reader(exported.text.splitlines())
    written = dict(zip(header, row, strict=True))
    assert {name: written.get(name) for name in ("'=1+1", "'+cmd", "'-1")} == {
        "'=1+1": "v0",
        "'+cmd": "v1",
        "'-1": "v2",
    }
    assert [name for name in header if name[:1] in "=+-@"] == []


def test_the_command_takes_such_names_too(
    mongodb_uri: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("AUDIENCE_DATABASE", db.name)
    file = tmp_path / "people.csv"
    file.write_bytes(named())

    done = CliRunner().invoke(cli, ["import", str(file)])

    assert done.exit_code == 0, done.exception
    with MongoClient[Document](mongodb_uri) as client:
        (profile,) = client[db.name]["profiles"].find()
    assert profile["properties"] == PROPERTIES


def test_a_file_of_two_gigabytes_is_refused_unread(
    mongodb_uri: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("AUDIENCE_DATABASE", db.name)
    monkeypatch.setattr("server.importing._pieces", None)
    file = tmp_path / "people.csv"
    with file.open("wb") as large:
        large.truncate(2_000_000_001)

    done = CliRunner().invoke(cli, ["import", str(file)])

    message = "The file is larger than 200,000,000 bytes: split it."
    assert (done.exit_code, str(done.exception)) == (1, message)


@pytest.mark.parametrize("key", [KEY, {}], ids=["may import", "no key"])
async def test_an_upload_that_never_ends_is_cut_off(
    caller: httpx.AsyncClient, db: Database, key: dict[str, str]
) -> None:
    limit = 210_000_000 if key else 10_000_000
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        yield multipart(START)
        while sent < 2_000_000_000:
            piece = b"a@example.org\n" * 100_000
            sent += len(piece)
            yield piece

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await caller.post("/graphql", content=parts(), headers={**kind, **key})

    assert answer.status_code == 413
    assert answer.json()["errors"][0]["message"] == (
        f"The request is larger than {limit:,} bytes; send less at a time."
    )
    assert limit <= sent < limit + 3_000_000
    assert await db.import_blocks.count_documents({}) == 0


def multipart(query: str) -> bytes:
    """The beginning of an upload, up to the content of its file."""
    operations = {"query": query, "variables": {"input": {"file": None}}}
    named = {
        "operations": json.dumps(operations),
        "map": '{"0": ["variables.input.file"]}',
    }
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in named.items()
    ]
    file = 'Content-Disposition: form-data; name="0"; filename="people.csv"'
    return f"{''.join(parts)}--x\r\n{file}\r\n\r\nEmail\r\n".encode()


async def test_packed_requests_are_not_unpacked(caller: httpx.AsyncClient) -> None:
    packed = gzip.compress(b" " * 5_000_000 + b'{"query": "{ viewer { name } }"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **KEY}

    answer = await caller.post("/graphql", content=packed, headers=headers)

    assert answer.status_code == 400


def _told(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    return done.returncode, done.stderr
