import pytest

from tests.gql.conftest import Api, GraphQL

pytestmark = pytest.mark.anyio

UPSERT = """
mutation ($input: UpsertProfileInput!) {
  upsertProfile(input: $input) {
    created
    profile {
      email phoneNumber externalId anonymousIds firstName lastName organization title
      image locale properties createdAt updatedAt lastEventAt
      location {
        address1 address2 city region country zip timezone latitude longitude ip
      }
    }
    userErrors { code message path }
  }
}
"""

NAMES = """
query (
  $first: Int, $after: String, $last: Int, $before: String, $search: String,
  $orderBy: ProfileOrder
) {
  profiles(
    first: $first, after: $after, last: $last, before: $before, search: $search,
    orderBy: $orderBy
  ) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { firstName } }
  }
}
"""


async def upsert(api: Api, **input: object) -> str:
    """The id of the profile."""
    data = await api.ask(
        "mutation ($input: UpsertProfileInput!) { upsertProfile(input: $input) "
        "{ profile { id } userErrors { message } } }",
        input=input,
    )
    assert data["upsertProfile"]["userErrors"] == []
    found: str = data["upsertProfile"]["profile"]["id"]
    return found


async def test_an_upsert_answers_the_whole_profile(graphql: GraphQL) -> None:
    data = await graphql(
        UPSERT,
        input={
            "email": " Ada@Example.org ",
            "phoneNumber": "+1 415 555 0132",
            "externalId": "a-1",
            "anonymousId": "cookie-1",
            "firstName": "Ada",
            "lastName": "Lovelace",
            "organization": "Analytical Engines",
            "title": "Countess",
            "image": "https://example.org/ada.png",
            "locale": "en_gb",
            "location": {
                "address1": "12 St James's Square",
                "address2": "1st floor",
                "city": "London",
                "region": "England",
                "country": "gb",
                "zip": "SW1Y 4JH",
                "timezone": "Europe/London",
                "latitude": 51.5,
                "longitude": -0.13,
                "ip": "192.0.2.1",
            },
            "properties": {"favourite": {"colour": "blue"}, "sizes": [38, 40]},
        },
    )

    assert data["upsertProfile"] == {
        "created": True,
        "profile": {
            "email": "ada@example.org",
            "phoneNumber": "+14155550132",
            "externalId": "a-1",
            "anonymousIds": ["cookie-1"],
            "firstName": "Ada",
            "lastName": "Lovelace",
            "organization": "Analytical Engines",
            "title": "Countess",
            "image": "https://example.org/ada.png",
            "locale": "en-GB",
            "properties": {"favourite": {"colour": "blue"}, "sizes": [38, 40]},
            "createdAt": "2026-03-01T12:00:00.000Z",
            "updatedAt": "2026-03-01T12:00:00.000Z",
            "lastEventAt": None,
            "location": {
                "address1": "12 St James's Square",
                "address2": "1st floor",
                "city": "London",
                "region": "England",
                "country": "GB",
                "zip": "SW1Y 4JH",
                "timezone": "Europe/London",
                "latitude": 51.5,
                "longitude": -0.13,
                "ip": "192.0.2.1",
            },
        },
        "userErrors": [],
    }


async def test_what_is_absent_stays_and_null_clears(api: Api) -> None:
    await upsert(
        api,
        email="ada@example.org",
        firstName="Ada",
        lastName="King",
        location={"city": "London", "zip": "SW1"},
        properties={"a": 1, "b": 2},
    )

    data = await api.ask(
        "mutation ($input: UpsertProfileInput!) { upsertProfile(input: $input) "
        "{ created profile { firstName lastName location { city zip } properties } } }",
        input={
            "email": "ada@example.org",
            "lastName": None,
            "location": {"zip": None},
            "properties": {"c": 3},
            "unsetProperties": ["a"],
        },
    )

    assert data["upsertProfile"] == {
        "created": False,
        "profile": {
            "firstName": "Ada",
            "lastName": None,
            "location": {"city": "London", "zip": None},
            "properties": {"b": 2, "c": 3},
        },
    }


async def test_every_wrong_value_is_named_with_its_path(graphql: GraphQL) -> None:
    data = await graphql(
        UPSERT,
        input={
            "email": "nobody",
            "location": {"latitude": 91},
            "properties": {"a": {"$b": 1}},
        },
    )

    assert data["upsertProfile"]["profile"] is None
    assert data["upsertProfile"]["created"] is False
    assert [
        (error["code"], error["path"]) for error in data["upsertProfile"]["userErrors"]
    ] == [
        ("INVALID", ["email"]),
        ("INVALID", ["location", "latitude"]),
        ("INVALID", ["properties", "a", "$b"]),
    ]


async def test_identifiers_of_two_people_conflict(api: Api, graphql: GraphQL) -> None:
    await upsert(api, email="ada@example.org")
    await upsert(api, externalId="b-2", email="bob@example.org")

    data = await graphql(
        UPSERT, input={"email": "ada@example.org", "externalId": "b-2"}
    )

    assert data["upsertProfile"]["profile"] is None
    assert [error["code"] for error in data["upsertProfile"]["userErrors"]] == [
        "CONFLICT"
    ]


async def test_the_id_of_something_else_is_refused(graphql: GraphQL) -> None:
    data = await graphql(UPSERT, input={"id": "lst_0123456789abcdef01234567"})

    assert data["upsertProfile"]["userErrors"] == [
        {
            "code": "INVALID",
            "message": "lst_0123456789abcdef01234567 is the id of a list; the id of a "
            "profile is wanted here, which starts with prf_.",
            "path": ["id"],
        }
    ]


async def test_a_profile_is_found_by_each_identifier(
    api: Api, graphql: GraphQL
) -> None:
    profile_id = await upsert(
        api, email="ada@example.org", phoneNumber="+14155550132", externalId="a-1"
    )

    data = await graphql(
        """
        query ($id: ID!) {
          id: profile(by: {id: $id}) { email }
          email: profile(by: {email: "ADA@example.org"}) { email }
          phone: profile(by: {phoneNumber: "+1 415-555-0132"}) { email }
          external: profile(by: {externalId: "a-1"}) { email }
          nobody: profile(by: {externalId: "a-2"}) { email }
        }
        """,
        id=profile_id,
    )

    ada = {"email": "ada@example.org"}
    assert data == {
        "id": ada,
        "email": ada,
        "phone": ada,
        "external": ada,
        "nobody": None,
    }


async def test_a_lookup_by_nonsense_names_the_argument(api: Api) -> None:
    (refusal,) = await api.refusals('{ profile(by: {phoneNumber: "12"}) { id } }')

    assert (refusal["code"], refusal["path"]) == ("INVALID", ["by", "phoneNumber"])


async def test_profiles_are_paged_forwards_and_backwards(
    api: Api, graphql: GraphQL
) -> None:
    for name in ("A", "B", "C", "D", "E"):
        await upsert(api, externalId=name, firstName=name)

    def names(page: dict[str, dict[str, object]]) -> list[str]:
        edges: list[dict[str, dict[str, str]]] = page["profiles"]["edges"]  # type: ignore[assignment]
        return [edge["node"]["firstName"] for edge in edges]

    one = await graphql(NAMES, first=2)
    cursor = one["profiles"]["pageInfo"]["endCursor"]
    two = await graphql(NAMES, first=2, after=cursor)
    three = await graphql(
        NAMES, first=2, after=two["profiles"]["pageInfo"]["endCursor"]
    )
    back = await graphql(
        NAMES, last=2, before=three["profiles"]["pageInfo"]["startCursor"]
    )
    end = await graphql(NAMES, last=2)

    assert [names(page) for page in (one, two, three, back, end)] == [
        ["E", "D"],
        ["C", "B"],
        ["A"],
        ["C", "B"],
        ["B", "A"],
    ]
    assert one["profiles"]["totalCount"] == 5
    assert [
        (
            page["profiles"]["pageInfo"]["hasPreviousPage"],
            page["profiles"]["pageInfo"]["hasNextPage"],
        )
        for page in (one, two, three, back, end)
    ] == [(False, True), (True, True), (True, False), (True, True), (True, False)]
    assert (
        two["profiles"]["pageInfo"]["startCursor"]
        == (two["profiles"]["edges"][0]["cursor"])
    )


async def test_an_empty_page_has_no_cursors(graphql: GraphQL) -> None:
    assert await graphql(NAMES) == {
        "profiles": {
            "totalCount": 0,
            "pageInfo": {
                "hasNextPage": False,
                "hasPreviousPage": False,
                "startCursor": None,
                "endCursor": None,
            },
            "edges": [],
        }
    }


async def test_profiles_are_searched_and_ordered(api: Api, graphql: GraphQL) -> None:
    await upsert(api, externalId="1", firstName="Zoé", lastName="Adler")
    await upsert(api, externalId="2", firstName="Ann", lastName="Zoellner")
    await upsert(api, externalId="3", firstName="Bob")

    data = await graphql(
        NAMES, search="zoe", orderBy={"field": "CREATED_AT", "direction": "ASCENDING"}
    )

    assert [edge["node"]["firstName"] for edge in data["profiles"]["edges"]] == [
        "Zoé",
        "Ann",
    ]
    assert data["profiles"]["totalCount"] == 2


@pytest.mark.parametrize("field", ["profiles", "lists"])
@pytest.mark.parametrize("text", ["\0", "x" * 201])
async def test_a_search_is_plain_and_short(api: Api, field: str, text: str) -> None:
    refusals = await api.refusals(
        f"query ($text: String) {{ {field}(search: $text) {{ totalCount }} }}",
        text=text,
    )

    assert refusals == [
        {
            "code": "INVALID",
            "message": "search has at most 200 characters, none of them a control "
            "character.",
            "path": ["search"],
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        ("first: 101", ["first"], "first is 101; it must be between 0 and 100."),
        ("last: -1", ["last"], "last is -1; it must be between 0 and 100."),
        ("first: 1, last: 1", ["last"], "Give first or last, not both."),
        (
            'after: "?"',
            ["after"],
            "after is not a cursor of this API: pass one from pageInfo or an edge.",
        ),
    ],
)
async def test_a_wrong_page_is_refused(
    api: Api, arguments: str, path: list[str], message: str
) -> None:
    refusals = await api.refusals(f"{{ profiles({arguments}) {{ totalCount }} }}")

    assert refusals == [{"code": "INVALID", "message": message, "path": path}]


async def test_merging_makes_one_of_two(api: Api, graphql: GraphQL) -> None:
    source = await upsert(api, email="ada@example.org", firstName="Ada")
    destination = await upsert(api, externalId="a-1", lastName="King")

    data = await graphql(
        """
        mutation ($input: MergeProfilesInput!) {
          mergeProfiles(input: $input) {
            profile { id email externalId firstName lastName }
            userErrors { code message path }
          }
        }
        """,
        input={"sourceId": source, "destinationId": destination},
    )
    former = await graphql("query ($id: ID!) { node(id: $id) { id } }", id=source)

    assert data["mergeProfiles"] == {
        "profile": {
            "id": destination,
            "email": "ada@example.org",
            "externalId": "a-1",
            "firstName": "Ada",
            "lastName": "King",
        },
        "userErrors": [],
    }
    assert former == {"node": {"id": destination}}


async def test_merging_with_nobody_is_refused(api: Api, graphql: GraphQL) -> None:
    source = await upsert(api, email="ada@example.org")

    data = await graphql(
        "mutation ($input: MergeProfilesInput!) { mergeProfiles(input: $input) "
        "{ profile { id } userErrors { code path } } }",
        input={"sourceId": source, "destinationId": "prf_0123456789abcdef01234567"},
    )

    assert data["mergeProfiles"] == {
        "profile": None,
        "userErrors": [{"code": "NOT_FOUND", "path": ["destinationId"]}],
    }


async def test_profiles_are_filtered_by_the_language_of_segments(
    api: Api, graphql: GraphQL
) -> None:
    for name, city in (("A", "Oslo"), ("B", "Rome"), ("C", "Oslo"), ("D", "Oslo")):
        await upsert(api, externalId=name, firstName=name, location={"city": city})
    in_oslo = {"path": "location.city", "is": {"text": {"equals": "oslo"}}}

    data = await graphql(
        "query ($filter: SegmentDefinitionInput) { profiles(first: 2, filter: $filter) "
        "{ totalCount pageInfo { hasNextPage } edges { node { firstName } } } }",
        filter={"groups": [{"anyOf": [{"property": {"filter": in_oslo}}]}]},
    )

    assert data["profiles"] == {
        "totalCount": 3,
        "pageInfo": {"hasNextPage": True},
        "edges": [{"node": {"firstName": "D"}}, {"node": {"firstName": "C"}}],
    }


async def test_a_wrong_filter_is_named_with_its_path(api: Api) -> None:
    (refusal,) = await api.refusals(
        "query ($filter: SegmentDefinitionInput) { profiles(filter: $filter) "
        "{ totalCount } }",
        filter={
            "groups": [
                {"anyOf": [{"list": {"listId": "prf_0123456789abcdef01234567"}}]}
            ]
        },
    )

    assert refusal["code"] == "NOT_FOUND"
    assert refusal["path"] == ["filter", "groups", "0", "anyOf", "0", "list", "listId"]
