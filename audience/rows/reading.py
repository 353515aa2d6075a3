"""Rows as people: every cell checked, and the rows that cannot be taken with the cell
that is to blame."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audience.consent import Channel
from audience.errors import AudienceError
from audience.identity import Identity
from audience.profiles import ProfileChange, check_properties
from audience.rows import limits
from audience.rows.cells import Rule, agrees, instant, rule_of
from audience.rows.columns import PROPERTY, Column
from audience.rows.files import Block
from audience.rows.sheets import unguarded

_SMALL = 20_000  # characters of a row whose properties cannot be too large

_STORED = {
    "email": "email",
    "phoneNumber": "phone_number",
    "externalId": "external_id",
    "firstName": "first_name",
    "lastName": "last_name",
}


@dataclass(frozen=True, slots=True)
class Agreed:
    """Which columns tell of a channel's consent: `when` has its time, and where the
    cell of `only_if` says anything but yes there is none."""

    channel: Channel
    when: str | None = None
    only_if: str | None = None


@dataclass(slots=True)
class Person:
    """What a row says about someone. `fields` are the identifiers and attributes under
    their stored names, `agreed` the channels with the time told, if any."""

    line: int
    row: int
    fields: dict[str, Any] = field(default_factory=dict)
    location: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    agreed: tuple[tuple[Channel, datetime | None], ...] = ()

    def change(self) -> ProfileChange:
        """The row as a change of a profile: cells that are empty change nothing."""
        attributes = dict(self.fields)
        who = Identity(
            email=attributes.pop("email", None),
            phone_number=attributes.pop("phone_number", None),
            external_id=attributes.pop("external_id", None),
        )
        return ProfileChange(who, attributes, self.location or None, self.properties)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row was not taken. `column` is empty where the row as a whole is wrong."""

    line: int
    column: str
    value: str
    reason: str


class Reader:
    """Reads the blocks of one file."""

    def __init__(
        self,
        columns: Sequence[Column],
        delimiter: str,
        agreed: Sequence[Agreed] = (),
        region: str | None = None,
    ) -> None:
        self._width = len(columns)
        self._delimiter = delimiter
        places = {column.header: place for place, column in enumerate(columns)}
        self._headers = [column.header for column in columns]
        self._fields: list[tuple[int, str, Rule]] = []
        self._location: list[tuple[int, str, Rule]] = []
        self._properties: list[tuple[int, str, Rule]] = []
        for place, column in enumerate(columns):
            if column.target is None:
                continue
            rule = rule_of(column, region)
            name = column.target
            if name.startswith(PROPERTY):
                name = name.removeprefix(PROPERTY)
                self._properties.append((place, name, rule))
            elif name.startswith("location."):
                self._location.append((place, name.removeprefix("location."), rule))
            else:
                self._fields.append((place, _STORED.get(name, name), rule))
        self._agreed = [
            (
                each.channel,
                None if each.when is None else places[each.when],
                None if each.only_if is None else places[each.only_if],
            )
            for each in agreed
        ]

    def people(self, block: Block) -> tuple[list[Person], list[list[Rejection]]]:
        """The people of a block, and what is wrong with each of its other rows."""
        lines = split_lines(block.content.decode())
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        people: list[Person] = []
        rejected: list[list[Rejection]] = []
        line, number = block.first_line, block.first_row
        for row in reader:
            if any(row):
                wrong: list[Rejection] = []
                person = self._person(line, number, row, wrong)
                if wrong:
                    rejected.append(wrong)
                else:
                    people.append(person)
            line = block.first_line + reader.line_num
            number += 1
        return people, rejected

    def _person(
        self, line: int, number: int, row: list[str], wrong: list[Rejection]
    ) -> Person:
        person = Person(line, number)
        width = self._width
        if len(row) != width:
            if any(row[width:]):
                reason = f"The row has {len(row)} cells, but there are {width} columns."
                wrong.append(Rejection(line, "", "", reason))
                return person
            row += [""] * (width - len(row))
        for columns, values in (
            (self._fields, person.fields),
            (self._location, person.location),
            (self._properties, person.properties),
        ):
            for place, name, rule in columns:
                cell = row[place]
                if not cell or not (cell := cell.strip()):
                    continue
                if cell[0] == "'" or ";'" in cell:
                    cell = unguarded(cell)
                try:
                    value = rule(cell)
                except AudienceError as error:
                    self._refuse(line, place, cell, error, wrong)
                else:
                    if value is not None:
                        values[name] = value
        if sum(map(len, row)) > _SMALL:
            try:
                check_properties(person.properties)
            except AudienceError as error:
                wrong.append(Rejection(line, "", "", str(error)))
        fields = person.fields
        if (
            not wrong
            and "email" not in fields
            and "phone_number" not in fields
            and "external_id" not in fields
        ):
            reason = "The row has no e-mail address, phone number or external id."
            wrong.append(Rejection(line, "", "", reason))
        if self._agreed and not wrong:
            person.agreed = self._agreements(line, row, wrong)
        return person

    def _agreements(
        self, line: int, row: list[str], wrong: list[Rejection]
    ) -> tuple[tuple[Channel, datetime | None], ...]:
        found: list[tuple[Channel, datetime | None]] = []
        for channel, when, only_if in self._agreed:
            if only_if is not None and not agrees(row[only_if]):
                continue
            at = None
            if when is not None and (cell := row[when].strip()):
                try:
                    at = instant(cell)
                except AudienceError as error:
                    self._refuse(line, when, cell, error, wrong)
            found.append((channel, at))
        return tuple(found)

    def _refuse(
        self,
        line: int,
        place: int,
        cell: str,
        error: AudienceError,
        wrong: list[Rejection],
    ) -> None:
        if len(wrong) < limits.REJECTED_CELLS:
            wrong.append(Rejection(line, self._headers[place], cell, str(error)))


def split_lines(text: str) -> list[str]:
    """The lines, each with its end, as the csv module counts them."""
    return text.splitlines(keepends=True) if _is_simple(text) else _split(text)


def _is_simple(text: str) -> bool:
    """Whether lines end where `str.splitlines` ends them: it knows more line ends."""
    return text.isascii() and not any(mark in text for mark in "\r\v\f\x1c\x1d\x1e")


def _split(text: str) -> list[str]:
    parts = text.split("\n")
    last = parts.pop()
    lines = [f"{part}\n" for part in parts]
    return [*lines, last] if last else lines
