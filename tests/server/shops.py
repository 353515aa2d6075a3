"""A shop at another origin than the server, and a mailbox that keeps what is sent."""

import email
import json
import re
import time
import urllib.request
from dataclasses import dataclass, field
from email.policy import default
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, Envelope, Session

if TYPE_CHECKING:
    from tests.server.conftest import RunningServer

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
NAME = {"kind": "TEXT", "label": "First name", "target": "firstName"}
EMAIL = {"kind": "EMAIL", "label": "E-mail", "target": "email", "isRequired": True}
CREATE = """
mutation ($input: CreateFormInput!) {
  createForm(input: $input) {
    form { id name url embedCode } userErrors { message path }
  }
}
"""


@dataclass(slots=True)
class Inbox:
    """Keeps what the server mails, as text with its recipient in front."""

    texts: list[str] = field(default_factory=list)

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=default)
        text = message.get_body(("plain",))
        self.texts.append(f"To {message['To']}\n{text and text.get_content()}")
        return "250 OK"


@dataclass(slots=True)
class Shop:
    """A site at another origin, which allows no more than the script needs."""

    server: "RunningServer"
    inbox: Inbox
    address: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def form(self, kind: str, **more: Any) -> dict[str, str]:
        """A live form, shown on the page `/<its id>`."""
        self.made += 1
        name = f"{kind} {self.made}"
        made = self.ask(
            "mutation ($name: String!) { createList(input: {name: $name}) "
            "{ list { id } } }",
            name=name,
        )
        given = {
            "name": name,
            "listId": made["createList"]["list"]["id"],
            "kind": kind,
            "status": "LIVE",
            "headline": "10% off",
            "fields": [NAME, EMAIL],
            "consents": [{"channel": "EMAIL", "text": "News by e-mail."}],
            **more,
        }
        made = self.ask(CREATE, input=given)["createForm"]
        assert made["userErrors"] == []
        form: dict[str, str] = made["form"]
        self.pages[f"/{form['id']}"] = form["embedCode"]
        return form

    def ask(self, operation: str, **variables: Any) -> Any:
        """The data of an operation."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.server.address}/graphql",
            json.dumps({"query": operation, "variables": variables}).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {ADMIN_KEY}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            told = json.load(answer)
        assert "errors" not in told
        return told["data"]

    def mailed(self, to: str, path: str) -> str:
        """The link to `path` in the message that `to` gets."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for text in self.inbox.texts:
                link = re.search(rf"http://\S+/{path}\?token=\S+", text)
                if text.startswith(f"To {to}\n") and link:
                    return link[0]
            time.sleep(0.05)
        raise AssertionError(f"No mail to {to}: {self.inbox.texts}")


def pages_of(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code = shop.pages.get(self.path.partition("?")[0])
            self.send_response(404 if code is None else 200)
            self.send_header("Content-Type", "text/html")
            theirs = shop.server.address
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'none'; script-src {theirs}; connect-src {theirs}; "
                "img-src data:; "
                "require-trusted-types-for 'script'; base-uri 'none'",
            )
            self.end_headers()
            self.wfile.write(
                "<!doctype html><html lang=en><meta charset=utf-8><title>Shop</title>"
                '<link rel=icon href="data:,"><meta name=color-scheme '
                'content="light dark"><h1>Shop</h1><p><a href="#">A link</a></p>'
                f"{code or ''}<pre>{chr(10) * 200}</pre>".encode()
            )

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Site
