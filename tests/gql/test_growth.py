"""The hub over real accounts: what is recommended, and that every action works."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from graphql import parse, validate

from audience.growth import ActionName
from audience.integrations.checks import SECRET_TO_COME
from gql.growth_operations import OPERATIONS
from gql.schema import schema
from resolvers.db import Database
from resolvers.forms.statistics import count_view
from resolvers.growth import growth_state
from resolvers.integrations import Outcome, log_call
from tests.gql.conftest import NOW, Api

pytestmark = pytest.mark.anyio

HUB = """
{ growthTools { goals {
  kind title progress steps { title isDone }
  recommendation { rule title reason action { ...action } }
  actions { ...action }
} } }
fragment action on GrowthAction { name title description field operation variables url }
"""
WEB, MOBILE, TOOLS = range(3)


@dataclass
class Uploaded:
    """A file as the transport hands it over."""

    file: io.BytesIO
    filename: str = "people.csv"


async def goals(api: Api) -> list[Any]:
    found: list[Any] = (await api.ask(HUB))["growthTools"]["goals"]
    return found


async def rules(api: Api) -> list[str]:
    return [goal["recommendation"]["rule"] for goal in await goals(api)]


async def act(api: Api, action: Any) -> Any:
    """Sends the action's operation as it is, with a file or a tool's secret where one
    is wanted."""
    variables = dict(action["variables"])
    given = variables.get("input", {})
    if given.get("secret") == SECRET_TO_COME:
        variables["input"] = {**given, "secret": "shown by the tool"}
    if "file" in variables:
        file = io.BytesIO(b"E-mail\nbob@example.org\n")
        variables["file"] = Uploaded(file)
    answer = await api.ask(action["operation"], **variables)
    payload = answer[action["field"]]
    assert payload is not None
    assert payload.get("userErrors", []) == [], action["name"]
    return payload


def test_every_action_has_an_operation_of_this_schema() -> None:
    assert set(OPERATIONS) == set(ActionName)
    wrong = {
        name: errors
        for name, each in OPERATIONS.items()
        if (errors := validate(schema._schema, parse(each.text)))
    }
    assert wrong == {}


async def test_an_empty_account_is_told_how_to_begin(api: Api) -> None:
    web, mobile, tools = await goals(api)

    assert [each["progress"] for each in (web, mobile, tools)] == [0, 0, 0]
    assert web["kind"] == "COLLECT_SUBSCRIBERS_ON_THE_WEB"
    assert web["recommendation"] == {
        "rule": "NO_LIST",
        "title": "Make your first list",
        "reason": "People sign up to a list, and there is none yet.",
        "action": {
            "name": "CREATE_LIST",
            "title": "Make a list",
            "description": "On double opt-in, people confirm by mail that they want "
            "to be on it.",
            "field": "createList",
            "operation": OPERATIONS[ActionName.CREATE_LIST].text,
            "variables": {"input": {"name": "Newsletter", "optIn": "DOUBLE"}},
            "url": None,
        },
    }
    assert mobile["recommendation"]["rule"] == "NO_APP_KEY"
    assert tools["recommendation"]["rule"] == "NO_INTEGRATION"


async def test_following_every_recommendation_leads_through_the_goals(
    api: Api,
) -> None:
    """Each is done by its own operation; what only people can do happens between."""
    between: dict[str, Callable[[], Awaitable[Any]]] = {
        "NO_VIEWS": lambda: see_forms(api),
        "NO_SMS_CONSENT": lambda: agree_to_sms(api),
        "NOBODY_BROUGHT_ALONG": lambda: finish_imports(api),
    }
    told: list[list[str]] = []
    for goal in (WEB, MOBILE):
        told.append([])
        for _ in range(12):
            found = (await goals(api))[goal]["recommendation"]
            told[goal].append(found["rule"])
            await act(api, found["action"])
            if found["rule"] in between:
                await between[found["rule"]]()
            if found["rule"].endswith("WELL_UNDER_WAY"):
                break

    assert told == [
        [
            "NO_LIST",
            "NO_FORM",
            "NO_VIEWS",
            "NOBODY_BROUGHT_ALONG",
            "NO_SMS_CONSENT",
            "NO_TEXT_TO_JOIN",
            "WEB_WELL_UNDER_WAY",
        ],
        ["NO_APP_KEY", "NO_PUSH_TOKENS", "NO_APP_EVENTS", "MOBILE_WELL_UNDER_WAY"],
    ]
    web, mobile, tools = await goals(api)
    undone = [step["title"] for step in web["steps"] if not step["isDone"]]
    assert undone == ["Somebody signed up by a form"]
    assert [mobile["progress"], tools["progress"]] == [1, pytest.approx(1 / 3)]


async def see_forms(api: Api) -> None:
    async for form in api.db.forms.find({}):
        await count_view(api.db, form["_id"], api.now, api.context().zone)


async def agree_to_sms(api: Api) -> None:
    made = await api.ask(
        'mutation { upsertProfile(input: {phoneNumber: "+14155550132"}) '
        "{ profile { id } } }"
    )
    await api.ask(
        "mutation ($id: ID!) { setConsent(input: {profileId: $id, channel: SMS, "
        "status: SUBSCRIBED}) { userErrors { message } } }",
        id=made["upsertProfile"]["profile"]["id"],
    )


async def finish_imports(api: Api) -> None:
    await api.db.imports.update_many({}, {"$set": {"status": "COMPLETED"}})


async def test_every_action_that_is_offered_works(api: Api) -> None:
    """In an account in which all of them are: each exactly as it is offered."""
    await fill(api)
    found = await goals(api)
    actions = [action for goal in found for action in goal["actions"]]
    names = {action["name"] for action in actions}

    for action in actions:
        await act(api, action)

    assert names == {
        "CREATE_LIST",
        "CREATE_FORM",
        "PUBLISH_FORM",
        "SHARE_FORM",
        "IMPORT_PEOPLE",
        "QUICK_ADD",
        "SET_UP_TEXT_TO_JOIN",
        "SEE_NEW_MEMBERS",
        "SEE_WHO_WAITS",
        "CREATE_APP_KEY",
        "REGISTER_PUSH_TOKEN",
        "TRACK_APP_OPENED",
        "SEE_QUIET_APP_USERS",
        "CONNECT_SHOP",
        "CONNECT_ANY_TOOL",
        "SEE_INTEGRATION",
        "SEE_METRICS",
    }


FILL = """
mutation ($list: ID!) {
  live: createForm(input: {name: "Live", kind: POPUP, listId: $list, status: LIVE,
    fields: [{kind: EMAIL, label: "E-mail", target: "email", isRequired: true}],
    consents: [{channel: EMAIL, text: "News."}]}) { form { id } }
  draft: createForm(input: {name: "Draft", kind: POPUP, listId: $list,
    fields: [{kind: EMAIL, label: "E-mail", target: "email", isRequired: true}],
    consents: [{channel: EMAIL, text: "News."}]}) { form { id } }
  trackEvent(input: {profile: {anonymousId: "phone"}, metric: "Opened App"}) {
    userErrors { message } }
  createIntegration(input: {name: "Shop", settings: {shopify: {}}}) {
    integration { id } userErrors { message } }
  key: createApiKey(input: {name: "Pages", kind: PUBLIC, scopes: []}) { secret }
}
"""


async def fill(api: Api, opt_in: str = "DOUBLE") -> Any:
    """A list, forms, a person who waits, an app event, a key and an integration."""
    made = await api.ask(
        'mutation ($optIn: OptIn!) { createList(input: {name: "News", '
        "optIn: $optIn}) { list { id } } }",
        optIn=opt_in,
    )
    found = made["createList"]["list"]["id"]
    filled = await api.ask(FILL, list=found)
    early = Api(api.db, now=NOW - timedelta(days=2))
    await early.ask(
        "mutation ($list: ID!) { subscribe(input: {listId: $list, "
        'email: "ada@example.org"}) { status } }',
        list=found,
    )
    return filled | {"list": found}


async def test_the_state_is_read_as_it_is(api: Api) -> None:
    filled = await fill(api)
    form_id = filled["live"]["form"]["id"]
    kept = await api.db.forms.find_one({"name": "Live"})
    assert kept is not None
    zone = api.context().zone
    for at in (NOW, NOW - timedelta(days=29), NOW - timedelta(days=40)):
        await count_view(api.db, kept["_id"], at, zone)
    await api.ask(
        'mutation { registerPushToken(input: {profile: {anonymousId: "phone"}, '
        'token: "t-1", platform: IOS}) { userErrors { message } } }'
    )

    state = await growth_state(api.db, NOW, zone)

    (live,) = state.forms
    assert (f"frm_{live.id}", live.name, live.short) == (form_id, "Live", kept["short"])
    assert (live.views, live.submissions, live.conversion) == (2, 0, 0)
    assert (live.list.name, live.list.is_single_opt_in) == ("News", False)
    assert state.form_names == {"Live", "Draft"}
    assert [each.name for each in state.lists] == ["News"]
    assert state.draft is not None
    assert state.draft.name == "Draft"
    assert (state.waiting, state.confirmed, state.asked) == (1, 0, 1)
    assert [each.name for each in state.public_keys] == ["Pages"]
    assert (state.open_keys, state.lasting_open_keys) == (state.public_keys, ())
    assert (state.has_push_tokens, state.has_push_consent) == (True, True)
    assert (state.has_opened_app, state.has_sms_consent) == (True, False)
    assert (state.has_brought_people, state.has_submissions) == (False, False)
    (shop,) = state.integrations
    assert (shop.name, shop.is_active, shop.has_secret) == ("Shop", True, False)
    later = await growth_state(api.db, NOW + timedelta(days=31), zone)
    assert (later.has_opened_app, later.waiting, later.forms[0].views) == (False, 0, 0)


async def test_a_confirmed_sign_up_is_counted_as_answered(api: Api) -> None:
    await fill(api)
    early = Api(api.db, now=NOW - timedelta(days=2))
    await early.ask(
        "mutation ($list: ID!) { subscribe(input: {listId: $list, "
        'email: "bob@example.org"}) { status } }',
        list=(await api.ask("{ lists { edges { node { id } } } }"))["lists"]["edges"][
            0
        ]["node"]["id"],
    )
    (message,) = early.sent
    await early.ask(
        "mutation ($token: String!) { confirmSubscription(input: {token: $token}) "
        "{ status } }",
        token=message["token"],
    )

    state = await growth_state(api.db, NOW, api.context().zone)

    assert (state.waiting, state.confirmed) == (1, 1)


async def test_quick_adds_count_as_people_brought_along(api: Api) -> None:
    filled = await fill(api)
    await api.ask(
        "mutation ($list: ID!) { addToList(input: {listId: $list, "
        'profiles: [{email: "eve@example.org"}]}) { added } }',
        list=filled["list"],
    )

    state = await growth_state(api.db, NOW, api.context().zone)

    assert state.has_brought_people


async def spoil(api: Api, rule: str) -> None:
    """Makes the rule hold in an account that has a list and a live form."""
    kept = await api.db.forms.find_one({"name": "Live"})
    assert kept is not None
    zone = api.context().zone
    match rule:
        case "FORM_IN_DRAFT":
            await api.db.forms.delete_one({"_id": kept["_id"]})
        case "CONFIRMATIONS_UNANSWERED":
            await count_view(api.db, kept["_id"], NOW, zone)
            early = Api(api.db, now=NOW - timedelta(days=2))
            for n in range(20):
                await early.ask(
                    "mutation ($list: ID!, $email: String!) { subscribe(input: "
                    "{listId: $list, email: $email}) { status } }",
                    list=f"lst_{kept['list_id']}",
                    email=f"p{n}@example.org",
                )
        case "POOR_CONVERSION":
            await api.db.keys.delete_many({})
            for _ in range(100):
                await count_view(api.db, kept["_id"], NOW, zone)
        case "KEY_WITHOUT_ORIGINS":
            made = {"created_at": NOW - timedelta(days=31)}
            await api.db.keys.update_many({}, {"$set": made})
            await count_view(api.db, kept["_id"], NOW, zone)
        case "SINGLE_OPT_IN":
            await api.db.keys.delete_many({})
            await count_view(api.db, kept["_id"], NOW, zone)


@pytest.mark.parametrize(
    ("rule", "opt_in"),
    [
        ("FORM_IN_DRAFT", "DOUBLE"),
        ("CONFIRMATIONS_UNANSWERED", "DOUBLE"),
        ("KEY_WITHOUT_ORIGINS", "DOUBLE"),
        ("POOR_CONVERSION", "DOUBLE"),
        ("SINGLE_OPT_IN", "SINGLE"),
    ],
)
async def test_what_is_wrong_is_found_and_the_action_mends_it(
    api: Api, rule: str, opt_in: str
) -> None:
    await fill(api, opt_in)
    await spoil(api, rule)

    found = (await goals(api))[WEB]["recommendation"]
    before = await api.db.forms.find_one({"name": "Live"})
    await act(api, found["action"])

    assert found["rule"] == rule
    if rule == "POOR_CONVERSION":
        assert before is not None
        after = await api.db.forms.find_one({"name": "Live"})
        targeting = {**before["targeting"], "scroll_percent": 50}
        changed = {"targeting": targeting, "updated_at": NOW, "version": 2}
        assert after == {**before, **changed}
    if rule in ("FORM_IN_DRAFT", "SINGLE_OPT_IN"):
        assert (await rules(api))[WEB] != rule


async def test_a_tool_is_told_by_what_it_lacks(api: Api) -> None:
    await fill(api)
    told = []
    for _ in range(2):
        found = (await goals(api))[TOOLS]["recommendation"]
        told.append(found["rule"])
        await act(api, found["action"])
    await api.db.integrations.update_many({}, {"$set": {"status": "PAUSED"}})
    found = (await goals(api))[TOOLS]["recommendation"]
    await act(api, found["action"])

    assert told == ["INTEGRATION_WITHOUT_SECRET", "NOTHING_RECEIVED"]
    assert found["rule"] == "INTEGRATION_PAUSED"
    assert (await rules(api))[TOOLS] == "NOTHING_RECEIVED"


async def test_a_webhook_that_cannot_deliver_is_told(api: Api) -> None:
    made = await api.ask(
        'mutation { createSegment(input: {name: "All", definition: {groups: [{anyOf: ['
        '{property: {filter: {path: "email", is: {exists: true}}}}]}]}}) '
        "{ segment { id } } }"
    )
    answer = await api.ask(
        'mutation ($ids: [ID!]!) { createIntegration(input: {name: "CRM", settings: '
        '{outboundWebhook: {url: "https://crm.example/hook", segmentIds: $ids}}}) '
        "{ integration { id } userErrors { message } } }",
        ids=[made["createSegment"]["segment"]["id"]],
    )
    webhook = ObjectId(answer["createIntegration"]["integration"]["id"][4:])
    before = (await rules(api))[TOOLS]
    message = {
        "integration_id": webhook,
        "kind": "TEST",
        "order": 0,
        "attempts": 9,
        "created_at": NOW - timedelta(days=1),
    }
    await api.db.deliveries.insert_one({**message, "state": "DELIVERED"})
    works = (await rules(api))[TOOLS]
    await api.db.deliveries.insert_one({**message, "state": "DEAD"})
    fails = await goals(api)

    assert (before, works) == ("NOTHING_RECEIVED", "TOOLS_WELL_UNDER_WAY")
    found = fails[TOOLS]["recommendation"]
    assert (found["rule"], found["reason"]) == (
        "INTEGRATION_FAILS",
        "At least 1 call failed in the last 30 days.",
    )
    seen = await act(api, found["action"])
    assert [each["node"]["attempts"] for each in seen["edges"]] == [9]


async def test_a_failing_tool_s_problems_are_shown(api: Api) -> None:
    filled = await fill(api)
    shop = ObjectId(filled["createIntegration"]["integration"]["id"][4:])
    await log_call(api.db, shop, Outcome.REFUSED, NOW, message="It is not signed.")

    found = (await goals(api))[TOOLS]["recommendation"]

    assert found["rule"] == "INTEGRATION_FAILS"
    seen = await act(api, found["action"])
    assert [each["message"] for each in seen["log"]["problems"]] == [
        "It is not signed."
    ]


async def test_a_form_is_suggested_for_a_list_on_double_opt_in(api: Api) -> None:
    for name, opt_in in (("Members", "DOUBLE"), ("Campaign", "SINGLE")):
        await api.ask(
            "mutation ($name: String!, $optIn: OptIn!) { createList(input: "
            "{name: $name, optIn: $optIn}) { list { id } } }",
            name=name,
            optIn=opt_in,
        )

    found = (await goals(api))[WEB]["recommendation"]
    await act(api, found["action"])

    assert found["rule"] == "NO_FORM"
    state = await growth_state(api.db, NOW, api.context().zone)
    assert [(each.list.name, each.list.is_single_opt_in) for each in state.forms] == [
        ("Members", False)
    ]


async def test_where_only_campaigns_have_lists_one_for_sign_ups_comes_first(
    api: Api,
) -> None:
    await api.ask(
        'mutation { createList(input: {name: "newsletter", optIn: SINGLE}) '
        "{ list { id } } }"
    )

    first = (await goals(api))[WEB]["recommendation"]
    await act(api, first["action"])

    assert first["rule"] == "NO_LIST"
    assert first["action"]["variables"] == {
        "input": {"name": "Newsletter 2", "optIn": "DOUBLE"}
    }
    assert (await rules(api))[WEB] == "NO_FORM"


async def test_names_that_are_suggested_are_the_first_free_ones(api: Api) -> None:
    for name in ("Campaign 1", "Campaign 2", "NEWSLETTER", "Newsletter 3"):
        await api.ask(
            "mutation ($name: String!) { createList(input: {name: $name}) "
            "{ list { id } } }",
            name=name,
        )

    web = (await goals(api))[WEB]

    names = {
        each["name"]: each["variables"]["input"]["name"]
        for each in web["actions"]
        if each["name"] in ("CREATE_LIST", "CREATE_FORM")
    }
    assert names == {"CREATE_LIST": "Newsletter 2", "CREATE_FORM": "Sign-up form"}


async def test_where_no_mail_is_sent_double_opt_in_says_so(db: Database) -> None:
    api = Api(db, sends_mail=False)

    found = (await goals(api))[WEB]["recommendation"]["action"]

    assert found["description"] == (
        "On double opt-in, people confirm by mail that they want to be on it. This "
        "server sends no mail yet: it prints each confirmation on its terminal, until "
        "AUDIENCE_SMTP_HOST is set."
    )
    assert found["variables"]["input"]["optIn"] == "DOUBLE"


async def test_a_form_s_page_is_linked(api: Api) -> None:
    await fill(api)

    web = (await goals(api))[WEB]

    kept = await api.db.forms.find_one({"name": "Live"})
    assert kept is not None
    (share,) = [each for each in web["actions"] if each["name"] == "SHARE_FORM"]
    assert share["url"] == f"http://127.0.0.1:8000/f/{kept['short']}"
