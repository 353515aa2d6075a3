"""What the hub looks at: an account as it is now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

WINDOW = timedelta(days=30)  # what "lately" means
ANSWERED_WITHIN = timedelta(days=1)  # a confirmation that is not answered by then waits
NEWEST_PEOPLE = 1_000  # among whom unanswered confirmations and Quick Adds are counted
PEOPLE_WITH_PHONE = 10_000  # among whom consent to text messages is looked for
MESSAGES = 10_000  # to outbound webhooks, among which failures are counted
PEOPLE_WITH_DEVICE = 1_000  # among whom consent to push is looked for


@dataclass(frozen=True, slots=True)
class Ref:
    """Something by its id, and its name to say which."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ListRef(Ref):
    """A list, and whether sign-ups to it count without being confirmed."""

    is_single_opt_in: bool = False


@dataclass(frozen=True, slots=True)
class FormFigures:
    """A live form: its list, what it asks for, when it appears (by the stored names),
    and how it did lately."""

    id: str
    name: str
    short: str
    list: ListRef
    asks_for_sms: bool
    views: int
    submissions: int
    targeting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conversion(self) -> float:
        """Submissions per view, at most 1."""
        return min(1.0, self.submissions / self.views) if self.views else 0.0


@dataclass(frozen=True, slots=True)
class IntegrationFigures:
    """An integration: whether it is on, calls another server, has what it needs, has
    taken in a call or delivered a message, and how many of them are known to have
    failed lately."""

    id: str
    name: str
    is_active: bool
    is_outbound: bool = False
    has_secret: bool = True
    takes_messages: bool = False
    has_worked: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """An account. Lists, forms and integrations are the newest first, and lists on
    double opt-in, to which sign-ups should lead, before the others."""

    lists: tuple[ListRef, ...] = ()
    draft: Ref | None = None
    archived: int = 0
    form_names: frozenset[str] = frozenset()  # of all forms, whatever their status
    forms: tuple[FormFigures, ...] = ()
    has_submissions: bool = False
    waiting: int = 0
    confirmed: int = 0
    has_sms_consent: bool = False
    has_brought_people: bool = False
    public_keys: tuple[Ref, ...] = ()
    open_keys: tuple[Ref, ...] = ()  # those that work from every site, and from apps
    lasting_open_keys: tuple[Ref, ...] = ()  # of these, those from before "lately"
    has_push_tokens: bool = False
    has_push_consent: bool = False
    has_opened_app: bool = False
    integrations: tuple[IntegrationFigures, ...] = ()

    @property
    def asked(self) -> int:
        """How many of the newest people were asked to confirm, long enough ago."""
        return self.waiting + self.confirmed
