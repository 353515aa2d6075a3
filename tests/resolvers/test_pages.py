import base64

import bson
import pytest
from bson import Code, MaxKey, ObjectId, Regex

from audience.errors import Code as Kind
from audience.errors import InvalidInput, Problem
from resolvers.db import Database, Document
from resolvers.pages import (
    Order,
    PageRequest,
    cursor_of,
    keyset_filter,
    page_request,
    read_page,
)

pytestmark = pytest.mark.anyio


async def _fill(db: Database) -> list[Document]:
    rows: list[Document] = [
        {"n": 1, "v": "c"},
        {"n": 2},
        {"n": 3, "v": "a"},
        {"n": 4, "v": "c"},
        {"n": 5},
        {"n": 6, "v": "b"},
    ]
    await db.seeds.insert_many(rows)
    return rows


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order(), [1, 2, 3, 4, 5, 6]),
        (Order("_id", -1), [6, 5, 4, 3, 2, 1]),
        (Order("v", 1), [2, 5, 3, 6, 1, 4]),
        (Order("v", -1), [4, 1, 6, 3, 5, 2]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 4, 6, 7])
async def test_pages_join_to_the_whole_in_both_directions(
    db: Database, order: Order, expected: list[int], size: int
) -> None:
    await _fill(db)

    forwards: list[int] = []
    after = None
    while True:
        page = await read_page(db.seeds, {}, order, PageRequest(size, after=after))
        forwards += [row["n"] for row in page.rows]
        if not page.has_next:
            break
        after = page.cursors[-1]
    backwards: list[int] = []
    before = None
    while True:
        page = await read_page(
            db.seeds, {}, order, PageRequest(size, backwards=True, before=before)
        )
        backwards = [row["n"] for row in page.rows] + backwards
        if not page.has_previous:
            break
        before = page.cursors[0]

    assert forwards == expected
    assert backwards == expected


@pytest.mark.parametrize(
    ("direction", "backwards", "expected"),
    [
        (1, False, {"at": {"$gte": "c"}, "$or": [{"at": {"$gt": "c"}}]}),
        (-1, False, {"at": {"$lte": "c"}, "$or": [{"at": {"$lt": "c"}}]}),
        (1, True, {"at": {"$lte": "c"}, "$or": [{"at": {"$lt": "c"}}]}),
    ],
)
def test_a_value_that_is_always_there_bounds_the_index(
    direction: int, backwards: bool, expected: Document
) -> None:
    order = Order("at", direction, always_there=True)
    row = {"_id": ObjectId(), "at": "c"}
    cursor = cursor_of(row, order)
    comparison = next(iter(expected["$or"][0]["at"]))

    found = keyset_filter(
        order,
        PageRequest(5, before=cursor) if backwards else PageRequest(5, after=cursor),
    )

    ties = {"at": "c", "_id": {comparison: row["_id"]}}
    assert found == expected | {"$or": [*expected["$or"], ties]}


async def test_a_page_between_two_cursors(db: Database) -> None:
    await _fill(db)
    order = Order("v", 1)
    whole = await read_page(db.seeds, {}, order, PageRequest(10))

    page = await read_page(
        db.seeds,
        {},
        order,
        PageRequest(10, after=whole.cursors[1], before=whole.cursors[4]),
    )

    assert [row["n"] for row in page.rows] == [3, 6]


async def test_an_empty_page_of_size_zero(db: Database) -> None:
    await _fill(db)

    page = await read_page(db.seeds, {}, Order(), PageRequest(0))

    assert (page.rows, page.cursors, page.has_next) == ([], [], True)


@pytest.mark.parametrize(
    ("arguments", "message", "path"),
    [
        ({"first": -1}, "first is -1; it must be between 0 and 100.", ("first",)),
        ({"first": 101}, "first is 101; it must be between 0 and 100.", ("first",)),
        ({"last": 101}, "last is 101; it must be between 0 and 100.", ("last",)),
        ({"first": 1, "last": 1}, "Give first or last, not both.", ("last",)),
        *(
            (
                {"after": wrong},
                "after is not a cursor of this API: pass one from pageInfo or an edge.",
                ("after",),
            )
            for wrong in ("", "x", "åäö", "e30", "AAAA", "FAAAAAJpAAIAAABhAAA")
        ),
    ],
)
def test_a_wrong_request_names_its_argument(
    arguments: dict[str, int], message: str, path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        page_request(**arguments)  # type: ignore[arg-type]

    assert (str(refused.value), refused.value.problems[0].path) == (message, path)


@pytest.mark.parametrize(
    "value", [{"$ne": 1}, [1], 3, Regex("x"), Code("x"), MaxKey(), b"x", True]
)
def test_a_cursor_holds_nothing_but_a_text_or_a_time(value: object) -> None:
    key = bson.encode({"p": "v", "v": value, "i": ObjectId()})
    forged = base64.urlsafe_b64encode(key).decode().rstrip("=")

    with pytest.raises(InvalidInput, match="after is not a cursor of this API"):
        page_request(first=1, after=forged)


async def test_a_cursor_belongs_to_its_order(db: Database) -> None:
    await _fill(db)
    page = await read_page(db.seeds, {}, Order("v"), PageRequest(2))
    request = page_request(first=2, after=page.cursors[-1])

    for other in (Order(), Order("n")):
        with pytest.raises(InvalidInput) as refused:
            await read_page(db.seeds, {}, other, request)

        assert refused.value.problems == (
            Problem(
                Kind.INVALID,
                "after is a cursor of another order: begin again without it.",
                ("after",),
            ),
        )
