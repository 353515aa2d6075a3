"""Imports through the API: looked at, started, watched, cancelled."""

import io
from dataclasses import dataclass
from typing import Any

import pytest

from audience.keys import KeyKind, Viewer
from resolvers.db import Database
from resolvers.imports import run_waiting_imports
from tests.gql.conftest import NOW, Api, GraphQL

pytestmark = pytest.mark.anyio

PREVIEWED = "Mail;Visits;Accepts Marketing\na@a.org;3;yes\nb@b.org;4;\n"
START = """
mutation ($input: ImportProfilesInput!) {
  importProfiles(input: $input) {
    import { id status progress totalRows list { name } delimiter encoding }
    userErrors { code path message }
  }
}
"""
SHOW = """
query ($id: ID!) {
  import(id: $id) {
    name status progress totalRows processedRows createdProfiles updatedProfiles
    repeatedRows joined consented keptUnsubscribed keptSuppressed keptPending
    rejectedRows rejectedRowsUrl failure createdAt startedAt finishedAt
    columns { column target type }
  }
}
"""


@dataclass
class Uploaded:
    """A file as the transport hands it over."""

    file: io.BytesIO
    filename: str = "people.csv"


def upload(text: str) -> Uploaded:
    return Uploaded(io.BytesIO(text.encode()))


async def new_list(graphql: GraphQL) -> str:
    data = await graphql(
        'mutation { createList(input: { name: "Fair" }) { list { id } } }'
    )
    identifier: str = data["createList"]["list"]["id"]
    return identifier


async def start(graphql: GraphQL, text: str, **more: Any) -> Any:
    data = await graphql(START, input={"file": upload(text), **more})
    return data["importProfiles"]


async def test_a_file_is_looked_at_before_anything_is_kept(
    graphql: GraphQL, db: Database
) -> None:
    data = await graphql(
        """
        mutation ($input: PreviewImportInput!) {
          previewImport(input: $input) {
            encoding delimiter
            columns { column target type samples consent { channel kind } }
            userErrors { code path message }
          }
        }
        """,
        input={
            "file": upload(
                "Mail;Visits;Accepts Marketing\na@a.org;3;yes\nb@b.org;4;\n"
            ),
            "columns": [{"column": "Visits", "target": "properties.visits"}],
        },
    )

    assert data["previewImport"] == {
        "encoding": "UTF_8",
        "delimiter": "SEMICOLON",
        "columns": [
            {
                "column": "Mail",
                "target": "email",
                "type": "TEXT",
                "samples": ["a@a.org", "b@b.org"],
                "consent": None,
            },
            {
                "column": "Visits",
                "target": "properties.visits",
                "type": "NUMBER",
                "samples": ["3", "4"],
                "consent": None,
            },
            {
                "column": "Accepts Marketing",
                "target": None,
                "type": "TEXT",
                "samples": ["yes"],
                "consent": {"channel": "EMAIL", "kind": "IF"},
            },
        ],
        "userErrors": [],
    }
    assert await db.imports.count_documents({}) == 0


async def test_an_import_is_started_and_watched(graphql: GraphQL, db: Database) -> None:
    list_id = await new_list(graphql)

    begun = await start(
        graphql,
        "Email\tPlan\na@example.org\tgold\nnobody\tfree\n",
        listId=list_id,
        columns=[{"column": "Plan", "target": "properties.plan", "type": "TEXT"}],
        consent=[{"channel": "EMAIL", "source": "Fair"}],
    )

    identifier = begun["import"].pop("id")
    assert begun == {
        "import": {
            "status": "QUEUED",
            "progress": 0.0,
            "totalRows": 2,
            "list": {"name": "Fair"},
            "delimiter": "TAB",
            "encoding": "UTF_8",
        },
        "userErrors": [],
    }
    await run_waiting_imports(db, "tests", clock=lambda: NOW)
    assert (await graphql(SHOW, id=identifier))["import"] == {
        "name": "people.csv",
        "status": "COMPLETED",
        "progress": 1.0,
        "totalRows": 2,
        "processedRows": 2,
        "createdProfiles": 1,
        "updatedProfiles": 0,
        "repeatedRows": 0,
        "joined": 1,
        "consented": 1,
        "keptUnsubscribed": 0,
        "keptSuppressed": 0,
        "keptPending": 0,
        "rejectedRows": 1,
        "rejectedRowsUrl": f"/imports/{identifier}/rejected.csv",
        "failure": None,
        "createdAt": "2026-03-01T12:00:00.000Z",
        "startedAt": "2026-03-01T12:00:00.000Z",
        "finishedAt": "2026-03-01T12:00:00.000Z",
        "columns": [
            {"column": "Email", "target": "email", "type": "TEXT"},
            {"column": "Plan", "target": "properties.plan", "type": "TEXT"},
        ],
    }
    data = await graphql(
        "query ($id: ID!) { node(id: $id) { __typename id }"
        " imports(first: 5) { totalCount edges { node { id } } } }",
        id=identifier,
    )
    assert data == {
        "node": {"__typename": "Import", "id": identifier},
        "imports": {"totalCount": 1, "edges": [{"node": {"id": identifier}}]},
    }


async def test_a_refused_file_is_told_with_its_line(graphql: GraphQL) -> None:
    begun = await start(graphql, 'Email\na@example.org\n"b@example.org\n')

    assert begun == {
        "import": None,
        "userErrors": [
            {
                "code": "INVALID",
                "path": ["file"],
                "message": "A quotation mark in the row that begins on line 3 is never "
                "closed.",
            }
        ],
    }


async def test_a_text_is_no_file(graphql: GraphQL) -> None:
    data = await graphql(START, input={"file": "Email"})

    assert data["importProfiles"]["userErrors"] == [
        {
            "code": "INVALID",
            "path": ["file"],
            "message": "Send the file itself, as a part of a multipart/form-data "
            "request.",
        }
    ]


async def test_an_import_is_cancelled(graphql: GraphQL) -> None:
    begun = await start(graphql, "Email\na@example.org\n")

    data = await graphql(
        "mutation ($id: ID!) { cancelImport(input: { id: $id })"
        " { import { status finishedAt } userErrors { message } } }",
        id=begun["import"]["id"],
    )

    assert data["cancelImport"] == {
        "import": {"status": "CANCELLED", "finishedAt": "2026-03-01T12:00:00.000Z"},
        "userErrors": [],
    }


async def test_imports_need_their_scopes(api: Api) -> None:
    api.viewer = Viewer(None, "Weak", KeyKind.SECRET, frozenset({"profiles:write"}))

    (refused,) = await api.refusals(START, input={"file": upload("Email\na@a.org\n")})
    assert (refused["code"], refused["message"]) == (
        "FORBIDDEN",
        "This needs the scope imports:write, which the key 'Weak' does not have.",
    )
    (refused,) = await api.refusals(SHOW, id="imp_" + "0" * 24)
    assert refused["code"] == "FORBIDDEN"
