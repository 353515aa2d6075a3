"""What is shipped fits together: the image's files, the changelog, the documents."""

import re
import tomllib
from pathlib import Path

import pytest

from audience.keys import SCOPES, WILDCARDS
from tests.server.conftest import ROOT


def version() -> str:
    """The version of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: str = project["version"]
    return found


def test_the_image_copies_what_there_is() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    paths = [path for line in copied if "--from=build" not in line for path in line]

    assert {"audience", "resolvers", "gql", "server"} <= set(paths)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_image_is_given_what_it_copies() -> None:
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    paths = [path for line in copied if "--from=build" not in line for path in line]

    missing = [
        path
        for path in paths
        if not any(
            part.as_posix() in kept for part in (Path(path), *Path(path).parents)
        )
    ]
    assert missing == []


def test_the_image_runs_as_nobody_special_and_checks_its_health() -> None:
    final = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]

    assert "\nUSER audience\n" in final
    assert "HEALTHCHECK" in final
    assert "embedded" not in final


def test_the_changelog_begins_with_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()

    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == version()


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_lead_somewhere(document: str) -> None:
    page = ROOT / document
    targets = re.findall(r"\]\(([^)#]+)", page.read_text())
    local = [target for target in targets if not target.startswith("http")]

    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_queries_of_the_readme_are_valid() -> None:
    from graphql import parse, validate

    from gql.schema import schema

    queries = re.findall(
        r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    built = schema._schema

    assert len(queries) == 3
    assert [validate(built, parse(query)) for query in queries] == [[], [], []]


def test_every_scope_is_described() -> None:
    documented = (ROOT / "docs" / "keys.md").read_text()

    rows = {f"| `{name}` | {text} |" for name, text in (SCOPES | WILDCARDS).items()}
    assert set(re.findall(r"^\| `.*\|$", documented, re.MULTILINE)) == rows
