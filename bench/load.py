"""Puts load on a server with wrk, and reads what the processes behind it used."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECTIONS = 16
TICKS = 100  # of CPU time in a second, on Linux

# wrk calls done() once at the end. The bodies take turns; every request whose body has
# @NUMBER@ in it gets a number of its own.
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"
local bodies = {%(bodies)s}
local number = 0
request = function()
  number = number + 1
  local body = bodies[number %% #bodies + 1]
  local before, after = body:match("^(.*)@NUMBER@(.*)$")
  if before then
    body = before .. %(prefix)s .. number .. after
  end
  return wrk.format(nil, nil, nil, body)
end
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status
  io.write(string.format(
    '\\n{"requests": %%d, "microseconds": %%d, "p50": %%d, "p99": %%d, "failed": %%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    failed + errors.timeout))
end
"""


class BenchFailed(Exception):
    """The bench cannot go on; says why."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one stretch of load on one server measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the server's processes, per request
    mongod_ms: float  # of mongod, per request
    peak_mb: float
    failed: int


def check_wrk() -> str:
    """Where wrk is; BenchFailed says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchFailed("The load generator wrk is missing: apt-get install wrk")
    return found


def run_round(
    url: str,
    bodies: Sequence[str],
    key: str,
    seconds: float,
    *,
    server: int,
    mongod: int,
    mark: str,
) -> Round:
    """Load for so many seconds, with 16 requests in flight. `server` and `mongod` are
    the processes to watch, with their children; `mark` makes numbered bodies unique."""
    with _script(bodies, key, mark) as script:
        before, database_before = cpu_seconds(server), cpu_seconds(mongod)
        ran = subprocess.run(  # noqa: S603 - our own arguments
            [
                check_wrk(),
                *("-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds:g}s"),
                *("--timeout", "30s", "-s", str(script), url),
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
        after, database_after = cpu_seconds(server), cpu_seconds(mongod)
    if ran.returncode != 0:
        raise BenchFailed(f"wrk ended with code {ran.returncode}: {ran.stderr.strip()}")
    said: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    requests = said["requests"]
    if not requests:
        raise BenchFailed(f"{url} answered no request in {seconds:g} s.")
    return Round(
        per_second=requests / (said["microseconds"] / 1e6),
        p50_ms=said["p50"] / 1000,
        p99_ms=said["p99"] / 1000,
        cpu_ms=1000 * (after - before) / requests,
        mongod_ms=1000 * (database_after - database_before) / requests,
        peak_mb=peak_megabytes(server),
        failed=said["failed"],
    )


def cpu_seconds(process: int) -> float:
    """CPU time that a process and its descendants have used."""
    total = 0
    for each in family(process):
        stat = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(stat[11]) + int(stat[12])
    return total / TICKS


def peak_megabytes(process: int) -> float:
    """The most memory that a process and its descendants have had, added up."""
    total = 0
    for each in family(process):
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return total / 1024


def family(process: int) -> list[int]:
    """The process and its descendants."""
    found = [process]
    for each in found:
        for task in Path(f"/proc/{each}/task").iterdir():
            with suppress(FileNotFoundError):  # a thread that has ended since
                found += map(int, (task / "children").read_text().split())
    return found


@contextmanager
def _script(bodies: Sequence[str], key: str, mark: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        every = ", ".join(map(json.dumps, bodies))
        quoted = {"bodies": every, "prefix": json.dumps(mark), "key": key}
        file.write(_SCRIPT % quoted)
        file.flush()
        yield Path(file.name)
