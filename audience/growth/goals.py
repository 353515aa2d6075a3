"""How far an account has come with each goal, and what can be done for it now."""

from collections.abc import Iterator
from dataclasses import dataclass

from audience.growth import mobile, tools, web
from audience.growth.kinds import ActionName, GoalKind, Judge, Recommendation
from audience.growth.states import Ref, State

TITLES = {
    GoalKind.COLLECT_SUBSCRIBERS_ON_THE_WEB: "Collect subscribers on the web",
    GoalKind.BUILD_MOBILE_EXPERIENCES: "Build mobile experiences",
    GoalKind.INTEGRATE_THIRD_PARTY_TOOLS: "Integrate third-party tools",
}


# Rules in their order; the last one of each goal always holds.
RULES: dict[GoalKind, tuple[Judge, ...]] = {
    GoalKind.COLLECT_SUBSCRIBERS_ON_THE_WEB: web.RULES,
    GoalKind.BUILD_MOBILE_EXPERIENCES: mobile.RULES,
    GoalKind.INTEGRATE_THIRD_PARTY_TOOLS: tools.RULES,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to reach, and whether it is."""

    title: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A goal: its steps, what to do next, and what else can be done now, each with
    what it is about."""

    kind: GoalKind
    title: str
    steps: tuple[Step, ...]
    recommendation: Recommendation
    actions: tuple[tuple[ActionName, Ref | None], ...]

    @property
    def progress(self) -> float:
        """The share of the steps that are done."""
        return sum(each.is_done for each in self.steps) / len(self.steps)


def reports(state: State) -> list[Report]:
    """Every goal."""
    return [
        Report(
            kind,
            TITLES[kind],
            tuple(_STEPS[kind](state)),
            recommended(kind, state),
            tuple(_ACTIONS[kind](state)),
        )
        for kind in GoalKind
    ]


def recommended(goal: GoalKind, state: State) -> Recommendation:
    """The recommendation of the goal's first rule that holds."""
    found = (judge(state) for judge in RULES[goal])
    return next(each for each in found if each is not None)


def _web_steps(state: State) -> Iterator[Step]:
    yield Step("There is a list", bool(state.lists))
    yield Step("A form is live", bool(state.forms))
    seen = any(each.views for each in state.forms)
    yield Step("A live form was seen in the last 30 days", seen)
    yield Step("Somebody signed up by a form", state.has_submissions)
    yield Step("People were imported or added by hand", state.has_brought_people)
    yield Step("Somebody agreed to text messages", state.has_sms_consent)


def _mobile_steps(state: State) -> Iterator[Step]:
    has_key = bool(state.open_keys) or state.has_push_tokens
    yield Step("There is a key for an app", has_key)
    yield Step("Devices are registered", state.has_push_tokens)
    yield Step("Somebody agreed to notifications", state.has_push_consent)
    yield Step("The app was opened in the last 30 days", state.has_opened_app)


def _tool_steps(state: State) -> Iterator[Step]:
    active = [each for each in state.integrations if each.is_active]
    yield Step("A tool is connected", bool(active))
    received = any(each.has_worked for each in active)
    yield Step("Something came in or went out by it", received)
    works = bool(active) and not any(each.failures for each in active)
    yield Step(
        "Calls come through: none failed in the last 30 days", works and received
    )


def _web_actions(state: State) -> Iterator[tuple[ActionName, Ref | None]]:
    yield ActionName.CREATE_LIST, None
    if state.lists:
        newest = state.lists[0]
        yield ActionName.CREATE_FORM, newest
        if state.draft:
            yield ActionName.PUBLISH_FORM, state.draft
        for form in state.forms[:1]:
            yield ActionName.SHARE_FORM, Ref(form.id, form.name)
        yield ActionName.IMPORT_PEOPLE, newest
        yield ActionName.QUICK_ADD, newest
        yield ActionName.SET_UP_TEXT_TO_JOIN, newest
        yield ActionName.SEE_NEW_MEMBERS, newest
    if state.waiting:
        yield ActionName.SEE_WHO_WAITS, None


def _mobile_actions(state: State) -> Iterator[tuple[ActionName, Ref | None]]:
    yield ActionName.CREATE_APP_KEY, None
    yield ActionName.REGISTER_PUSH_TOKEN, None
    yield ActionName.TRACK_APP_OPENED, None
    if state.has_opened_app:
        yield ActionName.SEE_QUIET_APP_USERS, None


def _tool_actions(state: State) -> Iterator[tuple[ActionName, Ref | None]]:
    yield ActionName.CONNECT_SHOP, None
    yield ActionName.CONNECT_ANY_TOOL, None
    for each in state.integrations[:1]:
        yield ActionName.SEE_INTEGRATION, Ref(each.id, each.name)
    yield ActionName.SEE_METRICS, None


_STEPS = {
    GoalKind.COLLECT_SUBSCRIBERS_ON_THE_WEB: _web_steps,
    GoalKind.BUILD_MOBILE_EXPERIENCES: _mobile_steps,
    GoalKind.INTEGRATE_THIRD_PARTY_TOOLS: _tool_steps,
}
_ACTIONS = {
    GoalKind.COLLECT_SUBSCRIBERS_ON_THE_WEB: _web_actions,
    GoalKind.BUILD_MOBILE_EXPERIENCES: _mobile_actions,
    GoalKind.INTEGRATE_THIRD_PARTY_TOOLS: _tool_actions,
}
