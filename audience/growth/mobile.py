"""What to do next to build mobile experiences: the first rule that holds."""

from audience.growth.kinds import ActionName, Judge, Recommendation, Rule
from audience.growth.states import PEOPLE_WITH_DEVICE, State


def _no_app_key(state: State) -> Recommendation | None:
    if state.open_keys or state.has_push_tokens:
        return None
    return Recommendation(
        Rule.NO_APP_KEY,
        "Make a key for your app",
        "An app has no origin, so it needs a public key that is not bound to sites."
        if state.public_keys
        else "An app registers devices and events with a public key.",
        ActionName.CREATE_APP_KEY,
    )


def _no_push_tokens(state: State) -> Recommendation | None:
    if state.has_push_tokens:
        return None
    return Recommendation(
        Rule.NO_PUSH_TOKENS,
        "Register the devices of your app's users",
        "No push token was registered so far.",
        ActionName.REGISTER_PUSH_TOKEN,
    )


def _no_push_consent(state: State) -> Recommendation | None:
    if state.has_push_consent:
        return None
    return Recommendation(
        Rule.NO_PUSH_CONSENT,
        "Ask your app's users whether they want notifications",
        f"Devices are registered, but of the first {PEOPLE_WITH_DEVICE:,} people with "
        "one nobody has given permission.",
        ActionName.REGISTER_PUSH_TOKEN,
    )


def _no_app_events(state: State) -> Recommendation | None:
    if state.has_opened_app:
        return None
    return Recommendation(
        Rule.NO_APP_EVENTS,
        "Record when your app is opened",
        "No Opened App event came in the last 30 days, so nobody's use of it is known.",
        ActionName.TRACK_APP_OPENED,
    )


def _mobile_well_under_way(state: State) -> Recommendation | None:
    return Recommendation(
        Rule.MOBILE_WELL_UNDER_WAY,
        "Win back who stopped opening the app",
        "Devices and events come in: see who can get notifications and has not opened "
        "the app for two weeks.",
        ActionName.SEE_QUIET_APP_USERS,
    )


RULES: tuple[Judge, ...] = (
    _no_app_key,
    _no_push_tokens,
    _no_push_consent,
    _no_app_events,
    _mobile_well_under_way,
)
