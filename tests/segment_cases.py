"""Generated people, events and definitions; each definition is answered by every
strategy and by the oracle. For more, and to see what they cover:

    python -m tests.segment_cases --cases 20000 --processes 2
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from bson import ObjectId

from audience.conditions import parse
from audience.plan import plan
from resolvers.collections import prepare
from resolvers.db import Database, aggregate, close, connect
from resolvers.events.indexes import drop_indexes, indexed_properties, make_indexes
from resolvers.id_reads import read_ids
from resolvers.pipelines import Question, Strategy, Unsuitable, question
from resolvers.pipelines.narrowing import narrowings
from resolvers.pipelines.steps import open_facts, reading
from resolvers.segments import references_of
from resolvers.segments.answers import MANY, settled
from resolvers.segments.estimates import Way
from resolvers.segments.first_members import first_members
from resolvers.segments.sets import read_set, stages_and_hint
from server.mongod import running_mongod
from tests.oracle import World, members
from tests.pipeline_rules import faults_of
from tests.segment_coverage import Feature, features_of, report
from tests.segment_definitions import EVENT_PATHS, about_properties, definition_of
from tests.segment_worlds import store, world_of

Json = dict[str, Any]

# What was asked so far, by which strategies.
STRATEGIES: Counter[tuple[Strategy, bool]] = Counter()

FEATURES: Counter[Feature] = Counter()

Counts = tuple[list[str], Counter[tuple[Strategy, bool]], Counter[Feature]]


async def differences(db: Database, world: World, definition: Json) -> list[str]:
    """The strategies whose members are not the oracle's; empty when all agree."""
    expected = members(definition, world)
    share = "some" if 0 < len(expected) < len(world.profiles) else "none or all"
    FEATURES["answer", share] += 1
    parsed = parse(definition)
    references = await references_of(db, parsed)
    node = plan(parsed, now=world.now, zone=world.zone, references=references)
    wrong = []
    for strategy in (None, *Strategy):
        for use_summaries in (True, False):
            try:
                asked = question(node, strategy, use_summaries=use_summaries)
            except Unsuitable:
                continue
            STRATEGIES[asked.strategy, use_summaries] += 1
            wrong += [
                f"{asked.strategy}: {fault} is not legal"
                for fault in faults_of(asked.stages)
            ]
            found = {row["_id"] for row in await aggregate(db.profiles, asked.stages)}
            if found != expected:
                wrong.append(_difference(asked, use_summaries, found, expected))
    asked = question(node)
    if asked.match is None:
        wrong += await _indexed_differences(db, asked)
        wrong += await _first_differences(db, asked, expected)
        for way in (Strategy.PROFILES_FIRST, Strategy.EVENTS_FIRST):
            answer = await settled(db, asked, way)
            STRATEGIES[answer.strategy, True] += 1
            wrong += [
                f"{way}: {fault} is not legal" for fault in faults_of(answer.stages)
            ]
            found = {row["_id"] for row in await aggregate(db.profiles, answer.stages)}
            if answer.ids is not None and set(answer.ids) != found:
                wrong.append(f"{way}: {answer.ids} are not {found}")
            if answer.outside not in (None, len(world.profiles) - len(expected)):
                wrong.append(f"{way}: {answer.outside} are not outside")
            if found != expected:
                wrong.append(_difference(answer, True, found, expected))
    return wrong


async def _indexed_differences(db: Database, asked: Question) -> list[str]:
    """The sets of events that are others when they are read by an index on a property,
    or in their order."""
    wrong = []
    indexed = await indexed_properties(db)
    for fact in open_facts(asked):
        ways = [Way(0, by) for by in narrowings(fact, indexed)]
        if not ways:
            continue
        expected = set(await read_ids(db.events, reading(fact)))
        for way in (Way(0), Way(0, in_order=True), *ways):
            FEATURES["read", "by a property" if way.by else "without"] += 1
            stages, _ = stages_and_hint(fact, way)
            wrong += [f"{way}: {it} is not legal" for it in faults_of(stages, "events")]
            found = set(await read_set(db, fact, way, MANY))
            if found != expected:
                wrong.append(f"{fact}, {way}: {found} are not {expected}")
    return wrong


async def _first_differences(
    db: Database, asked: Question, expected: set[ObjectId]
) -> list[str]:
    """What is wrong of the first members when few profiles are looked at."""
    direction = 1 if len(expected) % 2 else -1
    first = await first_members(db, asked, {}, direction, wanted=5, size=8, most=4_000)
    FEATURES["first members", "given up" if first is None else "found"] += 1
    if first is None:
        return []
    ids, are_all = first
    ordered = sorted(expected, reverse=direction < 0)
    if ids != (ordered if are_all else ordered[: len(ids)]):
        return [f"The first members, {direction}: {first} are not those of {ordered}"]
    if not are_all and len(ids) < 5:
        return [f"Too few first members: {first}"]
    return []


def _difference(
    asked: Question, use_summaries: bool, found: set[ObjectId], expected: set[ObjectId]
) -> str:
    return (
        f"{asked.strategy} (summaries: {use_summaries}): "
        f"too many {found - expected}, too few {expected - found}"
    )


async def run(db: Database, cases: int, seed: int, per_world: int = 50) -> list[str]:
    """Runs so many cases; what was wrong, each with what makes it again."""
    wrong: list[str] = []
    random = Random(seed)
    for start in range(0, cases, per_world):
        world = world_of(random)
        await store(db, world)
        await _index(db, random.sample(EVENT_PATHS, random.choice((0, 2, 4))))
        for number in range(start, min(start + per_world, cases)):
            make = about_properties if number % 4 == 0 else definition_of
            definition = make(random, world)
            FEATURES.update(features_of(definition))
            if found := await differences(db, world, definition):
                where = f"seed {seed}, case {number}, {world.now}, {world.zone}"
                wrong.append("\n  ".join((where, repr(definition), *found)))
    await _index(db, ())
    return wrong


async def _index(db: Database, paths: Sequence[str]) -> None:
    """These properties of events have an index, and no others."""
    known = {".".join(each) for each in await indexed_properties(db)}
    await drop_indexes(db, known - set(paths))
    await make_indexes(db, paths, datetime.now(UTC))


def _process(uri: str, cases: int, seed: int) -> Counts:
    """The cases of one process, in a database of its own."""

    async def ask() -> list[str]:
        db = connect(uri, f"cases_{uuid4().hex[:8]}")
        await prepare(db)
        wrong = await run(db, cases, seed)
        await db.client.drop_database(db.name)
        await close(db)
        return wrong

    return asyncio.run(ask()), STRATEGIES, FEATURES


def _main(cases: int, seed: int, processes: int) -> int:
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_mongod(Path(folder)) as mongod,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        each = -(-cases // processes)
        seeds = range(seed, seed + processes)
        jobs = [pool.submit(_process, mongod.uri, each, it) for it in seeds]
        answers = [job.result() for job in jobs]
    wrong = [it for found, _, _ in answers for it in found]
    ways = sum((counts for _, counts, _ in answers), Counter())
    features = sum((counts for _, _, counts in answers), Counter())
    runs = ", ".join(
        f"{strategy}{'' if summaries else ' without summaries'} {count:,}"
        for (strategy, summaries), count in sorted(ways.items())
    )
    seconds = time.perf_counter() - started
    print(report(features))  # noqa: T201
    for one in wrong[:20]:
        print(one)  # noqa: T201
    print(  # noqa: T201
        f"{each * processes:,} cases in {seconds:.0f} s, {len(wrong)} wrong. {runs}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    raise SystemExit(_main(arguments.cases, arguments.seed, arguments.processes))
