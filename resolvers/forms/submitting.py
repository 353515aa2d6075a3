"""An answer to a form becomes a sign-up: one path for the API, the form's own page and
forms embedded in other sites."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from audience.addresses import RefusedAddress
from audience.consent import Channel, Status
from audience.errors import InvalidInput, NotFound
from audience.evidence import NO_EVIDENCE, Evidence
from audience.forms.definitions import Form
from audience.forms.rendering import Showing, check_age, read_render_token
from audience.forms.stored import form_of
from audience.forms.submissions import check_answers, sign_ups
from audience.lists import OptIn
from audience.tokens import Tokens
from resolvers.db import Database, Document
from resolvers.forms.records import live_form
from resolvers.forms.statistics import count_submission
from resolvers.lists import live_list
from resolvers.signups import Confirmation, subscribe


@dataclass(frozen=True, slots=True)
class Answer:
    """What arrived. `token` is that of the showing; `trap` the field that people do
    not see."""

    values: Any
    channels: Sequence[Channel] | None = None
    token: str | None = None
    trap: str | None = None
    anonymous_id: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What the visitor is told, and what is to be delivered."""

    form: Document
    list: Document
    status: Status
    confirmations: tuple[Confirmation, ...] = ()


async def submit_form(
    db: Database,
    key: str,
    answer: Answer,
    *,
    now: datetime,
    zone: tzinfo,
    tokens: Tokens,
    evidence: Evidence = NO_EVIDENCE,
    is_trusted: bool = False,
    count: Callable[[], Awaitable[None]],
    refused: Sequence[RefusedAddress] = (),
) -> Submitted:
    """Signs up whoever filled in the form with this id or short name.

    The answer is the same for known and unknown people. Without `is_trusted` a token
    of the form's showing is needed; Conflict when the form asks for other agreements
    since. Whoever fills in the trap is told the same, and
    nothing is done. `count` raises when too much comes from one address. Addresses of
    a kind that is `refused` everywhere are taken from the trusted alone.
    """
    kept = await live_form(db, key)
    found = await live_list(db, kept["list_id"], ("formId",))
    form = form_of(kept)
    if not is_trusted:
        await count()
    showing = None
    if not answer.trap:
        showing = _showing(answer.token, kept, form, tokens, is_trusted)
    answers = check_answers(
        form, answer.values, answer.channels, () if is_trusted else refused
    )
    wanted = sign_ups(form, answers, answer.anonymous_id)
    is_single = found["opt_in"] == OptIn.SINGLE
    status = Status.SUBSCRIBED if is_single else Status.PENDING
    told = Submitted(kept, found, status)
    if answer.trap:
        return told
    if showing is not None:
        check_age(showing, now)
    await _mark(db, kept, now)
    confirmations: list[Confirmation] = []
    for each in wanted:
        done = await subscribe(
            db,
            each,
            now=now,
            tokens=tokens,
            evidence=evidence,
            is_trusted=is_trusted,
        )
        confirmations += done.confirmations
    number = showing.number if showing else secrets.token_urlsafe(9)
    await count_submission(db, kept["_id"], number, now, zone)
    return replace(told, confirmations=tuple(confirmations))


def _showing(
    token: str | None, kept: Document, form: Form, tokens: Tokens, is_trusted: bool
) -> Showing | None:
    if token is not None:
        return read_render_token(tokens, token, str(kept["_id"]), form.consents)
    if is_trusted:
        return None
    raise InvalidInput(
        "Give the token that came with the form when it was shown.", ("token",)
    )


async def _mark(db: Database, kept: Document, now: datetime) -> None:
    """Remembers that there are sign-ups, before the first, so that the form stays."""
    if kept.get("submitted_at") is not None:
        return
    marked = await db.forms.update_one(
        {"_id": kept["_id"]}, {"$min": {"submitted_at": now}}
    )
    if marked.matched_count == 0:
        raise NotFound("There is no such form.", ("formId",))
