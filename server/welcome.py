"""What the server says when it is ready: where it is, the first key, what to try."""

import json
import shlex
import sys

from server.settings import Settings

_TRIES = (
    (
        "Record what somebody did; the profile and the metric are made on the way:",
        "mutation { trackEvent(input: { profile: { email: "
        '"ada@example.org" }, metric: "Placed Order", value: 42 }) '
        "{ event { id timestamp } userErrors { message } } }",
    ),
    (
        "Read profiles with their latest activity and consent:",
        "{ profiles(first: 3) { totalCount nodes { email consent { email { status } } "
        "events(first: 3) { nodes { metric { name } timestamp value } } } } }",
    ),
    (
        "Count a segment, everybody who ordered at least twice in the last 90 days:",
        "{ segmentPreview(definition: { groups: [{ anyOf: [{ event: { metric: { name: "
        '"Placed Order" }, compare: { atLeast: 2 }, during: { inTheLast: '
        "{ amount: 90, unit: DAY } } } }] }] }) { count } }",
    ),
)


def welcome(settings: Settings, first_key: str | None) -> str:
    """The text, ready to be printed."""
    address = settings.address
    key = first_key or "$AUDIENCE_KEY"
    fragment = f"#key={first_key}" if first_key else ""
    lines = ["", "Audience is ready.", ""]
    if settings.graphiql:
        lines += [f"  GraphiQL   {address}/graphql{fragment}"]
    lines += [f"  API        {address}/graphql", *_about_key(settings, first_key)]
    lines += ["", "Three things to try in another terminal:"]
    for what, query in _TRIES:
        lines += ["", f"  # {what}", f"  {curl(address, key, query)}"]
    return "\n".join([*lines, "", "Ctrl-C stops the server.", ""])


def curl(address: str, key: str, query: str) -> str:
    """A command that sends the query."""
    return (
        f'curl -s {address}/graphql -H "Authorization: Bearer {key}" '
        f"-H 'Content-Type: application/json' "
        f"-d {shlex.quote(json.dumps({'query': query}))}"
    )


def say(text: str) -> None:
    """Writes to standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _about_key(settings: Settings, first_key: str | None) -> list[str]:
    if first_key:
        return [
            f"  Key        {first_key}",
            "",
            "Keep this key: it allows everything, and is shown this once.",
        ]
    if settings.admin_key is not None:
        return ["", "Use the value of AUDIENCE_ADMIN_KEY as AUDIENCE_KEY below."]
    return [
        "",
        "The first key was shown at the first start (export AUDIENCE_KEY=sk_...);",
        "`audience key create NAME` makes another.",
    ]
