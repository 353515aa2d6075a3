"""A stored call, worked on: by the request that brought it, or later by a worker."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from pymongo.errors import PyMongoError

from audience.errors import AudienceError, Conflict
from audience.integrations.calls import AskedErasure, Ignored
from audience.integrations.kinds import TextMessages
from audience.integrations.messages import message_of
from audience.integrations.reading import heard_from, read_body
from audience.integrations.stored import settings_of
from audience.tokens import Tokens
from resolvers.db import Database, Document
from resolvers.integrations.applying import Applying, Deliver, NotYetKnown, apply
from resolvers.integrations.calls import (
    GIVEN_UP_AFTER,
    Outcome,
    finish_call,
    postpone_call,
    take_waiting_call,
)
from resolvers.integrations.erasing import erase_customer
from resolvers.integrations.ordering import Busy
from resolvers.integrations.texting import answer_message

_log = structlog.get_logger("audience")


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of a call, why, and what is replied to whoever wrote."""

    outcome: Outcome
    message: str | None = None
    reply: str | None = None


async def work_on_call(
    db: Database,
    integration: Document,
    call: Document,
    *,
    now: datetime,
    tokens: Tokens,
    deliver: Deliver,
) -> Worked:
    """Does what the call says. A fault leaves it waiting, to be tried again."""
    try:
        worked = await _work(db, integration, call, now, tokens, deliver)
    except (NotYetKnown, Conflict) as error:
        worked = Worked(Outcome.WAITING, str(error))
        if now - call["received_at"] >= GIVEN_UP_AFTER:
            worked = Worked(Outcome.REFUSED, str(error))
    except AudienceError as error:
        worked = Worked(Outcome.REFUSED, str(error))
    except Exception as fault:  # noqa: BLE001 - whatever it is, the call is kept
        if not isinstance(fault, PyMongoError | Busy):
            _log.error("fault", call=str(call["_id"]), exc_info=fault)
        worked = Worked(Outcome.WAITING, "A fault on our side: it is tried again.")
        if now - call["received_at"] >= GIVEN_UP_AFTER:
            worked = Worked(Outcome.REFUSED, "A fault on our side, again and again.")
    if worked.outcome is Outcome.WAITING:
        await postpone_call(db, call, now)
    else:
        await finish_call(
            db, call, worked.outcome, now, message=worked.message, reply=worked.reply
        )
    return worked


async def work_on_waiting_calls(
    db: Database,
    *,
    now: Callable[[], datetime],
    tokens: Tokens,
    deliver: Deliver,
) -> int:
    """How many calls were taken up that others left, or that had to wait."""
    count = 0
    while (call := await take_waiting_call(db, now())) is not None:
        integration = await db.integrations.find_one({"_id": call["integration_id"]})
        if integration is None:
            await db.integration_calls.delete_one({"_id": call["_id"]})
            continue
        await work_on_call(
            db, integration, call, now=now(), tokens=tokens, deliver=deliver
        )
        count += 1
    return count


async def _work(
    db: Database,
    integration: Document,
    call: Document,
    now: datetime,
    tokens: Tokens,
    deliver: Deliver,
) -> Worked:
    settings = settings_of(integration["settings"])
    raw = bytes(call["body"])
    body = read_body(settings, raw)
    if isinstance(settings, TextMessages):
        message = message_of(settings, body)
        reply = await answer_message(
            db,
            integration,
            settings,
            message,
            now=now,
            received_at=call["received_at"],
            tokens=tokens,
        )
        return Worked(Outcome.ACCEPTED, reply=reply)
    heard = heard_from(settings, call["topic"], body, raw, call["received_at"])
    if isinstance(heard, Ignored):
        return Worked(Outcome.IGNORED, heard.reason)
    if isinstance(heard, AskedErasure):
        received_at = call["received_at"]
        if await erase_customer(db, integration, heard, now, received_at=received_at):
            return Worked(Outcome.ACCEPTED)
        return Worked(Outcome.IGNORED, "Nobody here is this customer.")
    applying = Applying(
        integration,
        settings,
        now,
        tokens,
        deliver,
        received_at=call["received_at"],
        is_retry=call["attempts"] > 1,
    )
    left_out = await apply(db, heard, applying)
    if left_out:
        names = ", ".join(dict.fromkeys(left_out))
        return Worked(Outcome.ACCEPTED, f"Could not be kept: {names}.")
    return Worked(Outcome.ACCEPTED)
