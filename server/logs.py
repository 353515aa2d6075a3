"""Log lines: ours and those of the libraries, through one formatter."""

import logging
import sys
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from server.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Sends every log line to standard error, for people or as JSON."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        # Lines that are not wanted cost nothing.
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_rendering(settings)
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("pymongo", "uvicorn", "strawberry.ws", "asyncio"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))
    # A caller's mistakes are told to the caller, and faults are logged by the schema.
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)


def _rendering(settings: Settings) -> list[Processor]:
    """Tracebacks without the values of variables: those are people's data."""
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if settings.log == "json":
        return [
            drop,
            structlog.processors.ExceptionRenderer(
                ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ]
    colors = sys.stderr.isatty()
    console = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    return [drop, _short_time, console]


def _short_time(_: Any, __: str, event: Any) -> Any:
    event["timestamp"] = event["timestamp"][11:19]
    return event
