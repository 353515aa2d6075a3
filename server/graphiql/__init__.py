"""GraphiQL, the query editor, from our own files: the page, its assets and examples.

`scripts/graphiql` builds the assets; nothing is loaded from another host.
"""

import json
from pathlib import Path

from starlette.responses import HTMLResponse, Response

ASSETS = Path(__file__).parent / "dist"
EXAMPLES = Path(__file__).parents[1] / "examples"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'"
    "%3E%3Crect width='32' height='32' rx='7' fill='%234640c4'/%3E%3Ccircle cx='16' "
    "cy='12' r='5' fill='white'/%3E%3Cpath d='M6 27c0-11 20-11 20 0z' fill='white'/"
    "%3E%3C/svg%3E"
)
MISSING = (
    "GraphiQL is not built yet: run scripts/graphiql in the folder of this server, "
    "then reload this page. The API itself works without it."
)


def page() -> Response:
    """The page that a browser gets at /graphql."""
    if not (ASSETS / "main.js").exists():
        return HTMLResponse(_document(f"<p>{MISSING}</p>"), status_code=503)
    body = (
        f'<script type="application/json" id="examples">{_examples()}</script>'
        '<div id="graphiql"><p class="waiting">Loading GraphiQL …</p></div>'
        '<script type="module" src="/graphiql/main.js"></script>'
    )
    head = '<link rel="stylesheet" href="/graphiql/main.css">'
    return HTMLResponse(
        _document(body, head), headers={"Content-Security-Policy": POLICY}
    )


def examples() -> list[dict[str, str]]:
    """The documents that the editor opens with, in order of their file names."""
    return [
        {
            "name": path.stem.split("-", 1)[1],
            "query": path.read_text(),
            "variables": _variables(path),
        }
        for path in sorted(EXAMPLES.glob("*.graphql"))
    ]


def _variables(path: Path) -> str:
    beside = path.with_suffix(".json")
    return beside.read_text() if beside.exists() else ""


def _examples() -> str:
    return json.dumps(examples()).replace("<", "\\u003c")


def _document(body: str, head: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Audience · GraphiQL</title><link rel="icon" href="{ICON}">'
        f"{head}</head><body>{body}</body></html>"
    )
