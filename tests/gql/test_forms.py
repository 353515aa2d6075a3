"""Forms through the API: made, changed, published, answered, counted."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from audience.consent import Channel
from audience.forms.definitions import FormConsent
from audience.forms.rendering import render_token
from audience.keys import KeyKind, Viewer
from audience.tokens import Tokens
from tests.gql.conftest import NOW, PUBLIC, Api

pytestmark = pytest.mark.anyio

CREATE = """
mutation ($input: CreateFormInput!) {
  createForm(input: $input) { form { id } userErrors { code message path } }
}
"""
UPDATE = """
mutation ($input: UpdateFormInput!) {
  updateForm(input: $input) {
    form { status headline buttonLabel redirectUrl targeting { delaySeconds } }
    userErrors { code message path }
  }
}
"""
DELETE = """
mutation ($id: ID!) {
  deleteForm(input: {id: $id}) { deletedId userErrors { code message path } }
}
"""
SUBMIT = """
mutation ($input: SubmitFormInput!) {
  submitForm(input: $input) {
    status successMessage redirectUrl userErrors { code message path }
  }
}
"""
READ = """
query ($id: ID!) {
  form(id: $id) {
    id name kind status list { name } channels consents { channel text } consentText
    fields { kind label target isRequired options value }
    headline body buttonLabel successMessage redirectUrl refusedAddresses
    targeting {
      delaySeconds scrollPercent onExitIntent urlContains urlExcludes frequencyDays
    }
    embedCode createdAt updatedAt
  }
}
"""
ADA = {"email": "ada@example.org"}


async def make_list(api: Api, name: str = "News", opt_in: str = "DOUBLE") -> str:
    data = await api.ask(
        "mutation ($name: String!, $optIn: OptIn!) "
        "{ createList(input: {name: $name, optIn: $optIn}) { list { id } } }",
        name=name,
        optIn=opt_in,
    )
    found: str = data["createList"]["list"]["id"]
    return found


async def make_form(api: Api, **more: Any) -> str:
    given: dict[str, Any] = {
        "name": "Footer",
        "kind": "EMBED",
        "status": "LIVE",
        "fields": [
            {"kind": "EMAIL", "label": "E-mail", "target": "email", "isRequired": True}
        ],
        "consents": [{"channel": "EMAIL", "text": "News by e-mail."}],
        **more,
    }
    if "listId" not in given:
        given["listId"] = await make_list(api)
    data = await api.ask(CREATE, input=given)
    assert data["createForm"]["userErrors"] == []
    found: str = data["createForm"]["form"]["id"]
    return found


def token_of(form_id: str) -> str:
    shown = NOW - timedelta(minutes=1)
    asked = [FormConsent(Channel.EMAIL, "News by e-mail.")]
    return render_token(Tokens("secret"), form_id.removeprefix("frm_"), asked, shown)


async def test_a_form_is_read_as_it_was_made(api: Api) -> None:
    size = {
        "kind": "CHOICE",
        "label": "Size",
        "target": "properties.size",
        "options": ["S", "M"],
    }
    email = {"kind": "EMAIL", "label": "E-mail", "target": "email", "isRequired": True}
    hidden = {"kind": "HIDDEN", "target": "properties.shop", "value": "Leith"}
    targeting = {
        "delaySeconds": 5,
        "scrollPercent": 40,
        "onExitIntent": True,
        "urlContains": ["/tea/"],
        "urlExcludes": ["/cart"],
        "frequencyDays": 30,
    }
    form_id = await make_form(
        api,
        kind="POPUP",
        fields=[email, size, hidden],
        headline="10% off",
        body="Once.",
        buttonLabel="Get it",
        successMessage="Welcome!",
        redirectUrl="https://shop.example/thanks",
        refusedAddresses=["DISPOSABLE"],
        targeting=targeting,
    )

    data = await api.ask(READ, id=form_id)

    assert data["form"] == {
        "id": form_id,
        "name": "Footer",
        "kind": "POPUP",
        "status": "LIVE",
        "list": {"name": "News"},
        "channels": ["EMAIL"],
        "consents": [{"channel": "EMAIL", "text": "News by e-mail."}],
        "consentText": "News by e-mail.",
        "fields": [
            {**email, "options": [], "value": None},
            {**size, "isRequired": False, "value": None},
            {**hidden, "label": "", "isRequired": False, "options": []},
        ],
        "headline": "10% off",
        "body": "Once.",
        "buttonLabel": "Get it",
        "successMessage": "Welcome!",
        "redirectUrl": "https://shop.example/thanks",
        "refusedAddresses": ["DISPOSABLE"],
        "targeting": targeting,
        "embedCode": '<script async src="http://127.0.0.1:8000/embed.js"'
        f' data-form="{form_id}"></script>',
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
    }


async def test_the_address_and_its_code(api: Api) -> None:
    form_id = await make_form(api, name="Tea & <more>")

    data = await api.ask(f'{{ form(id: "{form_id}") {{ url qrCode }} }}')

    kept = await api.db.forms.find_one({})
    assert kept is not None
    assert data["form"]["url"] == f"http://127.0.0.1:8000/f/{kept['short']}"
    code = data["form"]["qrCode"]
    assert code.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<title>Tea &amp; &lt;more&gt;</title>" in code


async def test_the_id_of_a_segment_is_refused_with_the_reason(api: Api) -> None:
    data = await api.ask(
        'mutation { createSegment(input: {name: "Regulars", definition: '
        '{groups: [{anyOf: [{property: {filter: {path: "firstName", '
        'is: {text: {equals: "Ada"}}}}}]}]}}) { segment { id } userErrors { message }'
        " } }"
    )
    segment_id = data["createSegment"]["segment"]["id"]
    field = {"kind": "EMAIL", "label": "E", "target": "email", "isRequired": True}

    data = await api.ask(
        CREATE,
        input={
            "name": "Footer",
            "listId": segment_id,
            "kind": "EMBED",
            "fields": [field],
            "consents": [{"channel": "EMAIL", "text": "News."}],
        },
    )

    assert data["createForm"] == {
        "form": None,
        "userErrors": [
            {
                "code": "NOT_ALLOWED",
                "message": "Segments fill themselves: people are in one because they"
                " meet its conditions. Only a list takes sign-ups.",
                "path": ["listId"],
            }
        ],
    }


async def test_every_problem_has_its_path(api: Api) -> None:
    data = await api.ask(
        CREATE,
        input={
            "name": "Footer",
            "listId": await make_list(api),
            "kind": "EMBED",
            "fields": [{"kind": "TEXT", "label": "E-mail", "target": "email"}],
            "consents": [{"channel": "SMS", "text": ""}],
            "redirectUrl": "http://shop.example",
        },
    )

    errors = data["createForm"]["userErrors"]
    assert [each["path"] for each in errors] == [
        ["fields", "0", "target"],
        ["consents", "0", "text"],
        ["consents", "0", "channel"],
        ["redirectUrl"],
    ]


async def test_publishing_archiving_changing(api: Api) -> None:
    form_id = await make_form(api, status="DRAFT", headline="Hello")

    changes = {
        "id": form_id,
        "status": "LIVE",
        "headline": None,
        "redirectUrl": "https://shop.example/thanks",
        "targeting": {"delaySeconds": 9},
    }
    live = await api.ask(UPDATE, input=changes)
    archived = await api.ask(UPDATE, input={"id": form_id, "status": "ARCHIVED"})

    expected = {
        "status": "LIVE",
        "headline": None,
        "buttonLabel": "Sign up",
        "redirectUrl": "https://shop.example/thanks",
        "targeting": {"delaySeconds": 9},
    }
    assert live["updateForm"] == {"form": expected, "userErrors": []}
    assert archived["updateForm"]["form"] == {**expected, "status": "ARCHIVED"}


async def test_a_public_key_submits_with_a_token(api: Api) -> None:
    form_id = await make_form(api, successMessage="Nearly there!")
    visitor = replace(api, viewer=PUBLIC)
    given = {"formId": form_id, "values": ADA}

    refused = await visitor.ask(SUBMIT, input=given)
    done = await visitor.ask(SUBMIT, input={**given, "token": token_of(form_id)})

    assert refused["submitForm"] == {
        "status": None,
        "successMessage": None,
        "redirectUrl": None,
        "userErrors": [
            {
                "code": "INVALID",
                "message": "Give the token that came with the form when it was shown.",
                "path": ["token"],
            }
        ],
    }
    assert done["submitForm"] == {
        "status": "PENDING",
        "successMessage": "Nearly there!",
        "redirectUrl": None,
        "userErrors": [],
    }
    assert [
        {name: each[name] for name in ("to", "channels", "list")} for each in api.sent
    ] == [{"to": "ada@example.org", "channels": ["EMAIL"], "list": "News"}]


async def test_a_secret_key_needs_no_token(api: Api) -> None:
    form_id = await make_form(api, listId=await make_list(api, opt_in="SINGLE"))

    for _ in range(2):
        data = await api.ask(SUBMIT, input={"formId": form_id, "values": ADA})
        assert data["submitForm"]["status"] == "SUBSCRIBED"
    deleted = await api.ask(DELETE, id=form_id)
    data = await api.ask(
        "query ($id: ID!) { form(id: $id) { statistics { views submissions "
        "conversionRate days { day views submissions conversionRate } } } }",
        id=form_id,
    )

    assert deleted["deleteForm"]["userErrors"][0]["code"] == "NOT_ALLOWED"
    assert data["form"]["statistics"] == {
        "views": 0,
        "submissions": 2,
        "conversionRate": 0.0,
        "days": [
            {"day": "2026-03-01", "views": 0, "submissions": 2, "conversionRate": 0.0}
        ],
    }


async def test_wrong_answers_are_told_by_field(api: Api) -> None:
    form_id = await make_form(api)

    data = await api.ask(
        SUBMIT, input={"formId": form_id, "values": {"email": "nobody", "age": "7"}}
    )

    errors = data["submitForm"]["userErrors"]
    assert [each["path"] for each in errors] == [["values", "email"], ["values", "age"]]


async def test_statistics_have_limits(api: Api) -> None:
    form_id = await make_form(api)
    for since in ("2026-04-01T00:00:00Z", "2024-01-01T00:00:00Z"):
        (refusal,) = await api.refusals(
            "query ($id: ID!, $since: DateTime!) "
            "{ form(id: $id) { statistics(since: $since) { views } } }",
            id=form_id,
            since=since,
        )
        assert refusal["code"] == "INVALID"


async def test_forms_are_listed_by_name_and_status(api: Api) -> None:
    lists = await make_list(api)
    await make_form(api, name="b", listId=lists)
    await make_form(api, name="A", listId=lists, status="DRAFT")

    data = await api.ask(
        "{ all: forms { totalCount edges { node { name } } } "
        "live: forms(status: LIVE) { totalCount edges { node { name } } } }"
    )

    assert data == {
        "all": {
            "totalCount": 2,
            "edges": [{"node": {"name": "A"}}, {"node": {"name": "b"}}],
        },
        "live": {"totalCount": 1, "edges": [{"node": {"name": "b"}}]},
    }


async def test_a_form_is_a_node(api: Api) -> None:
    form_id = await make_form(api)

    data = await api.ask(f'{{ node(id: "{form_id}") {{ id ... on Form {{ name }} }} }}')

    assert data == {"node": {"id": form_id, "name": "Footer"}}


async def test_scopes(api: Api) -> None:
    form_id = await make_form(api)
    reader = replace(
        api, viewer=Viewer("1", "R", KeyKind.SECRET, frozenset({"forms:read"}))
    )

    assert await reader.ask(f'{{ form(id: "{form_id}") {{ name }} }}')
    (refusal,) = await reader.refusals(DELETE, id=form_id)
    assert refusal["code"] == "FORBIDDEN"
    (refusal,) = await replace(api, viewer=PUBLIC).refusals("{ forms { totalCount } }")
    assert refusal["code"] == "FORBIDDEN"
