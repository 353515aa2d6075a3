"""The editor in a real browser: from our own files alone, with a key, with examples."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse
from playwright.sync_api import Browser, Page, expect, sync_playwright

from server.graphiql import ASSETS, examples
from tests.server.conftest import RunningServer, Serve, chromium

ADMIN_KEY = "an-admin-key-for-the-tests"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert (ASSETS / "main.js").exists(), "GraphiQL is missing: run scripts/graphiql."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    return serve(AUDIENCE_ADMIN_KEY=ADMIN_KEY)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that knows which addresses it asked for, and what went wrong in it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    yield page
    context.close()


def test_a_key_is_set_and_an_example_is_run(server: RunningServer, page: Page) -> None:
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type == "error" else None,
    )

    page.goto(f"{server.address}/graphql")
    expect(page.locator(".notice")).to_contain_text("Queries need an API key.")
    page.get_by_label("API key").fill(ADMIN_KEY)
    page.get_by_role("button", name="Use key").click()
    expect(page.get_by_role("status")).to_contain_text("AUDIENCE_ADMIN_KEY")
    expect(page.locator(".graphiql-query-editor")).to_contain_text("Profiles")
    page.get_by_role("tab", name="RecordAnOrder").click()
    expect(page.locator(".graphiql-query-editor")).to_contain_text("trackEvent")
    page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()

    answer = page.locator(".graphiql-response")
    expect(answer).to_contain_text("ada@example.org")
    expect(answer).to_contain_text("42.5")
    assert {url for url in asked if not url.startswith(_own(server))} == set()
    assert wrong == []


def test_a_key_in_the_address_is_taken_over_and_removed(
    server: RunningServer, page: Page
) -> None:
    page.goto(f"{server.address}/graphql#key={ADMIN_KEY}")

    expect(page.get_by_role("status")).to_contain_text("AUDIENCE_ADMIN_KEY")
    assert page.url == f"{server.address}/graphql"
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("AUDIENCE_ADMIN_KEY")
    page.get_by_role("button", name="Forget key").click()
    expect(page.locator(".notice")).to_contain_text("Queries need an API key.")


def test_a_key_that_does_not_work_is_said_so(server: RunningServer, page: Page) -> None:
    page.goto(f"{server.address}/graphql#key=sk_wrong")

    expect(page.locator(".notice")).to_contain_text(
        "The key kept in this browser does not work: This API key is unknown"
    )


def test_the_explorer_and_the_documentation_know_the_schema(
    server: RunningServer, page: Page
) -> None:
    page.goto(f"{server.address}/graphql#key={ADMIN_KEY}")

    page.get_by_role("button", name="Show GraphiQL Explorer").click()
    expect(page.locator(".graphiql-explorer-root")).to_contain_text("segmentPreview")
    page.get_by_role("button", name="Show Documentation Explorer").click()
    expect(page.locator(".graphiql-doc-explorer")).to_contain_text("Query")


def test_what_is_typed_is_made_pretty(server: RunningServer, page: Page) -> None:
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(f"{server.address}/graphql#key={ADMIN_KEY}")
    editor = page.locator(".graphiql-query-editor .view-lines")
    expect(editor).to_contain_text("Profiles")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("query Ours {lists {totalCount}}")
    page.keyboard.press("Control+Shift+End")  # brackets that close by themselves
    page.keyboard.press("Delete")

    page.get_by_role("button", name="Prettify query").click()

    lines = editor.locator(".view-line")
    expect(lines).to_have_count(6)
    assert [line.replace("\xa0", " ") for line in lines.all_inner_texts()] == [
        "query Ours {",
        "  lists {",
        "    totalCount",
        "  }",
        "}",
        "",
    ]
    assert wrong == []


def test_every_example_has_a_name_and_variables_that_can_be_read() -> None:
    found = examples()

    assert [example["name"] for example in found] == [
        "profiles",
        "segment-preview",
        "sign-up",
        "lists",
        "segments",
        "growth-tools",
        "revenue-by-month",
        "record-an-order",
    ]
    for example in found:
        (definition,) = parse(example["query"]).definitions
        assert definition.name.value  # type: ignore[attr-defined]
        json.loads(example["variables"] or "{}")


def test_without_its_files_the_page_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("server.graphiql.ASSETS", tmp_path)
    from server.graphiql import page as shown

    answer = shown()

    assert answer.status_code == 503
    assert b"run scripts/graphiql" in answer.body


def _own(server: RunningServer) -> tuple[str, ...]:
    return (server.address, "data:", "blob:")
