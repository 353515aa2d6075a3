"""A MongoDB that cannot be used is refused with one sentence, by real servers."""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from resolvers.db import UnusableDatabase, refuse_unusable
from server.mongod import find_binary
from tests.server.conftest import free_port, run_audience


@contextlib.contextmanager
def plain_mongod(folder: Path, *arguments: str) -> Iterator[str]:
    """The host and port of a mongod that is no replica set."""
    port = free_port()
    command = [str(find_binary()), "--dbpath", str(folder), "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--bind_ip", "127.0.0.1", "--nounixsocket", *arguments],
            stdout=log,
            stderr=log,
        )
    try:
        with pymongo.MongoClient[dict[str, object]](f"127.0.0.1:{port}") as client:
            client.admin.command("ping")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def refusal(uri: str) -> str:
    """What `audience serve` says about the MongoDB."""
    refused = run_audience("serve", "--port", "0", MONGODB_URI=uri)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr
    return refused.stderr


def test_a_standalone_server(tmp_path: Path) -> None:
    with plain_mongod(tmp_path) as address:
        said = refusal(f"mongodb://{address}/")

    assert said.startswith("audience: MongoDB runs as a standalone server")
    assert "--replSet" in said


def test_a_wrong_password(tmp_path: Path) -> None:
    with plain_mongod(tmp_path, "--auth") as address:
        with pymongo.MongoClient[dict[str, object]](address) as client:
            client.admin.command("createUser", "shop", pwd="right", roles=["root"])  # noqa: S106
        wrong = refusal(f"mongodb://shop:wrong@{address}/")
        none = refusal(f"mongodb://{address}/")

    expected = "audience: MongoDB refused the user name or password in MONGODB_URI"
    assert wrong.startswith(expected)
    assert "wrong@" not in wrong
    assert none.startswith(expected)


def test_a_host_that_cannot_be_reached() -> None:
    said = refusal(f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=500")

    assert said.startswith("audience: MongoDB cannot be reached (127.0.0.1:")
    assert "Connection refused" in said


def test_an_address_of_another_form() -> None:
    said = refusal("postgres://127.0.0.1/")

    assert said.startswith("audience: MONGODB_URI cannot be read")
    assert "mongodb://user:password@host:27017/?replicaSet=name" in said


def test_a_server_that_is_too_old() -> None:
    with pytest.raises(UnusableDatabase) as refused:
        refuse_unusable({"setName": "rs0"}, "5.0.31")

    assert str(refused.value) == (
        "MongoDB 5.0.31 is too old: Audience needs 6.0 or newer."
    )


@pytest.mark.parametrize("version", ["6.0.0", "6.0.5", "7.2.1", "8.0.0-rc4", "10.0.1"])
def test_servers_that_are_new_enough(version: str) -> None:
    refuse_unusable({"setName": "rs0"}, version)
    refuse_unusable({"msg": "isdbgrid"}, version)


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_data_folder_that_is_a_file(tmp_path: Path, inside: str) -> None:
    taken = tmp_path / "file"
    taken.write_text("")

    refused = run_audience("serve", "--port", "0", "--data", str(taken / inside))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"audience: The data folder {taken / inside} ")
    assert refused.stderr.count("\n") == 1


def test_a_command_on_a_new_folder_says_so_and_shows_whole_ids(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "new"))

    made = run_audience("key", "create", "Shop", "--scope", "lists:read", *data)
    shown = run_audience("key", "list", *data, COLUMNS="60")

    folder = tmp_path / "new"
    assert made.stderr == (
        f"Making a new database in {folder}.\nIt is shown this once; keep it.\n"
    )
    assert made.stdout.startswith("sk_")
    assert shown.stderr == ""
    assert len(re.findall(r"key_[0-9a-f]{24}", shown.stdout)) == 1
