"""How fast segments are answered: by the planner's choice, by every way that it could
have chosen, by a `$lookup` for each profile, and by DuckDB on the same data. All must
find the same members."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

from pymongo.errors import ExecutionTimeout
from rich.console import Console
from rich.table import Table

from audience.conditions import parse
from audience.conditions.walking import event_properties_of
from audience.plan import Node, plan
from bench.load import BenchFailed
from bench.questions import Data, Question
from resolvers.db import QUERY_LIMIT_MS, Database, Document, aggregate
from resolvers.events.indexes import drop_indexes, indexed_properties, make_indexes
from resolvers.pages import PageRequest
from resolvers.pipelines import Strategy, Unsuitable, question
from resolvers.segments import (
    count_members,
    create_segment,
    preview,
    references_of,
    segment_overlap,
)
from resolvers.segments.answers import settled

_FIRST_PAGE = PageRequest(size=20)
_LONG_MS = 1_500
_SHORT = {
    Strategy.MATCH: "match",
    Strategy.PROFILES_FIRST: "profiles",
    Strategy.EVENTS_FIRST: "events",
    Strategy.SETS: "sets",
    Strategy.FLAGS: "flags",
    Strategy.CANDIDATES: "lookup",
}


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds, or more than `limit` of them."""

    ms: float | None
    limit: float = 0

    def __str__(self) -> str:
        return f">{self.limit:,.0f}" if self.ms is None else f"{self.ms:,.0f}"


@dataclass(slots=True)
class Measured:
    """One segment. A way that cannot answer it is left out of `forced`."""

    number: int
    question: Question
    members: int
    way: Strategy
    ours: float = 0
    page: float = 0
    next_page: float = 0
    duckdb: float = 0
    forced: dict[Strategy, Timed] = field(default_factory=dict)
    naive: Timed | None = None


async def measure_segments(
    data: Data,
    questions: Sequence[Question],
    only: Sequence[int],
    rounds: int,
    limit_ms: int,
    *,
    forced: bool,
    naive: bool,
    indexed: bool,
) -> None:
    """Measures the questions with these numbers (from 1; none given: all). Ways other
    than the planner's have `limit_ms`. `indexed`: the properties of events that all of
    them look at have an index, otherwise none has."""
    await _index(data.db, questions if indexed else ())
    measured = []
    for number, asked in enumerate(questions, 1):
        if only and number not in only:
            continue
        one = await _checked(data, number, asked)
        await _time_choice(data, one, rounds)
        node = await _node(data, asked)
        if forced:
            await _time_forced(data, node, one, rounds, limit_ms)
        if naive:
            one.naive = await _naive(data, node, one, limit_ms)
        measured.append(one)
        print(*_row(one), sep=" | ", flush=True)
    overlap = await _time_overlap(data, measured[-5:], rounds)
    profiles = await data.db.profiles.estimated_document_count()
    events = await data.db.events.estimated_document_count()
    title = f"{profiles:,} profiles, {events:,} events; milliseconds"
    Console(width=150).print(_table(title, measured))
    if overlap:
        numbers = ", ".join(str(one.number) for one in measured[-5:])
        print(f"Every overlap of {numbers}: {overlap:,.0f} ms.")


async def _index(db: Database, questions: Sequence[Question]) -> None:
    parsed = [parse(each.definition) for each in questions]
    paths = set().union(*map(event_properties_of, parsed))
    known = {".".join(each) for each in await indexed_properties(db)}
    await drop_indexes(db, known - paths)
    for path in sorted(paths - known):
        took = await _ms(partial(make_indexes, db, [path], _now()))
        print(f"An index on {path}: {took:,.0f} ms.", flush=True)


async def _checked(data: Data, number: int, asked: Question) -> Measured:
    """BenchFailed unless the members are those that DuckDB finds."""
    found = await preview(data.db, parse(asked.definition), data.now, UTC)
    expected = _by_duckdb(data, asked)
    answer = await settled(data.db, found.asked)
    members = _numbers(data, await aggregate(data.db.profiles, answer.stages))
    _same(asked.title, answer.strategy, members, expected)
    return Measured(number, asked, len(expected), answer.strategy)


async def _time_choice(data: Data, one: Measured, rounds: int) -> None:
    definition = parse(one.question.definition)

    async def count() -> int:
        return await (await preview(data.db, definition, data.now, UTC)).count(data.db)

    async def page() -> Any:
        return await (await preview(data.db, definition, data.now, UTC)).page(
            data.db, _FIRST_PAGE
        )

    first = await page()
    after = PageRequest(20, after=first.cursors[-1]) if first.rows else _FIRST_PAGE

    async def next_page() -> None:
        await (await preview(data.db, definition, data.now, UTC)).page(data.db, after)

    ours, duckdb, pages, next_pages = [], [], [], []
    for _ in range(rounds):
        ours.append(await _ms(count))
        started = time.perf_counter()
        _ask_duckdb(data, f"SELECT count(*) FROM ({one.question.sql})")  # noqa: S608
        duckdb.append(1000 * (time.perf_counter() - started))
        pages.append(await _ms(page))
        next_pages.append(await _ms(next_page))
    one.ours, one.duckdb = median(ours), median(duckdb)
    one.page, one.next_page = median(pages), median(next_pages)


async def _time_forced(
    data: Data,
    node: Node,
    one: Measured,
    rounds: int,
    limit_ms: int,
) -> None:
    expected = _by_duckdb(data, one.question)
    for strategy in Strategy:
        try:
            stages = question(node, strategy).stages
        except Unsuitable:
            continue
        timed = await _timed(data.db, stages, one.members, rounds, limit_ms)
        if timed.ms is not None:
            rows = await aggregate(data.db.profiles, stages)
            _same(one.question.title, strategy, _numbers(data, rows), expected)
        one.forced[strategy] = timed
    asked = question(node)
    if asked.match is not None:
        return
    for way in (Strategy.PROFILES_FIRST, Strategy.EVENTS_FIRST):

        async def count(way: Strategy = way) -> None:
            await count_members(data.db, [await settled(data.db, asked, way)])

        try:
            answer = await settled(data.db, asked, way)
            rows = await aggregate(data.db.profiles, answer.stages)
            _same(one.question.title, way, _numbers(data, rows), expected)
            one.forced[way] = Timed(await _median_ms(count, rounds))
        except ExecutionTimeout:
            one.forced[way] = Timed(None, QUERY_LIMIT_MS)


async def _time_overlap(
    data: Data, measured: Sequence[Measured], rounds: int
) -> float | None:
    """The sizes of every intersection of these segments, which DuckDB's must equal."""
    if len(measured) < 2:
        return None
    segments = [
        await create_segment(
            data.db, f"{time.time_ns()}", it.question.definition, now=_now()
        )
        for it in measured
    ]
    ids = [each["_id"] for each in segments]
    try:
        found = await segment_overlap(data.db, ids, data.now)
        expected = [_by_duckdb(data, one.question) for one in measured]
        for each in found:
            places = [ids.index(segment["_id"]) for segment in each.segments]
            if each.size != len(set.intersection(*(expected[it] for it in places))):
                raise BenchFailed(f"The overlap of {places} has not {each.size:,}.")

        async def overlap() -> None:
            await segment_overlap(data.db, ids, data.now)

        return median([await _ms(overlap) for _ in range(rounds)])
    finally:
        await data.db.segments.delete_many({"_id": {"$in": ids}})


def _now() -> datetime:
    return datetime.now(UTC)


async def _naive(data: Data, node: Node, one: Measured, limit_ms: int) -> Timed | None:
    """A `$lookup` into the events for each condition on them and each profile that the
    other conditions leave; no summaries."""
    try:
        stages = question(node, Strategy.CANDIDATES, use_summaries=False).stages
    except Unsuitable:
        return None
    return await _timed(data.db, stages, one.members, 1, limit_ms)


async def _timed(
    db: Database, stages: Sequence[Document], members: int, rounds: int, limit_ms: int
) -> Timed:
    counted = [*stages, {"$count": "n"}]

    async def count() -> None:
        rows = await aggregate(db.profiles, counted, limit_ms=limit_ms)
        found = rows[0]["n"] if rows else 0
        if found != members:
            raise BenchFailed(f"{found:,} people instead of {members:,}: {stages}")

    try:
        return Timed(await _median_ms(count, rounds))
    except ExecutionTimeout:
        return Timed(None, limit_ms)


async def _node(data: Data, asked: Question) -> Node:
    definition = parse(asked.definition)
    references = await references_of(data.db, definition)
    return plan(definition, now=data.now, zone=UTC, references=references)


async def _median_ms(ask: Callable[[], Awaitable[Any]], rounds: int) -> float:
    """Of what takes long, once is enough."""
    times = [await _ms(ask)]
    if times[0] < _LONG_MS:
        times += [await _ms(ask) for _ in range(rounds - 1)]
    return median(times)


async def _ms(ask: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await ask()
    return 1000 * (time.perf_counter() - started)


def _by_duckdb(data: Data, asked: Question) -> set[int]:
    return {row[0] for row in _ask_duckdb(data, asked.sql)}


def _ask_duckdb(data: Data, sql: str) -> list[tuple[Any, ...]]:
    given = {"now": data.now.replace(tzinfo=None)} if "$now" in sql else {}
    return data.tables.execute(sql, given).fetchall()


def _numbers(data: Data, rows: Sequence[Document]) -> set[int]:
    return {data.number_of(row["_id"]) for row in rows}


def _same(title: str, way: str, found: set[int], expected: set[int]) -> None:
    if found != expected:
        raise BenchFailed(
            f"{title}, {way}: {len(found - expected):,} too many, "
            f"{len(expected - found):,} too few of {len(expected):,}."
        )


def _table(title: str, measured: Sequence[Measured]) -> Table:
    shown = Table(title=title)
    shown.add_column("#", justify="right")
    shown.add_column("segment", max_width=34)
    shown.add_column("people", justify="right")
    shown.add_column("way")
    for name in ("count", "DuckDB", "ratio", "page", "next"):
        shown.add_column(name, justify="right")
    for name in (*_SHORT.values(), "naive"):
        shown.add_column(name, justify="right")
    for one in measured:
        shown.add_row(*_row(one))
    return shown


def _row(one: Measured) -> list[str]:
    return [
        str(one.number),
        one.question.title,
        f"{one.members:,}",
        _SHORT[one.way],
        f"{one.ours:,.0f}",
        f"{one.duckdb:,.0f}",
        f"{one.ours / one.duckdb:.1f}",
        f"{one.page:,.0f}",
        f"{one.next_page:,.0f}",
        *(str(one.forced.get(each, "")) for each in _SHORT),
        str(one.naive or ""),
    ]
