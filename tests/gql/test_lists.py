from typing import Any

import pytest

from tests.gql.conftest import Api, GraphQL

pytestmark = pytest.mark.anyio

CREATE = """
mutation ($input: CreateListInput!) {
  createList(input: $input) {
    list { id name optIn createdAt updatedAt }
    userErrors { code message path }
  }
}
"""

ADD = """
mutation ($input: AddToListInput!) {
  addToList(input: $input) {
    list { name }
    added
    alreadyMembers
    results {
      profile { id email consent { email { status canReceiveMarketing source } } }
      userErrors { code path }
    }
    userErrors { code message path }
  }
}
"""

MEMBERS = """
query ($id: ID!, $first: Int, $after: String) {
  list(id: $id) {
    members(first: $first, after: $after) {
      totalCount
      pageInfo { hasNextPage endCursor }
      edges { joinedAt source node { email } }
    }
  }
}
"""

NO_LIST = "lst_0123456789abcdef01234567"


async def create(api: Api, name: str = "News", **more: Any) -> str:
    """The id of a new list."""
    data = await api.ask(CREATE, input={"name": name, **more})
    found: str = data["createList"]["list"]["id"]
    return found


async def add(api: Api, list_id: str, *emails: str, **more: Any) -> Any:
    people = [{"email": email} for email in emails]
    data = await api.ask(ADD, input={"listId": list_id, "profiles": people, **more})
    return data["addToList"]


async def test_a_list_is_double_opt_in_unless_said(graphql: GraphQL) -> None:
    double = await graphql(CREATE, input={"name": " News  of the day "})
    single = await graphql(CREATE, input={"name": "Offers", "optIn": "SINGLE"})

    assert single["createList"]["list"]["optIn"] == "SINGLE"
    made = double["createList"]["list"]
    assert made.pop("id").startswith("lst_")
    assert double["createList"] == {
        "list": {
            "name": "News of the day",
            "optIn": "DOUBLE",
            "createdAt": "2026-03-01T12:00:00.000Z",
            "updatedAt": "2026-03-01T12:00:00.000Z",
        },
        "userErrors": [],
    }


async def test_a_name_is_taken_whatever_its_case(graphql: GraphQL) -> None:
    await graphql(CREATE, input={"name": "News"})

    data = await graphql(CREATE, input={"name": "NEWS"})

    assert data["createList"]["list"] is None
    assert [
        (error["code"], error["path"]) for error in data["createList"]["userErrors"]
    ] == [("TAKEN", ["name"])]


async def test_an_update_changes_what_is_given(api: Api, graphql: GraphQL) -> None:
    list_id = await create(api, "News", optIn="SINGLE")

    data = await graphql(
        "mutation ($input: UpdateListInput!) { updateList(input: $input) "
        "{ list { name optIn } userErrors { code } } }",
        input={"id": list_id, "name": "Weekly"},
    )

    assert data["updateList"] == {
        "list": {"name": "Weekly", "optIn": "SINGLE"},
        "userErrors": [],
    }


async def test_a_deleted_list_is_gone_from_its_members(
    api: Api, graphql: GraphQL
) -> None:
    list_id = await create(api)
    await add(api, list_id, "ada@example.org")
    delete = (
        "mutation ($input: DeleteListInput!) { deleteList(input: $input) "
        "{ deletedId userErrors { code path } } }"
    )

    once = await graphql(delete, input={"id": list_id})
    again = await graphql(delete, input={"id": list_id})
    data = await graphql(
        "query ($id: ID!) { list(id: $id) { name } "
        'profile(by: {email: "ada@example.org"}) { lists { totalCount } } }',
        id=list_id,
    )

    assert once == {"deleteList": {"deletedId": list_id, "userErrors": []}}
    assert again == {
        "deleteList": {
            "deletedId": None,
            "userErrors": [{"code": "NOT_FOUND", "path": ["id"]}],
        }
    }
    assert data == {"list": None, "profile": {"lists": {"totalCount": 0}}}


async def test_people_are_added_new_or_known(api: Api) -> None:
    list_id = await create(api)
    await add(api, list_id, "ada@example.org")

    done = await add(
        api,
        list_id,
        "ada@example.org",
        "nobody",
        "bob@example.org",
        consent=[{"channel": "EMAIL", "source": "Fair"}],
    )

    agreed = {
        "email": {"status": "SUBSCRIBED", "canReceiveMarketing": True, "source": "Fair"}
    }
    ids = [
        result["profile"].pop("id") for result in done["results"] if result["profile"]
    ]
    assert all(each.startswith("prf_") for each in ids)
    assert done == {
        "list": {"name": "News"},
        "added": 1,
        "alreadyMembers": 1,
        "results": [
            {
                "profile": {"email": "ada@example.org", "consent": agreed},
                "userErrors": [],
            },
            {
                "profile": None,
                "userErrors": [{"code": "INVALID", "path": ["profiles", "1", "email"]}],
            },
            {
                "profile": {"email": "bob@example.org", "consent": agreed},
                "userErrors": [],
            },
        ],
        "userErrors": [],
    }


async def test_adding_to_no_list_is_refused(api: Api) -> None:
    done = await add(api, NO_LIST, "ada@example.org")

    assert done == {
        "list": None,
        "added": 0,
        "alreadyMembers": 0,
        "results": [],
        "userErrors": [
            {
                "code": "NOT_FOUND",
                "message": "There is no such list.",
                "path": ["listId"],
            }
        ],
    }


async def test_members_are_paged(api: Api, graphql: GraphQL) -> None:
    list_id = await create(api)
    await add(api, list_id, "a@example.org", "b@example.org", "c@example.org")

    def member(email: str) -> dict[str, Any]:
        return {
            "joinedAt": "2026-03-01T12:00:00.000Z",
            "source": "QUICK_ADD",
            "node": {"email": email},
        }

    one = (await graphql(MEMBERS, id=list_id, first=2))["list"]["members"]
    two = (
        await graphql(MEMBERS, id=list_id, first=2, after=one["pageInfo"]["endCursor"])
    )["list"]["members"]

    assert one["totalCount"] == 3
    assert one["pageInfo"]["hasNextPage"] is True
    assert one["edges"] == [member("a@example.org"), member("b@example.org")]
    assert two["pageInfo"]["hasNextPage"] is False
    assert two["edges"] == [member("c@example.org")]


async def test_removing_passes_over_who_is_not_in_it(
    api: Api, graphql: GraphQL
) -> None:
    list_id = await create(api)
    done = await add(api, list_id, "ada@example.org")
    ada = done["results"][0]["profile"]["id"]

    data = await graphql(
        "mutation ($input: RemoveFromListInput!) { removeFromList(input: $input) "
        "{ removed list { members { totalCount } } userErrors { code } } }",
        input={"listId": list_id, "profileIds": [ada, "prf_0123456789abcdef01234567"]},
    )

    assert data["removeFromList"] == {
        "removed": 1,
        "list": {"members": {"totalCount": 0}},
        "userErrors": [],
    }


async def test_removing_something_else_names_which(api: Api, graphql: GraphQL) -> None:
    list_id = await create(api)

    data = await graphql(
        "mutation ($input: RemoveFromListInput!) { removeFromList(input: $input) "
        "{ removed list { name } userErrors { code path } } }",
        input={"listId": list_id, "profileIds": [list_id]},
    )

    assert data["removeFromList"] == {
        "removed": 0,
        "list": None,
        "userErrors": [{"code": "INVALID", "path": ["profileIds", "0"]}],
    }


async def test_lists_are_found_by_a_part_of_their_name(
    api: Api, graphql: GraphQL
) -> None:
    for name in ("Weekly offers", "Offers (.*)", "News"):
        await create(api, name)

    async def named(search: str | None) -> list[str]:
        data = await graphql(
            "query ($search: String) { lists(search: $search) "
            "{ totalCount edges { node { name } } } }",
            search=search,
        )
        assert data["lists"]["totalCount"] == len(data["lists"]["edges"])
        return [edge["node"]["name"] for edge in data["lists"]["edges"]]

    assert await named(None) == ["News", "Offers (.*)", "Weekly offers"]
    assert await named("OFFERS") == ["Offers (.*)", "Weekly offers"]
    assert await named(".*") == ["Offers (.*)"]


async def test_the_lists_of_a_profile_are_paged_newest_first(
    api: Api, graphql: GraphQL
) -> None:
    for name in ("A", "B", "C"):
        await add(api, await create(api, name), "ada@example.org")

    async def page(**variables: Any) -> Any:
        data = await graphql(
            """
            query ($first: Int, $after: String) {
              profile(by: {email: "ada@example.org"}) {
                lists(first: $first, after: $after) {
                  totalCount
                  pageInfo { hasNextPage hasPreviousPage endCursor }
                  edges { node { joinedAt source list { name } } }
                }
              }
            }
            """,
            **variables,
        )
        return data["profile"]["lists"]

    one = await page(first=2)
    two = await page(first=2, after=one["pageInfo"]["endCursor"])

    assert one["totalCount"] == 3
    assert [edge["node"]["list"]["name"] for edge in one["edges"]] == ["C", "B"]
    assert (one["pageInfo"]["hasNextPage"], one["pageInfo"]["hasPreviousPage"]) == (
        True,
        False,
    )
    assert two["edges"] == [
        {
            "node": {
                "joinedAt": "2026-03-01T12:00:00.000Z",
                "source": "QUICK_ADD",
                "list": {"name": "A"},
            }
        }
    ]
    assert (two["pageInfo"]["hasNextPage"], two["pageInfo"]["hasPreviousPage"]) == (
        False,
        True,
    )


async def test_a_foreign_cursor_is_refused_among_the_lists_of_a_profile(
    api: Api,
) -> None:
    await add(api, await create(api), "ada@example.org")
    events = await api.ask("{ profiles { pageInfo { endCursor } } }")
    cursor = events["profiles"]["pageInfo"]["endCursor"]

    refusals = await api.refusals(
        f'{{ profiles {{ edges {{ node {{ lists(after: "{cursor}") '
        "{ totalCount } } } } }"
    )

    assert refusals == [
        {
            "code": "INVALID",
            "message": "after is not a cursor of this connection: pass one of its "
            "edges'.",
            "path": ["after"],
        }
    ]
