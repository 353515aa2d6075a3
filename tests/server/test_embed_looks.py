"""How the script's forms look in a real browser: readable in light and dark, still for
those who want no motion, and at home on the page around them."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.server.shops import EMAIL, NAME, Shop
from tests.server.test_embed import CARD

LIKES = {
    "kind": "CHOICE",
    "label": "Drink",
    "target": "properties.drink",
    "options": ["Tea", "Coffee"],
}
MOBILE = {"kind": "PHONE", "label": "Mobile", "target": "phoneNumber"}
CONTRASTS = """
() => {
  const host = document.querySelector("[data-audience-form]");
  const root = host.shadowRoot;
  const read = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((each) => {
      const part = each / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const above = (each) => each.parentElement || each.getRootNode().host;
  const behind = (element) => {
    for (let each = element; each; each = above(each)) {
      const painted = getComputedStyle(each).backgroundColor;
      const [red, green, blue, alpha = 1] = read(painted);
      if (alpha === 1) return [red, green, blue];
    }
    return matchMedia("(prefers-color-scheme: dark)").matches
      ? [18, 18, 18] : [255, 255, 255];
  };
  const ratio = (one, other) => {
    const [less, more] = [light(one), light(other)].sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
  };
  const texts = [];
  const edges = [];
  for (const each of root.querySelectorAll(".card *")) {
    if (!each.checkVisibility() || each.closest(".trap")) continue;
    const style = getComputedStyle(each);
    const words = [...each.childNodes].filter((it) => it.nodeType === 3);
    const text = words.map((it) => it.data).join("").trim();
    if (text) texts.push([text, ratio(read(style.color), behind(each))]);
    if (each.matches("input:not([type=checkbox]), select")) {
      const hint = getComputedStyle(each, "::placeholder").color;
      const around = behind(each.parentElement);
      texts.push([each.id, ratio(read(style.color), behind(each))]);
      texts.push([each.id, ratio(read(hint), behind(each))]);
      edges.push([each.id, ratio(read(style.borderTopColor), around)]);
    }
  }
  return { texts, edges };
}
"""


@pytest.mark.parametrize("kind", ["POPUP", "FLYOUT"])
def test_nothing_moves_for_those_who_want_no_motion(
    shop: Shop, browser: Browser, kind: str
) -> None:
    form = shop.form(kind)
    names = []
    motions: tuple[Any, ...] = ("no-preference", "reduce")
    for motion in motions:
        context = browser.new_context(reduced_motion=motion)
        page = context.new_page()
        page.goto(f"{shop.address}/{form['id']}")
        card = page.locator(CARD)
        expect(card).to_be_visible()
        names.append(card.evaluate("card => getComputedStyle(card).animationName"))
        context.close()

    assert names == ["in", "none"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["POPUP", "FLYOUT", "EMBED", "FULL_PAGE", "page"])
def test_everything_can_be_read(
    shop: Shop, browser: Browser, kind: str, scheme: Any
) -> None:
    """The contrasts that WCAG 2 asks for at level AA: 4.5 for texts, 3 for the edges
    of what is filled in; with errors shown, and after it was sent."""
    form = shop.form(
        "POPUP" if kind == "page" else kind,
        body="Tea, twice a month.",
        fields=[{**EMAIL, "isRequired": False}, NAME, LIKES, MOBILE],
        consents=[
            {"channel": "EMAIL", "text": "News by e-mail."},
            {"channel": "SMS", "text": "Offers by text message."},
        ],
    )
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(form["url"] if kind == "page" else f"{shop.address}/{form['id']}")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("Choose at least one way")).to_be_visible()
    page.get_by_label("News by e-mail.").check()
    page.get_by_label("E-mail (opt").fill("ada@")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("This is not an e-mail address")).to_be_visible()
    unsent = page.evaluate(CONTRASTS)
    page.get_by_label("E-mail (opt").fill("ada@example.org")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_be_visible()
    sent = page.evaluate(CONTRASTS)
    context.close()

    assert len(unsent["texts"]) > 8
    texts, edges = unsent["texts"] + sent["texts"], unsent["edges"]
    assert [each for each in texts if not each[1] >= 4.5] == []
    assert [each for each in edges if not each[1] >= 3] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_looks_like_the_page_around_it(
    shop: Shop, browser: Browser, scheme: Any
) -> None:
    form = shop.form("EMBED")
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": 320, "height": 640}
    )
    page = context.new_page()
    page.goto(f"{shop.address}/{form['id']}")
    card = page.locator(CARD)
    expect(card).to_be_visible()

    background, room = card.evaluate(
        "card => [getComputedStyle(card).backgroundColor, "
        "document.documentElement.scrollWidth]"
    )
    context.close()

    dark = "rgb(27, 30, 36)"
    assert (background == dark, room) == (scheme == "dark", 320)


@pytest.mark.parametrize(("theme", "page_is"), [("dark", "light"), ("light", "dark")])
def test_a_stated_theme_can_be_read_on_any_background(
    shop: Shop, browser: Browser, theme: str, page_is: Any
) -> None:
    form = shop.form("POPUP")
    shop.pages[f"/{form['id']}"] = '<div id="here"></div>' + form["embedCode"].replace(
        "></script>", f' data-into="here" data-theme="{theme}"></script>'
    )
    context = browser.new_context(color_scheme=page_is)
    page = context.new_page()
    page.goto(f"{shop.address}/{form['id']}")
    expect(page.locator(f"#here {CARD}")).to_be_visible()
    seen = page.evaluate(CONTRASTS)
    context.close()

    assert [each for each in seen["texts"] if each[1] < 4.5] == []
    assert [each for each in seen["edges"] if each[1] < 3] == []
    assert len(seen["texts"]) > 5
