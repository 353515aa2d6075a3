"""How the hub's actions are done: for each an operation that can be sent as it is, with
variables to start from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from strawberry.utils.str_converters import to_camel_case

from audience.growth import ActionName, IntegrationFigures, Ref, State
from audience.integrations.checks import SECRET_TO_COME
from audience.lists import name_key

Variables = Callable[[Ref | None, State], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One action: its words, the root field that does it, an operation with it, its
    variables from what it is about and the account, and whether it is of use only
    where the server sends mail."""

    title: str
    description: str
    field: str
    text: str
    variables: Variables
    needs_mail: bool = False


def _input(name: str, answer: str) -> str:
    """A mutation of the API's usual form."""
    kind = f"{name[0].upper()}{name[1:]}Input!"
    return (
        f"mutation ($input: {kind}) {{\n"
        f"  {name}(input: $input) {{\n"
        f"    {answer}\n"
        "    userErrors {\n      code\n      message\n      path\n    }\n"
        "  }\n}\n"
    )


def _preview() -> str:
    return (
        "query ($definition: SegmentDefinitionInput!) {\n"
        "  segmentPreview(definition: $definition) {\n"
        "    count\n"
        "    reachable {\n      channel\n      count\n    }\n"
        "    profiles(first: 10) {\n"
        "      edges {\n        node {\n          email\n          createdAt\n"
        "        }\n      }\n    }\n"
        "  }\n}\n"
    )


def _given(**values: Any) -> dict[str, Any]:
    return {"input": values}


def _asked(*groups: dict[str, Any]) -> dict[str, Any]:
    """A definition in which every one of the conditions has to hold."""
    return {"definition": {"groups": [{"anyOf": [each]} for each in groups]}}


def _list(about: Ref | None) -> str:
    assert about is not None  # noqa: S101 - the rules say which
    return f"lst_{about.id}"


def _form(about: Ref | None) -> str:
    assert about is not None  # noqa: S101 - the rules say which
    return f"frm_{about.id}"


def _targeting(about: Ref | None, state: State) -> dict[str, Any]:
    """When the form appears now, by the API's names: what is changed is the whole."""
    (form,) = (each for each in state.forms if about and each.id == about.id)
    return {to_camel_case(name): value for name, value in form.targeting.items()}


def _integration(about: Ref | None) -> str:
    assert about is not None  # noqa: S101 - the rules say which
    return f"int_{about.id}"


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, or else the first number after it, that nothing has yet."""
    keys = set(map(name_key, taken))
    numbered = (f"{name} {number}" for number in count(2))
    return next(each for each in chain((name,), numbered) if name_key(each) not in keys)


def _names(named: Iterable[Ref | IntegrationFigures]) -> Iterator[str]:
    return (each.name for each in named)


_EMAIL = {"kind": "EMAIL", "label": "E-mail", "target": "email", "isRequired": True}
_PHONE = {
    "kind": "PHONE",
    "label": "Phone",
    "target": "phoneNumber",
    "isRequired": True,
}
_BY_EMAIL = {
    "channel": "EMAIL",
    "text": "I want news by e-mail. I can unsubscribe at any time.",
}
_BY_SMS = {
    "channel": "SMS",
    "text": "I want news by text message, about twice a month. I reply STOP to end it.",
}
_DAYS_30 = {"inTheLast": {"amount": 30, "unit": "DAY"}}
_DAYS_14 = {"inTheLast": {"amount": 14, "unit": "DAY"}}
_FORM_ANSWER = "form {\n      id\n      status\n      url\n    }"
_CONNECTED = "integration {\n      id\n      url\n      instructions\n    }"

OPERATIONS: dict[ActionName, Operation] = {
    ActionName.CREATE_LIST: Operation(
        "Make a list",
        "On double opt-in, people confirm by mail that they want to be on it.",
        "createList",
        _input("createList", "list {\n      id\n      name\n    }"),
        lambda about, state: _given(
            name=_free("Newsletter", _names(state.lists)), optIn="DOUBLE"
        ),
        needs_mail=True,
    ),
    ActionName.CREATE_FORM: Operation(
        "Make a sign-up form",
        "It is live at once, on a page of its own and for any site by one script.",
        "createForm",
        _input("createForm", _FORM_ANSWER),
        lambda about, state: _given(
            name=_free("Sign-up form", state.form_names),
            listId=_list(about),
            kind="POPUP",
            status="LIVE",
            headline="Get our news",
            fields=[_EMAIL],
            consents=[_BY_EMAIL],
        ),
    ),
    ActionName.PUBLISH_FORM: Operation(
        "Publish the form",
        "It takes sign-ups from then on.",
        "updateForm",
        _input("updateForm", _FORM_ANSWER),
        lambda about, state: _given(id=_form(about), status="LIVE"),
    ),
    ActionName.SHARE_FORM: Operation(
        "Show the form",
        "Paste the code into your site, or share the address or the QR code.",
        "form",
        "query ($id: ID!) {\n  form(id: $id) {\n    name\n    url\n    embedCode\n"
        "    qrCode\n  }\n}\n",
        lambda about, state: {"id": _form(about)},
    ),
    ActionName.SEE_WHO_WAITS: Operation(
        "See who has not confirmed",
        "People whose sign-up waits for their answer. Signing up again sends the mail "
        "again.",
        "segmentPreview",
        _preview(),
        lambda about, state: _asked(
            {"consent": {"channel": "EMAIL", "status": ["PENDING"]}}
        ),
    ),
    ActionName.RESTRICT_KEY: Operation(
        "Make a key for your site alone",
        "Give your site's own origin; then revoke the key that works from everywhere.",
        "createApiKey",
        _input("createApiKey", "apiKey {\n      id\n      name\n    }\n    secret"),
        lambda about, state: _given(
            name=_free("Shop pages", _names(state.public_keys)),
            kind="PUBLIC",
            scopes=[],
            allowedOrigins=["https://shop.example"],
        ),
    ),
    ActionName.IMPROVE_FORM: Operation(
        "Make the form easier to fill in",
        "Here one that opens over a page appears once people have read half of it, and "
        "all else stays. Change the fields yourself to ask for less.",
        "updateForm",
        _input("updateForm", _FORM_ANSWER),
        lambda about, state: _given(
            id=_form(about),
            targeting={**_targeting(about, state), "scrollPercent": 50},
        ),
    ),
    ActionName.REQUIRE_CONFIRMATION: Operation(
        "Let sign-ups be confirmed",
        "Who is on the list stays on it; whoever signs up from then on confirms it.",
        "updateList",
        _input("updateList", "list {\n      id\n      optIn\n    }"),
        lambda about, state: _given(id=_list(about), optIn="DOUBLE"),
        needs_mail=True,
    ),
    ActionName.IMPORT_PEOPLE: Operation(
        "Import a CSV file",
        "Sent as a GraphQL multipart request, with the file in place of `file`; or on "
        "the command line by `audience import`.",
        "importProfiles",
        "mutation ($file: Upload!, $listId: ID) {\n"
        "  importProfiles(input: {file: $file, listId: $listId}) {\n"
        "    import {\n      id\n      status\n    }\n"
        "    userErrors {\n      code\n      message\n      path\n    }\n  }\n}\n",
        lambda about, state: {"file": None, "listId": _list(about)},
    ),
    ActionName.QUICK_ADD: Operation(
        "Add people by hand",
        "A few people, and how they agreed.",
        "addToList",
        _input("addToList", "added\n    alreadyMembers"),
        lambda about, state: _given(
            listId=_list(about),
            profiles=[{"email": "ada@example.org", "firstName": "Ada"}],
            consent=[{"channel": "EMAIL", "source": "Asked at the counter"}],
        ),
    ),
    ActionName.ASK_FOR_SMS: Operation(
        "Make a form that asks for text messages",
        "People who give their number agree to text messages.",
        "createForm",
        _input("createForm", _FORM_ANSWER),
        lambda about, state: _given(
            name=_free("Text messages", state.form_names),
            listId=_list(about),
            kind="POPUP",
            status="LIVE",
            headline="Get our offers by text message",
            fields=[_PHONE],
            consents=[_BY_SMS],
        ),
    ),
    ActionName.SET_UP_TEXT_TO_JOIN: Operation(
        "Let people join by a text message",
        "Whoever texts the keyword to your number joins the list. The secret is the "
        "Auth Token of your Twilio account; the answer says where its url goes.",
        "createIntegration",
        _input("createIntegration", _CONNECTED),
        lambda about, state: _given(
            name=_free("Text to join", _names(state.integrations)),
            secret="the-auth-token-of-your-twilio-account",  # noqa: S106
            settings={
                "textMessages": {
                    "provider": "TWILIO",
                    "helpText": "Shop offers. Write to help@shop.example. Reply STOP "
                    "to end.",
                    "keywords": [
                        {
                            "word": "OFFERS",
                            "listId": _list(about),
                            "consentText": _BY_SMS["text"],
                            "reply": "Welcome! About twice a month. Reply STOP to end.",
                        }
                    ],
                }
            },
        ),
    ),
    ActionName.SEE_NEW_MEMBERS: Operation(
        "See who joined lately",
        "Who joined the list in the last 30 days, and who of them can be reached.",
        "segmentPreview",
        _preview(),
        lambda about, state: _asked(
            {"list": {"listId": _list(about), "joined": _DAYS_30}}
        ),
    ),
    ActionName.CREATE_APP_KEY: Operation(
        "Make a key for your app",
        "A public key that is bound to no site. It may stand in the app: it reads "
        "nothing.",
        "createApiKey",
        _input("createApiKey", "apiKey {\n      id\n      name\n    }\n    secret"),
        lambda about, state: _given(
            name=_free("App", _names(state.public_keys)), kind="PUBLIC", scopes=[]
        ),
    ),
    ActionName.REGISTER_PUSH_TOKEN: Operation(
        "Register a device",
        "Sent by the app at every start, with its own token and what the person has "
        "told the device.",
        "registerPushToken",
        _input("registerPushToken", "profile {\n      id\n    }"),
        lambda about, state: _given(
            profile={"anonymousId": "the-app-s-own-id-of-the-installation"},
            token="the-token-that-apns-or-fcm-gave-the-device",  # noqa: S106
            platform="IOS",
            appId="com.example.shop",
            permission="AUTHORIZED",
        ),
    ),
    ActionName.TRACK_APP_OPENED: Operation(
        "Record that the app was opened",
        "Sent by the app at every start.",
        "trackEvent",
        _input("trackEvent", "event {\n      id\n    }"),
        lambda about, state: _given(
            profile={"anonymousId": "the-app-s-own-id-of-the-installation"},
            metric="Opened App",
            properties={"platform": "iOS", "version": "1.0"},
        ),
    ),
    ActionName.SEE_QUIET_APP_USERS: Operation(
        "See who stopped opening the app",
        "Who can get notifications, and has not opened the app for two weeks.",
        "segmentPreview",
        _preview(),
        lambda about, state: _asked(
            {"consent": {"channel": "PUSH", "canReceiveMarketing": True}},
            {
                "event": {
                    "metric": {"name": "Opened App"},
                    "compare": {"equals": 0},
                    "during": _DAYS_14,
                }
            },
        ),
    ),
    ActionName.CONNECT_SHOP: Operation(
        "Connect a Shopify shop",
        "Its customers, orders and checkouts become profiles and events. The answer "
        "says where its url goes; Shopify shows the secret there.",
        "createIntegration",
        _input("createIntegration", _CONNECTED),
        lambda about, state: _given(
            name=_free("Shopify", _names(state.integrations)),
            settings={"shopify": {}},
        ),
    ),
    ActionName.CONNECT_ANY_TOOL: Operation(
        "Connect any tool that sends webhooks",
        "Paths say where in its calls the person and the event stand.",
        "createIntegration",
        _input("createIntegration", f"{_CONNECTED}\n    secret"),
        lambda about, state: _given(
            name=_free("Webhook", _names(state.integrations)),
            settings={
                "inboundWebhook": {
                    "mappings": [{"target": "email", "path": "$.customer.email"}],
                    "metric": "Placed Order",
                    "value": "$.total",
                    "uniqueId": "$.id",
                }
            },
        ),
    ),
    ActionName.RESUME_INTEGRATION: Operation(
        "Let the integration work again",
        "It takes calls from then on.",
        "updateIntegration",
        _input("updateIntegration", "integration {\n      id\n      status\n    }"),
        lambda about, state: _given(id=_integration(about), status="ACTIVE"),
    ),
    ActionName.GIVE_SECRET: Operation(
        "Give the integration its secret",
        "The tool shows it beside its webhooks: put it in the place of the one here.",
        "updateIntegration",
        _input("updateIntegration", "integration {\n      id\n      secretHint\n    }"),
        lambda about, state: _given(
            id=_integration(about),
            secret=SECRET_TO_COME,
        ),
    ),
    ActionName.SEE_INTEGRATION: Operation(
        "See the integration",
        "Its address and what to do with it in the tool, what came, and what was wrong "
        "with it.",
        "integration",
        "query ($id: ID!) {\n  integration(id: $id) {\n    name\n    kind\n"
        "    status\n    url\n    instructions\n    secretHint\n    log {\n"
        "      lastReceivedAt\n      accepted\n      refused\n      waiting\n"
        "      problems {\n        at\n        outcome\n        topic\n"
        "        message\n      }\n    }\n  }\n}\n",
        lambda about, state: {"id": _integration(about)},
    ),
    ActionName.SEE_UNDELIVERED: Operation(
        "See what could not be delivered",
        "The newest messages that were given up, and why. Once the receiver works, "
        "`retryWebhookDeliveries` sends them again.",
        "webhookDeliveries",
        "query ($id: ID!) {\n"
        "  webhookDeliveries(integrationId: $id, state: DEAD, first: 10) {\n"
        "    edges {\n      node {\n        id\n        kind\n        attemptedAt\n"
        "        attempts\n        status\n        problem\n      }\n    }\n  }\n}\n",
        lambda about, state: {"id": _integration(about)},
    ),
    ActionName.SEE_METRICS: Operation(
        "See what is recorded",
        "Every metric, with how many events it has.",
        "metrics",
        "{\n  metrics(first: 50) {\n    edges {\n      node {\n        name\n"
        "        eventCount\n      }\n    }\n  }\n}\n",
        lambda about, state: {},
    ),
}
