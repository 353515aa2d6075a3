"""The preference page in a real browser: what people see, leave, take along and have
erased, on a phone and in the dark too."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server.shops import Shop

MAKE = """
mutation ($email: String!, $phone: String) {
  news: createList(input: {name: "Monthly news", optIn: SINGLE}) { list { id } }
  sales: createList(input: {name: "Sales", optIn: SINGLE}) { list { id } }
  upsertProfile(input: {email: $email, phoneNumber: $phone}) { profile { id } }
}
"""
JOIN = """
mutation ($list: ID!, $email: String!) {
  subscribe(input: {listId: $list, email: $email, customSource: "Shop page",
    consentText: "Send me news."}) { userErrors { message } }
}
"""
SAY = """
mutation ($id: ID!, $channel: Channel!) {
  setConsent(input: {profileId: $id, channel: $channel, status: SUBSCRIBED,
    method: "CHECKOUT", source: "Checkout"}) { userErrors { message } }
}
"""
LINKS = """
query ($id: ID!, $list: ID) {
  preferenceLinks(profileId: $id, listId: $list) { preferencesUrl unsubscribeUrl }
}
"""
STATE = """
query ($email: String!) {
  profile(by: {email: $email}) {
    lists { edges { node { list { name } } } }
    consent { email { status } sms { status } push { status } }
  }
}
"""


class Person:
    """A subscriber, and the links that were mailed to them."""

    def __init__(self, shop: Shop, email: str, phone: str) -> None:
        self.shop, self.email = shop, email
        shop.made += 1
        named = MAKE.replace("Monthly news", f"Monthly news {shop.made}").replace(
            '"Sales"', f'"Sales {shop.made}"'
        )
        made = shop.ask(named, email=email, phone=phone)
        self.id = made["upsertProfile"]["profile"]["id"]
        self.lists = [made[each]["list"]["id"] for each in ("news", "sales")]
        self.names = [f"Monthly news {shop.made}", f"Sales {shop.made}"]
        for each in self.lists:
            shop.ask(JOIN, list=each, email=email)
        for channel in ("SMS", "PUSH"):
            shop.ask(SAY, id=self.id, channel=channel)

    def link(self, name: str, **more: str) -> str:
        links = self.shop.ask(LINKS, id=self.id, **more)["preferenceLinks"]
        path: str = links[name].partition("://")[2].partition("/")[2]
        return f"{self.shop.server.address}/{path}"

    def state(self) -> tuple[list[str], dict[str, str]]:
        """The lists that the person is in, and each channel's status."""
        found = self.shop.ask(STATE, email=self.email)["profile"]
        lists = [edge["node"]["list"]["name"] for edge in found["lists"]["edges"]]
        states = {name: each["status"] for name, each in found["consent"].items()}
        return sorted(lists), states


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(100, 200))


@pytest.fixture
def ada(shop: Shop, numbers: Iterator[int]) -> Person:
    n = next(numbers)
    return Person(shop, f"ada{n}@example.org", f"+14155550{n}")


YES = {"email": "SUBSCRIBED", "sms": "SUBSCRIBED", "push": "SUBSCRIBED"}
NO = dict.fromkeys(YES, "UNSUBSCRIBED")


def test_a_list_a_channel_then_everything_is_left(ada: Person, page: Page) -> None:
    page.goto(ada.link("preferencesUrl"))
    expect(page.get_by_text(ada.email)).to_be_visible()

    page.get_by_role("button", name=f"Leave {ada.names[1]}").click()
    expect(page.get_by_role("status")).to_have_text("Your change is saved.")
    one_list = ada.state()
    page.get_by_role("button", name="Stop Text messages").click()
    expect(page.get_by_text("Text messages: no")).to_be_visible()
    one_channel = ada.state()
    page.get_by_role("button", name="Stop all messages").click()
    expect(page.get_by_text("E-mail: no")).to_be_visible()

    assert one_list == ([ada.names[0]], YES)
    assert one_channel == ([ada.names[0]], YES | {"sms": "UNSUBSCRIBED"})
    assert ada.state() == ([ada.names[0]], NO)
    expect(page.get_by_role("button", name="Stop", exact=False)).to_have_count(0)


def test_the_unsubscribe_link_of_a_message_takes_one_button(
    ada: Person, page: Page
) -> None:
    page.goto(ada.link("unsubscribeUrl", list=ada.lists[0]))
    opened = ada.state()

    page.get_by_role("button", name="Unsubscribe").click()

    expect(page.get_by_role("heading")).to_have_text("Done")
    assert opened == (ada.names, YES)
    assert ada.state() == ([ada.names[1]], YES)


def test_the_history_is_downloaded(ada: Person, page: Page) -> None:
    page.goto(ada.link("preferencesUrl"))

    with page.expect_download() as downloading:
        page.get_by_role("link", name="as data (JSON)").click()

    assert downloading.value.suggested_filename == "consent.json"
    lines = json.loads(Path(downloading.value.path()).read_bytes())
    assert [(each["channel"], each["to"], each["source"]) for each in lines] == [
        ("EMAIL", "SUBSCRIBED", "Shop page"),
        ("EMAIL", "SUBSCRIBED", "Shop page"),
        ("SMS", "SUBSCRIBED", "Checkout"),
        ("PUSH", "SUBSCRIBED", "Checkout"),
    ]


def test_everything_is_erased_after_the_link_that_is_mailed(
    ada: Person, page: Page
) -> None:
    page.goto(ada.link("preferencesUrl"))
    page.get_by_role("button", name="Send me the link to erase").click()
    expect(page.get_by_role("heading")).to_have_text("Look into your mail")

    page.goto(ada.shop.mailed(ada.email, "erase"))
    asked = ada.state()
    page.get_by_role("button", name="Yes, erase everything").click()

    expect(page.get_by_role("heading")).to_have_text("Everything is erased")
    assert asked == (ada.names, YES)
    assert ada.shop.ask(STATE, email=ada.email) == {"profile": None}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1_000])
def test_nothing_runs_over_and_everything_can_be_read(
    ada: Person, browser: Browser, scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(ada.link("preferencesUrl"))
    seen = [page.evaluate(LOOKS)]
    page.get_by_role("button", name="Stop all messages").click()
    again = page.get_by_role("button", name="Send me e-mail again")
    expect(again).to_have_text("Send me e-mail again")
    seen.append(page.evaluate(LOOKS))
    context.close()

    for look in seen:
        assert not look["isOver"]
        assert min(look["widths"]) > 120
        ratios = look["contrasts"]
        assert {text: each for text, each in ratios.items() if each < 4.5} == {}
        assert len(ratios) > 10


LOOKS = """
() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = numbers(text).map((each) => {
      const part = each / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = getComputedStyle(each).backgroundColor;
      if ((numbers(found)[3] ?? 1) > 0) return found;
    }
  };
  const found = {};
  for (const each of document.querySelectorAll("main *")) {
    const text = [...each.childNodes].filter((node) => node.nodeType === 3)
      .map((node) => node.textContent.trim()).join(" ").trim();
    if (!text) continue;
    const two = [getComputedStyle(each).color, behind(each)].map(light);
    two.sort((a, b) => b - a);
    found[text] = (two[0] + 0.05) / (two[1] + 0.05);
  }
  return {
    contrasts: found,
    isOver: document.documentElement.scrollWidth > innerWidth,
    widths: [...document.querySelectorAll("li div")].map((each) => each.offsetWidth),
  };
}
"""
