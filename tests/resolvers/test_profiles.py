import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from audience.errors import AudienceError, Code, Conflict, NotFound, TooLarge
from audience.identity import Identity
from audience.profiles import PROPERTY_KEYS, ProfileChange, profile_change
from resolvers.db import Database, Document, close, connect, find
from resolvers.pages import Order, PageRequest
from resolvers.profiles import (
    Resolved,
    Upserted,
    count_profiles,
    identify,
    profile_by,
    profile_page,
    profiles_by_id,
    resolve_profiles,
    upsert_profile,
    upsert_profiles,
)
from resolvers.profiles.reads import having, search_filter

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 18, tzinfo=UTC)


async def upsert(db: Database, **given: Any) -> Upserted:
    return await upsert_profile(db, profile_change(given), NOW)


async def profile(db: Database, **given: Any) -> Document:
    return (await upsert(db, **given)).profile


async def resolve(db: Database, *identities: Identity) -> list[ObjectId]:
    found = await resolve_profiles(db, identities, NOW)
    assert all(isinstance(one, Resolved) for one in found), found
    return [one.id for one in found if isinstance(one, Resolved)]


async def refusal(db: Database, **given: Any) -> list[tuple[Code, tuple[str, ...]]]:
    with pytest.raises(AudienceError) as caught:
        await upsert(db, **given)
    return [(problem.code, problem.path) for problem in caught.value.problems]


async def test_upsert_makes_a_profile(db: Database) -> None:
    made = await upsert(
        db,
        email="Anna@example.org",
        phoneNumber="+14155550132",
        externalId="C-1",
        anonymousId="tab-1",
        firstName="Anna",
        location={"city": "Berlin", "latitude": 52.5},
        properties={"vip": True},
    )

    identifier = made.profile["_id"]
    assert made == Upserted(
        {
            "_id": identifier,
            "email": "anna@example.org",
            "phone_number": "+14155550132",
            "external_id": "C-1",
            "anonymous_ids": ["tab-1"],
            "first_name": "Anna",
            "location": {"city": "Berlin", "latitude": 52.5},
            "properties": {"vip": True},
            "consent": {},
            "lists": [],
            "summary": {},
            "search": [
                "anna@example.org",
                "+14155550132",
                "14155550132",
                "c-1",
            ],
            "created_at": NOW,
            "updated_at": NOW,
        },
        created=True,
    )


async def test_upsert_sets_clears_and_leaves_alone(db: Database) -> None:
    before = await profile(
        db,
        email="anna@example.org",
        firstName="Anna",
        lastName="Smith",
        title="Dr",
        location={"city": "Berlin", "zip": "10115"},
        properties={"size": {"shoe": 39}, "old": 1, "kept": 1},
    )

    change = profile_change(
        {
            "email": "anna@example.org",
            "firstName": None,
            "lastName": "Jones",
            "location": {"zip": None, "country": "de"},
            "properties": {"size": {"hat": 56}, "new": None},
            "unsetProperties": ["old", "never"],
        }
    )
    after = await upsert_profile(db, change, LATER)

    expected = {
        **before,
        "last_name": "Jones",
        "location": {"city": "Berlin", "country": "DE"},
        "properties": {"size": {"hat": 56}, "kept": 1, "new": None},
        "search": ["anna@example.org", "jones"],
        "updated_at": LATER,
    }
    del expected["first_name"]
    assert after == Upserted(expected, created=False)


async def test_several_changes_of_one_person_apply_in_order(db: Database) -> None:
    await profile(db, email="anna@example.org", location={"city": "Rome", "zip": "1"})

    def change(**given: Any) -> ProfileChange:
        return profile_change({"email": "anna@example.org", **given})

    outcomes = await upsert_profiles(
        db,
        [
            change(firstName="A", title="Dr", properties={"a": 1, "b": 1}),
            change(location={"city": "Paris"}, unsetProperties=["a"]),
            change(location=None, firstName="Anna", title=None),
            change(location={"zip": "2"}, properties={"a": 3}),
            profile_change({"email": "new@example.org", "firstName": "N"}),
            profile_change({"email": "new@example.org", "firstName": "New"}),
        ],
        NOW,
    )

    rows = [one for one in outcomes if isinstance(one, Upserted)]
    assert [row.created for row in rows] == [False] * 4 + [True, False]
    assert rows[0].profile["first_name"] == "Anna"
    assert rows[0].profile["location"] == {"zip": "2"}
    assert rows[0].profile["properties"] == {"a": 3, "b": 1}
    assert "title" not in rows[0].profile
    assert rows[5].profile["first_name"] == "New"
    assert rows[5].profile["search"] == ["new@example.org"]


async def test_upsert_adds_free_identifiers(db: Database) -> None:
    before = await profile(db, email="anna@example.org")

    after = await upsert(
        db, email="anna@example.org", phoneNumber="+14155550132", anonymousId="tab"
    )

    assert not after.created
    assert after.profile["_id"] == before["_id"]
    assert after.profile["phone_number"] == "+14155550132"
    assert after.profile["anonymous_ids"] == ["tab"]
    assert after.profile["search"] == [
        "anna@example.org",
        "+14155550132",
        "14155550132",
    ]


async def test_a_stronger_identifier_replaces_weaker_ones(db: Database) -> None:
    before = await profile(db, externalId="C-1", email="old@example.org")

    by_external = await upsert(db, externalId="C-1", email="new@example.org")
    by_id = await upsert(db, id=str(before["_id"]), externalId="C-2")

    assert by_external.profile["email"] == "new@example.org"
    assert by_id.profile["external_id"] == "C-2"
    assert (await profile_by(db, Identity(email="old@example.org"))) is None
    assert await refusal(db, email="new@example.org", externalId="C-3") == [
        (Code.CONFLICT, ("externalId",))
    ]


async def test_identifiers_of_different_people_conflict(db: Database) -> None:
    anna = await profile(db, email="anna@example.org")
    ben = await profile(db, phoneNumber="+14155550132")
    await profile(db, externalId="C-3", anonymousId="tab-3")

    with pytest.raises(Conflict) as caught:
        await upsert(
            db,
            email="anna@example.org",
            phoneNumber="+14155550132",
            externalId="C-3",
            firstName="X",
        )

    problems = caught.value.problems
    assert [problem.path for problem in problems] == [("email",), ("phoneNumber",)]
    assert f"prf_{anna['_id']}" in problems[0].message
    assert f"prf_{ben['_id']}" in problems[1].message
    assert not any("anna@" in problem.message for problem in problems)
    assert await refusal(db, email="anna@example.org", anonymousId="tab-3") == [
        (Code.CONFLICT, ("anonymousId",))
    ]
    assert await refusal(db, email="new@example.org", externalId="C-3", id="x") == [
        (Code.INVALID, ("id",))
    ]
    assert await refusal(db, id=str(ObjectId())) == [(Code.NOT_FOUND, ("id",))]
    assert await profiles_by_id(db, [anna["_id"]]) == [anna]
    assert await db.profiles.count_documents({}) == 3


async def test_an_error_in_a_batch_stops_no_other(db: Database) -> None:
    await profile(db, email="anna@example.org")
    await profile(db, externalId="C-2")

    outcomes = await upsert_profiles(
        db,
        [
            profile_change({"email": "anna@example.org", "externalId": "C-2"}),
            profile_change({"id": str(ObjectId())}),
            profile_change({"email": "ben@example.org"}),
        ],
        NOW,
    )

    assert [type(one) for one in outcomes] == [Conflict, NotFound, Upserted]


async def test_a_batch_of_a_thousand_takes_a_few_commands(db: Database) -> None:
    changes = [
        profile_change({"email": f"p{n}@example.org", "properties": {"n": n}})
        for n in range(1000)
    ]

    first = await upsert_profiles(db, changes, NOW)
    second = await upsert_profiles(db, changes, LATER)

    assert all(isinstance(one, Upserted) and one.created for one in first)
    assert all(isinstance(one, Upserted) and not one.created for one in second)
    assert await db.profiles.count_documents({}) == 1000


async def test_properties_of_a_profile_have_a_limit(db: Database) -> None:
    keys = {f"k{n}": n for n in range(PROPERTY_KEYS)}
    await profile(db, email="anna@example.org", properties=keys)

    assert await refusal(db, email="anna@example.org", properties={"one": 1}) == [
        (Code.TOO_LARGE, ("properties",))
    ]
    swapped = await profile(
        db,
        email="anna@example.org",
        properties={"one": 1},
        unsetProperties=["k0"],
    )
    assert len(swapped["properties"]) == PROPERTY_KEYS

    long = "x" * 95_000
    for key in "abcd":
        await profile(db, email="ben@example.org", properties={key: long})
    with pytest.raises(TooLarge):
        await profile(db, email="ben@example.org", properties={"e": long})


async def test_of_who_is_refused_for_their_size_nothing_is_written(
    db: Database,
) -> None:
    keys = {f"k{n}": n for n in range(PROPERTY_KEYS)}
    await profile(db, email="anna@example.org", properties=keys)
    too_much = {"phoneNumber": "+14155550132", "properties": {"one": 1}}

    refused, done = await upsert_profiles(
        db,
        [
            profile_change({"email": "anna@example.org", **too_much}),
            profile_change({"email": "anna@example.org", "properties": {"k0": 1}}),
        ],
        NOW,
    )

    assert isinstance(refused, TooLarge)
    assert isinstance(done, Upserted)
    assert "phone_number" not in done.profile
    assert done.profile["properties"] == keys | {"k0": 1}


async def test_hostile_values_are_only_values(db: Database) -> None:
    hostile = {"x": {"y": ["$email", {"z": "$$ROOT"}]}, "v": "$properties"}

    await profile(db, email="anna@example.org", firstName="$email")
    after = await profile(db, email="anna@example.org", properties=hostile)

    assert after["properties"] == hostile
    assert after["first_name"] == "$email"


async def test_one_profile_whoever_makes_it_at_the_same_time(
    db: Database, mongodb_uri: str
) -> None:
    clients = [connect(mongodb_uri, db.name, driver=db.driver) for _ in range(4)]
    people = [
        Identity(email=f"p{n}@example.org", external_id=f"C-{n}") for n in range(40)
    ]
    only_email = [Identity(email=who.email) for who in people]
    only_external = [Identity(external_id=who.external_id) for who in people]

    answers = await asyncio.gather(
        resolve(clients[0], *people),
        resolve(clients[1], *reversed(people)),
        resolve(clients[2], *people, *only_email),
        resolve(clients[3], *people, *only_external),
    )

    assert answers[0] == answers[1][::-1] == answers[2][:40] == answers[3][40:]
    assert await db.profiles.count_documents({}) == 40
    for client in clients:
        await close(client)


async def test_resolving_changes_no_identifier(db: Database) -> None:
    anna = await profile(db, externalId="C-1", email="anna@example.org")

    found = await resolve_profiles(
        db,
        [
            Identity(external_id="C-1", email="other@example.org"),
            Identity(external_id="C-1", phone_number="+14155550132"),
            Identity(external_id="C-2", email="anna@example.org"),
        ],
        NOW,
    )

    assert found[:2] == [Resolved(anna["_id"], None, created=False)] * 2
    assert isinstance(found[2], Conflict)
    (after,) = await profiles_by_id(db, [anna["_id"]])
    assert after is not None
    assert (after["email"], after["phone_number"]) == (
        "anna@example.org",
        "+14155550132",
    )


async def test_an_anonymous_visitor_becomes_the_person(db: Database) -> None:
    visitor, same, person = await resolve(
        db,
        Identity(anonymous_id="tab"),
        Identity(anonymous_id="tab"),
        Identity(anonymous_id="tab", email="anna@example.org"),
    )

    assert visitor == same == person
    assert await db.profiles.count_documents({}) == 1


async def test_an_anonymous_visitor_joins_a_person_who_is_known(db: Database) -> None:
    (visitor,) = await resolve(db, Identity(anonymous_id="tab"))
    anna = await profile(db, email="anna@example.org")

    (found,) = await resolve(db, Identity(email="anna@example.org", anonymous_id="tab"))

    assert found == anna["_id"]
    (by_old_id, by_new_id) = await profiles_by_id(db, [visitor, found])
    assert by_old_id == by_new_id
    assert by_old_id is not None
    assert by_old_id["anonymous_ids"] == ["tab"]
    assert await resolve(db, Identity(anonymous_id="tab")) == [found]


async def test_a_new_visitor_joins_a_known_person_within_one_batch(
    db: Database,
) -> None:
    anna = await profile(db, email="anna@example.org")

    found = await resolve(
        db,
        Identity(anonymous_id="tab"),
        Identity(email="anna@example.org", anonymous_id="tab"),
    )

    assert found == [anna["_id"]] * 2
    assert await db.profiles.count_documents({}) == 1


async def test_people_may_share_a_device(db: Database) -> None:
    (anna,) = await resolve(db, Identity(email="anna@example.org", anonymous_id="tab"))
    (ben,) = await resolve(db, Identity(email="ben@example.org", anonymous_id="tab"))

    assert anna != ben
    assert await resolve(db, Identity(anonymous_id="tab")) == [anna]


async def test_identify_sets_what_is_given_and_tells_nothing(db: Database) -> None:
    await profile(db, email="anna@example.org", externalId="C-1", title="Dr")
    await profile(db, phoneNumber="+14155550132")

    for given in (
        {"email": "anna@example.org", "firstName": "Anna", "title": None},
        {"email": "anna@example.org", "externalId": "C-9", "firstName": "Eve"},
        {"email": "anna@example.org", "phoneNumber": "+14155550132"},
        {"externalId": "C-1", "email": "eve@example.org", "lastName": "Smith"},
        {"email": "new@example.org", "properties": {"a": 1}},
        {"id": str(ObjectId()), "firstName": "Nobody"},
    ):
        await identify(db, profile_change(given), NOW)

    anna = await profile_by(db, Identity(external_id="C-1"))
    assert anna is not None
    assert {name: anna.get(name) for name in ("email", "first_name", "title")} == {
        "email": "anna@example.org",
        "first_name": "Anna",
        "title": "Dr",
    }
    assert anna["last_name"] == "Smith"
    assert await db.profiles.count_documents({}) == 3


@pytest.mark.parametrize(
    "given",
    [
        {"phoneNumber": "+14155550132", "email": "eve@example.org"},
        {"phoneNumber": "+14155550132", "externalId": "E-1"},
        {"anonymousId": "tab", "email": "eve@example.org"},
        {"anonymousId": "tab", "externalId": "E-1"},
    ],
)
async def test_only_the_trusted_add_identifiers_to_a_known_person(
    db: Database, given: dict[str, Any]
) -> None:
    anna = await profile(db, phoneNumber="+14155550132", anonymousId="tab")

    await identify(db, profile_change({**given, "firstName": "Anna"}), NOW)

    after = await profile_by(db, Identity(id=str(anna["_id"])))
    assert after is not None
    assert "email" not in after
    assert "external_id" not in after

    await identify(db, profile_change(given), NOW, is_trusted=True)

    named = await profile_by(db, Identity(phone_number="+14155550132"))
    assert named is not None
    assert {"email", "external_id"}.isdisjoint(named) == ("anonymousId" in given)


async def test_an_anonymous_visitor_gets_every_identifier_at_once(db: Database) -> None:
    visitor = await profile(db, anonymousId="tab")
    given = {"email": "anna@example.org", "externalId": "C-1", "anonymousId": "tab"}

    await identify(db, profile_change(given), NOW)

    anna = await profile_by(db, Identity(id=str(visitor["_id"])))
    assert anna is not None
    assert (anna["email"], anna["external_id"]) == ("anna@example.org", "C-1")


async def test_identifiers_that_cannot_be_of_one_person_change_nothing(
    db: Database,
) -> None:
    await profile(db, email="anna@example.org", externalId="C-1")
    await profile(db, phoneNumber="+14155550132")
    before = await find(db.profiles, {}, sort={"_id": 1})

    for given in (
        {"email": "anna@example.org", "phoneNumber": "+14155550132"},
        {"email": "anna@example.org", "externalId": "C-9"},
    ):
        await identify(db, profile_change({**given, "firstName": "Eve"}), NOW)

    assert await find(db.profiles, {}, sort={"_id": 1}) == before


async def test_profile_by_asks_for_every_identifier(db: Database) -> None:
    anna = await profile(db, email="anna@example.org", anonymousId="tab")
    by_id = Identity(id=str(anna["_id"]))

    assert await profile_by(db, by_id) == anna
    assert await profile_by(db, Identity(email="anna@example.org")) == anna
    assert await profile_by(db, Identity(anonymous_id="tab")) == anna
    assert await profile_by(db, Identity(email="x@example.org")) is None
    assert (
        await profile_by(db, Identity(email="anna@example.org", external_id="1"))
    ) is None


async def test_profiles_by_id_answer_one_slot_each(db: Database) -> None:
    anna = await profile(db, email="anna@example.org")

    assert await profiles_by_id(db, [str(anna["_id"]), ObjectId(), anna["_id"]]) == [
        anna,
        None,
        anna,
    ]


async def pages_of(db: Database, order: Order, *, backwards: bool) -> list[str]:
    """The e-mail addresses of everyone, gathered page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await profile_page(
            db,
            PageRequest(
                3,
                backwards,
                after=None if backwards else cursor,
                before=cursor if backwards else None,
            ),
            order=order,
        )
        emails = [row["email"] for row in page.rows]
        found = emails + found if backwards else found + emails
        if not (page.has_previous if backwards else page.has_next):
            return found
        cursor = page.cursors[0 if backwards else -1]


@pytest.mark.parametrize(
    "order",
    [Order("last_name", 1), Order("last_name", -1), Order("updated_at", -1), Order()],
)
async def test_pages_go_through_everyone_in_both_directions(
    db: Database, order: Order
) -> None:
    names = [None, "Berg", "Berg", "Adam", None, "Zed", "Berg", "Cole"]
    for n, name in enumerate(names):
        await profile(db, email=f"p{n}@example.org", lastName=name)

    forwards = await pages_of(db, order, backwards=False)

    assert sorted(forwards) == [f"p{n}@example.org" for n in range(8)]
    assert await pages_of(db, order, backwards=True) == forwards


async def test_search_finds_by_the_beginnings_of_words(db: Database) -> None:
    await profile(db, email="anna.smith@example.org", firstName="Anna-María")
    await profile(db, email="ben@example.org", lastName="O'Marsh (Jr.)")
    await profile(db, externalId="MAR-7")

    async def found(search: str) -> list[str]:
        page = await profile_page(db, PageRequest(), search=search)
        assert await count_profiles(db, **page.scope) == len(page.rows)
        return [str(row.get("email", row.get("external_id"))) for row in page.rows]

    assert await found("mar") == ["MAR-7", "ben@example.org", "anna.smith@example.org"]
    assert await found("María smi") == ["anna.smith@example.org"]
    assert await found("ben@example.org") == ["ben@example.org"]
    assert await found("ar") == []
    assert await found(".*") == []
    assert len(await found("  ")) == 3


async def test_search_and_identifiers_use_their_indexes(db: Database) -> None:
    await profile(db, email="anna@example.org")

    async def stages(match: Document) -> str:
        return str((await db.profiles.find(match).explain())["queryPlanner"])

    for match in (
        having("email", ["anna@example.org"]),
        having("anonymous_ids", ["a", "b"]),
        having("merged_ids", [ObjectId()]),
        search_filter("ann smi"),
    ):
        plan = await stages(match)
        assert "IXSCAN" in plan
        assert "COLLSCAN" not in plan


async def test_page_takes_stages_and_a_filter(db: Database) -> None:
    for n in range(6):
        await profile(db, email=f"p{n}@example.org", properties={"n": n})

    stages = [{"$match": {"properties.n": {"$gte": 2}}}]
    page = await profile_page(
        db,
        PageRequest(2),
        stages=stages,
        match={"properties.n": {"$lte": 4}},
        order=Order("email", 1),
        projection={"email": 1, "_id": 1},
    )

    assert [row["email"] for row in page.rows] == ["p2@example.org", "p3@example.org"]
    assert page.has_next
    assert await count_profiles(db, **page.scope) == 3
    rest = await profile_page(
        db,
        PageRequest(2, after=page.cursors[-1]),
        stages=stages,
        match={"properties.n": {"$lte": 4}},
        order=Order("email", 1),
    )
    assert [row["email"] for row in rest.rows] == ["p4@example.org"]
    assert await count_profiles(db) == 6
