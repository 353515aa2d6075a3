"""What a membership becomes when someone turns out to be in a segment or not: pure.

A row of `segment_members` says that someone is in. While a changed definition's
members are being found, those who are in by it alone are staged IN, those who are not
any more staged OUT: readers tell by the generation that is shown, so that all of them
change sides at once when it is replaced. What was staged is logged, and the rows made
plain, after that; or before, where a row changes again meanwhile.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from pymongo import DeleteOne, UpdateOne

from resolvers.db import Document
from resolvers.keeper.kept import Kept

Cause = Literal["CHANGE", "TIME", "DEFINITION", "GONE"]
Write = UpdateOne | DeleteOne


@dataclass(slots=True)
class Writes:
    """Rows to add and to change, lines to log, and by how much the number of members
    changes."""

    new: list[Document] = field(default_factory=list)
    rows: list[Write] = field(default_factory=list)
    lines: list[Document] = field(default_factory=list)
    sizes: dict[tuple[int, ObjectId], int] = field(default_factory=dict)


def shown_rows(shown: int) -> Document:
    """A filter for the rows that readers of generation `shown` see."""
    return {
        "$or": [
            {"staged": None},
            {"staged": "IN", "generation": {"$lte": shown}},
            {"staged": "OUT", "generation": {"$gt": shown}},
        ]
    }


def settle(
    writes: Writes,
    kept: Kept,
    row: Document | None,
    profile_id: ObjectId,
    *,
    is_in: bool,
    at: datetime,
    cause: Cause,
) -> int:
    """Adds what makes `row` say whether the profile is in; answers by how much the
    number of members changes."""
    was_in = row is not None and row.get("staged") != "OUT"
    if cause == "GONE":
        _gone(writes, kept, row, at)
        return -1 if was_in else 0
    if is_in == was_in:
        return 0
    if row is not None and _is_unsettled(kept, row):
        _log_staged(writes, kept, row)
    change = _staged if kept.is_staging else _direct
    change(writes, kept, row, profile_id, at, cause)
    return 1 if is_in else -1


def finish(writes: Writes, kept: Kept, row: Document) -> None:
    """Logs what was staged for a generation that is shown now; the row becomes plain
    or goes."""
    _log_staged(writes, kept, row)
    if row["staged"] == "IN":
        plain = {"$unset": {"staged": "", "generation": ""}}
        writes.rows.append(UpdateOne({"_id": row["_id"]}, plain))
    else:
        writes.rows.append(DeleteOne({"_id": row["_id"]}))


def _direct(
    writes: Writes,
    kept: Kept,
    row: Document | None,
    profile_id: ObjectId,
    at: datetime,
    cause: Cause,
) -> None:
    if row is None:
        row = _new(kept, profile_id, at)
        writes.new.append(row)
        _log(writes, kept, row, "ENTERED", at, cause)
        return
    if row.get("staged") == "OUT":
        again: Document = {"$set": {"entered_at": at}, "$unset": _NOT_STAGED}
        writes.rows.append(UpdateOne({"_id": row["_id"]}, again))
        _log(writes, kept, row | {"entered_at": at}, "ENTERED", at, cause)
        return
    writes.rows.append(DeleteOne({"_id": row["_id"]}))
    _log(writes, kept, row, "LEFT", at, cause)


def _staged(
    writes: Writes,
    kept: Kept,
    row: Document | None,
    profile_id: ObjectId,
    at: datetime,
    cause: Cause,
) -> None:
    into: Document = {"staged": "IN", "generation": kept.generation}
    out: Document = {"staged": "OUT", "generation": kept.generation, "left_at": at}
    if row is None:
        writes.new.append(_new(kept, profile_id, at) | into)
        return
    change: Document
    match row.get("staged"), _is_unsettled(kept, row):
        case "IN", False:
            writes.rows.append(DeleteOne({"_id": row["_id"]}))
            return
        case "OUT", False:
            change = {"$unset": _NOT_STAGED}
        case "OUT", True:
            change = {"$set": into | {"entered_at": at}, "$unset": {"left_at": ""}}
        case _:
            change = {"$set": out}
    writes.rows.append(UpdateOne({"_id": row["_id"]}, change))


def _gone(writes: Writes, kept: Kept, row: Document | None, at: datetime) -> None:
    if row is None:
        return
    writes.rows.append(DeleteOne({"_id": row["_id"]}))
    is_unsettled = _is_unsettled(kept, row)
    if is_unsettled:
        _log_staged(writes, kept, row)
    # Nobody has seen who was staged IN; who was OUT and is shown so has left before.
    if row.get("staged") != ("OUT" if is_unsettled else "IN"):
        _log(writes, kept, row, "LEFT", at, "GONE")


def _is_unsettled(kept: Kept, row: Document) -> bool:
    """Whether it was staged for a generation that is shown now."""
    return (
        "staged" in row and kept.shown is not None and row["generation"] <= kept.shown
    )


def _log_staged(writes: Writes, kept: Kept, row: Document) -> None:
    """What the generation that is shown has changed about the row."""
    shown = replace(kept, version=kept.shown_version or kept.version)
    if row["staged"] == "IN":
        _log(writes, shown, row, "ENTERED", row["entered_at"], "DEFINITION")
    else:
        _log(writes, shown, row, "LEFT", row["left_at"], "DEFINITION")


def _new(kept: Kept, profile_id: ObjectId, at: datetime) -> Document:
    return {
        "_id": ObjectId(),
        "segment_id": kept.id,
        "profile_id": profile_id,
        "entered_at": at,
    }


def _log(
    writes: Writes,
    kept: Kept,
    row: Document,
    kind: Literal["ENTERED", "LEFT"],
    at: datetime,
    cause: Cause,
) -> None:
    line: dict[str, Any] = {
        "_id": ObjectId(),
        "segment_id": kept.id,
        "profile_id": row["profile_id"],
        "kind": kind,
        "at": at,
        "cause": cause,
        "version": kept.version,
    }
    if kind == "LEFT":
        line["entered_at"] = row["entered_at"]
    writes.lines.append(line)


_NOT_STAGED = {"staged": "", "generation": "", "left_at": ""}
