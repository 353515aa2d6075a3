"""What an author writes is only ever a value: never an operator, a path that leads
elsewhere or an expression. Shown of the compiled stages, and of their answers."""

from itertools import accumulate
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import ObjectId

from audience.conditions import Definition, parse
from audience.conditions.tree import Coordinates, PostalCode
from audience.conditions.walking import metrics_of
from audience.errors import AudienceError
from audience.plan import References, plan
from audience.plan.tree import Metric
from resolvers.db import Database
from resolvers.pipelines import Strategy, Unsuitable, question
from resolvers.segments import create_segment, preview
from tests.oracle import World, members
from tests.pipeline_rules import Shape, faults_of, shape_of
from tests.resolvers.test_segments_documented import NOW, only
from tests.segment_cases import differences
from tests.segment_worlds import store, world_of

pytestmark = pytest.mark.anyio

LIST = "5f0000000000000000000001"
HOSTILE = (
    *("$where", "$gt", "$$ROOT", "$properties.secret", "$", "$$NOW", "$$REMOVE"),
    *("a.$b", "a.$where", "__proto__", "constructor", "$expr", "$function", "$out"),
    *("_id", "summary", "_s0", "p", "$_s0", "0", "-1", "a.0", "a..b", ".", ".a", "a."),
    *(".*", "^", "(", "[", "\\", "\\E", "\\Q", "(?i)", "a|b", ".*|.*", "{1,9}", "\\z"),
    *("'; return true; //", '{"$ne": null}', "{ $gt: '' }", "'||1==1", "*/", "<!--"),
    *('{"$where": "sleep(9999)"}', "function() { return true }", "this.x", "{{7*7}}"),
    *("\n", "\r\n", "\t", "\0", "a\0b", "%00", "\x1b[2J", "\u202e", "\u2028", "\ufeff"),
    *("💥", "é", "e\u0301", "İ", "ß", "\ud800", "ﬁ", "K", "É" * 150, "a" * 500),
    *("(" * 300, "." * 150, "$" * 100, " ", "null", "true", "-0", "NaN", "1e999"),
)
# Expressions that a backtracking matcher would need ages for.
BOMBS = (
    *(
        "(a+)+$",
        "(a*)*",
        "(a|a)*$",
        "(a|aa)+$",
        "(.*a){12}",
        "(x+x+)+y",
        "(a?){50}a{50}",
    ),
    *("^(([a-z])+.)+[A-Z]([a-z])+$", "a{1,100}{1,100}", "(.+)+\\d", ".*.*.*=.*"),
    *("(\\w+\\s?)*$", "(?=a)", "(?<!b)a", "(a)\\1", "(?R)", "(*COMMIT)", "(?{1})"),
)

TEXTS = (
    *("equals", "notEquals", "contains", "notContains", "startsWith"),
    *("notStartsWith", "endsWith", "notEndsWith"),
)
ITEMS = ("contains", "notContains", "containsText", "containsPrefix", "containsSuffix")


def filters_of(text: str, path: str) -> list[dict[str, Any]]:
    """The text as the value of every comparison that takes one."""
    comparisons: list[dict[str, Any]] = [
        *({"text": {name: text}} for name in TEXTS),
        *({"text": {name: [text, "x"]}} for name in ("in", "notIn")),
        *({"items": {name: text}} for name in ITEMS),
        *(
            {"items": {name: [text, 5, True]}}
            for name in ("containsAny", "containsAll", "notContainsAny")
        ),
    ]
    return [{"path": path, "is": comparison} for comparison in comparisons]


def _step(filter: Any) -> dict[str, Any]:
    return {"metric": {"name": "Known"}, "where": [filter]}


def _near(**place: str) -> dict[str, Any]:
    return {"distance": {"of": {"postalCode": place}, "within": 5}}


def values_in(text: str) -> list[dict[str, Any]]:
    """The text in every place of a condition where a value stands."""
    known = {"metric": {"name": "Known"}, "compare": {"atLeast": 2}}
    filters = [*filters_of(text, "properties.x"), *filters_of(text, "properties.x.y")]
    return [
        *({"property": {"filter": filter}} for filter in filters),
        *({"property": {"filter": it}} for it in filters_of(text, "email")[:10]),
        *({"event": known | {"where": [filter]}} for filter in filters),
        *({"sequence": {"steps": [_step(it), _step(it)]}} for it in filters[::5]),
        {"event": {"metric": {"name": text}, "compare": {"atLeast": 30}}},
        {"event": {"metric": {"id": text}, "compare": {"atLeast": 30}}},
        {"consent": {"channel": "EMAIL", "method": [text]}},
        {"consent": {"channel": "EMAIL", "source": [text, "x"]}},
        {"sample": {"percent": 50, "seed": text}},
        {"list": {"listId": text}},
        {"segment": {"segmentId": text}},
        _near(country="DE", code=text),
        _near(country=text, code="1"),
    ]


def paths_in(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The text as a name in a path, with every kind of comparison."""
    comparisons: tuple[Any, ...] = (
        *({"exists": True}, {"text": {"equals": "x"}}, {"number": {"atLeast": 1}}),
        *({"boolean": True}, {"date": {"inTheNext": {"amount": 1, "unit": "DAY"}}}),
        *({"date": {"anniversary": {"today": True}}}, {"items": {"contains": "x"}}),
        {"items": {"count": {"atLeast": 1}}},
    )
    found: list[tuple[str, dict[str, Any]]] = []
    event: Any = {"metric": {"name": "Known"}, "compare": {"atLeast": 2}}
    for path in (f"properties.{text}", f"properties.x.{text}", text):
        for comparison in comparisons:
            filter = {"path": path, "is": comparison}
            found += [
                (path, {"property": {"filter": filter}}),
                (path, {"event": event | {"where": [filter]}}),
            ]
        for measure in ("SUM", "COUNT_DISTINCT"):
            of = {"measure": measure, "of": path}
            found.append((path, {"event": event | of}))
    return found


def shapes_of(definition: Definition) -> list[Shape]:
    """The stages of every strategy, without their values."""
    metric = Metric(str(ObjectId("6a0000000000000000000001")), "a", NOW)
    references = References(
        {ref: metric for _, ref in metrics_of(definition)},
        {LIST: LIST},
        {},
        {PostalCode("DE", "10115"): Coordinates(1, 2)},
    )
    node = plan(definition, now=NOW, zone=ZoneInfo("UTC"), references=references)
    shapes: list[Shape] = []
    for strategy in (None, *Strategy):
        for use_summaries in (True, False):
            try:
                stages = question(node, strategy, use_summaries=use_summaries).stages
            except Unsuitable:
                shapes.append(None)
            else:
                assert faults_of(stages) == []
                shapes.append(shape_of(stages))
    return shapes


def renamed(shape: Shape, names: dict[str, str]) -> Shape:
    """The shape with whole paths replaced."""
    match shape:
        case dict():
            return {
                names.get(name, name): renamed(inner, names)
                for name, inner in shape.items()
            }
        case list():
            return [renamed(each, names) for each in shape]
        case str() if shape.startswith("$"):
            return f"${names.get(shape[1:], shape[1:])}"
    return shape


@pytest.mark.parametrize("text", HOSTILE, ids=lambda it: ascii(it)[:30])
def test_a_hostile_value_changes_nothing_but_the_value(text: str) -> None:
    for hostile, plain in zip(values_in(text), values_in("plain"), strict=True):
        try:
            definition = parse(only(hostile))
        except AudienceError as refused:
            assert all("groups" in problem.path for problem in refused.problems)
        else:
            assert shapes_of(definition) == shapes_of(parse(only(plain)))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda it: ascii(it)[:30])
def test_a_hostile_name_is_a_path_below_the_properties_or_refused(text: str) -> None:
    for path, hostile in paths_in(text):
        parts = path.split(".")
        plain = [parts[0], *(f"n{number}" for number in range(1, len(parts)))]
        names = dict(zip(_prefixes(parts), _prefixes(plain), strict=True))
        try:
            definition = parse(only(hostile))
        except AudienceError as refused:
            assert all("groups" in problem.path for problem in refused.problems)
            continue
        assert parts[0] == "properties" and not any(it.startswith("$") for it in parts)
        expected = _with_path(hostile, ".".join(plain))
        shapes = [renamed(shape, names) for shape in shapes_of(definition)]
        assert shapes == shapes_of(parse(only(expected)))


def _prefixes(parts: list[str]) -> list[str]:
    return [*accumulate(parts, lambda left, right: f"{left}.{right}")]


def _with_path(condition: Any, path: str) -> Any:
    match condition:
        case dict():
            return {
                key: path if key in ("path", "of") else _with_path(inner, path)
                for key, inner in condition.items()
            }
        case list():
            return [_with_path(each, path) for each in condition]
    return condition


@pytest.mark.parametrize("pattern", BOMBS)
@pytest.mark.parametrize("operator", ["matches", "notMatches"])
def test_an_expression_that_could_take_long_is_refused(
    pattern: str, operator: str
) -> None:
    filter = {"path": "email", "is": {"text": {operator: pattern}}}

    with pytest.raises(AudienceError) as refused:
        parse(only({"property": {"filter": filter}}))

    (problem,) = refused.value.problems
    assert problem.path[-2:] == ("text", operator)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?:[!-\uffff]{2}){9}){6}",
        "([!-\uffff]){71}",
        "(?:[!-\u2c00A-\u2c00K-\u2c00]){29}",
        "(?:à[^é]é){100}",
        "x(){50}((((a)))){90}",
    ],
)
async def test_the_largest_expressions_are_run(pattern: str, db: Database) -> None:
    filter = {"path": "email", "is": {"text": {"matches": pattern}}}

    asked = await preview(db, parse(only({"property": {"filter": filter}})), NOW)

    assert await asked.count(db) == 0


async def test_hostile_texts_are_only_texts(db: Database) -> None:
    random = Random(7)
    for text in HOSTILE:
        world = with_text(world_of(random, people=8), text)
        if world is None:
            continue
        await store(db, world)
        conditions = [it for it in values_in(text) if _can_be_asked(it)]
        for condition in random.sample(conditions, 5):
            assert await differences(db, world, only(condition)) == []


def _can_be_asked(condition: dict[str, Any]) -> bool:
    """Whether the oracle knows what it refers to."""
    metrics = [it["metric"] for it in condition.values() if "metric" in it]
    if any("id" in it or it.get("name") == "Known" for it in metrics):
        return False
    if not {"sequence", "segment", "distance", "list"}.isdisjoint(condition):
        return False
    try:
        parse(only(condition))
    except AudienceError:
        return False
    return True


async def test_hostile_texts_find_themselves(db: Database) -> None:
    for text in HOSTILE:
        world = with_text(world_of(Random(7), people=8), text)
        if world is None:
            continue
        first = world.profiles[0]["_id"]
        equals = {"path": "properties.x", "is": {"text": {"equals": text}}}
        definition = only({"property": {"filter": equals}})
        assert members(definition, world) == {first}
        await store(db, world)
        assert await differences(db, world, definition) == []


def with_text(world: World, text: str) -> World | None:
    """The world with the text as a value, an item, a property's and a metric's name;
    None where it cannot be stored."""
    if "\0" in text or text == "\ud800":
        return None
    for profile in world.profiles:
        profile["properties"] = {}
    one, other, *_ = world.profiles
    one["properties"] = {"x": text}
    other["properties"] = {"x": {"y": [text, "x"]}}
    if not text.startswith("$") and "." not in text:
        other["properties"][text] = f"x{text}x"
    name, metric = next(iter(world.metrics.items()))
    metrics = {key: it for key, it in world.metrics.items() if key not in (name, text)}
    for event in world.events:
        event["properties"] = {"x": text}
    return World(
        world.profiles, world.events, metrics | {text: metric}, world.now, world.zone
    )


@pytest.mark.parametrize(
    "path",
    ["$where", "properties.$where", "summary.a.n", "consent.email.status", "_id", "."],
)
async def test_a_path_never_leaves_the_profile(path: str, db: Database) -> None:
    condition = {"property": {"filter": {"path": path, "is": {"exists": True}}}}

    with pytest.raises(
        AudienceError, match=r"is no field of a profile|property's path"
    ):
        await create_segment(db, "x", only(condition), now=NOW)


@pytest.mark.parametrize(
    ("stages", "faults"),
    [
        ([{"$match": {"x": {"$eq": "$where"}}}], []),
        ([{"$match": {"$where": "1"}}], ["$where in a filter"]),
        ([{"$match": {"x": {"$where": "1"}}}], ["$where in a filter"]),
        (
            [{"$match": {"$expr": {"$function": {"body": "x"}}}}],
            ["$function in an expression"],
        ),
        ([{"$project": {"x": {"$rand": {}}}}], ["$rand in $project"]),
        ([{"$out": "profiles"}], ["the stage $out"]),
        ([{"$unionWith": {"coll": "keys", "pipeline": []}}], ["keys is read"]),
        (
            [{"$unionWith": {"coll": "events", "pipeline": [{"$merge": "x"}]}}],
            ["the stage $merge"],
        ),
        (
            [{"$lookup": {"from": "events", "pipeline": [], "as": "x"}}],
            ["a look-up of everything"],
        ),
    ],
)
def test_the_rules_find_what_is_not_allowed(
    stages: list[Any], faults: list[str]
) -> None:
    assert faults_of(stages) == faults


def test_shapes_tell_values_from_paths() -> None:
    value = {
        "$match": {"a": {"$eq": "$b"}, "$expr": {"$eq": ["$a", {"$literal": "$b"}]}}
    }
    path = {"$match": {"a": {"$eq": "b"}, "$expr": {"$eq": ["$a", "$b"]}}}

    assert shape_of([value]) != shape_of([path])
    assert shape_of([value]) == [
        {
            "$match": {
                "a": {"$eq": "text"},
                "$expr": {"$eq": ["$a", {"$literal": "text"}]},
            }
        }
    ]
