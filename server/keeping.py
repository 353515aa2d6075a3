"""What goes on in the background of a running process, inside a server's or alone:
the keeper, and who sends its messages to webhooks."""

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import structlog
from pymongo.errors import PyMongoError

from resolvers.db import Database
from resolvers.keeper import Keeper, LeaseLost, keep_once, stop
from resolvers.secrets import signing_secret
from server.clocks import SKEW_SECONDS, skew_of
from server.settings import Settings
from server.webhooks import deliver

WAIT_MS = 500
# Changes that come one after another are taken together.
PAUSE_SECONDS = 0.02
IDLE_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
FAILED_SECONDS = 5.0

_log = structlog.get_logger("audience.keeper")


async def keep(db: Database, zone: tzinfo, ended: asyncio.Event) -> None:
    """Keeps segments until `ended`. What goes wrong is logged and tried again."""
    skew = timedelta()
    keeper = Keeper(db, secrets.token_hex(8), zone, lambda: datetime.now(UTC) + skew)
    looked: float | None = None
    while not ended.is_set():
        if looked is None or time.monotonic() - looked >= SKEW_SECONDS:
            with contextlib.suppress(PyMongoError):
                skew = await skew_of(db)
            looked = time.monotonic()
        pause = await _pass(keeper)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)
    with contextlib.suppress(PyMongoError):
        await stop(keeper)


@contextlib.asynccontextmanager
async def keeping(db: Database, settings: Settings) -> AsyncIterator[None]:
    """Keeps segments beside what the process does, unless that is left to others."""
    if not settings.keeper:
        yield
        return
    ended = asyncio.Event()
    task = asyncio.create_task(_work(db, settings, ended))
    try:
        yield
    finally:
        ended.set()
        with contextlib.suppress(TimeoutError):
            # What is cut off here is done again by whoever comes next.
            await asyncio.wait_for(task, PATIENCE_SECONDS)


async def keep_alone(db: Database, settings: Settings) -> None:
    """Keeps segments until the process is told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    await _work(db, settings, ended)


async def _work(db: Database, settings: Settings, ended: asyncio.Event) -> None:
    secret = await _secret(db, settings, ended)
    if secret is None:
        return
    await asyncio.gather(
        keep(db, ZoneInfo(settings.timezone), ended),
        deliver(db, secret, ended, to_loopback=settings.webhooks_to_loopback),
    )


async def _secret(db: Database, settings: Settings, ended: asyncio.Event) -> str | None:
    """The secret by which webhooks' secrets are sealed; None when `ended` comes before
    the database."""
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    while not ended.is_set():
        try:
            return await signing_secret(db)
        except PyMongoError as error:
            _log.warning("upkeep postponed", reason=str(error)[:200])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), IDLE_SECONDS)
    return None


async def _pass(keeper: Keeper) -> float:
    """One pass; how long to wait before the next."""
    try:
        await keep_once(keeper, WAIT_MS)
    except LeaseLost:
        _log.info("another process has taken over a share of the profiles")
    except PyMongoError as error:
        _log.warning("upkeep postponed", reason=str(error)[:200])
        return IDLE_SECONDS
    except Exception:  # noqa: BLE001 - upkeep goes on, whatever one pass met
        _log.exception("upkeep failed")
        await stop(keeper, gives_back=False)
        return FAILED_SECONDS
    return PAUSE_SECONDS if keeper.shares else IDLE_SECONDS
