"""Pages as people see them: templates, and the headers that go with a page."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.responses import HTMLResponse, Response

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    template: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    leads_to: str = "",
    **values: Any,
) -> Response:
    """The filled template under a strict policy: its own style, scripts of this server
    alone, and forms that go to this server (and are led on to `leads_to`)."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'self'; "
        f"connect-src 'self'; form-action 'self'{leads_to and ' ' + leads_to}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(
        TEMPLATES.get_template(template).render(nonce=nonce, **values),
        status,
        {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            **(headers or {}),
        },
    )
