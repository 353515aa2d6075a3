"""What the server says when it is ready: where it is, the first key, what to try."""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from server.settings import DATA_FOLDER, Settings

_TRIES = (
    (
        "Record what somebody did; the profile and the metric are made on the way:",
        "mutation { trackEvent(input: { profile: { email: "
        '"ada@example.org" }, metric: "Placed Order", value: 42 }) '
        "{ event { id timestamp } userErrors { message } } }",
    ),
    (
        "Read profiles with their latest activity and consent:",
        "{ profiles(first: 3) { totalCount edges { node { email consent { email { "
        "status } } events(first: 3) { edges { node { metric { name } timestamp value "
        "} } } } } } }",
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
    fragment = f"#key={first_key}" if first_key else ""
    lines = ["", "Audience is ready."]
    if settings.graphiql:
        lines += ["", f"  GraphiQL  {address}/graphql{fragment}"]
    lines += [f"  API       {address}/graphql", "", *_about_key(settings, first_key)]
    lines += ["", "Three things to try in another terminal, once the key is set there:"]
    for what, query in _TRIES:
        lines += ["", f"  # {what}", *curl(address, query)]
    return "\n".join([*lines, "", "Ctrl-C stops the server.", ""])


def curl(address: str, query: str) -> list[str]:
    """The lines of a command that sends the query with the key in AUDIENCE_KEY."""
    return [
        f"  curl -s {address}/graphql \\",
        '    -H "Authorization: Bearer $AUDIENCE_KEY" \\',
        "    -H 'Content-Type: application/json' \\",
        f"    -d {shlex.quote(json.dumps({'query': query}))}",
    ]


def say(text: str) -> None:
    """Writes to standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _about_key(settings: Settings, first_key: str | None) -> list[str]:
    if first_key:
        return [
            "Your first API key allows everything and is shown this once; keep it:",
            "",
            f"  export AUDIENCE_KEY={first_key}",
        ]
    if settings.admin_key is not None:
        return ["AUDIENCE_ADMIN_KEY is accepted as an API key that allows everything."]
    return [
        "The first API key was shown at the first start. To make another one, which",
        "allows everything (--scope allows less):",
        "",
        f"  export AUDIENCE_KEY=$({called()} key create NAME{data_option(settings)})",
    ]


def data_option(settings: Settings) -> str:
    """What a command needs, after a space, to find the data folder that is used here;
    empty where it finds it by itself."""
    if settings.data == DATA_FOLDER:
        return ""
    return f" --data {shlex.quote(str(settings.data))}"


def called() -> str:
    """How this program is called here."""
    beside = Path(sys.executable).with_name("audience")
    if shutil.which("audience") or not beside.exists():
        return "audience"
    return os.path.relpath(beside)
