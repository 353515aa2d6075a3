"""Sign-up forms: what they ask for, where they are found, and how they do."""

import io
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import segno
import strawberry

from audience.addresses import RefusedAddress
from audience.errors import InvalidInput
from audience.forms.definitions import FormKind, FormStatus
from audience.forms.fields import FieldKind
from gql.connection import After, Connection, Count, Edge, First, asked_page, connection
from gql.context import Context
from gql.enums import Channel, expose
from gql.execution import batch, plain
from gql.ids import Kind, global_id, stored_id
from gql.lists import List
from gql.node import Node
from gql.queries import query
from resolvers.db import Document
from resolvers.forms import (
    Statistics,
    conversion,
    count_forms,
    form_page,
    forms_by_id,
    statistics_of_forms,
)
from resolvers.lists import lists_by_id

__all__ = [
    "FieldKind",
    "Form",
    "FormKind",
    "FormQuery",
    "FormStatus",
    "RefusedAddress",
]

SCOPE = "forms:read"
MAX_STATISTICS = timedelta(days=366)
USUAL_STATISTICS = timedelta(days=30)

expose(
    FormKind,
    name="FormKind",
    description="How a form appears on a site that embeds it. Its own page looks the "
    "same for every kind.",
    values={
        "POPUP": "In the middle, over the page, until it is answered or closed.",
        "FLYOUT": "In a corner, beside what the visitor does.",
        "EMBED": "In the page, where the script stands.",
        "FULL_PAGE": "Over the whole page.",
    },
)
expose(
    FormStatus,
    name="FormStatus",
    description="Whether a form takes sign-ups.",
    values={
        "DRAFT": "Not yet: nobody sees it.",
        "LIVE": "Yes.",
        "ARCHIVED": "No longer: nobody sees it, its statistics stay.",
    },
)
expose(
    FieldKind,
    name="FormFieldKind",
    description="How a field is filled in, and checked.",
    values={
        "TEXT": "A line of text: at most 1,000 characters.",
        "EMAIL": "An e-mail address.",
        "PHONE": "A phone number with its country code.",
        "CHOICE": "One of the options.",
        "DATE": 'A day, kept as text such as "2026-03-01".',
        "HIDDEN": "Not shown: always says its `value`.",
    },
)
expose(
    RefusedAddress,
    name="RefusedAddress",
    description="Kinds of e-mail addresses that a form may refuse.",
    values={
        "DISPOSABLE": "Mailboxes for a few minutes: the domains, and those under them, "
        "of the public list disposable-email-domains.",
        "ROLE": "Addresses of an office rather than a person, such as info@ or sales@.",
    },
)


@strawberry.type(description="A field of a form.")
class FormField:
    kind: FieldKind = plain("kind", description="How it is filled in, and checked.")
    label: str = plain("label", description="What stands beside it.")
    target: str = plain(
        "target",
        description="Which part of the profile it fills, such as firstName, "
        "location.city or properties.size. The value is given under this name.",
    )
    is_required: bool = plain("is_required", description="Whether it must be filled.")
    options: list[str] = plain("options", description="What can be chosen, in order.")
    value: str | None = plain("value", description="What a HIDDEN field says.")


@strawberry.type(description="A channel that a form asks for.")
class FormConsent:
    channel: Channel = plain("channel", description="The channel.")
    text: str = plain(
        "text",
        description="The words that people agree to; kept with each agreement.",
    )


@strawberry.type(
    description="When a popup, a flyout or a full page appears on a site: once all "
    "that is set has come about."
)
class FormTargeting:
    delay_seconds: int = plain(
        "delay_seconds", description="Not before so many seconds on the page."
    )
    scroll_percent: int = plain(
        "scroll_percent",
        description="Not before the visitor has scrolled through so much of the page.",
    )
    on_exit_intent: bool = plain(
        "on_exit_intent",
        description="Not before the pointer leaves the page at the top. Where there "
        "is no pointer, when the visitor scrolls up quickly.",
    )
    url_contains: list[str] = plain(
        "url_contains",
        description="Only on pages whose address contains one of these; empty: on all.",
    )
    url_excludes: list[str] = plain(
        "url_excludes",
        description="Not on pages whose address contains one of these.",
    )
    frequency_days: int = plain(
        "frequency_days",
        description="Not again for so many days after it was shown; 0: on every page. "
        "Whoever has signed up never sees it again.",
    )


@strawberry.type(description="What happened to a form on one day.")
class FormDay:
    day: date = plain("day", description="The day, in the account's time zone.")
    views: int = plain("views", description="How often it was shown.")
    submissions: int = plain("submissions", description="How often it was sent.")
    conversion_rate: float = plain(
        "conversion_rate", description="Submissions per view: 0 to 1."
    )


@strawberry.type(
    description="How often a form was shown and sent. Counters only: nothing about who."
)
class FormStatistics:
    views: int = plain("views", description="How often it was shown.")
    submissions: int = plain("submissions", description="How often it was sent.")
    conversion_rate: float = plain(
        "conversion_rate", description="Submissions per view: 0 to 1."
    )
    days: list[FormDay] = plain(
        "days", description="The days on which anything happened, oldest first."
    )


@strawberry.type(description="A form by which people sign up to a list.")
class Form(Node):
    id: strawberry.ID = plain(
        "_id", read=global_id(Kind.FORM), description="Starts with frm_."
    )
    name: str = plain(
        "name", description="Unique, whatever its case. The source of each agreement."
    )
    kind: FormKind = plain("kind", description="How it appears on a site.")
    status: FormStatus = plain("status", description="Whether it takes sign-ups.")
    channels: list[Channel] = plain(
        "consents",
        read=lambda consents: [each["channel"] for each in consents],
        description="What it asks people to agree to.",
    )
    consents: list[FormConsent] = plain(
        "consents",
        description="The channels with their words. A form with several lets people "
        "pick.",
    )
    consent_text: str = plain(
        "consents",
        read=lambda consents: "\n\n".join(each["text"] for each in consents),
        description="Every agreement's words, one to a paragraph.",
    )
    fields: list[FormField] = plain("fields", description="What it asks for, in order.")
    headline: str | None = plain("headline", description="Stands above the fields.")
    body: str | None = plain("body", description="Stands below the headline.")
    button_label: str = plain("button_label", description="Stands on the button.")
    success_message: str = plain(
        "success_message", description="What people see once they have signed up."
    )
    redirect_url: str | None = plain(
        "redirect_url", description="Where people are led to instead of the message."
    )
    refused_addresses: list[RefusedAddress] = plain(
        "refused_addresses", description="Kinds of e-mail addresses it does not take."
    )
    targeting: FormTargeting = plain(
        "targeting",
        description="When it appears on a site. An EMBED is always there.",
    )
    created_at: datetime = plain("created_at", description="When it was made.")
    updated_at: datetime = plain("updated_at", description="When it was last changed.")

    @batch(
        name="list",
        description="Which list people sign up to. Needs the scope lists:read.",
    )
    @staticmethod
    async def signs_up_to(parents: list[Document], context: Context) -> list[List]:
        context.require("lists:read")
        found = await lists_by_id(context.db, [each["list_id"] for each in parents])
        rows: list[Any] = found
        return rows

    @batch(description="The address of the form's own page, where it is LIVE.")
    @staticmethod
    async def url(parents: list[Document], context: Context) -> list[str]:
        return [_url(context, each) for each in parents]

    @batch(
        description="A script element to paste into any site. It shows the form there "
        "while it is LIVE."
    )
    @staticmethod
    async def embed_code(parents: list[Document], context: Context) -> list[str]:
        write = global_id(Kind.FORM)
        return [
            f'<script async src="{context.address}/embed.js"'
            f' data-form="{write(each["_id"])}"></script>'
            for each in parents
        ]

    @batch(description="A QR code of the page's address, as SVG.")
    @staticmethod
    async def qr_code(parents: list[Document], context: Context) -> list[str]:
        return [_qr_code(_url(context, each), each["name"]) for each in parents]

    @batch(
        description="How often it was shown and sent, by day in the account's time "
        "zone."
    )
    @staticmethod
    async def statistics(
        parents: list[Document],
        context: Context,
        since: Annotated[
            datetime | None,
            strawberry.argument(
                description="From the day of this instant; 30 days before `until` "
                "when absent."
            ),
        ] = None,
        until: Annotated[
            datetime | None,
            strawberry.argument(
                description="Up to the day of this instant; today when absent. At most "
                "366 days after `since`."
            ),
        ] = None,
    ) -> list[FormStatistics]:
        end = until or context.now()
        start = since or end - USUAL_STATISTICS
        if start > end:
            raise InvalidInput("since is after until.", ("since",))
        if end - start > MAX_STATISTICS:
            raise InvalidInput(
                f"At most {MAX_STATISTICS.days} days are answered at once.", ("since",)
            )
        ids = [each["_id"] for each in parents]
        found = await statistics_of_forms(context.db, ids, start, end, context.zone)
        rows: list[Any] = [_statistics(each) for each in found]
        return rows


@strawberry.type(description="A form on a page.")
class FormEdge(Edge):
    node: Form = plain("node", description="The form.")


@strawberry.type(description="A page of forms, by name.")
class FormConnection(Connection):
    edges: list[FormEdge] = plain("edges", description="The page's forms.")


def _url(context: Context, form: Document) -> str:
    return f"{context.address}/f/{form['short']}"


def _qr_code(url: str, title: str) -> str:
    drawn = io.BytesIO()
    code = segno.make(url, error="m")
    code.save(
        drawn,
        kind="svg",
        scale=8,
        xmldecl=False,
        title=title,
        dark="#000",
        light="#fff",
        nl=False,
    )
    return drawn.getvalue().decode()


def _statistics(found: Statistics) -> Document:
    return {
        "views": found.views,
        "submissions": found.submissions,
        "conversion_rate": conversion(found.views, found.submissions),
        "days": [
            {
                "day": day,
                "views": views,
                "submissions": submissions,
                "conversion_rate": conversion(views, submissions),
            }
            for day, views, submissions in found.days
        ],
    }


async def _count(
    context: Context, shared: FormStatus | None, ones: Sequence[None]
) -> Sequence[int]:
    total = await count_forms(context.db, status=shared)
    return [total for _ in ones]


@strawberry.type
class FormQuery:
    @query(
        Form | None,
        SCOPE,
        description="A form; null when there is none with this id.",
    )
    @staticmethod
    async def form(
        context: Context,
        id: Annotated[
            strawberry.ID, strawberry.argument(description="Starts with frm_.")
        ],
    ) -> Document | None:
        (found,) = await forms_by_id(context.db, [stored_id(id, Kind.FORM)])
        return found

    @query(FormConnection, SCOPE, description="Every form, by name.")
    @staticmethod
    async def forms(
        context: Context,
        first: First = None,
        after: After = None,
        status: Annotated[
            FormStatus | None,
            strawberry.argument(description="Only forms of this status."),
        ] = None,
    ) -> Document:
        page = await form_page(context.db, asked_page(first, after), status=status)
        found: Document = connection(page, Count(_count, status, None))
        return found
