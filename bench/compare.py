"""Runs a scenario on several servers in turn, and says how they compare."""

import json
import statistics
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.load import BenchFailed, Round, run_round
from bench.scenarios import NUMBER, Facts, Scenario, bodies
from bench.sides import SIDES, Running, Side, running

COMPARED = 20  # of the requests that differ, at most
WARM_UP_SECONDS = 5.0  # V8 needs some thousand requests to be at its best


def compare(
    scenario: Scenario,
    sides: Sequence[Side],
    facts: Facts,
    *,
    uri: str,
    mongod: int,
    database: str,
    key: str,
    rounds: int,
    seconds: float,
    processes: int,
) -> dict[str, list[Round]]:
    """Rounds by side, interleaved: every side has a turn before one has the next.

    BenchFailed when the answers differ.
    """
    asked = bodies(scenario, facts)
    measured: dict[str, list[Round]] = {side.name: [] for side in sides}
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                running(side, uri=uri, database=database, key=key, processes=processes)
            )
            for side in sides
        ]
        for body in asked[:COMPARED]:
            check_equal(scenario, started, body, key)

        def load(server: Running, seconds: float, mark: str) -> Round:
            done = run_round(
                server.address + server.side.path(scenario.name),
                asked,
                key,
                seconds,
                server=server.process,
                mongod=mongod,
                mark=mark,
            )
            if done.failed:
                raise BenchFailed(
                    f"{server.side.title}: {done.failed} requests failed under load."
                )
            return done

        for server in started:
            load(server, WARM_UP_SECONDS, f"w-{server.side.name}-")
        for number in range(rounds):
            # Each round begins with another side, so that none always comes first.
            turn = number % len(started)
            for server in started[turn:] + started[:turn]:
                mark = f"{number}-{server.side.name}-"
                measured[server.side.name].append(load(server, seconds, mark))
    return measured


def check_equal(
    scenario: Scenario, servers: Sequence[Running], body: str, key: str
) -> None:
    """BenchFailed unless every server gives the same data."""
    answers = []
    for server in servers:
        url = server.address + server.side.path(scenario.name)
        # A change is made for someone new on each server.
        own = body.replace(NUMBER, f"equal-{server.side.name}")
        answers.append(_ask(url, own, key, server.side.title))
    for server, answer in zip(servers[1:], answers[1:], strict=True):
        if answer != answers[0]:
            where = _difference(answers[0], answer, "data")
            raise BenchFailed(
                f"{server.side.title} answers {scenario.name} differently from "
                f"{servers[0].side.title}: {where}"
            )


def table(
    scenario: Scenario, measured: dict[str, list[Round]], processes: int, answer: str
) -> Table:
    """Medians of the rounds; the spread is that of requests per second."""
    shown = Table(title=f"{scenario.name}: {scenario.title}", caption=answer)
    shown.add_column("server" if processes == 1 else f"server, {processes} processes")
    for title in (
        "requests/s",
        "spread",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "mongod CPU ms",
        "peak MB",
        "to raw",
    ):
        shown.add_column(title, justify="right")
    for name, rounds in measured.items():
        rates = [each.per_second for each in rounds]
        middle = statistics.median(rates)
        raw = measured.get("raw-pymongo" if "pymongo" in name else "raw")
        ratio = middle / statistics.median(e.per_second for e in raw) if raw else None
        shown.add_row(
            SIDES[name].title,
            f"{middle:,.1f}",
            f"{(max(rates) - min(rates)) / middle:.0%}",
            f"{statistics.median(each.p50_ms for each in rounds):,.1f}",
            f"{statistics.median(each.p99_ms for each in rounds):,.1f}",
            f"{statistics.median(each.cpu_ms for each in rounds):,.2f}",
            f"{statistics.median(each.mongod_ms for each in rounds):,.2f}",
            f"{max(each.peak_mb for each in rounds):,.0f}",
            "" if ratio is None else f"{ratio:.2f}",
        )
    return shown


def show(shown: Table) -> None:
    """Prints the table, wide enough for a file too."""
    Console(width=120).print(shown)


def _ask(url: str, body: str, key: str, title: str) -> Any:
    request = urllib.request.Request(  # noqa: S310 - loopback
        url,
        body.encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer = json.loads(response.read())
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:1000]
        raise BenchFailed(f"{title} answered {error.code}: {said}") from None
    if answer.get("errors") or answer.get("data") is None:
        raise BenchFailed(f"{title} answered with errors: {answer.get('errors')}")
    return answer["data"]


def _difference(one: Any, other: Any, path: str) -> str:
    """Where two answers first differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return f"{path} has the keys {list(one)} and {list(other)}"
        for name in one:
            if one[name] != other[name]:
                return _difference(one[name], other[name], f"{path}.{name}")
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path} has {len(one)} and {len(other)} items"
        for index, pair in enumerate(zip(one, other, strict=True)):
            if pair[0] != pair[1]:
                return _difference(pair[0], pair[1], f"{path}.{index}")
    return f"{path} is {one!r:.200} and {other!r:.200}"
