"""Sends the messages that wait for outbound webhooks, to public addresses alone."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import aiohttp
import orjson
import structlog
from bson import ObjectId
from pymongo.errors import PyMongoError

from audience.webhooks import is_public, signed_headers, wait_after
from gql.ids import Kind, global_id
from gql.scalars import date_time_text
from resolvers.db import Database, Document
from resolvers.deliveries import (
    active_webhook,
    active_webhooks,
    forget_old,
    note_dead,
    note_delivered,
    note_failed,
    pause_webhook,
    take_deliveries,
)
from resolvers.profiles import profiles_by_id
from resolvers.sealing import CannotOpen, unseal
from resolvers.segments import segments_by_id
from server.clocks import SKEW_SECONDS, skew_of

LOOK_SECONDS = 0.5
FAILED_SECONDS = 5.0
PATIENCE_SECONDS = 1.0
SWEEP_SECONDS = 3_600.0
TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
MAX_ANSWER = 16_384

# So many of one receiver's are under way at once while it takes them; one while not.
WIDTH = 16

_HEADERS = {"Content-Type": "application/json", "User-Agent": "Audience"}
_REFUSED = "The address leads to a machine that is not on the public Internet."

_log = structlog.get_logger("audience.webhooks")


class NotPublic(OSError):
    """The address that a name leads to is not one of the public Internet's."""


@dataclass(slots=True)
class _Sending:
    db: Database
    secret: str
    http: aiohttp.ClientSession
    ended: asyncio.Event
    skew: timedelta = timedelta()
    closed: set[tuple[ObjectId, int]] = field(default_factory=set)
    under_way: dict[ObjectId, asyncio.Task[None]] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time, as all have it who share the messages."""
        return datetime.now(UTC) + self.skew


async def deliver(
    db: Database, secret: str, ended: asyncio.Event, *, to_loopback: bool
) -> None:
    """Sends what waits until `ended`. What is under way then is sent again by whoever
    comes next; `secret` opens the webhooks' own."""
    async with _client(to_loopback=to_loopback) as http:
        sending = _Sending(db, secret, http, ended)
        swept = time.monotonic() - SWEEP_SECONDS
        looked = time.monotonic() - SKEW_SECONDS
        try:
            while not ended.is_set():
                pause = LOOK_SECONDS
                try:
                    if time.monotonic() - looked >= SKEW_SECONDS:
                        sending.skew = await skew_of(db)
                        looked = time.monotonic()
                    if time.monotonic() - swept >= SWEEP_SECONDS:
                        swept = time.monotonic()
                        await forget_old(db, sending.now())
                    await _look(sending)
                except PyMongoError as error:
                    _log.warning("webhooks postponed", reason=str(error)[:200])
                    pause = FAILED_SECONDS
                except Exception:  # noqa: BLE001 - the others' messages are sent on
                    _log.exception("webhooks failed")
                    pause = FAILED_SECONDS
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), pause)
        finally:
            tasks = list(sending.under_way.values())
            if tasks:
                await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _client(*, to_loopback: bool) -> AsyncIterator[aiohttp.ClientSession]:
    def guarded(found: Any) -> socket.socket:
        """A socket for exactly this address, once it is known to be allowed."""
        family, kind, protocol, _, place = found
        address = ip_address(str(place[0]).partition("%")[0])
        if not is_public(address) and not (to_loopback and address.is_loopback):
            raise NotPublic(_REFUSED)
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        limit=0, use_dns_cache=False, socket_factory=guarded, keepalive_timeout=15
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=TIMEOUT,
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


async def _look(sending: _Sending) -> None:
    """Begins to send to each receiver that something waits for."""
    for key in await active_webhooks(sending.db):
        if key not in sending.under_way:
            task = asyncio.create_task(_drain(sending, key))
            sending.under_way[key] = task
            task.add_done_callback(partial(_ended, sending, key))


def _ended(sending: _Sending, key: ObjectId, task: asyncio.Task[None]) -> None:
    sending.under_way.pop(key, None)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("webhook failed", id=str(key), exc_info=error)


async def _drain(sending: _Sending, key: ObjectId) -> None:
    """Sends what waits for one receiver, a few at a time: each time as its webhook is
    then, and no more once it is paused."""
    width = WIDTH
    try:
        while not sending.ended.is_set():
            webhook = await active_webhook(sending.db, key)
            if webhook is None:
                return
            keys = _keys_or_none(sending, webhook)
            if keys is None:
                return
            messages = await take_deliveries(sending.db, key, sending.now(), width)
            if not messages:
                return
            bodies = await _bodies(sending.db, messages)
            outcomes = await asyncio.gather(
                *(
                    _send(sending, webhook, keys, message, body)
                    for message, body in zip(messages, bodies, strict=True)
                )
            )
            # Who does not take what comes is not pressed, and takes nobody's place.
            width = WIDTH if all(outcomes) else 1
    except PyMongoError:
        _log.warning("webhook postponed", id=str(key), exc_info=True)


async def _send(
    sending: _Sending,
    webhook: Document,
    keys: list[str],
    message: Document,
    body: bytes,
) -> bool:
    """One attempt, and what has become of it; whether it was taken."""
    began, now = time.monotonic(), sending.now()
    status: int | None = None
    asked: float | None = None
    problem: str | None = None
    try:
        async with sending.http.post(
            webhook["settings"]["url"],
            data=body,
            headers=signed_headers(message_id(message), now, body, keys),
            allow_redirects=False,
        ) as answer:
            status = answer.status
            asked = _asked(answer.headers.get("Retry-After"), now)
            await answer.content.read(MAX_ANSWER)
            if not answer.content.at_eof():
                answer.close()
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        problem = problem_of(error)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the message is kept
        _log.error("fault", message=str(message["_id"]), exc_info=fault)
        problem = "A fault on our side."
    if status is not None and not 200 <= status < 300:
        problem = f"The receiver answered {status}."
    done = sending.now()
    result = {
        "attempted_at": now,
        "status": status,
        "problem": problem,
        "milliseconds": int((time.monotonic() - began) * 1_000),
    }
    if problem is None:
        await note_delivered(sending.db, message, result, done)
        return True
    wait = wait_after(message["attempts"], asked, random.random())  # noqa: S311
    if status == HTTPStatus.GONE:
        await pause_webhook(sending.db, webhook["_id"], done)
        wait = None
    if wait is None or message["kind"] == "TEST":
        await note_dead(sending.db, message, result, done)
    else:
        await note_failed(sending.db, message, result, done + wait)
    return False


def message_id(message: Document) -> str:
    """By which receivers tell a message that comes twice."""
    return f"msg_{message['_id']}"


def problem_of(error: Exception) -> str:
    """Why an attempt failed, in a sentence that tells nothing of our own network."""
    causes: list[BaseException | None] = [error, error.__cause__, error.__context__]
    if isinstance(error, aiohttp.ClientConnectorError):
        causes.append(error.os_error)
    if any(isinstance(each, NotPublic) for each in causes):
        return _REFUSED
    match error:
        case aiohttp.InvalidURL():
            return "The address cannot be called."
        case TimeoutError():
            return "The receiver took too long."
        case aiohttp.ClientConnectorDNSError():
            return "The name cannot be resolved."
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "The receiver's certificate is not valid."
        case aiohttp.ClientConnectorError():
            return "The receiver cannot be reached."
        case aiohttp.ServerDisconnectedError():
            return "The receiver closed the connection."
    return "The receiver's answer is not HTTP."


def _asked(header: str | None, now: datetime) -> float | None:
    """The seconds after which the receiver wants to be called again."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _keys_or_none(sending: _Sending, webhook: Document) -> list[str] | None:
    """The webhook's secret, and for a day after a change the one before; None when
    they cannot be opened."""
    now = sending.now()
    sealed = [webhook["secret"]]
    if webhook.get("previous_until", now) > now:
        sealed.append(webhook["previous_secret"])
    try:
        return [unseal(sending.secret, each) for each in sealed]
    except CannotOpen:
        place = webhook["_id"], webhook["version"]
        if place not in sending.closed:
            sending.closed.add(place)
            _log.error(
                "a webhook's secret cannot be opened: renew it", id=str(place[0])
            )
        return None


async def _bodies(db: Database, messages: list[Document]) -> list[bytes]:
    """What the messages say, with the names and identifiers of now."""
    segments = await _by_id(segments_by_id, db, messages, "segment_id")
    profiles = {
        key: found
        for key, found in (
            await _by_id(profiles_by_id, db, messages, "profile_id")
        ).items()
        if found is not None and found["_id"] == key  # not the one it was merged into
    }
    return [orjson.dumps(_said(each, segments, profiles)) for each in messages]


async def _by_id(
    read: Any, db: Database, messages: list[Document], name: str
) -> dict[ObjectId, Document | None]:
    ids = list({each[name] for each in messages if name in each})
    found = await read(db, ids) if ids else []
    return dict(zip(ids, found, strict=True))


def _said(
    message: Document,
    segments: dict[ObjectId, Document | None],
    profiles: dict[ObjectId, Document],
) -> Document:
    at = date_time_text(message["at"])
    if message["kind"] == "TEST":
        return {"type": "test", "timestamp": at, "data": {}}
    segment = segments[message["segment_id"]] or {}
    profile = profiles.get(message["profile_id"], {})
    data: Document = {
        "segment": {
            "id": global_id(Kind.SEGMENT)(message["segment_id"]),
            "name": segment.get("name"),
        },
        "profile": {
            "id": global_id(Kind.PROFILE)(message["profile_id"]),
            "externalId": profile.get("external_id"),
            "email": profile.get("email"),
            "phoneNumber": profile.get("phone_number"),
        },
        "cause": message["cause"],
        "version": message["version"],
    }
    if "entered_at" in message:
        data["enteredAt"] = date_time_text(message["entered_at"])
    return {
        "type": f"segment.{message['kind'].lower()}",
        "timestamp": at,
        "data": data,
    }
