"""What to do next to integrate third-party tools: the first rule that holds."""

from collections.abc import Sequence

from audience.growth.kinds import ActionName, Judge, Recommendation, Rule, counted
from audience.growth.states import IntegrationFigures, Ref, State


def _no_integration(state: State) -> Recommendation | None:
    if state.integrations:
        return None
    return Recommendation(
        Rule.NO_INTEGRATION,
        "Connect your shop",
        "Nothing is connected: orders and sign-ups elsewhere are not known here.",
        ActionName.CONNECT_SHOP,
    )


def _integration_fails(state: State) -> Recommendation | None:
    failing = max(_active(state), key=lambda each: each.failures, default=None)
    if failing is None or not failing.failures:
        return None
    return Recommendation(
        Rule.INTEGRATION_FAILS,
        f"Mend {failing.name}",
        f"At least {counted(failing.failures, 'call', 'calls')} failed in the last 30 "
        "days.",
        ActionName.SEE_UNDELIVERED
        if failing.is_outbound
        else ActionName.SEE_INTEGRATION,
        Ref(failing.id, failing.name),
    )


def _integration_without_secret(state: State) -> Recommendation | None:
    found = next((each for each in _active(state) if not each.has_secret), None)
    if found is None:
        return None
    return Recommendation(
        Rule.INTEGRATION_WITHOUT_SECRET,
        f"Give {found.name} its secret",
        "Without the secret by which the tool signs, no call of it can be verified.",
        ActionName.GIVE_SECRET,
        Ref(found.id, found.name),
    )


def _nothing_received(state: State) -> Recommendation | None:
    found = next((each for each in _active(state) if not each.has_worked), None)
    if found is None:
        return None
    return Recommendation(
        Rule.NOTHING_RECEIVED,
        f"Try {found.name}",
        "Nothing has come in or gone out by it so far: see what it needs, such as its "
        "address in the tool that is to call it.",
        ActionName.SEE_INTEGRATION,
        Ref(found.id, found.name),
    )


def _integration_paused(state: State) -> Recommendation | None:
    if _active(state):
        return None
    paused = state.integrations[0]
    return Recommendation(
        Rule.INTEGRATION_PAUSED,
        f"Let {paused.name} work again",
        "Every integration is paused.",
        ActionName.RESUME_INTEGRATION,
        Ref(paused.id, paused.name),
    )


def _tools_well_under_way(state: State) -> Recommendation | None:
    return Recommendation(
        Rule.TOOLS_WELL_UNDER_WAY,
        "Look at what your tools record",
        "Everything that is connected works: see which metrics segments can ask for.",
        ActionName.SEE_METRICS,
    )


def _active(state: State) -> Sequence[IntegrationFigures]:
    return [each for each in state.integrations if each.is_active]


RULES: tuple[Judge, ...] = (
    _no_integration,
    _integration_fails,
    _integration_without_secret,
    _nothing_received,
    _integration_paused,
    _tools_well_under_way,
)
