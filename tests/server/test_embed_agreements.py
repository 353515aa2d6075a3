"""What people agree to on a form of the script, in a real browser: by which channels,
and in which words."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.server.shops import EMAIL, Shop
from tests.server.test_embed import TRAIL, fill_in

LIN = "lin@example.org"
MOBILE = {"kind": "PHONE", "label": "Mobile", "target": "phoneNumber"}
NEWS = {"channel": "EMAIL", "text": "News by e-mail."}
OFFERS = {"channel": "SMS", "text": "Offers by text message."}
CHANGE = """
mutation ($id: ID!, $consents: [FormConsentInput!]) {
  updateForm(input: {id: $id, consents: $consents}) { userErrors { message } }
}
"""


def test_nobody_agrees_to_words_that_they_have_not_seen(shop: Shop, page: Page) -> None:
    form = shop.form("EMBED")
    page.goto(f"{shop.address}/{form['id']}")
    fill_in(page, LIN)
    new = [{"channel": "EMAIL", "text": "News and offers by e-mail."}]
    done = shop.ask(CHANGE, id=form["id"], consents=new)
    assert done == {"updateForm": {"userErrors": []}}

    page.get_by_role("button", name="Sign up").click()
    told = "What this form asks you to agree to has changed"
    expect(page.get_by_role("alert").first).to_contain_text(told)
    expect(page.get_by_text("News and offers by e-mail.")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value(LIN)
    assert shop.ask(TRAIL, email=LIN) == {"profile": None}
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text("Now open the link")

    history = shop.ask(TRAIL, email=LIN)["profile"]["consent"]["email"]["history"]
    words = [each["node"]["consentText"] for each in history["edges"]]
    assert words == ["News and offers by e-mail."]


@pytest.mark.parametrize(
    ("news", "is_ticked"),
    [({}, True), ({"text": "News and offers by e-mail."}, False)],
    ids=["the same", "changed"],
)
def test_a_box_stays_ticked_only_under_the_same_words(
    shop: Shop, page: Page, news: dict[str, Any], *, is_ticked: bool
) -> None:
    form = shop.form("EMBED", fields=[EMAIL, MOBILE], consents=[NEWS, OFFERS])
    page.goto(f"{shop.address}/{form['id']}")
    page.get_by_label("E-mail", exact=True).fill(LIN)
    page.get_by_label("News by e-mail.").check()
    at = f"{shop.server.address}/f/{form['id']}"
    page.route(at, lambda route: route.abort())
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert").first).to_contain_text("What you typed is kept")

    shop.ask(CHANGE, id=form["id"], consents=[{**NEWS, **news}, OFFERS])
    page.reload()

    expect(page.get_by_label("E-mail", exact=True)).to_have_value(LIN)
    boxes = page.get_by_role("checkbox")
    assert [each.is_checked() for each in boxes.all()] == [is_ticked, False]


def test_several_channels_are_picked(shop: Shop, page: Page) -> None:
    form = shop.form(
        "EMBED",
        fields=[{**EMAIL, "isRequired": False}, MOBILE],
        consents=[NEWS, OFFERS],
        redirectUrl="https://shop.example/thanks",
    )
    page.route("https://shop.example/*", lambda route: route.fulfill(body="Thanks"))
    page.goto(f"{shop.address}/{form['id']}")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert").first).to_contain_text("Choose at least one")
    page.get_by_label("Offers by text message.").check()
    page.get_by_label("Mobile").fill("+1 415 555 0132")

    page.get_by_role("button", name="Sign up").click()

    page.wait_for_url("https://shop.example/thanks")
