"""Rows as they are written for spreadsheets."""

import re
from collections.abc import Sequence

_SIGNS = frozenset("=+-@\t\r")
_FORMULA = re.compile(r";(?=[=+\-@\t\r])")
_GUARDED = re.compile(r"(^|;)'(?=[=+\-@\t\r])")
_QUOTED = frozenset(',"\n\r')


def safe_cell(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula: an apostrophe stands
    before what begins like one, be it after a semicolon, where some separate cells."""
    first = f"'{text}" if text[:1] in _SIGNS else text
    return _FORMULA.sub(";'", first) if ";" in first else first


def unguarded(text: str) -> str:
    """The text of a cell without the apostrophes of `safe_cell`."""
    return _GUARDED.sub(r"\1", text)


def csv_line(cells: Sequence[str]) -> str:
    """One safe row in the form of RFC 4180."""
    return ",".join(map(_written, cells)) + "\r\n"


def _written(text: str) -> str:
    safe = safe_cell(text)
    if _QUOTED.isdisjoint(safe):
        return safe
    return '"' + safe.replace('"', '""') + '"'
