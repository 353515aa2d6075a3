"""The application: its routes, what surrounds them, and what lives as long as it."""

import asyncio
import contextlib
import gc
import ipaddress
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import structlog
from limits import parse_many
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pymongo.errors import PyMongoError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from strawberry.schema.base import BaseSchema

from audience.tokens import Tokens
from resolvers.db import close, connect
from resolvers.erasures import finish_erasures
from resolvers.events.indexes import keep_indexes
from resolvers.following import Hub
from resolvers.lists import finish_deletions
from resolvers.secrets import signing_secret
from resolvers.shielding import finish_work
from resolvers.summaries import recover_batches
from server.auth import Keys, Limits, Refused
from server.downloads import ROUTES
from server.erasing import ask_for_erasure, show_erasure, take_erasure
from server.forms import form_for_script, script, show_form, take_answer, take_view
from server.graphiql import ASSETS
from server.graphql import Endpoint
from server.importing import watch_imports
from server.integrations import take_call, watch_calls
from server.keeping import keeping
from server.logs import configure_logs
from server.mail import deliver_by_mail, deliver_to_console
from server.messages import Sender
from server.middleware import around_requests, posted
from server.pages import show_confirmation, take_confirmation
from server.preferences import (
    export_history,
    send_link,
    show_preferences,
    show_unsubscribe,
    take_preferences,
    take_unsubscribe,
)
from server.refusals import refusal_response, refuse
from server.running import Running, running_of
from server.settings import Settings, read_settings
from server.smtp import Postman

RECOVERY_SECONDS = 30
INDEX_SECONDS = 30
READY_SECONDS = 2.0
GC_THRESHOLD = (200_000, 20, 20)

_log = structlog.get_logger("audience")


def create_app(settings: Settings, schema: BaseSchema) -> Starlette:
    """The application over a MongoDB that is prepared already."""
    uri = settings.mongodb_uri
    if uri is None:
        raise ValueError("create_app needs the address of a MongoDB")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        db = connect(
            uri.get_secret_value(),
            settings.database,
            driver=settings.driver,
            shared_reads=settings.shared_reads,
        )
        given, admin = settings.secret, settings.admin_key
        secret = given.get_secret_value() if given else await signing_secret(db)
        tokens = Tokens(secret)
        postman = Postman(
            db, settings, Sender(settings.mail_from, settings.address, tokens)
        )
        app.state.running = running = Running(
            settings=settings,
            db=db,
            keys=Keys(db, admin.get_secret_value() if admin else None),
            limits=Limits.of(settings),
            sign_ups=Limits([], [], parse_many(settings.rate_limit_signup)),
            events=Limits([], [], parse_many(settings.rate_limit_tracking)),
            calls=Limits([], [], parse_many(settings.rate_limit_integration)),
            tokens=tokens,
            deliver=deliver_by_mail(db, secret, postman.wake.set)
            if settings.smtp_host
            else deliver_to_console(settings.address),
            hub=Hub(db),
        )
        tasks = [
            asyncio.create_task(_recover(running)),
            asyncio.create_task(_keep_indexes(running)),
            asyncio.create_task(watch_imports(running)),
            asyncio.create_task(watch_calls(running)),
        ]
        if settings.smtp_host:
            tasks.append(asyncio.create_task(postman.run()))
        try:
            async with keeping(db, settings):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await finish_work()
            await close(db)

    endpoint = Endpoint(schema, settings)
    return Starlette(
        routes=_routes(settings, endpoint),
        middleware=[
            Middleware(around_requests),
            Middleware(posted, path="/graphql", endpoint=endpoint),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=("GET", "POST"),
                allow_headers=("*",),  # no cookie lets anybody in
                expose_headers=("X-Request-ID", "Retry-After"),
                max_age=86_400,
            ),
        ],
        exception_handlers={HTTPException: refuse},
        lifespan=lifespan,
    )


def from_environment() -> Starlette:
    """The application of a worker process, which reads its settings anew."""
    from gql.schema import schema

    settings = read_settings()
    configure_logs(settings)
    app = create_app(settings, schema)
    # What stays for good is not looked through for garbage again and again, and a
    # large answer is no reason to look: that took half of its time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    return app


def _routes(settings: Settings, endpoint: Endpoint) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        Route("/confirm", show_confirmation),
        Route("/confirm", take_confirmation, methods=["POST"]),
        *_people(),
        Route("/in/{key}", take_call, methods=["POST"]),
        *ROUTES,
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/", home),
    ]
    if settings.metrics != "off":
        routes.append(Route("/metrics", metrics))
    if settings.graphiql:
        assets = StaticFiles(directory=ASSETS, check_dir=False)
        routes.append(Mount("/graphiql", assets))
    return routes


def _people() -> list[BaseRoute]:
    """What visitors and subscribers see: forms, and the pages on which they leave."""
    post = ["POST"]
    return [
        Route("/embed.js", script),
        Route("/f/{form}", show_form),
        Route("/f/{form}", take_answer, methods=post),
        Route("/f/{form}/form", form_for_script),
        Route("/f/{form}/view", take_view, methods=post),
        Route("/unsubscribe", show_unsubscribe),
        Route("/unsubscribe", take_unsubscribe, methods=post),
        Route("/preferences", show_preferences),
        Route("/preferences", take_preferences, methods=post),
        Route("/preferences/link", send_link, methods=post),
        Route("/preferences/history.json", export_history),
        Route("/preferences/history.csv", export_history),
        Route("/preferences/erasure", ask_for_erasure, methods=post),
        Route("/erase", show_erasure),
        Route("/erase", take_erasure, methods=post),
    ]


async def home(request: Request) -> Response:
    """There is nothing to see but the editor."""
    return RedirectResponse("/graphql")


async def live(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """The process answers and so does its database."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await running_of(request).db.client.admin.command("ping")
    except (PyMongoError, TimeoutError):
        return JSONResponse(
            {"status": "unavailable", "reason": "The database does not answer."}, 503
        )
    return JSONResponse({"status": "ok"})


async def metrics(request: Request) -> Response:
    """Counters of this worker, for Prometheus."""
    allowed = running_of(request).settings.metrics == "open"
    if not allowed and not _is_loopback(request):
        reason = "Metrics are for this machine alone; AUDIENCE_METRICS=open opens them."
        return refusal_response(Refused(403, "FORBIDDEN", reason))
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _is_loopback(request: Request) -> bool:
    try:
        host = request.client.host if request.client else ""
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _recover(running: Running) -> None:
    """Finishes what processes that died left half-way, now and then."""
    while True:
        try:
            await recover_batches(running.db, datetime.now(UTC))
            await finish_deletions(running.db)
            await finish_erasures(running.db, datetime.now(UTC))
        except PyMongoError as error:
            _log.warning("recovery postponed", reason=str(error)[:200])
        except Exception:  # noqa: BLE001 - the next round is not to be lost
            _log.exception("recovery failed")
        await asyncio.sleep(RECOVERY_SECONDS)


async def _keep_indexes(running: Running) -> None:
    """Looks now and then which properties of events need an index. What cannot be made
    is tried again each time, and told once."""
    told: set[str] = set()
    while True:
        try:
            most = running.settings.property_indexes
            failed = await keep_indexes(running.db, datetime.now(UTC), most)
            for path in failed.keys() - told:
                reason = str(failed[path])[:200]
                _log.warning("index cannot be made", path=path, reason=reason)
            told = set(failed)
        except PyMongoError as error:
            _log.warning("indexes postponed", reason=str(error)[:200])
        except Exception:  # noqa: BLE001 - the next round is not to be lost
            _log.exception("keeping indexes failed")
        await asyncio.sleep(INDEX_SECONDS)
