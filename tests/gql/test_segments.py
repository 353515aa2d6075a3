"""Segments through the API."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from resolvers.db import Database
from tests.gql.conftest import NOW, Api, GraphQL

pytestmark = pytest.mark.anyio

CREATE = """
mutation Create($input: CreateSegmentInput!) {
  createSegment(input: $input) {
    segment {
      id name isStarred version size pipeline
      definition { json }
      members(first: 1) {
        edges { node { email } enteredAt cursor } pageInfo { hasNextPage } totalCount
      }
      dependants { name }
    }
    userErrors { code message path }
  }
}
"""

UPDATE = """
mutation Update($input: UpdateSegmentInput!) {
  updateSegment(input: $input) {
    segment { name isStarred version definition { json } dependants { name } }
    userErrors { code path }
  }
}
"""

DELETE = """
mutation Delete($id: ID!) {
  deleteSegment(input: {id: $id}) { deletedId userErrors { code message path } }
}
"""

PREVIEW = """
query Preview($definition: SegmentDefinitionInput!) {
  segmentPreview(definition: $definition) {
    count pipeline
    reachable { channel count }
    profiles(first: 2) {
      edges { node { email } } pageInfo { hasNextPage endCursor } totalCount
    }
  }
}
"""


async def shop(db: Database) -> dict[str, ObjectId]:
    """Three people; Ada ordered twice, Ben once and long ago, Cyd never."""
    metric = ObjectId()
    await db.metrics.insert_one(
        {"_id": metric, "name": "Placed Order", "key": "a", "created_at": NOW}
    )
    times = {"ada": [NOW, NOW - timedelta(days=3)], "ben": [NOW - timedelta(days=99)]}
    people = {}
    for name in ("ada", "ben", "cyd"):
        profile: dict[str, Any] = {
            "_id": ObjectId(),
            "email": f"{name}@example.org",
            "properties": {},
            "created_at": NOW,
            "updated_at": NOW,
        }
        at = times.get(name, [])
        if at:
            counted = {"n": len(at), "f": at[-1], "l": at[0], "s": 5.0, "t": at}
            profile["summary"] = {"a": counted}
        if name == "ada":
            profile["consent"] = {"email": {"status": "SUBSCRIBED"}}
        await db.profiles.insert_one(profile)
        people[name] = profile["_id"]
        for number, when in enumerate(at):
            await db.events.insert_one(
                {
                    "profile_id": profile["_id"],
                    "metric_id": metric,
                    "timestamp": when,
                    "unique_id": str(number),
                    "value": 5,
                    "properties": {},
                }
            )
    return people


def orders(compare: dict[str, Any], days: int | None = None) -> dict[str, Any]:
    event: dict[str, Any] = {"metric": {"name": "Placed Order"}, "compare": compare}
    if days:
        event["during"] = {"inTheLast": {"amount": days, "unit": "DAY"}}
    return {"groups": [{"anyOf": [{"event": event}]}]}


def in_segment(segment_id: str, **more: Any) -> dict[str, Any]:
    condition = {"segment": {"segmentId": segment_id, **more}}
    return {"groups": [{"anyOf": [condition]}]}


async def created(graphql: GraphQL, name: str, definition: Any) -> Any:
    given = {"name": name, "definition": definition}
    answer = (await graphql(CREATE, input=given))["createSegment"]
    assert answer["userErrors"] == []
    return answer["segment"]


async def test_a_preview_counts_shows_and_explains_itself(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)

    data = await graphql(PREVIEW, definition=orders({"equals": 0}, 30))

    (pipeline,) = (data["segmentPreview"].pop("pipeline"),)
    assert pipeline[0]["$match"]["$nor"][0]["summary.a.t.0"] == {
        "$gte": {"$date": "2026-01-30T12:00:00Z"}
    }
    assert data["segmentPreview"] == {
        "count": 2,
        "reachable": [
            {"channel": channel, "count": 0}
            for channel in ("EMAIL", "SMS", "PUSH", "WHATSAPP")
        ],
        "profiles": {
            "edges": [
                {"node": {"email": "ben@example.org"}},
                {"node": {"email": "cyd@example.org"}},
            ],
            "pageInfo": {
                "hasNextPage": False,
                "endCursor": data["segmentPreview"]["profiles"]["pageInfo"][
                    "endCursor"
                ],
            },
            "totalCount": 2,
        },
    }


async def test_a_preview_says_how_it_is_answered(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    definition = orders({"atLeast": 1}, 30)
    event = orders({"greaterThan": 5})["groups"][0]["anyOf"][0]["event"]
    definition["groups"][0]["anyOf"].append({"event": {**event, "measure": "MAX"}})

    data = await graphql(
        """
        query Explain($definition: SegmentDefinitionInput!) {
          segmentPreview(definition: $definition) { explain }
        }
        """,
        definition=definition,
    )

    often = "Placed Order at least 1 time in the last 30 days"
    most = "Placed Order: the largest of value is more than 5"
    assert data["segmentPreview"]["explain"] == {
        "strategy": "PROFILES_FIRST",
        "estimatedSize": 2,
        "actualSize": 1,
        "indexes": ["events.profile_id_1_timestamp_-1__id_-1_metric_id_1_value_1"],
        "groups": [
            {
                "conditions": [
                    {"condition": often, "source": "PROFILE"},
                    {"condition": most, "source": "EVENTS"},
                ]
            }
        ],
    }


async def test_reachable_counts_those_who_agreed(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)

    data = await graphql(PREVIEW, definition=orders({"atLeast": 1}))

    assert data["segmentPreview"]["reachable"][0] == {"channel": "EMAIL", "count": 1}


async def test_the_events_answer_what_the_summary_does_not(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    definition = orders({"atLeast": 1})
    definition["groups"][0]["anyOf"][0]["event"]["where"] = [
        {"path": "value", "is": {"number": {"equals": 5}}}
    ]

    data = await graphql(PREVIEW, definition=definition)

    assert data["segmentPreview"]["count"] == 2
    assert [
        edge["node"]["email"] for edge in data["segmentPreview"]["profiles"]["edges"]
    ] == ["ada@example.org", "ben@example.org"]


async def test_the_same_definition_filters_profiles(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)

    data = await graphql(
        """
        query Filtered($some: SegmentDefinitionInput!, $none: SegmentDefinitionInput!) {
          some: profiles(filter: $some) { edges { node { email } } totalCount }
          none: profiles(filter: $none) { edges { node { email } } totalCount }
        }
        """,
        some=orders({"atLeast": 2}),
        none=orders({"between": {"from": 1, "to": 1}}, 1),
    )

    ada = {"edges": [{"node": {"email": "ada@example.org"}}], "totalCount": 1}
    assert data == {"some": ada, "none": ada}


async def test_a_segment_is_made_and_read(graphql: GraphQL, db: Database) -> None:
    await shop(db)

    segment = await created(graphql, " Buyers  of late ", orders({"atLeast": 1}))

    cursor = segment["members"]["edges"][0].pop("cursor")
    pipeline = segment.pop("pipeline")
    assert segment == {
        "id": segment["id"],
        "name": "Buyers of late",
        "isStarred": False,
        "version": 1,
        "size": 2,
        "definition": {
            "json": {
                "groups": [
                    {
                        "anyOf": [
                            {
                                "event": {
                                    "metric": {"name": "Placed Order"},
                                    "measure": "COUNT",
                                    "compare": {"atLeast": 1.0},
                                }
                            }
                        ]
                    }
                ]
            }
        },
        "members": {
            "edges": [{"node": {"email": "ada@example.org"}, "enteredAt": None}],
            "pageInfo": {"hasNextPage": True},
            "totalCount": 2,
        },
        "dependants": [],
    }
    assert pipeline == [
        {"$match": {"summary.a.n": {"$gte": 1.0}}},
        {"$project": {"_id": 1}},
    ]
    following = await graphql(
        """
        query More($id: ID!, $after: String) {
          segment(id: $id) {
            members(after: $after) { edges { node { email } } }
            before: members(last: 1) { edges { node { email } } }
          }
        }
        """,
        id=segment["id"],
        after=cursor,
    )
    ben = {"edges": [{"node": {"email": "ben@example.org"}}]}
    assert following == {"segment": {"members": ben, "before": ben}}


async def test_segments_are_listed_by_name_and_searched(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    for name in ("Cats", "a dogs", "B cats"):
        await created(graphql, name, orders({"atLeast": 1}))

    data = await graphql(
        """
        {
          all: segments(first: 2) { edges { node { name } } totalCount }
          cats: segments(search: "CAT") { edges { node { name size } } totalCount }
        }
        """
    )

    assert data == {
        "all": {
            "edges": [{"node": {"name": "a dogs"}}, {"node": {"name": "B cats"}}],
            "totalCount": 3,
        },
        "cats": {
            "edges": [
                {"node": {"name": "B cats", "size": 2}},
                {"node": {"name": "Cats", "size": 2}},
            ],
            "totalCount": 2,
        },
    }


@pytest.mark.parametrize("search", ["a" * 201, "a\0b", "a\nb"])
async def test_segments_are_searched_for_plain_short_texts(
    api: Api, search: str
) -> None:
    (refusal,) = await api.refusals(
        "query ($search: String) { segments(search: $search) { totalCount } }",
        search=search,
    )

    assert refusal["path"] == ["search"]


async def test_a_segment_is_changed(graphql: GraphQL, db: Database) -> None:
    await shop(db)
    segment = await created(graphql, "Buyers", orders({"atLeast": 1}))

    starred = {"id": segment["id"], "isStarred": True}
    first = await graphql(UPDATE, input=starred)
    second = await graphql(
        UPDATE,
        input={
            "id": segment["id"],
            "name": "Twice",
            "definition": orders({"atLeast": 2}),
        },
    )

    assert first["updateSegment"]["segment"] | {"definition": None} == {
        "name": "Buyers",
        "isStarred": True,
        "version": 1,
        "definition": None,
        "dependants": [],
    }
    assert second["updateSegment"]["segment"]["name"] == "Twice"
    assert second["updateSegment"]["segment"]["version"] == 2
    json = second["updateSegment"]["segment"]["definition"]["json"]
    assert json["groups"][0]["anyOf"][0]["event"]["compare"] == {"atLeast": 2.0}


async def test_a_segment_keeps_its_definitions(api: Api, db: Database) -> None:
    graphql = api.ask
    await shop(db)
    segment = await created(graphql, "Buyers", orders({"atLeast": 1}))
    for number in range(2, 13):
        definition = orders({"atLeast": number})
        change = {"id": segment["id"], "definition": definition}
        await graphql(UPDATE, input=change)
        await graphql(UPDATE, input={"id": segment["id"], "isStarred": True})

    found = await graphql(
        "query ($id: ID!) { segment(id: $id) { version definition { json } versions "
        "{ version createdAt createdBy definition { json } } } }",
        id=segment["id"],
    )

    versions = found["segment"]["versions"]
    assert [it["version"] for it in versions] == list(range(12, 2, -1))
    assert found["segment"]["version"] == 12
    assert versions[0]["definition"] == found["segment"]["definition"]
    assert [
        it["definition"]["json"]["groups"][0]["anyOf"][0]["event"]["compare"]
        for it in versions
    ] == [{"atLeast": number} for number in range(12, 2, -1)]
    assert api.viewer is not None
    assert {it["createdBy"] for it in versions} == {api.viewer.name}
    assert all(it["createdAt"] for it in versions)


async def test_a_name_is_unique(graphql: GraphQL, db: Database) -> None:
    await shop(db)
    await created(graphql, "Buyers", orders({"atLeast": 1}))
    other = await created(graphql, "Others", orders({"atLeast": 1}))

    again = {"name": "BUYERS", "definition": orders({"atLeast": 1})}
    refused = (await graphql(CREATE, input=again))["createSegment"]
    renamed = await graphql(UPDATE, input={"id": other["id"], "name": "buyers"})

    taken = [{"code": "TAKEN", "path": ["name"]}]
    assert refused["segment"] is None
    assert [{**it, "message": 0} for it in refused["userErrors"]] == [
        {**it, "message": 0} for it in taken
    ]
    assert renamed["updateSegment"] == {"segment": None, "userErrors": taken}


async def test_every_fault_of_a_definition_is_told(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    event = {"metric": {"name": "Nothing"}, "compare": {"equals": 0}}
    unknown = {
        "groups": [
            {"anyOf": [{"event": event}]},
            {
                "anyOf": [
                    {"list": {"listId": f"lst_{ObjectId()}"}},
                    {"not": in_segment("seg_x")},
                ]
            },
        ]
    }

    refused = await graphql(CREATE, input={"name": "x", "definition": unknown})
    wrong: dict[str, Any] = {"groups": [{"anyOf": []}]}
    empty = await graphql(CREATE, input={"name": "x", "definition": wrong})

    first = ["definition", "groups", "0", "anyOf"]
    second = ["definition", "groups", "1", "anyOf"]
    assert refused["createSegment"] == {
        "segment": None,
        "userErrors": [
            {
                "code": "NOT_FOUND",
                "message": "There is no metric 'Nothing'.",
                "path": [*first, "0", "event", "metric", "name"],
            },
            {
                "code": "NOT_FOUND",
                "message": "There is no such list.",
                "path": [*second, "0", "list", "listId"],
            },
            {
                "code": "NOT_FOUND",
                "message": "There is no such segment.",
                "path": [
                    *(*second, "1", "not", "groups", "0", "anyOf", "0"),
                    *("segment", "segmentId"),
                ],
            },
        ],
    }
    assert empty["createSegment"]["userErrors"] == [
        {
            "code": "INVALID",
            "message": "Too few conditions: 0 instead of 1 or more.",
            "path": ["definition", "groups", "0", "anyOf"],
        }
    ]


async def test_what_was_meant_is_told_where_it_is_near(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    event = {"metric": {"name": "placed order"}, "compare": {"atLeast": 1}}
    given = [
        {"event": event},
        {"list": {"listId": f"seg_{ObjectId()}"}},
        {"segment": {"segmentId": f"lst_{ObjectId()}"}},
    ]
    definition = {"groups": [{"anyOf": given}]}

    refused = await graphql(CREATE, input={"name": "x", "definition": definition})

    assert [it["message"] for it in refused["createSegment"]["userErrors"]] == [
        "There is no metric 'placed order'. There is 'Placed Order': case matters.",
        "There is no such list. This is the id of a segment: use the condition "
        "segment.",
        "There is no such segment. This is the id of a list: use the condition list.",
    ]


async def test_two_fields_where_one_is_expected_are_told_with_their_path(
    api: Api, db: Database
) -> None:
    await shop(db)

    refused = await api.refusals(
        PREVIEW, definition=orders({"atLeast": 1, "atMost": 2})
    )

    assert refused == [
        {
            "message": "Variable '$definition' has invalid value at "
            ".groups[0].anyOf[0].event.compare: Within OneOf Input Object type "
            "'NumberComparison', exactly one field must be specified, and the value "
            "for that field must be non-null."
        }
    ]


async def test_segments_refer_to_each_other_but_not_to_themselves(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    buyers = await created(graphql, "Buyers", orders({"atLeast": 1}))
    others = await created(graphql, "Others", in_segment(buyers["id"], isMember=False))
    third = await created(graphql, "Third", in_segment(others["id"]))

    assert others["members"]["edges"][0]["node"] == {"email": "cyd@example.org"}
    changed = {"id": buyers["id"], "definition": in_segment(third["id"])}
    circle = await graphql(UPDATE, input=changed)
    deleted = await graphql(DELETE, id=buyers["id"])

    path = ["definition", "groups", "0", "anyOf", "0", "segment", "segmentId"]
    assert circle["updateSegment"] == {
        "segment": None,
        "userErrors": [{"code": "CONFLICT", "path": path}],
    }
    assert deleted["deleteSegment"] == {
        "deletedId": None,
        "userErrors": [
            {
                "code": "NOT_ALLOWED",
                "message": "Other segments refer to this one: 'Others'. Change them "
                "first.",
                "path": ["id"],
            }
        ],
    }
    for each in (third, others, buyers):
        answer = await graphql(DELETE, id=each["id"])
        assert answer["deleteSegment"] == {"deletedId": each["id"], "userErrors": []}


async def test_references_have_a_depth(graphql: GraphQL, db: Database) -> None:
    await shop(db)
    last = await created(graphql, "0", orders({"atLeast": 1}))
    for name in "12345":
        last = await created(graphql, name, in_segment(last["id"]))

    given = {"name": "6", "definition": in_segment(last["id"])}
    refused = (await graphql(CREATE, input=given))["createSegment"]

    assert last["size"] == 2
    assert [error["code"] for error in refused["userErrors"]] == ["CONFLICT"]


async def test_a_segment_is_a_node(graphql: GraphQL, db: Database) -> None:
    await shop(db)
    made = await created(graphql, "Buyers", orders({"atLeast": 1}))

    data = await graphql(
        """
        query Find($id: ID!) {
          node(id: $id) { id ... on Segment { name members { totalCount } } }
          none: segment(id: "seg_000000000000000000000000") { id }
        }
        """,
        id=made["id"],
    )

    found = {"id": made["id"], "name": "Buyers", "members": {"totalCount": 2}}
    assert data == {"node": found, "none": None}


EXPLAIN = """
query ($id: ID!, $segment: ID!) {
  profile(by: { id: $id }) {
    explainSegment(segmentId: $segment) {
      matches
      groups {
        matches
        conditions {
          matches
          condition
          actual
          expected
          events { timestamp metric { name } profile { email } }
        }
      }
    }
  }
}
"""


async def test_a_profile_tells_why_it_is_in_a_segment(
    graphql: GraphQL, db: Database
) -> None:
    people = await shop(db)
    made = await created(graphql, "Often", orders({"atLeast": 2}, 90))

    async def explained(name: str) -> Any:
        ids = {"id": f"prf_{people[name]}", "segment": made["id"]}
        return (await graphql(EXPLAIN, **ids))["profile"]["explainSegment"]

    condition = {
        "condition": "Placed Order at least 2 times in the last 90 days",
        "expected": 2,
    }
    seen = [
        {
            "timestamp": at,
            "metric": {"name": "Placed Order"},
            "profile": {"email": "ada@example.org"},
        }
        for at in ("2026-03-01T12:00:00.000Z", "2026-02-26T12:00:00.000Z")
    ]
    ada = condition | {"matches": True, "actual": 2, "events": seen}
    ben = condition | {"matches": False, "actual": 0, "events": []}
    assert await explained("ada") == {
        "matches": True,
        "groups": [{"matches": True, "conditions": [ada]}],
    }
    assert await explained("ben") == {
        "matches": False,
        "groups": [{"matches": False, "conditions": [ben]}],
    }


async def test_a_segment_that_is_not_there_explains_nothing(
    api: Api, db: Database
) -> None:
    people = await shop(db)

    refusals = await api.refusals(
        EXPLAIN, id=f"prf_{people['ada']}", segment="seg_5f0000000000000000000009"
    )

    assert refusals == [
        {
            "message": "There is no such segment.",
            "code": "NOT_FOUND",
            "path": ["segmentId"],
        }
    ]


async def test_reading_needs_a_scope(api: Api) -> None:
    api.viewer = None

    refused = await api.refusals("{ segments { totalCount } }")

    assert [it["code"] for it in refused] == ["UNAUTHENTICATED"]


async def test_the_overlap_of_segments_is_told(graphql: GraphQL, db: Database) -> None:
    await shop(db)
    one = await created(graphql, "One", orders({"atLeast": 1}))
    all_ = await created(graphql, "All", orders({"atLeast": 0}))

    found = await graphql(
        "query ($ids: [ID!]!) { segmentOverlap(segmentIds: $ids) "
        "{ size segments { name size } } }",
        ids=[one["id"], all_["id"]],
    )

    sizes = {
        name: (
            await graphql(
                "query ($id: ID!) { segment(id: $id) { name size } }", id=each["id"]
            )
        )["segment"]
        for name, each in (("One", one), ("All", all_))
    }
    assert found["segmentOverlap"] == [
        {"size": sizes["One"]["size"], "segments": [sizes["One"]]},
        {"size": sizes["All"]["size"], "segments": [sizes["All"]]},
        {"size": sizes["One"]["size"], "segments": [sizes["One"], sizes["All"]]},
    ]


async def test_properties_of_events_tell_their_indexes(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    for name, least in (("One", 1), ("Two", 2)):
        definition = orders({"atLeast": least})
        event = definition["groups"][0]["anyOf"][0]["event"]
        event["where"] = [{"path": "properties.sku", "is": {"text": {"equals": "a"}}}]
        await created(graphql, name, definition)

    found = await graphql("{ propertyIndexes { path segments isReady } }")

    assert found["propertyIndexes"] == [
        {"path": "properties.sku", "segments": 2, "isReady": False}
    ]


IMPORT = """
mutation ($input: ImportSegmentInput!) {
  importSegment(input: $input) {
    segment { name size definition { json } versions { createdBy } }
    userErrors { code path message }
  }
}
"""


def written_elsewhere(metric: str) -> dict[str, Any]:
    condition = {
        "type": "profile-metric",
        "metric_id": metric,
        "measurement": "count",
        "measurement_filter": {"operator": "greater-than", "value": 0},
        "timeframe_filter": {"operator": "alltime"},
    }
    definition = {"condition_groups": [{"conditions": [condition]}]}
    return {"name": "Buyers", "definition": definition}


async def test_a_segment_written_for_klaviyo_is_imported(
    graphql: GraphQL, db: Database
) -> None:
    await shop(db)
    given = {"document": written_elsewhere("M1"), "metrics": {"M1": "Placed Order"}}

    answer = (await graphql(IMPORT, input=given))["importSegment"]

    assert answer["userErrors"] == []
    assert (answer["segment"]["name"], answer["segment"]["size"]) == ("Buyers", 2)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (
            {"document": written_elsewhere("M9")},
            "document definition condition_groups 0 conditions 0 metric_id",
        ),
        (
            {"document": written_elsewhere("M1"), "metrics": {"M1": "Nothing"}},
            "definition groups 0 anyOf 0 event metric name",
        ),
        ({"document": written_elsewhere("M1"), "metrics": [1]}, "metrics"),
        ({"document": 5}, "document condition_groups"),
        (
            {
                "document": written_elsewhere("M1")["definition"],
                "metrics": {"M1": "Placed Order"},
            },
            "name",
        ),
    ],
)
async def test_what_cannot_be_imported_is_named_with_its_path(
    graphql: GraphQL, db: Database, given: Any, path: str
) -> None:
    await shop(db)

    answer = (await graphql(IMPORT, input=given))["importSegment"]

    assert answer["segment"] is None
    assert [error["path"] for error in answer["userErrors"]] == [path.split(" ")]
