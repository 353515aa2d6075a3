"""Rows as they are written for spreadsheets."""

from collections.abc import Sequence

_QUOTED = frozenset(',"\n\r')


def safe_cell(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula: behind an apostrophe
    when it begins like one."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def unguarded(text: str) -> str:
    """The text of a cell without the apostrophe of `safe_cell`."""
    if text[0] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r"):
        return text[1:]
    return text


def csv_line(cells: Sequence[str]) -> str:
    """One safe row in the form of RFC 4180."""
    return ",".join(map(_written, cells)) + "\r\n"


def _written(text: str) -> str:
    safe = safe_cell(text)
    if _QUOTED.isdisjoint(safe):
        return safe
    return '"' + safe.replace('"', '""') + '"'
