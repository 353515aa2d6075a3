"""The script on a page of another site, in a real browser: seen, filled in, sent,
confirmed by mail; by keyboard, under a strict policy, and when the network fails."""

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from server.forms import SCRIPT
from tests.server.shops import Shop

ADA = "ada@example.org"
CARD = "[data-audience-form] .card"
TRAIL = """
query ($email: String!) {
  profile(by: {email: $email}) {
    firstName
    lists { edges { node { source } } }
    consent { email { status canReceiveMarketing doubleOptIn history { edges {
      node { from to method source ip consentText }
    } } } }
  }
}
"""


def focused(page: Page) -> str:
    """What has the focus, also inside of the form."""
    found: str = page.evaluate(
        """() => {
          let element = document.activeElement;
          while (element?.shadowRoot) element = element.shadowRoot.activeElement;
          return element?.getAttribute("aria-label") || element?.id
            || element?.textContent || "";
        }"""
    )
    return found


def fill_in(page: Page, address: str = ADA) -> None:
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("E-mail").fill(address)


def test_the_script_is_small_and_alone() -> None:
    source = SCRIPT.read_bytes()

    assert len(gzip.compress(source)) < 15_000
    assert re.findall(rb"https?://(?!audience\.example\.com)", source) == []
    assert b"innerHTML" not in source and b"eval(" not in source


def test_from_a_popup_to_a_confirmed_subscriber(shop: Shop, page: Page) -> None:
    form = shop.form("POPUP")
    page.goto(f"{shop.address}/{form['id']}")
    card = page.get_by_role("dialog", name="10% off")
    expect(card).to_be_visible()

    fill_in(page, "ada@")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    assert focused(page) == "field-email"
    fill_in(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Now open the link")

    link = shop.mailed(ADA, "confirm")
    page.goto(link)
    page.get_by_role("button", name="Yes, subscribe me").click()
    expect(page.get_by_role("heading")).to_have_text("You are subscribed")

    line = {
        "source": form["name"],
        "ip": "127.0.0.1",
        "consentText": "News by e-mail.",
    }
    pending = {"from": "NEVER_SUBSCRIBED", "to": "PENDING", "method": "FORM"}
    confirmed = {"from": "PENDING", "to": "SUBSCRIBED", "method": "CONFIRMATION"}
    assert shop.ask(TRAIL, email=ADA)["profile"] == {
        "firstName": "Ada",
        "lists": {"edges": [{"node": {"source": "FORM"}}]},
        "consent": {
            "email": {
                "status": "SUBSCRIBED",
                "canReceiveMarketing": True,
                "doubleOptIn": True,
                "history": {
                    "edges": [
                        {"node": {**line, **confirmed}},
                        {"node": {**line, **pending}},
                    ]
                },
            }
        },
    }
    page.goto(f"{shop.address}/{form['id']}")
    page.wait_for_load_state("networkidle")
    expect(page.locator(CARD)).to_have_count(0)
    counted = shop.ask(
        "query ($id: ID!) { form(id: $id) { statistics { views submissions } } }",
        id=form["id"],
    )
    assert counted["form"]["statistics"] == {"views": 1, "submissions": 1}


TRACK = """async ({ address, key, visitor }) => {
  const query = `mutation ($input: TrackEventInput!) {
    trackEvent(input: $input) { userErrors { message } } }`;
  const input = { profile: { anonymousId: visitor }, metric: "Viewed Product" };
  const answer = await fetch(`${address}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  for (const script of document.querySelectorAll("script[data-form]")) {
    script.dataset.anonymousId = visitor;
  }
  return (await answer.json()).data;
}"""


def test_what_a_visitor_did_is_theirs_once_they_sign_up(shop: Shop, page: Page) -> None:
    shop.ask(
        'mutation { trackEvent(input: {profile: {email: "seed@example.org"}, '
        'metric: "Viewed Product"}) { userErrors { message } } }'
    )
    made = shop.ask(
        'mutation ($origin: String!) { createApiKey(input: {name: "Shop", '
        "kind: PUBLIC, scopes: [], allowedOrigins: [$origin]}) { secret } }",
        origin=shop.address,
    )
    form = shop.form("EMBED")
    page.goto(f"{shop.address}/{form['id']}")
    expect(page.locator(CARD)).to_be_visible()
    given = {
        "address": shop.server.address,
        "key": made["createApiKey"]["secret"],
        "visitor": "visitor-7",
    }

    told = [page.evaluate(TRACK, given) for _ in range(2)]
    fill_in(page, "mary@example.org")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text("Now open the link")

    assert told == [{"trackEvent": {"userErrors": []}}] * 2
    found = shop.ask(
        """{ profile(by: {email: "mary@example.org"}) { firstName anonymousIds
          metrics { count metric { name } } } }"""
    )
    assert found == {
        "profile": {
            "firstName": "Ada",
            "anonymousIds": ["visitor-7"],
            "metrics": [{"count": 2, "metric": {"name": "Viewed Product"}}],
        }
    }


def test_the_popup_keeps_the_keyboard(shop: Shop, page: Page) -> None:
    form = shop.form("POPUP")
    page.goto(f"{shop.address}/{form['id']}")
    expect(page.locator(CARD)).to_be_visible()
    assert focused(page) == "title"

    stops = []
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(focused(page))
    page.keyboard.press("Shift+Tab")
    back = focused(page)
    page.keyboard.press("Escape")

    first = ["field-firstName", "field-email", "Sign up", "Close", "field-firstName"]
    assert (stops, back) == (first, "Close")
    expect(page.locator(CARD)).to_have_count(0)
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(page.locator(CARD)).to_have_count(0)  # not again for seven days


def test_what_was_typed_outlives_the_network(shop: Shop, page: Page) -> None:
    form = shop.form("EMBED")
    page.goto(f"{shop.address}/{form['id']}")
    fill_in(page, "grace@example.org")
    page.context.set_offline(True)

    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert").first).to_contain_text("What you typed is kept")
    page.context.set_offline(False)
    expect(page.get_by_role("status")).to_contain_text("Now open the link")

    shop.mailed("grace@example.org", "confirm")


def send_in_vain(shop: Shop, page: Page) -> str:
    """Signs up by a new form while nothing gets through to the address answered."""
    form = shop.form("EMBED")
    page.goto(f"{shop.address}/{form['id']}")
    fill_in(page, "grace@example.org")
    at = f"{shop.server.address}/f/{form['id']}"
    page.route(at, lambda route: route.abort())
    page.get_by_role("button", name="Sign up").click()
    return at


def test_what_was_typed_outlives_the_page(shop: Shop, page: Page) -> None:
    at = send_in_vain(shop, page)
    expect(page.get_by_role("alert").first).to_contain_text("What you typed is kept")

    page.unroute(at)
    page.reload()

    expect(page.get_by_label("E-mail")).to_have_value("grace@example.org")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text("Now open the link")
    kept = page.evaluate("Object.keys(localStorage).map(key => key.split(':')[2])")
    assert kept == ["done"]


def test_it_is_sent_when_the_connection_is_back_however_late(
    shop: Shop, page: Page
) -> None:
    page.clock.install()
    at = send_in_vain(shop, page)
    alert = page.get_by_role("alert").first
    for seconds in (3, 10, 30, 90):
        expect(alert).to_contain_text("will be sent again in a moment")
        with page.expect_request(at):
            page.clock.fast_forward(seconds * 1_000)
    expect(alert).to_contain_text("please try again later")

    page.unroute(at)
    page.evaluate("dispatchEvent(new Event('online'))")

    expect(page.get_by_role("status")).to_contain_text("Now open the link")


AGE = """() => {
  const [key] = Object.keys(localStorage);
  const draft = JSON.parse(localStorage.getItem(key));
  draft.at -= 8 * 86_400_000;
  localStorage.setItem(key, JSON.stringify(draft));
}"""


def test_what_was_typed_is_forgotten_after_seven_days(shop: Shop, page: Page) -> None:
    send_in_vain(shop, page)
    expect(page.get_by_role("alert").first).to_contain_text("What you typed is kept")

    page.evaluate(AGE)
    page.reload()

    expect(page.get_by_label("E-mail")).to_have_value("")
    assert page.evaluate("Object.keys(localStorage)") == []


def test_two_scripts_of_one_form_open_one_dialog(shop: Shop, page: Page) -> None:
    form = shop.form("POPUP", targeting={"delaySeconds": 5})
    own = shop.pages[f"/{form['id']}"]
    short = own.replace(form["id"], form["url"].rpartition("/")[2])
    shop.pages[f"/{form['id']}"] = own + short
    page.clock.install()
    page.goto(f"{shop.address}/{form['id']}")
    page.wait_for_load_state("networkidle")

    page.clock.fast_forward(6_000)

    expect(page.get_by_role("dialog", name="10% off").first).to_be_visible()
    assert page.locator(CARD).count() == 1


def test_where_and_when_it_appears(shop: Shop, page: Page) -> None:
    targeting = {
        "urlContains": ["tea"],
        "urlExcludes": ["cart"],
        "scrollPercent": 50,
        "onExitIntent": True,
        "frequencyDays": 0,
    }
    form = shop.form("FLYOUT", targeting=targeting)
    address = f"{shop.address}/{form['id']}"
    for other in ("?coffee", "?tea&cart"):
        page.goto(address + other)
        page.wait_for_load_state("networkidle")
        expect(page.locator(CARD)).to_have_count(0)

    page.goto(f"{address}?tea")
    page.wait_for_load_state("networkidle")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, 5_000)
    expect(page.locator(CARD)).to_have_count(0)
    _leave(page)
    expect(page.get_by_role("dialog", name="10% off")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.locator(CARD)).to_have_count(0)


def test_its_own_page_is_the_same_form(shop: Shop, page: Page) -> None:
    form = shop.form("POPUP")
    page.goto(form["url"])
    expect(page.locator(CARD)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("10% off")

    fill_in(page, "mary@example.org")
    page.get_by_role("button", name="Sign up").click()

    expect(page.get_by_role("status")).to_contain_text("Now open the link")


@pytest.mark.parametrize(
    ("targeting", "before", "comes_about"),
    [
        ({"delaySeconds": 60}, "59 s", lambda page: page.clock.fast_forward(1_500)),
        ({"scrollPercent": 50}, "top", lambda page: page.mouse.wheel(0, 5_000)),
        ({"onExitIntent": True}, "inside", lambda page: _leave(page)),
        ({"urlContains": ["tea"]}, "no tea", lambda page: page.goto(page.url + "?tea")),
    ],
    ids=["delay", "scroll", "exit", "address"],
)
@pytest.mark.parametrize("kind", ["POPUP", "FLYOUT", "FULL_PAGE"])
def test_it_waits_for_what_it_is_to_wait_for(
    shop: Shop,
    page: Page,
    kind: str,
    targeting: dict[str, Any],
    before: str,
    comes_about: Callable[[Page], object],
) -> None:
    form = shop.form(kind, targeting=targeting)
    page.clock.install()
    page.goto(f"{shop.address}/{form['id']}")
    page.wait_for_load_state("networkidle")
    page.mouse.move(300, 300)
    page.clock.fast_forward(59_000)
    expect(page.locator(CARD), before).to_have_count(0)

    comes_about(page)

    expect(page.get_by_role("dialog", name="10% off")).to_be_visible()


@pytest.mark.parametrize("kind", ["POPUP", "FLYOUT", "FULL_PAGE"])
def test_it_comes_back_when_its_days_are_over(
    shop: Shop, page: Page, kind: str
) -> None:
    form = shop.form(kind, targeting={"frequencyDays": 7})
    page.clock.install()
    address = f"{shop.address}/{form['id']}"
    seen = []
    for days in (0, 6, 2):
        page.clock.fast_forward(days * 86_400_000)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.clock.fast_forward(1_000)
        seen.append(page.locator(CARD).count())

    assert seen == [1, 0, 1]


def test_a_flyout_leaves_the_page_usable_and_goes_by_escape(
    shop: Shop, page: Page
) -> None:
    form = shop.form("FLYOUT")
    page.goto(f"{shop.address}/{form['id']}")
    expect(page.locator(CARD)).to_be_visible()

    page.get_by_role("link", name="A link").click()
    assert page.url.endswith("#")
    expect(page.locator(CARD)).to_be_visible()
    page.get_by_label("First name").focus()
    page.keyboard.press("Escape")

    expect(page.locator(CARD)).to_have_count(0)


def _leave(page: Page) -> None:
    """The pointer leaves the page at its top."""
    page.evaluate(
        "document.dispatchEvent(new MouseEvent('mouseout', "
        "{clientY: -1, relatedTarget: null}))"
    )
