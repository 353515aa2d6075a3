"""The application over a small schema of its own, and servers that run for real."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydantic import SecretStr
from starlette.applications import Starlette

from resolvers.db import Database
from resolvers.shielding import finish_work
from server.app import create_app
from server.settings import Settings
from tests.server.shops import ADMIN_KEY as ADMIN_KEY
from tests.server.shops import FLAGS, Inbox, Shop, pages_of
from tests.server.tiny import schema

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@pytest.fixture
def settings(db: Database, mongodb_uri: str) -> Settings:
    return Settings(
        mongodb_uri=SecretStr(mongodb_uri),
        database=db.name,
        driver=db.driver,
        admin_key=SecretStr(ADMIN_KEY),
        secret=SecretStr("a secret that signs links in tests only"),
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Starlette]:
    app = create_app(settings, schema)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


def client_of(app: Starlette, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client whose requests come from `address`, and which waits until all that was
    begun is done."""

    async def finish(answer: httpx.Response) -> None:
        await finish_work()

    transport = httpx.ASGITransport(app, client=(address, 4242))
    return httpx.AsyncClient(
        transport=transport,
        base_url="http://testserver",
        event_hooks={"response": [finish]},
    )


@dataclass(slots=True)
class RunningServer:
    """An `audience serve` process, and what it has written."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path
    folder: Path
    address: str = field(init=False)

    def __post_init__(self) -> None:
        self.address = f"http://127.0.0.1:{self.port}"

    def written(self) -> str:
        """Everything on its standard output and error so far."""
        return self.output.read_text()

    def mongod(self) -> int:
        """The process id of its database."""
        return int((self.folder / "mongodb" / "mongod.lock").read_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after the signal."""
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)


Serve = Callable[..., RunningServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `audience serve` with arguments and environment, and stops it at last."""
    with contextlib.ExitStack() as running:

        def start(*arguments: str, **environment: str) -> RunningServer:
            return running.enter_context(_served(tmp_path, arguments, environment))

        yield start


@contextlib.contextmanager
def _served(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> Iterator[RunningServer]:
    port = free_port()
    folder = tmp_path / "data"
    output = tmp_path / f"output-{port}"
    with output.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "server", "serve", "--port", str(port)),
                *("--data", str(folder), *arguments),
            ],
            cwd=ROOT,
            env=clean_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    server = RunningServer(process, port, output, folder)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        if process.poll() is None:
            server.stop()


def _wait_until_ready(server: RunningServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{server.address}/health/ready", timeout=5),  # noqa: S310
        ):
            return
        time.sleep(0.1)
    raise AssertionError(f"The server did not start: {server.written()}")


def run_audience(
    *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env=clean_environment() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """The environment without settings of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AUDIENCE_") and name != "MONGODB_URI"
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def chromium() -> str:
    """Where Chromium is; the test fails with a sentence where it is not."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Chromium is missing: run `apt-get install chromium`."
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    inbox, port = Inbox(), free_port()
    mail = Controller(inbox, hostname="127.0.0.1", port=port)
    mail.start()
    settings = {
        "AUDIENCE_ADMIN_KEY": ADMIN_KEY,
        "AUDIENCE_SMTP_HOST": "127.0.0.1",
        "AUDIENCE_SMTP_PORT": str(port),
        "AUDIENCE_SMTP_SECURITY": "none",
    }
    try:
        with _served(tmp_path_factory.mktemp("shop"), (), settings) as server:
            found = Shop(server, inbox)
            site = ThreadingHTTPServer(("127.0.0.1", 0), pages_of(found))
            found.address = f"http://127.0.0.1:{site.server_address[1]}"
            thread = threading.Thread(target=site.serve_forever, daemon=True)
            thread.start()
            yield found
            site.shutdown()
            site.server_close()
    finally:
        mail.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no script fails and no policy is broken."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: (
            wrong.append(message.text)
            if "Content Security Policy" in message.text
            else None
        ),
    )
    yield page
    context.close()
    assert wrong == []
