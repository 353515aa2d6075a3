"""`audience serve` as a process: it starts, greets, and leaves nothing behind."""

import asyncio
import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from resolvers.db import Database
from server.cli import serve_command
from tests.server.conftest import (
    ROOT,
    START_SECONDS,
    Serve,
    is_running,
    run_audience,
)

ADMIN_KEY = "an-admin-key-for-the-tests"
CREATE_SEGMENT = """mutation { createSegment(input: {
  name: "Named", definition: { groups: [{ anyOf: [
    { property: { filter: { path: "firstName", is: { exists: true } } } }
  ] }] }
}) { segment { id } } }"""


def test_a_first_start_says_where_it_is_and_shows_the_first_key_once(
    serve: Serve,
) -> None:
    first = serve()
    written = _waited_for(first.output, "Ctrl-C stops the server.")
    mongod = first.mongod()
    key = re.findall(r"export AUDIENCE_KEY=(sk_\S+)", written)[0]
    answer = httpx.post(
        f"{first.address}/graphql",
        json={"query": "{ viewer { name scopes } }"},
        headers={"Authorization": f"Bearer {key}"},
    )
    code = first.stop(signal.SIGINT)
    second = serve()
    again = _waited_for(second.output, "Ctrl-C stops the server.")

    assert f"GraphiQL  {first.address}/graphql#key={key}" in written
    assert answer.json() == {
        "data": {"viewer": {"name": "First admin key", "scopes": ["*"]}}
    }
    assert (code, is_running(mongod)) == (0, False)
    assert "sk_" not in again
    assert "key create NAME" in again


def test_a_subscription_by_server_sent_events_ends_with_the_server(
    serve: Serve,
) -> None:
    server = serve(AUDIENCE_ADMIN_KEY=ADMIN_KEY)
    url, key = f"{server.address}/graphql", {"Authorization": f"Bearer {ADMIN_KEY}"}
    made = httpx.post(url, json={"query": CREATE_SEGMENT}, headers=key).json()
    segment_id = made["data"]["createSegment"]["segment"]["id"]
    asked = f'subscription {{ segmentChanges(segmentId: "{segment_id}") {{ id }} }}'

    with httpx.stream(
        "POST",
        url,
        json={"query": asked},
        headers=key | {"Accept": "text/event-stream"},
    ) as answer:
        server.process.send_signal(signal.SIGINT)
        said = answer.read().decode()
    code = server.process.wait(START_SECONDS)

    assert (answer.status_code, said.replace(": ping\n\n", "")) == (200, "")
    assert code == 0
    assert "Traceback" not in server.written()


@pytest.mark.anyio
async def test_a_message_over_the_limit_closes_the_socket(serve: Serve) -> None:
    server = serve(AUDIENCE_BODY_LIMIT="2000")
    address = f"ws://127.0.0.1:{server.port}/graphql"
    async with connect(
        address, subprotocols=[Subprotocol("graphql-transport-ws")]
    ) as socket:
        await socket.send(f'{{"type": "ping", "more": "{"x" * 2_000}"}}')
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(10):
                await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_the_examples_that_it_prints_work_when_pasted(serve: Serve) -> None:
    server = serve()
    written = _waited_for(server.output, "Ctrl-C stops the server.")

    lines = [
        line for line in written.splitlines() if re.match(r"  (export|curl|  )", line)
    ]
    answers = subprocess.run(  # noqa: S603 - what the server told us to run
        ["/bin/sh", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
        timeout=START_SECONDS,
    ).stdout

    assert answers.count('{"data":') == 3
    assert "errors" not in answers.replace('"userErrors":[]', "")
    assert '"email":"ada@example.org"' in answers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_every_polite_end_stops_the_database_too(serve: Serve, number: int) -> None:
    server = serve()
    mongod = server.mongod()

    code = server.stop(number)

    assert (code, is_running(mongod)) == (0, False)
    assert "Traceback" not in server.written()


def test_a_killed_server_takes_its_database_along(serve: Serve) -> None:
    server = serve()
    mongod = server.mongod()

    server.stop(signal.SIGKILL)

    _wait_until(lambda: not is_running(mongod))
    assert serve().process.poll() is None


def test_a_database_that_ends_by_itself_ends_the_server(serve: Serve) -> None:
    server = serve()

    os.kill(server.mongod(), signal.SIGKILL)
    code = server.process.wait(START_SECONDS)

    assert code == 1
    assert (
        "audience: The embedded mongod ended by itself (code -9), so the server stopped"
        in server.written()
    )
    assert "Traceback" not in server.written()


def test_a_worker_that_dies_is_replaced(serve: Serve) -> None:
    server = serve("--workers", "2", AUDIENCE_ADMIN_KEY=ADMIN_KEY)
    mongod = server.mongod()
    worker = _workers(server.process.pid)[0]

    os.kill(worker, signal.SIGKILL)

    _wait_until(lambda: len(set(_workers(server.process.pid)) - {worker}) == 2)
    _wait_until(lambda: _answers(server.address))
    workers = _workers(server.process.pid)
    code = server.stop(signal.SIGINT)
    assert (code, [each for each in [*workers, mongod] if is_running(each)]) == (0, [])


def test_a_second_server_on_the_same_data_is_refused(serve: Serve) -> None:
    server = serve()

    second = run_audience("serve", "--port", "0", "--data", str(server.folder))

    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (
        f"audience: The data folder {server.folder} is in use by another Audience "
        "server: stop it, or choose another folder with --data.\n"
    )


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run_audience(
            "serve", "--port", str(port), "--data", str(tmp_path / "data")
        )

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"audience: The server cannot listen on 127.0.0.1 port {port} (Address already "
        "in use): choose another with --port, or stop the program that uses it.\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_bad_setting_is_refused() -> None:
    refused = run_audience("serve", AUDIENCE_LOG="loud")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert (
        refused.stderr == "audience: AUDIENCE_LOG: it should be 'console' or 'json'.\n"
    )


def test_commands_use_the_database_of_a_running_server(serve: Serve) -> None:
    server = serve()
    data = ("--data", str(server.folder))

    key = run_audience("key", "create", "A shop", "--scope", "profiles:read", *data)
    listed = run_audience("key", "list", *data)
    (identifier,) = re.findall(
        r"^(key_[0-9a-f]{24})\tA shop\tSECRET\tsk_\S+\tprofiles:read\t\t[\d-]{10}\t$",
        listed.stdout,
        re.MULTILINE,
    )
    revoked = run_audience("key", "revoke", identifier, *data)
    checked = run_audience("db", "check", *data)
    rebuilt = run_audience("db", "rebuild-summaries", *data)

    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}\n", key.stdout)
    assert key.stdout.strip() not in listed.stdout
    assert revoked.stdout == "The key 'A shop' no longer works.\n"
    assert "is fit for use" in checked.stdout
    assert rebuilt.stdout == "0 profiles checked, 0 summaries mended.\n"
    assert server.process.poll() is None


def test_commands_start_the_database_when_no_server_runs(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))

    created = run_audience("key", "create", "A page", "--public", *data)
    refused = run_audience("key", "create", "A shop", "--scope", "everything", *data)

    assert re.fullmatch(r"pk_[A-Za-z0-9_-]{43}\n", created.stdout)
    assert created.stderr.splitlines()[1:] == ["It is shown this once; keep it."]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("audience: 'everything' is not a scope.")


def test_a_key_without_scopes_is_said_to_allow_everything(tmp_path: Path) -> None:
    made = run_audience("key", "create", "A shop", "--data", str(tmp_path / "data"))

    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert made.stderr.splitlines()[1:] == [
        "It is shown this once; keep it. It may do everything, erasing people and "
        "making keys included: name what it needs by --scope, and revoke this one, "
        "where that is too much."
    ]


def test_help_is_there_before_anything_is_installed(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "serve", tmp_path / "scripts")

    shown = {
        flag: subprocess.run(  # noqa: S603 - our own script
            [tmp_path / "scripts" / "serve", "--demo", flag],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for flag in ("--help", "-h")
    }

    assert shown["--help"] == shown["-h"]
    options = {f"--{name}" for name in inspect.signature(serve_command).parameters}
    told = set(re.findall(r"^  (--[a-z]+)", shown["--help"], re.MULTILINE))
    assert told == options | {"--help"}
    assert list(tmp_path.iterdir()) == [tmp_path / "scripts"]


def _waited_for(output: Path, text: str) -> str:
    _wait_until(lambda: text in output.read_text())
    return output.read_text()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def _workers(parent: int) -> list[int]:
    """The processes that answer: children that run the server's own code."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_that_the_database_is_being_brought_up_to_date_is_told_beside_the_results(
    mongodb_uri: str, db: Database
) -> None:
    where = {"MONGODB_URI": mongodb_uri, "AUDIENCE_DATABASE": db.name}
    usual = run_audience("key", "list", **where)
    until = datetime.now(UTC) + timedelta(seconds=4)
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        client[db.name]["migrations"].delete_one({"_id": 1})
        client[db.name]["leases"].insert_one(
            {"_id": "migrations", "holder": "another", "until": until}
        )

    done = run_audience("key", "list", **where)

    told = "waiting for another process that brings the database up to date"
    assert (usual.returncode, usual.stderr) == (0, "")
    assert (done.returncode, done.stdout) == (0, usual.stdout)
    assert told in done.stderr
