"""No field answers without a key, or with a key that lacks its scope."""

import io
import re
from dataclasses import dataclass, replace

import pytest
from bson import ObjectId
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)

from audience.keys import SCOPES, KeyKind, Viewer
from gql.schema import schema
from tests.gql.conftest import PUBLIC, Api

pytestmark = pytest.mark.anyio

NOTHING = Viewer(None, "Idle", KeyKind.SECRET, frozenset())

FOR_PUBLIC_KEYS = {
    "mutation subscribe",
    "mutation confirmSubscription",
    "mutation unsubscribe",
    "mutation trackEvent",
    "mutation identify",
    "mutation submitForm",
    "mutation registerPushToken",
    "mutation unregisterPushTokens",
}
FOR_ANY_SECRET_KEY = {"query viewer"}

EXAMPLES = {
    "ID": '"prf_0123456789abcdef01234567"',
    "String": '"x"',
    "Int": "1",
    "Float": "1.5",
    "Boolean": "true",
    "JSON": "{}",
    "DateTime": '"2026-03-01T12:00:00Z"',
    "Date": '"2026-03-01"',
    "Upload": '"people.csv"',
}


def literal(of: GraphQLInputType) -> str:
    """The least that a value of this type can be."""
    if isinstance(of, GraphQLNonNull):
        return literal(of.of_type)
    if isinstance(of, GraphQLList):
        return f"[{literal(of.of_type)}]"
    if isinstance(of, GraphQLEnumType):
        value: str = next(iter(of.values))
        return value
    if isinstance(of, GraphQLInputObjectType):
        wanted = {
            name: field.type
            for name, field in of.fields.items()
            if isinstance(field.type, GraphQLNonNull)
        }
        if of.extensions["strawberry-definition"].is_one_of:
            name, field = next(iter(of.fields.items()))
            wanted = {name: field.type}
        inner = ", ".join(f"{name}: {literal(each)}" for name, each in wanted.items())
        return f"{{{inner}}}"
    return EXAMPLES[of.name]


def selected(name: str, field: GraphQLField) -> str:
    """The least selection of the field."""
    arguments = ", ".join(
        f"{argument}: {literal(definition.type)}"
        for argument, definition in field.args.items()
        if isinstance(definition.type, GraphQLNonNull)
    )
    selection = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{name}{f'({arguments})' if arguments else ''}{selection}"


def operation(kind: str, name: str, field: GraphQLField) -> str:
    """The least operation that asks for the field."""
    return f"{kind} {{ {selected(name, field)} }}"


def root_fields() -> dict[str, str]:
    """An operation for each root field."""
    roots: dict[str, GraphQLObjectType | None] = {
        "query": schema._schema.query_type,
        "mutation": schema._schema.mutation_type,
    }
    return {
        f"{kind} {name}": operation(kind, name, field)
        for kind, root in roots.items()
        if root is not None
        for name, field in root.fields.items()
    }


ROOT_FIELDS = root_fields()


async def codes(api: Api, asked: str) -> list[str]:
    return [error["code"] for error in await api.refusals(asked)]


@pytest.mark.parametrize("name", ROOT_FIELDS)
async def test_every_root_field_needs_a_key(api: Api, name: str) -> None:
    stranger = replace(api, viewer=None)

    assert await codes(stranger, ROOT_FIELDS[name]) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("name", sorted(set(ROOT_FIELDS) - FOR_ANY_SECRET_KEY))
async def test_every_root_field_needs_its_scope(api: Api, name: str) -> None:
    idle = replace(api, viewer=NOTHING)

    assert await codes(idle, ROOT_FIELDS[name]) == ["FORBIDDEN"]


@pytest.mark.parametrize("name", sorted(set(ROOT_FIELDS) - FOR_PUBLIC_KEYS))
async def test_public_keys_read_nothing_and_change_nothing(api: Api, name: str) -> None:
    visitor = replace(api, viewer=PUBLIC)

    assert await codes(visitor, ROOT_FIELDS[name]) == ["FORBIDDEN"]


@pytest.mark.parametrize("name", sorted(FOR_PUBLIC_KEYS))
async def test_public_keys_may_sign_people_up(api: Api, name: str) -> None:
    visitor = replace(api, viewer=PUBLIC)

    assert await codes(visitor, ROOT_FIELDS[name]) == []


async def test_a_refusal_names_the_missing_scope(api: Api) -> None:
    reader = Viewer(None, "Reader", KeyKind.SECRET, frozenset({"profiles:read"}))

    refusals = await replace(api, viewer=reader).refusals("{ lists { totalCount } }")

    assert refusals == [
        {
            "code": "FORBIDDEN",
            "message": "This needs the scope lists:read, which the key 'Reader' does "
            "not have.",
        }
    ]


async def test_nested_fields_check_the_scope_of_what_they_read(api: Api) -> None:
    reader = Viewer(None, "Reader", KeyKind.SECRET, frozenset({"profiles:read"}))
    await api.ask(
        'mutation { upsertProfile(input: {email: "ada@example.org"}) { created } }'
    )

    data, errors = await replace(api, viewer=reader).execute(
        "{ profiles { edges { node { email lists { totalCount } } } } }"
    )

    assert data is None
    assert [(error.path, error.extensions) for error in errors] == [
        (["profiles", "edges", 0, "node", "lists"], {"code": "FORBIDDEN"})
    ]


@dataclass
class Uploaded:
    """A file as the transport hands it over."""

    file: io.BytesIO
    filename: str = "people.csv"


ROOTS = {"Query", "Mutation", "Subscription"}

WAYS = {
    "Profile": "{{ profiles {{ edges {{ node {{ {0} }} }} }} }}",
    "List": "{{ lists {{ edges {{ node {{ {0} }} }} }} }}",
    "Event": "{{ events {{ edges {{ node {{ {0} }} }} }} }}",
    "Metric": (
        'mutation {{ trackEvent(input: {{metric: "Viewed Page", '
        'profile: {{email: "ada@example.org"}}}}) {{ event {{ metric {{ {0} }} }} }} }}'
    ),
    "Segment": "{{ segments {{ edges {{ node {{ {0} }} }} }} }}",
    "SegmentChange": (
        "{{ segments {{ edges {{ node {{ history {{ edges {{ node {{ {0} }} }} }} }} "
        "}} }} }}"
    ),
    "SegmentPreview": (
        "{{ segmentPreview(definition: {{groups: [{{anyOf: [{{property: {{filter: "
        '{{path: "email", is: {{exists: true}}}}}}}}]}}]}}) {{ {0} }} }}'
    ),
    "Form": "{{ forms {{ edges {{ node {{ {0} }} }} }} }}",
    "Import": "{{ imports {{ edges {{ node {{ {0} }} }} }} }}",
    "WebhookDelivery": (
        '{{ node(id: "msg_0123456789abcdef01234567") '
        "{{ ... on WebhookDelivery {{ {0} }} }} }}"
    ),
}
"""An operation that comes to an object, by no scope that its fields need."""

SETUP = """
mutation ($list: ID!, $file: Upload!) {
  trackEvent(input: {profile: {email: "ada@example.org"}, metric: "Viewed Page"}) {
    userErrors { message }
  }
  createSegment(input: {name: "Known", definition: {groups: [{anyOf: [
    {property: {filter: {path: "email", is: {exists: true}}}}
  ]}]}}) { userErrors { message } }
  createForm(input: {
    name: "Footer", kind: EMBED, listId: $list,
    fields: [{kind: EMAIL, label: "E-mail", target: "email", isRequired: true}],
    consents: [{channel: EMAIL, text: "News by e-mail."}]
  }) { userErrors { message } }
  importProfiles(input: {file: $file, listId: $list}) { userErrors { message } }
}
"""


def guarded_fields() -> dict[str, tuple[str, str]]:
    """Below the roots, each field with a scope that its description says it needs:
    the operation that asks for it, and the scope."""
    found = {}
    for kind in schema._schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name in ROOTS:
            continue
        for name, field in kind.fields.items():
            _, _, needed = (field.description or "").partition("Needs the scope")
            for scope in re.findall(r"[a-z]+:[a-z]+", needed):
                asked = WAYS[kind.name].format(selected(name, field))
                found[f"{kind.name}.{name} {scope}"] = asked, scope
    return found


GUARDED_FIELDS = guarded_fields()


async def set_up(api: Api) -> None:
    made = await api.ask(
        'mutation { createList(input: {name: "News"}) { list { id } } }'
    )
    file = Uploaded(io.BytesIO(b"E-mail\nbob@example.org\n"))
    done = await api.ask(SETUP, list=made["createList"]["list"]["id"], file=file)
    assert [each["userErrors"] for each in done.values()] == [[], [], [], []]
    segment = await api.db.segments.find_one({})
    profile = await api.db.profiles.find_one({})
    assert segment is not None
    assert profile is not None
    entered = {"kind": "ENTERED", "cause": "CHANGE", "version": 1, "at": api.now}
    await api.db.segment_changes.insert_one(
        entered | {"segment_id": segment["_id"], "profile_id": profile["_id"]}
    )
    message = {"state": "DEAD", "order": 1, "attempts": 1, "created_at": api.now}
    message["_id"] = ObjectId("0123456789abcdef01234567")
    message["integration_id"] = ObjectId()
    await api.db.deliveries.insert_one(
        {**entered, **message, "profile_id": profile["_id"]}
    )


def test_guarded_fields_are_found() -> None:
    assert {
        "Event.profile profiles:read",
        "Form.list lists:read",
        "List.members profiles:read",
        "Metric.eventCount events:read",
        "Profile.explainSegment events:read",
        "Profile.explainSegment segments:read",
        "Profile.metrics events:read",
        "Segment.members profiles:read",
        "SegmentPreview.profiles profiles:read",
    } <= set(GUARDED_FIELDS)


@pytest.mark.parametrize("name", GUARDED_FIELDS)
async def test_every_guarded_field_needs_its_scope(api: Api, name: str) -> None:
    await set_up(api)
    asked, scope = GUARDED_FIELDS[name]
    able = Viewer(None, "Able", KeyKind.SECRET, frozenset(SCOPES))
    lacking = replace(able, scopes=able.scopes - {scope})

    assert "FORBIDDEN" not in await codes(replace(api, viewer=able), asked)
    assert set(await codes(replace(api, viewer=lacking), asked)) == {"FORBIDDEN"}


CREATE = """mutation ($definition: SegmentDefinitionInput!) {
  createSegment(input: {name: "Outside", definition: $definition}) { segment { id } }
}"""
OUTSIDE = {
    "strategy": "MATCH",
    "estimatedSize": 1,
    "actualSize": 1,
    "indexes": ["profiles.lists.list_id_1__id_1"],
    "groups": [
        {"conditions": [{"condition": "Not (In the list “News”)", "source": "PROFILE"}]}
    ],
}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            """query ($segment: ID!) {
              profiles {
                edges { node { explainSegment(segmentId: $segment) { matches } } }
              }
            }""",
            {"profiles": {"edges": [{"node": {"explainSegment": {"matches": True}}}]}},
        ),
        (
            """query ($definition: SegmentDefinitionInput!) {
              segmentPreview(definition: $definition) { explain count }
            }""",
            {"segmentPreview": {"explain": OUTSIDE, "count": 1}},
        ),
    ],
)
async def test_what_asks_about_lists_is_explained_to_those_who_read_them(
    api: Api, asked: str, told: object
) -> None:
    await set_up(api)
    lists = await api.ask("{ lists { edges { node { id } } } }")
    member = {"list": {"listId": lists["lists"]["edges"][0]["node"]["id"]}}
    definition = {"groups": [{"anyOf": [{"not": {"groups": [{"anyOf": [member]}]}}]}]}
    made = await api.ask(CREATE, definition=definition)
    given = {
        "definition": definition,
        "segment": made["createSegment"]["segment"]["id"],
    }
    able = Viewer(None, "Able", KeyKind.SECRET, frozenset(SCOPES))
    lacking = replace(able, scopes=able.scopes - {"lists:read"})

    refusals = await replace(api, viewer=lacking).refusals(asked, **given)

    message = "This needs the scope lists:read, which the key 'Able' does not have."
    assert refusals == [{"code": "FORBIDDEN", "message": message}]
    assert await replace(api, viewer=able).ask(asked, **given) == told


@pytest.mark.parametrize("scope", ["lists:write", "profiles:write"])
async def test_adding_people_to_a_list_takes_both_scopes(api: Api, scope: str) -> None:
    half = Viewer(None, "Half", KeyKind.SECRET, frozenset({scope}))

    found = await codes(replace(api, viewer=half), ROOT_FIELDS["mutation addToList"])

    assert found == ["FORBIDDEN"]
