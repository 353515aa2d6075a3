"""Nodes of a plan as filters on one document."""

from collections.abc import Callable, Iterable

import bson
from bson import ObjectId

from audience.plan.tree import (
    Always,
    Every,
    Fact,
    FieldFact,
    Leaf,
    ListFact,
    NearFact,
    Node,
    SampleFact,
    Some,
)
from resolvers.db import Document
from resolvers.pipelines.dates import anniversary, window_operators
from resolvers.pipelines.fields import field_filter
from resolvers.pipelines.places import near_filter
from resolvers.pipelines.samples import sample_filter

NOBODY: Document = {"_id": {"$in": []}}


def fact_filter(fact: Fact) -> Document:
    """The filter for a fact that one document tells."""
    match fact:
        case FieldFact():
            return field_filter(fact)
        case ListFact():
            return _member(fact)
        case NearFact():
            return near_filter(fact)
        case SampleFact():
            return sample_filter(fact)
    raise TypeError(f"{type(fact).__name__} is not told by one document")


def filter_of(node: Node, read: Callable[[Fact], Document] = fact_filter) -> Document:
    """The node as a filter, its facts as `read` writes them."""
    match node:
        case Always(holds=holds):
            return {} if holds else NOBODY
        case Leaf(fact=fact, holds=holds):
            return read(fact) if holds else {"$nor": [read(fact)]}
        case Every(parts=parts):
            return {"$and": distinct(filter_of(part, read) for part in parts)}
        case Some(parts=parts):
            return {"$or": distinct(filter_of(part, read) for part in parts)}


def distinct(filters: Iterable[Document]) -> list[Document]:
    """Each of the filters once. MongoDB 6.0 may choose the wrong bounds of an index
    where an $or has two that are the same, and then misses documents."""
    return list({bson.encode(each): each for each in filters}.values())


def _member(fact: ListFact) -> Document:
    list_id = ObjectId(fact.list_id)
    joined = window_operators(fact.joined)
    if fact.anniversary is not None:
        memberships = {
            "input": {"$ifNull": ["$lists", []]},
            "cond": {"$eq": ["$$this.list_id", list_id]},
        }
        on_the_day = anniversary("$this.joined_at", fact.anniversary, custom=False)
        each = {"$map": {"input": {"$filter": memberships}, "in": on_the_day}}
        return {"lists.list_id": list_id, "$expr": {"$anyElementTrue": [each]}}
    if not joined:
        return {"lists.list_id": list_id}
    return {"lists": {"$elemMatch": {"list_id": list_id, "joined_at": joined}}}
