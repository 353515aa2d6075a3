"""The rules' enumerations as enums of the API, every value described."""

from enum import StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from audience.consent import Channel, Status, SuppressionReason
from audience.errors import Code
from audience.keys import KeyKind
from audience.lists import MembershipSource, OptIn
from audience.memberships import Movement

__all__ = [
    "Channel",
    "Code",
    "KeyKind",
    "MembershipSource",
    "Movement",
    "OptIn",
    "Status",
    "SuppressionReason",
    "expose",
]

AnyEnum = TypeVar("AnyEnum", bound=StrEnum)


def expose(
    rule: type[AnyEnum], *, name: str, description: str, values: dict[str, str]
) -> type[AnyEnum]:
    """`rule` as the GraphQL enum `name`; `values` describes each of its values."""
    strawberry.enum(rule, name=name, description=description)
    definition: StrawberryEnumDefinition = rule.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
    return rule


expose(
    Code,
    name="ErrorCode",
    description="What kind of problem an error is. Decide by it, not by the message.",
    values={
        "INVALID": "A value breaks a rule; the message says which and what is right.",
        "NOT_FOUND": "What the input refers to does not exist.",
        "CONFLICT": "Identifiers or states exclude each other, such as an e-mail "
        "address and a phone number of two different profiles.",
        "TAKEN": "A name or an identifier that must be unique is in use.",
        "TOO_LARGE": "A value is larger than the stated limit.",
        "LIMIT_REACHED": "A limit of the account would be passed.",
        "CONSENT_REQUIRED": "Marketing needs the person's own agreement first.",
        "NOT_ALLOWED": "The rules forbid this change.",
    },
)
expose(
    Channel,
    name="Channel",
    description="A way to reach a person. Each has a consent of its own.",
    values={
        "EMAIL": "E-mail, to the profile's `email`.",
        "SMS": "Text messages, to the profile's `phoneNumber`.",
        "PUSH": "Push notifications, to the person's devices.",
        "WHATSAPP": "WhatsApp messages, to the profile's `phoneNumber`.",
    },
)
expose(
    Status,
    name="ConsentStatus",
    description="What the person has said about a channel.",
    values={
        "NEVER_SUBSCRIBED": "Nothing yet.",
        "PENDING": "Signed up, but the sign-up waits for the person's confirmation.",
        "SUBSCRIBED": "Yes.",
        "UNSUBSCRIBED": "No, after a yes or instead of one.",
    },
)
expose(
    SuppressionReason,
    name="SuppressionReason",
    description="Why nothing may be sent, whatever the person has said.",
    values={
        "USER_SUPPRESSED": "The account decided so; `unsuppress` lifts it.",
        "HARD_BOUNCE": "The address does not work. Lifted by `unsuppress` with a "
        "source that says how it was mended.",
        "SPAM_COMPLAINT": "The person complained. Lifted only by the person, who signs "
        "up again and confirms.",
        "INVALID_ADDRESS": "The address cannot exist. Lifted like HARD_BOUNCE.",
    },
)
expose(
    MembershipSource,
    name="MembershipSource",
    description="How someone came into a list.",
    values={
        "API": "By a call of this API.",
        "FORM": "By a sign-up form.",
        "IMPORT": "By an import.",
        "QUICK_ADD": "By `addToList`.",
        "INTEGRATION": "By an integration.",
    },
)
expose(
    OptIn,
    name="OptIn",
    description="When a sign-up counts.",
    values={
        "SINGLE": "At once.",
        "DOUBLE": "After the person has confirmed it by the link that they are sent.",
    },
)
expose(
    KeyKind,
    name="ApiKeyKind",
    description="Where a key may stand.",
    values={
        "PUBLIC": "In a web page or an app. Signs people up, identifies them and "
        "tracks events, and reads nothing back.",
        "SECRET": "On a server only. Does what its scopes allow.",
    },
)
expose(
    Movement,
    name="SegmentMovement",
    description="What someone did with regard to a segment.",
    values={
        "ENTERED": "They are in it from then on.",
        "LEFT": "They are in it no more.",
    },
)
