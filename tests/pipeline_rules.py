"""What a pipeline may consist of: legal on sharded collections, without scripts, and
with what an author wrote as nothing but a value.

Walks stages with their grammar: which positions are operators, which are paths and
which are values differs between filters and expressions.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bson import ObjectId, Regex

# Stages that every shard can do alone or merge, and those that may read another
# sharded collection (MongoDB 5.1 and newer). None writes, none has to come first.
ALONE = {"$match", "$project", "$group", "$replaceRoot", "$limit", "$sort", "$count"}
ALONE |= {"$addFields", "$set", "$unset", "$skip", "$unwind", "$sample"}
READING = {"$unionWith", "$lookup"}
COLLECTIONS = {"profiles", "events"}

IN_FILTERS = {
    *("$and", "$or", "$nor", "$expr", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte"),
    *("$in", "$nin", "$not", "$exists", "$type", "$regex", "$options", "$elemMatch"),
    *("$geoWithin",),
}
IN_EXPRESSIONS = {
    *("$and", "$or", "$not", "$cond", "$switch", "$ifNull", "$let", "$literal"),
    *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$type", "$isNumber", "$isArray"),
    *("$add", "$subtract", "$multiply", "$divide", "$mod", "$pow", "$sin", "$cos"),
    *("$degreesToRadians", "$toLong", "$toInt", "$toDate", "$toString", "$max", "$min"),
    *(
        "$sum",
        "$avg",
        "$push",
        "$first",
        "$topN",
        "$map",
        "$filter",
        "$reduce",
        "$size",
        "$objectToArray",
        "$arrayElemAt",
    ),
    *(
        "$anyElementTrue",
        "$indexOfArray",
        "$sortArray",
        "$mergeObjects",
        "$substrBytes",
    ),
    *("$indexOfBytes", "$regexMatch", "$dateFromString", "$dateToString"),
}
# The parts of an operator that are names of ours: variables, options, formats.
_NAMES = {"as", "format", "timezone", "options", "onError"}
# Strings that are a choice of the operator's own.
_WORDS = {"$type", "$options"}

Shape = Any


def faults_of(stages: list[Any], collection: str = "profiles") -> list[str]:
    """What is not allowed in the stages."""
    return [*_stage_faults(stages, collection)]


def shape_of(stages: list[Any]) -> Shape:
    """The stages without their values: operators, paths and variables alone."""
    return [_stage_shape(stage) for stage in stages]


def filter_shape(filter: Any) -> Shape:
    """The filter without its values."""
    shape = {}
    for name, value in filter.items():
        if name in ("$and", "$or", "$nor"):
            shape[name] = [filter_shape(each) for each in value]
        elif name == "$expr":
            shape[name] = expression_shape(value)
        else:
            shape[name] = _operand_shape(value)
    return shape


def expression_shape(value: Any) -> Shape:
    """The expression without its values. A text with a dollar in front is none."""
    match value:
        case {"$literal": literal}:
            return {"$literal": _kind(literal)}
        case dict():
            return {
                name: inner if name in _NAMES else expression_shape(inner)
                for name, inner in value.items()
            }
        case list():
            return [expression_shape(each) for each in value]
        case str() if value.startswith("$"):
            return value
    return _kind(value)


def operators_in(shape: Shape) -> Iterator[str]:
    """Every name with a dollar that is a key."""
    match shape:
        case dict():
            for name, inner in shape.items():
                if name.startswith("$"):
                    yield name
                yield from operators_in(inner)
        case list():
            for each in shape:
                yield from operators_in(each)


def _operand_shape(value: Any) -> Shape:
    if not isinstance(value, dict):
        return _kind(value)
    shape: dict[str, Any] = {}
    for name, inner in value.items():
        match name:
            case "$not":
                shape[name] = _operand_shape(inner)
            case "$elemMatch" if all(key.startswith("$") for key in inner):
                shape[name] = _operand_shape(inner)
            case "$elemMatch":
                shape[name] = filter_shape(inner)
            case "$in" | "$nin":
                shape[name] = sorted({_kind(each) for each in inner})
            case _ if name in _WORDS:
                shape[name] = inner
            case "$geoWithin":
                shape[name] = sorted(inner)
            case _:
                shape[name] = _kind(inner)
    return shape


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case Regex():
            return f"expression {value.flags}"
        case datetime():
            return "date"
        case ObjectId():
            return "id"
        case list():
            return "list"
    raise AssertionError(f"{value!r} is no value")


def _stage_shape(stage: Any) -> Shape:
    ((name, inside),) = stage.items()
    match name:
        case "$match":
            return {name: filter_shape(inside)}
        case "$unionWith" | "$lookup":
            rest = {key: inside[key] for key in inside if key != "pipeline"}
            return {name: rest | {"pipeline": shape_of(inside.get("pipeline", []))}}
    return {name: expression_shape(inside)}


def _stage_faults(stages: list[Any], collection: str) -> Iterator[str]:
    if collection not in COLLECTIONS:
        yield f"{collection} is read"
    for stage in stages:
        if len(stage) != 1:
            yield f"a stage of {len(stage)} names"
            continue
        ((name, inside),) = stage.items()
        if name not in ALONE | READING:
            yield f"the stage {name}"
        elif name in READING:
            other = inside["coll" if name == "$unionWith" else "from"]
            yield from _stage_faults(inside.get("pipeline", []), other)
            if (
                name == "$lookup"
                and not {"localField", "foreignField"} <= inside.keys()
            ):
                yield "a look-up of everything"
        elif name == "$match":
            yield from _filter_faults(filter_shape(inside))
        else:
            for operator in operators_in(expression_shape(inside)):
                if operator not in IN_EXPRESSIONS:
                    yield f"{operator} in {name}"


def _filter_faults(shape: Any) -> Iterator[str]:
    match shape:
        case dict():
            for name, inner in shape.items():
                if name.startswith("$") and name not in IN_FILTERS:
                    yield f"{name} in a filter"
                if name == "$expr":
                    for operator in operators_in(inner):
                        if operator not in IN_EXPRESSIONS:
                            yield f"{operator} in an expression"
                else:
                    yield from _filter_faults(inner)
        case list():
            for each in shape:
                yield from _filter_faults(each)
