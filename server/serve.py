"""Running the server: its port, its database, its worker processes, and their end."""

import asyncio
import contextlib
import importlib
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess

from resolvers.db import Database
from resolvers.keys import ensure_admin_key
from server.database import opened, own_database
from server.mongod import STOPPING, Mongod, MongodFailed
from server.settings import Settings, environment
from server.welcome import say, welcome

STOP_SECONDS = 10
READY_SECONDS = 60
APP = "server.app:from_environment"
PROTOCOL = "server.protocol:JoiningProtocol"
APP_MODULES = ("server.app", "server.protocol", "gql.schema")

Load = Callable[[Database], Awaitable[None]]


class PortTaken(Exception):
    """The port cannot be listened on; says why."""


class Stopped(BaseException):
    """Ctrl-C, or a request of the system to end."""


def serve(settings: Settings, load_demo: Load | None = None) -> None:
    """Runs until it is told to stop; `load_demo` fills an empty database first, or
    goes on with what it began.

    MongodFailed when the embedded database dies.
    """
    with (
        _stopping(),
        contextlib.suppress(Stopped),
        _listening(settings) as (listener, bound),
        _imported(APP_MODULES),
        own_database(bound) as reached,
    ):
        first_key = asyncio.run(_prepare(reached.settings, load_demo))
        os.environ.update(environment(reached.settings))
        _run(reached.settings, listener, reached.mongod, first_key)


async def _prepare(settings: Settings, load_demo: Load | None) -> str | None:
    async with opened(settings) as db:
        if load_demo is not None:
            begun = await db.seeds.find_one({})
            if begun or await db.profiles.find_one({}, {"_id": 1}) is None:
                await load_demo(db)
        if settings.admin_key is not None:
            return None
        return await ensure_admin_key(db, datetime.now(UTC))


def _run(
    settings: Settings,
    listener: socket.socket,
    mongod: Mongod | None,
    first_key: str | None,
) -> None:
    config = uvicorn.Config(
        APP,
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=PROTOCOL,
        ws="websockets-sansio",
        ws_max_size=settings.body_limit,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    runner = (
        uvicorn.Server(config)
        if settings.workers == 1
        else Multiprocess(config, sockets=[listener])
    )
    # The runners handle the other signals themselves; a closed terminal is an end too.
    signal.signal(signal.SIGHUP, lambda number, frame: _stop(runner))
    ended = threading.Event()
    watchers = [threading.Thread(target=_greet, args=(settings, first_key, ended))]
    if mongod is not None:
        watchers.append(threading.Thread(target=_watch, args=(mongod, runner, ended)))
    for watcher in watchers:
        watcher.start()
    try:
        if isinstance(runner, Multiprocess):
            runner.run()
        else:
            runner.run([listener])
    finally:
        ended.set()
        for watcher in watchers:
            watcher.join()
    if mongod is not None and mongod.process.poll() is not None:
        raise MongodFailed(
            f"The embedded mongod ended by itself (code {mongod.process.returncode}), "
            f"so the server stopped; see {settings.data / 'mongod.log'}."
        )


def _greet(settings: Settings, first_key: str | None, ended: threading.Event) -> None:
    """Says where the server is as soon as it answers."""
    local = settings.model_copy(update={"base_url": None})
    deadline = time.monotonic() + READY_SECONDS
    while not ended.wait(0.05) and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{local.address}/health/live", timeout=1),  # noqa: S310
        ):
            say(welcome(settings, first_key))
            return


def _watch(
    mongod: Mongod, runner: uvicorn.Server | Multiprocess, ended: threading.Event
) -> None:
    """Stops the server when its database is gone."""
    while not ended.wait(0.5):
        if mongod.process.poll() is not None:
            _stop(runner)
            return


def _stop(runner: uvicorn.Server | Multiprocess) -> None:
    if isinstance(runner, Multiprocess):
        runner.should_exit.set()
    else:
        runner.should_exit = True


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[tuple[socket.socket, Settings]]:
    """The bound port, and the settings with its number."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except PermissionError:
            raise PortTaken(
                f"Port {settings.port} is for the system's own programs: choose one "
                "from 1024 up with --port."
            ) from None
        except OverflowError:
            raise PortTaken(f"{settings.port} is not a port.") from None
        except OSError as error:
            raise PortTaken(
                f"The server cannot listen on {settings.host} port {settings.port} "
                f"({error.strerror or error}): choose another with --port, or stop the "
                "program that uses it."
            ) from None
        port = listener.getsockname()[1]
        yield listener, settings.model_copy(update={"port": port})


@contextlib.contextmanager
def _imported(modules: Sequence[str]) -> Iterator[None]:
    """Imports what takes long while the database starts."""

    def work() -> None:
        # What fails here fails again, and is told, where it is really needed.
        with contextlib.suppress(Exception):
            for module in modules:
                importlib.import_module(module)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Turns the signals that end a program into Stopped, so that all is undone."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    kept = {each: signal.signal(each, stop) for each in STOPPING}
    try:
        yield
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)
