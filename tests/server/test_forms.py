"""Forms on the web: their own page, and what the script asks."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from audience.addresses import RefusedAddress
from audience.consent import Channel, Status, SuppressionReason
from audience.forms.definitions import Form, FormConsent, FormKind, FormStatus
from audience.forms.fields import FieldKind, FormField
from audience.forms.rendering import render_token
from audience.forms.stored import form_of
from audience.lists import OptIn
from audience.profiles import profile_change
from audience.tokens import Tokens
from resolvers.consent import set_consent, suppress
from resolvers.db import Database, Document, find
from resolvers.forms import create_form
from resolvers.lists import create_list
from resolvers.profiles import upsert_profile
from server.app import create_app
from server.settings import Settings
from tests.server.conftest import client_of
from tests.server.tiny import schema

JSON = "application/json"

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKENS = Tokens("a secret that signs links in tests only")
FORM = Form(
    name="Footer",
    list_id="",
    kind=FormKind.POPUP,
    status=FormStatus.LIVE,
    headline="Tea & more",
    fields=(
        FormField(FieldKind.EMAIL, "E-mail", "email", is_required=True),
        FormField(FieldKind.CHOICE, "Size", "properties.size", options=("S", "M")),
        FormField(FieldKind.HIDDEN, "", "properties.shop", value="Leith"),
    ),
    consents=(FormConsent(Channel.EMAIL, "News by e-mail."),),
    success_message="Welcome!",
)
ADA = "ada@example.org"
KNOWN = (
    *("new", "known", "subscribed", "unsubscribed", "pending", "complained"),
    "trapped",
)


@pytest.fixture
async def form(db: Database) -> Document:
    return await make(db)


async def make(
    db: Database, form: Form = FORM, opt_in: OptIn = OptIn.SINGLE
) -> Document:
    found = await create_list(db, f"News {opt_in}", opt_in, now=NOW)
    return await create_form(db, replace(form, list_id=str(found["_id"])), now=NOW)


def token_of(form: Document) -> str:
    shown = datetime.now(UTC) - timedelta(minutes=1)
    return render_token(TOKENS, str(form["_id"]), form_of(form).consents, shown)


def filled(form: Document, **more: Any) -> dict[str, Any]:
    return {
        "token": token_of(form),
        "value:email": ADA,
        "value:properties.size": "M",
        "trap": "",
        **more,
    }


async def counters(db: Database) -> list[tuple[int, int]]:
    rows = await find(db.form_events, {})
    return [(each.get("views", 0), each.get("submissions", 0)) for each in rows]


async def test_the_page_shows_the_form(
    db: Database, client: httpx.AsyncClient, form: Document
) -> None:
    answer = await client.get(f"/f/{form['short']}")

    assert answer.status_code == 200
    assert "<h1>Tea &amp; more</h1>" in answer.text
    assert 'name="value:email" type="email" autocomplete="email"' in answer.text
    assert "Leith" not in answer.text
    assert "News by e-mail." in answer.text
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce
    assert policy == (
        f"default-src 'none'; style-src 'nonce-{nonce[1]}'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert "style=" not in answer.text
    assert await counters(db) == [(1, 0)]


async def test_prefetching_is_no_view(
    db: Database, client: httpx.AsyncClient, form: Document
) -> None:
    await client.get(f"/f/{form['short']}", headers={"Sec-Purpose": "prefetch"})
    await client.head(f"/f/{form['short']}")

    assert await counters(db) == []


async def test_the_page_works_without_its_script(
    db: Database, client: httpx.AsyncClient, form: Document
) -> None:
    answer = await client.post(
        f"/f/{form['short']}", data=filled(form), headers={"User-Agent": "Browser/1.0"}
    )

    assert answer.status_code == 200
    assert "Welcome!" in answer.text
    profile = await db.profiles.find_one({"email": ADA})
    assert profile is not None
    assert profile["properties"] == {"size": "M", "shop": "Leith"}
    (line,) = await find(db.consent_changes, {})
    assert (line["ip"], line["user_agent"], line["consent_text"], line["source"]) == (
        "127.0.0.1",
        "Browser/1.0",
        "News by e-mail.",
        "Footer",
    )
    assert await counters(db) == [(0, 1)]


async def test_what_was_typed_stays_beside_what_is_wrong(
    client: httpx.AsyncClient, form: Document
) -> None:
    typed = '"><script>alert(1)</script>'
    answer = await client.post(
        f"/f/{form['short']}", data=filled(form, **{"value:email": typed})
    )

    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "&#34;&gt;&lt;script&gt;alert(1)" in answer.text
    assert 'aria-invalid="true" aria-describedby="value:email-error"' in answer.text
    assert "<option selected>M</option>" in answer.text


async def test_a_redirect_leads_to_https(
    db: Database, client: httpx.AsyncClient
) -> None:
    form = await make(db, replace(FORM, redirect_url="https://shop.example/thanks?a=1"))

    page = await client.get(f"/f/{form['short']}")
    answer = await client.post(f"/f/{form['short']}", data=filled(form))

    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://shop.example;" in policy
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "https://shop.example/thanks?a=1",
    )


@pytest.mark.parametrize(
    "key", ["zzzzzzz", "frm_" + "0" * 24, "0" * 24, "%00", "x" * 9]
)
async def test_there_is_no_other_form(client: httpx.AsyncClient, key: str) -> None:
    page = await client.get(f"/f/{key}")
    script = await client.get(f"/f/{key}/form")
    view = await client.post(f"/f/{key}/view")
    sent = await client.post(f"/f/{key}", data={"token": "x"})
    answer = await client.post(f"/f/{key}", json={"values": {}})

    statuses = [each.status_code for each in (page, script, view, sent, answer)]
    assert statuses == [404] * 5
    assert "There is no form at this address" in page.text


@pytest.mark.parametrize("status", [FormStatus.DRAFT, FormStatus.ARCHIVED])
async def test_only_live_forms_are_shown(
    db: Database, client: httpx.AsyncClient, status: FormStatus
) -> None:
    form = await make(db, replace(FORM, status=status))

    page = await client.get(f"/f/{form['short']}")
    script = await client.get(f"/f/frm_{form['_id']}/form")

    assert (page.status_code, script.status_code) == (404, 404)


async def test_what_the_script_is_told(
    client: httpx.AsyncClient, form: Document
) -> None:
    answer = await client.get(
        f"/f/frm_{form['_id']}/form", headers={"Origin": "https://shop.example"}
    )

    told = answer.json()
    assert told.pop("token")
    assert told == {
        "id": f"frm_{form['_id']}",
        "kind": "POPUP",
        "headline": "Tea & more",
        "title": "Tea & more",
        "body": None,
        "buttonLabel": "Sign up",
        "fields": [
            {
                "kind": "EMAIL",
                "label": "E-mail",
                "target": "email",
                "isRequired": True,
                "options": [],
                "type": "email",
                "fill": "email",
            },
            {
                "kind": "CHOICE",
                "label": "Size",
                "target": "properties.size",
                "isRequired": False,
                "options": ["S", "M"],
                "type": None,
                "fill": "on",
            },
        ],
        "consents": [{"channel": "EMAIL", "text": "News by e-mail."}],
        "targeting": {
            "delaySeconds": 0,
            "scrollPercent": 0,
            "onExitIntent": False,
            "urlContains": [],
            "urlExcludes": [],
            "frequencyDays": 7,
        },
        "fillSeconds": 2.0,
    }
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_the_script_sends_an_answer(
    db: Database, client: httpx.AsyncClient, form: Document
) -> None:
    given = {
        "values": {"email": ADA},
        "channels": None,
        "token": token_of(form),
        "trap": "",
        "anonymousId": "visitor-1",
    }

    first = await client.post(f"/f/frm_{form['_id']}", json=given)
    again = await client.post(f"/f/frm_{form['_id']}", json=given)
    view = await client.post(f"/f/frm_{form['_id']}/view")

    expected = {"status": "SUBSCRIBED", "message": "Welcome!", "redirectUrl": None}
    assert (first.json(), again.json(), view.status_code) == (expected, expected, 204)
    profile = await db.profiles.find_one({"email": ADA})
    assert profile is not None
    assert profile["anonymous_ids"] == ["visitor-1"]
    assert await counters(db) == [(1, 1)]


async def test_the_answer_tells_nothing_of_who_is_known(
    db: Database, client: httpx.AsyncClient
) -> None:
    """Whatever is recorded of a person: the same status, headers and body, by the
    script and by the page; and nothing different for those who fill in the trap."""
    for opt_in, status, message in (
        (OptIn.SINGLE, "SUBSCRIBED", "Welcome!"),
        (
            OptIn.DOUBLE,
            "PENDING",
            "Welcome!\nNow open the link that we have sent you, and confirm.",
        ),
    ):
        form = await make(db, replace(FORM, name=opt_in), opt_in)
        people = {each: f"{each}@{opt_in}.example.org".lower() for each in KNOWN}
        for each, email in people.items():
            await know(db, each, email)
        told: dict[str, tuple[Any, ...]] = {}
        for each, email in people.items():
            given = {
                "values": {"email": email},
                "token": token_of(form),
                "trap": "x" if each == "trapped" else "",
            }
            by_script = await client.post(f"/f/{form['short']}", json=given)
            sent = filled(form, **{"value:email": email, "trap": given["trap"]})
            by_page = await client.post(f"/f/{form['short']}", data=sent)
            assert by_script.json() == {
                "status": status,
                "message": message,
                "redirectUrl": None,
            }
            told[each] = (*_seen(by_script), *_seen(by_page))
        assert told == dict.fromkeys(told, told["new"])


def _seen(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """All that a stranger sees, but for what is different each time."""
    headers = dict(answer.headers)
    nonce = re.search(r"nonce-([^']+)'", headers.get("content-security-policy", ""))
    used = nonce[1] if nonce else " "
    del headers["x-request-id"]
    kept = {name: each.replace(used, "") for name, each in headers.items()}
    return answer.status_code, answer.text.replace(used, ""), kept


async def know(db: Database, what: str, email: str) -> None:
    """Makes a person of whom `what` is so."""
    if what in ("new", "trapped"):
        return
    profile = profile_change({"email": email, "firstName": "Someone"})
    found = (await upsert_profile(db, profile, NOW)).profile["_id"]
    if what in ("subscribed", "unsubscribed", "complained"):
        await set_consent(db, found, Channel.EMAIL, Status.SUBSCRIBED, now=NOW)
    if what == "unsubscribed":
        await set_consent(db, found, Channel.EMAIL, Status.UNSUBSCRIBED, now=NOW)
    if what == "complained":
        reason = SuppressionReason.SPAM_COMPLAINT
        await suppress(db, found, Channel.EMAIL, reason, now=NOW)
    if what == "pending":
        await set_consent(db, found, Channel.EMAIL, Status.PENDING, now=NOW)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"values": {"email": "nobody"}}, ["values", "email"]),
        ({"values": {"email": {"$gt": ""}}}, ["values", "email"]),
        ({"values": [1]}, ["values"]),
        ({}, ["values"]),
        ({"values": {"email": ADA}, "channels": "EMAIL"}, ["channels"]),
        ({"values": {"email": ADA}, "channels": ["FAX"]}, ["channels", "0"]),
        ({"values": {"email": ADA}, "channels": [["EMAIL"]]}, ["channels", "0"]),
        ({"values": {"email": ADA}, "token": 7}, ["token"]),
        ({"values": {"email": ADA}, "token": None}, ["token"]),
        ({"values": {"email": ADA}, "token": "forged"}, ["token"]),
        ({"values": {"email": ADA}, "anonymousId": "\x01"}, ["anonymousId"]),
        ([], []),
    ],
)
async def test_bad_answers_are_told_where(
    db: Database, client: httpx.AsyncClient, form: Document, given: Any, path: list[str]
) -> None:
    if isinstance(given, dict) and "token" not in given:
        given = {**given, "token": token_of(form)}

    answer = await client.post(f"/f/{form['short']}", json=given)

    assert answer.status_code == 422
    assert [each["path"] for each in answer.json()["errors"]] == [path]
    assert await db.profiles.count_documents({}) == 0


async def test_a_page_whose_words_have_changed_is_shown_anew(
    db: Database, client: httpx.AsyncClient
) -> None:
    both = (
        FormConsent(Channel.EMAIL, "News by e-mail."),
        FormConsent(Channel.WHATSAPP, "News by WhatsApp."),
    )
    fields = (*FORM.fields, FormField(FieldKind.PHONE, "Mobile", "phoneNumber"))
    form = await make(db, replace(FORM, fields=fields, consents=both))
    given = {**filled(form), "channel": "EMAIL"}
    words = {"consents.0.text": "News and offers by e-mail."}
    await db.forms.update_one({"_id": form["_id"]}, {"$set": words})

    answer = await client.post(f"/f/{form['short']}", data=given)
    by_script = await client.post(
        f"/f/{form['short']}",
        json={"values": {"email": ADA}, "channels": ["EMAIL"], "token": given["token"]},
    )

    told = (
        "What this form asks you to agree to has changed: look at it anew, and send it "
        "again."
    )
    assert answer.status_code == 422
    assert f'<p class="error" role="alert">{told}</p>' in answer.text
    assert f'value="{ADA}"' in answer.text
    assert 'value="EMAIL"><span class="lines">News and offers by e' in answer.text
    assert (by_script.status_code, by_script.json()) == (
        422,
        {"errors": [{"code": "CONFLICT", "message": told, "path": ["formId"]}]},
    )
    assert await db.profiles.count_documents({}) == 0


async def test_what_is_no_answer_at_all(
    client: httpx.AsyncClient, form: Document
) -> None:
    address = f"/f/{form['short']}"
    kind = {"Content-Type": "application/json"}
    for content in (b"", b"{", b"\xff\xfe", b'"' + b"x" * 200_000 + b'"'):
        answer = await client.post(address, content=content, headers=kind)
        assert answer.status_code == 422
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (b"", b"&&==%%", b"x=" + b"y" * 200_000):
        answer = await client.post(address, content=content, headers=kind)
        assert answer.status_code in (400, 422)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for content in (b"", b"--x\r\nnonsense"):
        answer = await client.post(address, content=content, headers=kind)
        assert answer.status_code in (400, 422)


async def test_too_quick_is_asked_again(
    client: httpx.AsyncClient, form: Document
) -> None:
    shown = (await client.get(f"/f/{form['short']}/form")).json()
    given = {"values": {"email": ADA}, "token": shown["token"]}

    answer = await client.post(f"/f/{form['short']}", json=given)

    assert answer.json()["errors"] == [
        {
            "code": "INVALID",
            "message": "That was very quick: please send it once more.",
            "path": ["token"],
        }
    ]


async def test_sign_ups_of_one_address_are_limited(
    db: Database, settings: Settings, form: Document
) -> None:
    limited = settings.model_copy(update={"rate_limit_signup": "2/hour"})
    app = create_app(limited, schema)
    given = {"values": {"email": ADA}, "token": token_of(form)}
    async with app.router.lifespan_context(app), client_of(app) as client:
        answers = [
            await client.post(f"/f/{form['short']}", json=given) for _ in range(3)
        ]
        page = await client.post(f"/f/{form['short']}", data=filled(form))
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].json()["errors"][0]["code"] == "LIMIT_REACHED"
    assert page.status_code == 429
    assert 'role="alert">Too many requests' in page.text


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/f/none", {"data": {"value:email": ADA}}, 404),
        ("/f/none", {"content": b"x" * 100_001}, 400),
        ("/f/none", {"content": b"{", "headers": {"Content-Type": JSON}}, 422),
    ],
)
async def test_what_cannot_be_an_answer_is_counted_too(
    db: Database, settings: Settings, path: str, sent: dict[str, Any], status: int
) -> None:
    limited = settings.model_copy(update={"rate_limit_address": "2/hour"})
    app = create_app(limited, schema)
    async with app.router.lifespan_context(app), client_of(app) as client:
        answers = [await client.post(path, **sent) for _ in range(3)]

    assert [each.status_code for each in answers] == [status, status, 429]
    assert int(answers[2].headers["retry-after"]) > 0


async def test_a_limit_holds_across_processes(
    db: Database, settings: Settings, form: Document
) -> None:
    limited = settings.model_copy(update={"rate_limit_signup": "3/hour"})
    given = {"values": {"email": ADA}, "token": token_of(form)}
    statuses = []
    for address in ("127.0.0.1", "127.0.0.1", "192.0.2.1"):
        app = create_app(limited, schema)
        async with app.router.lifespan_context(app), client_of(app, address) as client:
            for _ in range(2):
                answer = await client.post(f"/f/{form['short']}", json=given)
                statuses.append(answer.status_code)

    assert statuses == [200, 200, 200, 429, 200, 200]
    kept = await find(db.rate_counts, {})
    assert not any("127.0.0.1" in each["_id"] for each in kept)


async def test_a_server_refuses_kinds_of_addresses_in_every_form(
    db: Database, settings: Settings, form: Document
) -> None:
    refusing = settings.model_copy(
        update={"refused_addresses": (RefusedAddress.DISPOSABLE,)}
    )
    app = create_app(refusing, schema)
    statuses = []
    async with app.router.lifespan_context(app), client_of(app) as client:
        for email in ("ada@mailinator.com", "info@shop.example"):
            given = {"values": {"email": email}, "token": token_of(form)}
            answer = await client.post(f"/f/{form['short']}", json=given)
            statuses.append(answer.status_code)

    assert statuses == [422, 200]


async def test_the_script_is_for_every_site(client: httpx.AsyncClient) -> None:
    answer = await client.get("/embed.js")

    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == "public, max-age=3600"


async def test_pages_of_other_sites_may_send(
    app: Starlette, client: httpx.AsyncClient, form: Document
) -> None:
    answer = await client.options(
        f"/f/{form['short']}",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
