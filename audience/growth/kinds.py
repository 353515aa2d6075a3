"""The goals, the actions and the rules by name, and what a rule tells."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from audience.growth.states import Ref, State


class GoalKind(StrEnum):
    """What an account wants to reach."""

    COLLECT_SUBSCRIBERS_ON_THE_WEB = "COLLECT_SUBSCRIBERS_ON_THE_WEB"
    BUILD_MOBILE_EXPERIENCES = "BUILD_MOBILE_EXPERIENCES"
    INTEGRATE_THIRD_PARTY_TOOLS = "INTEGRATE_THIRD_PARTY_TOOLS"


class ActionName(StrEnum):
    """What can be done; how is the API's to say."""

    CREATE_LIST = "CREATE_LIST"
    CREATE_FORM = "CREATE_FORM"
    PUBLISH_FORM = "PUBLISH_FORM"
    SHARE_FORM = "SHARE_FORM"
    SEE_WHO_WAITS = "SEE_WHO_WAITS"
    RESTRICT_KEY = "RESTRICT_KEY"
    IMPROVE_FORM = "IMPROVE_FORM"
    REQUIRE_CONFIRMATION = "REQUIRE_CONFIRMATION"
    IMPORT_PEOPLE = "IMPORT_PEOPLE"
    QUICK_ADD = "QUICK_ADD"
    ASK_FOR_SMS = "ASK_FOR_SMS"
    SET_UP_TEXT_TO_JOIN = "SET_UP_TEXT_TO_JOIN"
    SEE_NEW_MEMBERS = "SEE_NEW_MEMBERS"
    CREATE_APP_KEY = "CREATE_APP_KEY"
    REGISTER_PUSH_TOKEN = "REGISTER_PUSH_TOKEN"  # noqa: S105  (an action's name)
    TRACK_APP_OPENED = "TRACK_APP_OPENED"
    SEE_QUIET_APP_USERS = "SEE_QUIET_APP_USERS"
    CONNECT_SHOP = "CONNECT_SHOP"
    CONNECT_ANY_TOOL = "CONNECT_ANY_TOOL"
    RESUME_INTEGRATION = "RESUME_INTEGRATION"
    GIVE_SECRET = "GIVE_SECRET"  # noqa: S105  (an action's name)
    SEE_INTEGRATION = "SEE_INTEGRATION"
    SEE_UNDELIVERED = "SEE_UNDELIVERED"
    SEE_METRICS = "SEE_METRICS"


class Rule(StrEnum):
    """What is so, and calls for something to be done."""

    NO_LIST = "NO_LIST"
    NO_FORM = "NO_FORM"
    FORM_IN_DRAFT = "FORM_IN_DRAFT"
    NO_VIEWS = "NO_VIEWS"
    CONFIRMATIONS_UNANSWERED = "CONFIRMATIONS_UNANSWERED"
    KEY_WITHOUT_ORIGINS = "KEY_WITHOUT_ORIGINS"
    POOR_CONVERSION = "POOR_CONVERSION"
    SINGLE_OPT_IN = "SINGLE_OPT_IN"
    NOBODY_BROUGHT_ALONG = "NOBODY_BROUGHT_ALONG"
    NO_SMS_CONSENT = "NO_SMS_CONSENT"
    NO_TEXT_TO_JOIN = "NO_TEXT_TO_JOIN"
    WEB_WELL_UNDER_WAY = "WEB_WELL_UNDER_WAY"
    NO_APP_KEY = "NO_APP_KEY"
    NO_PUSH_TOKENS = "NO_PUSH_TOKENS"
    NO_PUSH_CONSENT = "NO_PUSH_CONSENT"
    NO_APP_EVENTS = "NO_APP_EVENTS"
    MOBILE_WELL_UNDER_WAY = "MOBILE_WELL_UNDER_WAY"
    NO_INTEGRATION = "NO_INTEGRATION"
    INTEGRATION_FAILS = "INTEGRATION_FAILS"
    INTEGRATION_WITHOUT_SECRET = "INTEGRATION_WITHOUT_SECRET"  # noqa: S105  (a rule)
    NOTHING_RECEIVED = "NOTHING_RECEIVED"
    INTEGRATION_PAUSED = "INTEGRATION_PAUSED"
    TOOLS_WELL_UNDER_WAY = "TOOLS_WELL_UNDER_WAY"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do next, why, and with what. `about` names it where the action needs
    one."""

    rule: Rule
    title: str
    reason: str
    action: ActionName
    about: Ref | None = None


Judge = Callable[[State], Recommendation | None]


def counted(number: int, one: str, many: str) -> str:
    """The number with what it counts."""
    return f"{number:,} {one if number == 1 else many}"
