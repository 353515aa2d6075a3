"""The hub's rules, each where it holds first, and how progress is computed."""

from dataclasses import replace
from typing import Any

import pytest

from audience.growth import (
    RULES,
    FormFigures,
    GoalKind,
    IntegrationFigures,
    ListRef,
    Ref,
    Rule,
    State,
    recommended,
    reports,
)

WEB = GoalKind.COLLECT_SUBSCRIBERS_ON_THE_WEB
MOBILE = GoalKind.BUILD_MOBILE_EXPERIENCES
TOOLS = GoalKind.INTEGRATE_THIRD_PARTY_TOOLS

NEWS, SALES = ListRef("1", "News"), ListRef("2", "Sales")
SINGLE = ListRef("3", "Old", is_single_opt_in=True)
KEY = Ref("8", "Shop")


def form(name: str = "Footer", **more: Any) -> FormFigures:
    given: dict[str, Any] = {
        "id": name,
        "name": name,
        "short": "abc",
        "list": NEWS,
        "asks_for_sms": False,
        "views": 500,
        "submissions": 50,
    }
    return FormFigures(**given | more)


def tool(name: str = "Shopify", **more: Any) -> IntegrationFigures:
    given: dict[str, Any] = {"id": name, "is_active": True, "has_worked": True}
    return IntegrationFigures(name=name, **given | more)


# An account in which all is well; each case below spoils one thing more.
WELL = State(
    lists=(SALES, NEWS),
    forms=(form(),),
    has_submissions=True,
    has_sms_consent=True,
    has_brought_people=True,
    public_keys=(KEY,),
    open_keys=(KEY,),
    lasting_open_keys=(KEY,),
    has_push_tokens=True,
    has_push_consent=True,
    has_opened_app=True,
    integrations=(tool("Texts", takes_messages=True), tool()),
)
NO_APP = replace(
    WELL, has_push_tokens=False, has_push_consent=False, has_opened_app=False
)

CASES: list[tuple[GoalKind, Rule, State, Ref | None, str]] = [
    (WEB, Rule.WEB_WELL_UNDER_WAY, WELL, SALES, ""),
    # A key that was made lately waits for the app that it was made for.
    (WEB, Rule.WEB_WELL_UNDER_WAY, replace(NO_APP, lasting_open_keys=()), SALES, ""),
    (
        WEB,
        Rule.NO_TEXT_TO_JOIN,
        replace(WELL, integrations=(tool(),)),
        SALES,
        "No keyword takes sign-ups by text message",
    ),
    (
        WEB,
        Rule.NO_SMS_CONSENT,
        replace(WELL, has_sms_consent=False, integrations=()),
        NEWS,
        "Of the first 10,000 people with a phone number nobody has agreed to text",
    ),
    (
        WEB,
        Rule.NOBODY_BROUGHT_ALONG,
        replace(WELL, has_brought_people=False, has_sms_consent=False),
        SALES,
        "No file was imported",
    ),
    (
        WEB,
        Rule.SINGLE_OPT_IN,
        replace(
            WELL,
            forms=(form(), form("Popup", list=SINGLE)),
            has_brought_people=False,
        ),
        SINGLE,
        "Popup signs people up to a list on single opt-in",
    ),
    (
        WEB,
        Rule.POOR_CONVERSION,
        replace(
            WELL,
            forms=(
                form("Poor", views=1_200, submissions=20),
                form("Poorest", views=100, submissions=1, list=SINGLE),
            ),
        ),
        Ref("Poorest", "Poorest"),
        "It was seen 100 times in the last 30 days and sent 1 times: 1.0%, below 2%.",
    ),
    (
        WEB,
        Rule.KEY_WITHOUT_ORIGINS,
        replace(NO_APP, forms=(form("Poor", views=100, submissions=0),)),
        KEY,
        "works from every site",
    ),
    (
        WEB,
        Rule.CONFIRMATIONS_UNANSWERED,
        replace(NO_APP, waiting=10, confirmed=10),
        None,
        "20 were asked to confirm in the last 30 days, and 10 have not answered",
    ),
    (
        WEB,
        Rule.NO_VIEWS,
        replace(
            NO_APP,
            forms=(form("New", views=0), form("Old", views=0)),
            waiting=20,
        ),
        Ref("New", "New"),
        "No live form was seen in the last 30 days",
    ),
    (
        WEB,
        Rule.FORM_IN_DRAFT,
        replace(WELL, forms=(), draft=Ref("5", "Popup")),
        Ref("5", "Popup"),
        "It is a draft, and no form is live",
    ),
    (WEB, Rule.NO_FORM, replace(WELL, forms=()), SALES, "No form takes sign-ups."),
    (
        WEB,
        Rule.NO_FORM,
        replace(WELL, forms=(), archived=2),
        SALES,
        "No form takes sign-ups. 2 forms are archived.",
    ),
    (WEB, Rule.NO_LIST, State(), None, "there is none yet"),
    (
        WEB,
        Rule.NO_LIST,
        replace(WELL, lists=(SINGLE,), forms=()),
        None,
        "Every list is on single opt-in.",
    ),
    (MOBILE, Rule.MOBILE_WELL_UNDER_WAY, WELL, None, ""),
    (
        MOBILE,
        Rule.NO_APP_EVENTS,
        replace(WELL, has_opened_app=False),
        None,
        "No Opened App event",
    ),
    (
        MOBILE,
        Rule.NO_PUSH_CONSENT,
        replace(WELL, has_push_consent=False, has_opened_app=False),
        None,
        "nobody has given permission",
    ),
    (MOBILE, Rule.NO_PUSH_TOKENS, NO_APP, None, "No push token was registered so far."),
    (
        MOBILE,
        Rule.NO_APP_KEY,
        replace(NO_APP, open_keys=()),
        None,
        "An app has no origin",
    ),
    (MOBILE, Rule.NO_APP_KEY, State(), None, "registers devices and events"),
    (TOOLS, Rule.TOOLS_WELL_UNDER_WAY, WELL, None, ""),
    (
        TOOLS,
        Rule.INTEGRATION_PAUSED,
        replace(WELL, integrations=(tool(is_active=False, has_worked=False),)),
        Ref("Shopify", "Shopify"),
        "Every integration is paused.",
    ),
    (
        TOOLS,
        Rule.NOTHING_RECEIVED,
        replace(WELL, integrations=(tool(), tool("Forms", has_worked=False))),
        Ref("Forms", "Forms"),
        "Nothing has come in or gone out by it",
    ),
    (
        TOOLS,
        Rule.INTEGRATION_WITHOUT_SECRET,
        replace(WELL, integrations=(tool(has_secret=False, has_worked=False),)),
        Ref("Shopify", "Shopify"),
        "no call of it can be verified",
    ),
    (
        TOOLS,
        Rule.INTEGRATION_FAILS,
        replace(
            WELL,
            integrations=(
                tool("A", failures=1),
                tool("B", failures=3),
                tool("C", failures=9, is_active=False),
                tool("D", has_secret=False),
            ),
        ),
        Ref("B", "B"),
        "3 calls failed in the last 30 days.",
    ),
    (TOOLS, Rule.NO_INTEGRATION, State(), None, "Nothing is connected"),
]


@pytest.mark.parametrize(
    ("goal", "rule", "state", "about", "reason"),
    CASES,
    ids=[f"{case[1]}-{number}" for number, case in enumerate(CASES)],
)
def test_the_first_rule_that_holds_gives_the_recommendation(
    goal: GoalKind, rule: Rule, state: State, about: Ref | None, reason: str
) -> None:
    found = recommended(goal, state)

    assert (found.rule, found.about) == (rule, about)
    assert reason in found.reason


def test_every_rule_is_tried_above() -> None:
    tried = {(goal, rule) for goal, rule, *_ in CASES}

    assert {rule for _, rule in tried} == set(Rule)
    assert {goal: len(rules) for goal, rules in RULES.items()} == {
        goal: len([rule for each, rule in tried if each is goal]) for goal in GoalKind
    }


@pytest.mark.parametrize(
    ("views", "submissions", "is_poor"),
    [(99, 0, False), (100, 1, True), (100, 2, False), (1_000, 19, True)],
)
def test_conversion_is_judged_from_100_views_and_below_2_percent(
    views: int, submissions: int, is_poor: bool
) -> None:
    state = replace(WELL, forms=(form(views=views, submissions=submissions),))

    assert (recommended(WEB, state).rule is Rule.POOR_CONVERSION) == is_poor


@pytest.mark.parametrize(
    ("waiting", "confirmed", "is_much"),
    [(19, 0, False), (20, 0, True), (10, 10, True), (49, 51, False)],
)
def test_confirmations_are_judged_from_20_people_and_half_of_them(
    waiting: int, confirmed: int, is_much: bool
) -> None:
    state = replace(WELL, waiting=waiting, confirmed=confirmed)

    found = recommended(WEB, state).rule

    assert (found is Rule.CONFIRMATIONS_UNANSWERED) == is_much


def test_progress_is_the_share_of_the_steps_that_are_done() -> None:
    def progress(state: State) -> list[float]:
        return [each.progress for each in reports(state)]

    assert progress(State()) == [0, 0, 0]
    assert progress(WELL) == [1, 1, 1]
    assert progress(replace(NO_APP, forms=())) == [4 / 6, 1 / 4, 1]
    fails = replace(WELL, integrations=(tool(failures=1),))
    assert progress(fails) == [1, 1, 2 / 3]
    assert progress(replace(WELL, integrations=(tool(has_worked=False),))) == [
        1,
        1,
        1 / 3,
    ]


def test_a_failing_tool_is_looked_at_where_its_failures_are() -> None:
    inbound = recommended(TOOLS, replace(WELL, integrations=(tool(failures=1),)))
    outbound = recommended(
        TOOLS, replace(WELL, integrations=(tool(failures=1, is_outbound=True),))
    )

    assert (inbound.action, outbound.action) == ("SEE_INTEGRATION", "SEE_UNDELIVERED")


def test_actions_are_those_that_can_be_done_now() -> None:
    nothing, *_ = reports(State())
    draft, *_ = reports(replace(WELL, forms=(), draft=Ref("5", "Popup"), waiting=1))

    assert [name for name, _ in nothing.actions] == ["CREATE_LIST"]
    assert draft.actions == (
        ("CREATE_LIST", None),
        ("CREATE_FORM", SALES),
        ("PUBLISH_FORM", Ref("5", "Popup")),
        ("IMPORT_PEOPLE", SALES),
        ("QUICK_ADD", SALES),
        ("SET_UP_TEXT_TO_JOIN", SALES),
        ("SEE_NEW_MEMBERS", SALES),
        ("SEE_WHO_WAITS", None),
    )
