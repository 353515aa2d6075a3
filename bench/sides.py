"""The servers that are compared: how each is started, and where it answers."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import BenchFailed
from server.serve import PROTOCOL

ROOT = Path(__file__).parents[1]
NODE = Path(__file__).parent / "node"
READY_SECONDS = 60
STOP_SECONDS = 10
UNLIMITED = "1000000000/minute"


@dataclass(frozen=True, slots=True)
class Side:
    """A server. Without GraphQL, each scenario has an address of its own."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    is_graphql: bool = True
    scenarios: frozenset[str] | None = None  # None: all of them

    def path(self, scenario: str) -> str:
        """Where it answers the scenario."""
        return "/graphql" if self.is_graphql else f"/{scenario}"

    def answers(self, scenario: str) -> bool:
        """Whether it takes part."""
        return self.scenarios is None or scenario in self.scenarios


@dataclass(frozen=True, slots=True)
class Running:
    """A side's server at work."""

    side: Side
    address: str
    process: int


def _uvicorn(app: str) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "uvicorn", "--factory", app),
        *("--loop", "uvloop", "--http", PROTOCOL, "--no-access-log"),
        *("--log-level", "warning", "--no-server-header", "--no-proxy-headers"),
        *("--host", "127.0.0.1", "--port", "{port}", "--workers", "{processes}"),
    )


def _ours(name: str, title: str, driver: str, executor: str = "compiled") -> Side:
    return Side(
        name,
        title,
        _uvicorn("server.app:from_environment"),
        (("AUDIENCE_DRIVER", driver), ("AUDIENCE_EXECUTOR", executor)),
    )


def _raw(name: str, title: str, driver: str) -> Side:
    return Side(
        name,
        title,
        _uvicorn("bench.raw:from_environment"),
        (("AUDIENCE_DRIVER", driver),),
        is_graphql=False,
        scenarios=frozenset({"nested", "activity", "flat", "lookup", "segment"}),
    )


def _node(name: str, title: str) -> Side:
    return Side(
        name,
        title,
        ("node", str(NODE / f"{name}.js")),
        (("NODE_ENV", "production"),),
    )


SIDES = {
    side.name: side
    for side in (
        _ours("audience", "Audience, Motor", "motor"),
        _ours("audience-pymongo", "Audience, PyMongo async", "pymongo"),
        _ours("audience-plain", "Audience, graphql-core", "motor", "graphql-core"),
        _raw("raw", "no GraphQL, Motor", "motor"),
        _raw("raw-pymongo", "no GraphQL, PyMongo async", "pymongo"),
        _node("mercurius", "Mercurius with JIT, Node"),
        _node("yoga", "GraphQL Yoga, Node"),
    )
}


@contextmanager
def running(
    side: Side, *, uri: str, database: str, key: str, processes: int
) -> Iterator[Running]:
    """The side's server on a free loopback port, for as long as the block runs."""
    port = _free_port()
    words = {"port": str(port), "processes": str(processes)}
    environment = os.environ | {
        "MONGODB_URI": uri,
        "AUDIENCE_DATABASE": database,
        "AUDIENCE_ADMIN_KEY": key,
        "AUDIENCE_RATE_LIMIT_SECRET": UNLIMITED,
        "AUDIENCE_RATE_LIMIT_ADDRESS": UNLIMITED,
        "AUDIENCE_LOG_LEVEL": "warning",
        "BENCH_PORT": str(port),
        "BENCH_PROCESSES": str(processes),
        "PYTHONPATH": str(ROOT),
        **dict(side.environment),
    }
    command = [word.format(**words) for word in side.command]
    if shutil.which(command[0]) is None:
        raise BenchFailed(f"{side.title} cannot start: there is no {command[0]} here.")
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            if not _answers(address, process):
                said.seek(0)
                words_said = said.read().decode(errors="replace").strip()
                raise BenchFailed(
                    f"{side.title} did not start. It said: {words_said[-2000:]}"
                )
            yield Running(side, address, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/live", timeout=2):  # noqa: S310
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
